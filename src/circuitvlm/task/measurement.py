"""What is asked, and how is an answer read? A voltage, current or power in a drawn circuit, at 0 Hz or as a phasor."""

from __future__ import annotations

from circuitvlm.task._asking import Executing


class Measurement(Executing):
    """The quantity that is marked in the drawing, such as `-3.4 mA`; executed, the netlist with `.print i(R1)`."""

    kind = "measurement"
