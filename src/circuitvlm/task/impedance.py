"""Ask for the equivalent resistance or impedance between two nodes."""

from __future__ import annotations

from circuitvlm.task._question import ExecutableTask


class Impedance(ExecutableTask):
    """A resistance such as `1.2 kOhm`, or a phasor at a frequency; executed, the netlist with `.print z(1,0)`."""

    kind = "impedance"
