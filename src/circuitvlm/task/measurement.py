"""Ask for a voltage, current or power in a drawn circuit."""

from __future__ import annotations

from circuitvlm.task._question import ExecutableTask


class Measurement(ExecutableTask):
    """The quantity that is marked in the drawing, such as `-3.4 mA`; executed, the netlist with `.print i(R1)`."""

    kind = "measurement"
