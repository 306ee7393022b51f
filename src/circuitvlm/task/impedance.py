"""What is asked, and how is an answer read? The equivalent resistance or impedance between two nodes."""

from __future__ import annotations

from circuitvlm.task._asking import Executing


class Impedance(Executing):
    """A resistance such as `1.2 kOhm`, or a phasor at a frequency; executed, the netlist with `.print z(1,0)`."""

    kind = "impedance"
