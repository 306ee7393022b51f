"""What are the trained weights, whole, where a strategy keeps only a part on each rank?"""

from __future__ import annotations

from torch import Tensor, nn
from torch.distributed.tensor import DTensor


def trained(net: nn.Module) -> dict[str, Tensor]:
    """Name -> whole trained weight on the CPU. Gathers sharded ones: every rank has to call it."""
    return {name: _whole(parameter) for name, parameter in net.named_parameters() if parameter.requires_grad}


def _whole(parameter: Tensor) -> Tensor:
    tensor = parameter.detach()
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).contiguous().cpu()
