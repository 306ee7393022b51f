"""Shard a net over ranks, where the strategy asks for it (FSDP2)."""

from __future__ import annotations

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from circuitvlm.core.contract import Model


def shard(net: nn.Module, plain: nn.Module, model: Model, *, mesh: DeviceMesh | None) -> None:
    """Shard every block of `plain`, then all other weights of `net`, over the mesh's data axis; nothing without a mesh.

    `generate` is registered as a second forward method, since it does not go through `forward`.
    """
    if mesh is None:
        return
    data_mesh = mesh["data_parallel"]
    for path in model.blocks:
        for block in plain.get_submodule(path).children():
            fully_shard(block, mesh=data_mesh)
    fully_shard(net, mesh=data_mesh)
    register_fsdp_forward_method(net, "generate")
