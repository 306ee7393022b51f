"""Does the adapter work where FSDP2 shards a net block by block, and is its folder whole then?"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, distributed
from torch.distributed.device_mesh import init_device_mesh

from circuitvlm.training.network import Net
from circuitvlm.training.strategy.shard import shard
from tests.adapter.mixture_nets import adapter, shaken, trained
from tests.contract import harness as harnesses


def worked(folder: Path, *, sharded: bool) -> dict[str, Tensor]:
    """The gradients of a pass, and the tensors of the folder that is written after generating."""
    torch.manual_seed(0)
    harness, model = harnesses.Harness(folder), harnesses.smoke_test_model("qwen2_vl_tiny", folder)
    part = adapter("embedding", train=["projector"])
    weights: Any = shaken(part.attach(harnesses.build_net(model), model, None))
    net = Net(model, weights).train()
    if sharded:
        mesh = init_device_mesh("cpu", (1, 1), mesh_dim_names=("data_parallel", "tensor_parallel"))
        shard(net, weights.get_base_model(), model, mesh=mesh)
    net(harnesses.padded_batch(harness.samples(model), pad=model.codec().pad, side="right")).pow(2).sum().backward()
    made = {name: _whole(p.grad) for name, p in trained(net).items()}
    net.eval().generate(harnesses.single_batch(harness.samples(model, reply=False)[0]), max_new_tokens=2)
    part.save(weights, folder / f"adapter-{sharded}")
    return made | load_file(folder / f"adapter-{sharded}" / "adapter_model.safetensors")


def both(folder: Path) -> list[dict[str, Tensor]]:
    """Unsharded and sharded over one rank, where a block gives its weights back just as over many."""
    store = distributed.FileStore(str(folder / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        return [worked(folder, sharded=sharded) for sharded in (False, True)]
    finally:
        distributed.destroy_process_group()


def _whole(gradient: Any) -> Tensor:
    assert gradient is not None, "every trained weight has a gradient"
    whole: Tensor = gradient.full_tensor() if hasattr(gradient, "full_tensor") else gradient
    return whole


def test_sharded_block_by_block_it_learns_and_is_saved_the_same(tmp_path: Path) -> None:
    """In a process of its own: memory that FSDP2 has taken back ends a process that reads it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        plain, sharded = pool.submit(both, tmp_path).result()
    assert set(plain) == set(sharded)
    assert any("mixture_embedding" in name for name in plain)
    assert any("merger" in name for name in plain)
    for name, tensor in plain.items():
        assert torch.allclose(sharded[name], tensor, atol=1e-6), name
