"""Does the adapter keep in whole nets what it promises: routing by sample, checkpointing, generating, four bits?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from circuitvlm.adapter.mixture_of_modality.layer import MixtureLayer
from circuitvlm.core.contract import Routed
from circuitvlm.runtime.config.allow_list import instantiate
from circuitvlm.training.network import Net
from tests.adapter.mixture_nets import (
    BOTH,
    LLM,
    Pair,
    Place,
    adapter,
    attached,
    clip,
    layers,
    llama,
    pixels,
    qwen2,
    shaken,
    trained,
)
from tests.contract import harness as harnesses
from tests.contract import parts

TOKENS = torch.tensor([[3, 4, 5, 6], [7, 8, 9, 10], [11, 12, 13, 14]])
TOWER = Place({"vision": ("encoder",)}, ("encoder.layers",))
QWEN2_VL = "qwen2_vl_tiny"


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> harnesses.Harness:
    return harnesses.Harness(tmp_path_factory.mktemp("harness"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return harnesses.smoke_test_model(QWEN2_VL, tmp_path_factory.mktemp("cache"))


def logits(net: Any, tokens_BT: Tensor, pictured: list[bool] | None) -> Tensor:
    if pictured is not None:
        net.base_model.route(torch.tensor(pictured)[:, None].expand(tokens_BT.shape))
    with torch.no_grad():
        made: Tensor = net(input_ids=tokens_BT, use_cache=False).logits
    return made


# ------------------------------------------------------------------------------------------------------------- routing


@pytest.mark.parametrize("router", ["table", "embedding"])
@pytest.mark.parametrize("family", [llama, qwen2])
def test_no_neighbour_changes_a_sample_in_an_llm(family: Any, router: str) -> None:
    net = attached(router, family(), LLM)
    alone = [logits(net, TOKENS[:1], [pictured])[0] for pictured in (False, True)]
    assert float((alone[0] - alone[1]).abs().max()) > 1e-3
    for mine in (False, True):
        for theirs in ([False, False], [True, False], [True, True]):
            with_others = logits(net, TOKENS, [mine, *theirs])[0]
            torch.testing.assert_close(with_others, alone[mine], atol=1e-12, rtol=0)


def test_before_anything_is_told_nothing_is_pictured() -> None:
    net = attached("table", llama(), LLM)
    untold = logits(net, TOKENS, None)
    torch.testing.assert_close(untold, logits(net, TOKENS, [False] * 3), atol=1e-12, rtol=0)
    assert not torch.allclose(untold, logits(net, TOKENS, [True] * 3))


@pytest.mark.parametrize("router", ["table", "embedding", "none"])
def test_no_neighbour_changes_an_image_in_clip(router: str) -> None:
    net = attached(router, clip(), TOWER)
    with torch.no_grad():
        together = net(pixel_values=pixels(4)).last_hidden_state
        for n in range(4):
            alone = net(pixel_values=pixels(4)[n : n + 1]).last_hidden_state
            torch.testing.assert_close(together[n : n + 1], alone, atol=1e-12, rtol=0)


def test_each_image_of_clip_is_routed_by_itself() -> None:
    net = attached("embedding", clip(), TOWER)
    first = next(iter(layers(net).values()))
    state = torch.randn(4, 5, 12, dtype=torch.float64)
    update, other = (
        first(x) - first.base_layer(x) for x in (state, state.clone().index_fill_(0, torch.tensor([0]), 2.0))
    )
    assert not torch.allclose(update[0], other[0])
    assert torch.equal(update[1:], other[1:])


@pytest.mark.parametrize("router", ["table", "embedding"])
def test_no_neighbour_changes_an_image_in_the_tower_of_qwen2_vl(
    router: str, model: Any, harness: harnesses.Harness
) -> None:
    net = attached(router, harnesses.build_net(model), model)
    visual = net.get_base_model().model.visual
    _, _, two, *_ = harness.samples(model)
    patches, grids = two.vision["pixel_values"].double(), two.vision["image_grid_thw"]
    with torch.no_grad():
        together = visual(patches, grid_thw=grids).last_hidden_state
        start = 0
        for grid in grids:
            end = start + int(grid.prod())
            alone = visual(patches[start:end], grid_thw=grid[None]).last_hidden_state
            torch.testing.assert_close(together[start:end], alone, atol=1e-10, rtol=0)
            start = end


@pytest.mark.parametrize("router", ["table", "embedding"])
def test_the_net_tells_it_of_each_batch(router: str, model: Any, harness: harnesses.Harness) -> None:
    net = Net(model, attached(router, harnesses.build_net(model), model))
    assert isinstance(net.weights.base_model, Routed)
    samples = harness.samples(model)
    with torch.no_grad():
        alone = [net(harnesses.single_batch(sample)) for sample in samples]
        together = net(harnesses.padded_batch(samples, pad=model.codec().pad, side="right"))
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-9, rtol=0)
    net.weights.base_model.route(torch.ones(1, 1, dtype=torch.bool))
    with torch.no_grad():
        torch.testing.assert_close(net(harnesses.single_batch(samples[1])), alone[1], atol=0, rtol=0)


# ------------------------------------------------------------------------------------- checkpointing and generating


def gradients(net: Any, loss: Any) -> dict[str, Tensor]:
    net.zero_grad()
    loss().backward()
    return {name: p.grad.clone() for name, p in trained(net).items() if p.grad is not None}


def asks(module: nn.Module, args: Any, made: Tensor) -> Tensor:
    """Reentrant checkpointing wants a first input that asks for a gradient."""
    return made.requires_grad_()


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("router", ["table", "embedding"])
def test_checkpointing_gives_the_same_gradients(
    router: str, reentrant: bool, model: Any, harness: harnesses.Harness
) -> None:
    """In the LLM and in the tower, whose images' ends and whose samples' modalities must outlive the forward pass."""
    dropout = parts.build("dropout", "constant", p=0.2)
    weights = attached(router, harnesses.build_net(model), model, dropout=dropout).train()
    net, plain = Net(model, weights), weights.get_base_model()
    plain.get_input_embeddings().register_forward_hook(asks)
    plain.model.visual.patch_embed.register_forward_hook(asks)
    batch = harnesses.padded_batch(harness.samples(model), pad=model.codec().pad, side="right")

    def loss() -> Tensor:
        torch.manual_seed(3)
        return net(batch).pow(2).sum()

    want = gradients(net, loss)
    plain.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": reentrant})
    assert plain.model.visual.blocks[0].gradient_checkpointing
    passes = count(layers(weights))
    got = gradients(net, loss)
    assert sum(passes.values()) == 2 * len(passes), "each norm works once forward and once more backward"
    assert set(got) == set(want) == set(trained(net))
    for name, gradient in want.items():
        torch.testing.assert_close(got[name], gradient, atol=1e-9, rtol=1e-9)


def count(norms: dict[str, MixtureLayer]) -> dict[str, int]:
    """How often each norm is asked, from now on."""
    passes = dict.fromkeys(norms, 0)
    for name, layer in norms.items():

        def one_more(module: nn.Module, args: Any, name: str = name) -> None:
            passes[name] += 1

        layer.register_forward_pre_hook(one_more)
    return passes


@pytest.mark.parametrize("router", ["table", "embedding"])
@pytest.mark.parametrize("family", [llama, qwen2])
def test_generating_with_a_cache_is_generating_without(family: Any, router: str) -> None:
    """Each step's logits, where each step but the first has one token with a cache, and all tokens without."""
    net = attached(router, family(), LLM)
    prompt = torch.tensor([[0, 0, 3, 4, 5], [7, 8, 9, 10, 11]])
    steps = {}
    for pictured in (False, True):
        told = torch.tensor([[False, False, *[pictured] * 3], [not pictured] * 5])
        for cache in (True, False):
            net.base_model.route(told)
            made = net.generate(
                input_ids=prompt,
                attention_mask=prompt > 0,
                max_new_tokens=8,
                do_sample=False,
                use_cache=cache,
                output_logits=True,
                return_dict_in_generate=True,
            )
            steps[pictured, cache] = torch.stack(made.logits)
        torch.testing.assert_close(steps[pictured, True], steps[pictured, False], atol=1e-5, rtol=0)  # float32 logits
    apart = (steps[True, True] - steps[False, True]).abs().amax(dim=(1, 2))
    assert float(apart.min()) > 1e-3, "the modality changes no step"


def test_a_row_generates_the_same_alone_and_in_company(model: Any, harness: harnesses.Harness) -> None:
    net = Net(model, attached("embedding", harnesses.build_net(model), model, scale=4.0))
    prompts = harness.samples(model, reply=False)
    together = net.generate(harnesses.padded_batch(prompts, pad=model.codec().pad, side="left"), max_new_tokens=6)
    assert together == [net.generate(harnesses.single_batch(prompt), max_new_tokens=6)[0] for prompt in prompts]
    assert len({tuple(row) for row in together}) > 1


# ------------------------------------------------------------------------------------------------------- arithmetic


def test_on_a_base_of_four_bits_it_is_silent_at_birth_and_learns(model: Any, harness: harnesses.Harness) -> None:
    torch.manual_seed(0)
    base = model.build(dtype=torch.float32, quantization=instantiate(parts.section("quantization", "nf4_float32")))
    batch = harnesses.padded_batch(harness.samples(model), pad=model.codec().pad, side="right")
    with torch.no_grad():
        before = harnesses.logits(model, base.eval(), batch)
        net = Net(model, adapter("table").attach(base, model, None))
        assert torch.equal(net.eval()(batch), before)
    start = {name: p.detach().clone() for name, p in trained(net).items()}
    harnesses.train(net, lambda: net(batch).logsumexp(-1).mean(), steps=3)
    assert not [name for name, p in trained(net).items() if torch.equal(p, start[name])]
    assert not torch.allclose(net(batch), before)


@pytest.mark.parametrize("mixed", [False, True])
def test_beside_a_bfloat16_base_it_and_what_is_trained_whole_are_float32(mixed: bool) -> None:
    part = adapter("embedding", train=["projector"])
    net: Any = part.attach(Pair().bfloat16(), BOTH, None)
    assert {p.dtype for p in trained(net).values()} == {torch.float32}
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        made = net(pixels(3).bfloat16(), TOKENS)
        made.float().pow(2).sum().backward()
    assert made.dtype == torch.bfloat16
    assert all(torch.isfinite(p.grad).all() for p in trained(net).values())
    first = next(iter(layers(net).values()))
    assert first(torch.ones(2, 3, 16, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_components_in_train_are_trained_and_the_bases_own_copy_is_not(tmp_path: Path) -> None:
    part, plain = adapter("table", train=["projector"]), Pair()
    own = [plain.projector.weight, plain.projector.bias]
    net = part.attach(plain, BOTH, None)
    assert not any(p.requires_grad for p in own)
    assert [n for n in trained(net) if "projector" in n] == [
        f"base_model.model.projector.modules_to_save.default.{name}" for name in ("weight", "bias")
    ]
    part.save(shaken(net), tmp_path)
    again = part.attach(plain_again := Pair(), BOTH, None)
    part.load(again, tmp_path)
    assert torch.equal(again.get_base_model().projector.weight, net.get_base_model().projector.weight)
    assert not torch.equal(again.get_base_model().projector.weight, plain_again.projector.original_module.weight)


def test_experts_part_ways_where_both_modalities_are_seen() -> None:
    """From alike at birth: a router that began with equal shares would leave them alike for ever."""
    torch.manual_seed(0)
    net: Any = adapter("table", components=["llm"]).attach(llama(), LLM, None)
    net.base_model.route(torch.tensor([[True], [False], [False]]).expand(TOKENS.shape))
    harnesses.train(net, lambda: net(input_ids=TOKENS, labels=TOKENS, use_cache=False).loss, steps=20, lr=0.02)
    for layer in layers(net).values():
        one, two = layer.mixture_adapters["default"].up_weight.detach()
        assert float((one - two).abs().max()) > 0.1 * float(one.abs().max())
