"""What is asked, and how is an answer read? The transfer function of a drawn circuit, as a formula in s."""

from __future__ import annotations

from circuitvlm.task._asking import Executing


class TransferFunction(Executing):
    """From a source to a voltage, such as `H(s) = R2/(R1+R2)`; executed, the netlist with `.tf v(2,0) V1`."""

    kind = "transfer_function"
