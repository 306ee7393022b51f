"""How is a net split over ranks, where a strategy asks for it (FSDP2)?"""

from __future__ import annotations

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from circuitvlm.core.contract import Model


def shard(net: nn.Module, plain: nn.Module, model: Model, *, mesh: DeviceMesh | None) -> None:
    """Shard every block, then the rest, over the mesh's data axis; without a mesh, nothing.

    Generation enters by another door than forward, so that door is registered too.
    """
    if mesh is None:
        return
    data = mesh["data_parallel"]
    for path in model.blocks:
        for block in plain.get_submodule(path).children():
            fully_shard(block, mesh=data)
    fully_shard(net, mesh=data)
    register_fsdp_forward_method(net, "generate")
