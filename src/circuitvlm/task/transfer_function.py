"""Ask for the transfer function of a drawn circuit."""

from __future__ import annotations

from circuitvlm.task._question import ExecutableTask


class TransferFunction(ExecutableTask):
    """From a source to a voltage, such as `H(s) = R2/(R1+R2)`; executed, the netlist with `.tf v(2,0) V1`."""

    kind = "transfer_function"
