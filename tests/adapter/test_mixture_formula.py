"""Does the adapter compute its closed form, written once more in loops, and has it as many weights as stated?"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaModel

from circuitvlm.adapter.mixture_of_modality.config import MixtureConfig
from circuitvlm.adapter.mixture_of_modality.layer import Mixture, MixtureLayer, RoutingState
from tests.adapter.mixture_nets import Place, adapter, shaken, trained

WIDTH, RANK, GROUPS, SCALE, TEMPERATURE = 8, 4, 2, 0.7, 3.0
ROUTERS = ("table", "embedding", "none")


def mixture_config(router: str, **changes: Any) -> MixtureConfig:
    said = {"target_modules": "norm", "seeing_modules": "", "r": RANK, "groups": GROUPS, "scale": SCALE}
    return MixtureConfig(**{**said, "temperature": TEMPERATURE, "router": router, "class_token": True, **changes})


def made_layer(router: str, *, sees: bool, **changes: Any) -> MixtureLayer:
    """A norm with one adapter, all of its weights random, in float64."""
    told = RoutingState(nn.ModuleDict({"default": nn.Embedding(2, WIDTH)}))
    layer = MixtureLayer(nn.LayerNorm(WIDTH), routing_state=told, in_vision_tower=sees)
    layer.add("default", mixture_config(router, **changes))
    told.embeddings.double()
    shaken(layer.double())
    return layer


def shares(mixture: Mixture, state: list[float] | None, modality: int) -> list[float]:
    """The softmax over two experts, number by number."""
    if mixture.router == "none":
        return [0.5, 0.5]
    if mixture.router == "table":
        logits = mixture.table.tolist()[2 * modality : 2 * modality + 2]
    else:
        assert state is not None
        weight, bias = mixture.router_weight.tolist(), mixture.router_bias.tolist()
        logits = [sum(a * b for a, b in zip(weight[e], state, strict=True)) + bias[e] for e in range(2)]
    powers = [math.exp(logit / TEMPERATURE) for logit in logits]
    return [power / sum(powers) for power in powers]


def closed_form(mixture: Mixture, h: list[float], w: list[float]) -> list[float]:
    """h' = h + s (w_0 (B z + b_0) + w_1 (D z + b_1)), z = A h + a, with B and D written out as whole matrices."""
    down, bias = mixture.down_weight.tolist(), mixture.down_bias.tolist()
    z = [sum(down[k][i] * h[i] for i in range(WIDTH)) + bias[k] for k in range(RANK)]
    wide, narrow = WIDTH // GROUPS, RANK // GROUPS
    made = list(h)
    for expert in range(2):
        for out in range(WIDTH):
            row = [0.0] * RANK
            for k in range(RANK):
                if k // narrow == out // wide:
                    row[k] = float(mixture.up_weight[expert, out // wide, out % wide, k % narrow].detach())
            value = sum(row[k] * z[k] for k in range(RANK)) + float(mixture.up_bias[expert * WIDTH + out].detach())
            made[out] += SCALE * w[expert] * value
    return made


def wanted(layer: MixtureLayer, h: Tensor, states: Any, modality: Any) -> Tensor:
    """The closed form at each token of h (B, T, D), with its own state and modality."""
    mixture = layer.mixture_adapters["default"]
    rows = [
        [
            closed_form(mixture, h[b, t].tolist(), shares(mixture, states(b, t), modality(b, t)))
            for t in range(h.shape[1])
        ]
        for b in range(len(h))
    ]
    return torch.tensor(rows, dtype=torch.float64)


class Block(nn.Module):
    def forward(self, x: Tensor, *, cu_seqlens: Tensor) -> Tensor:
        return x


def follow(layer: MixtureLayer, ends: list[int]) -> None:
    """Let the layer watch a block that is told where its images end."""
    layer.track_image_ends(block := Block())
    block(torch.zeros(1), cu_seqlens=torch.tensor(ends, dtype=torch.int32))


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("router", ROUTERS)
def test_in_an_llm_each_token_follows_the_modality_of_its_sample(router: str) -> None:
    layer, x = made_layer(router, sees=False), numbers(3, 4, WIDTH)
    pictured = torch.tensor([[True] * 4, [False] * 4, [True, True, False, False]])  # the last row holds two samples
    layer.routing_state.pictured_BT = pictured
    embedding = layer.routing_state.embeddings["default"].weight
    want = wanted(
        layer,
        layer.base_layer(x),
        lambda b, t: embedding[int(pictured[b, t])].tolist(),
        lambda b, t: int(pictured[b, t]),
    )
    torch.testing.assert_close(layer(x), want, atol=1e-12, rtol=0)


@pytest.mark.parametrize("router", ROUTERS)
def test_in_a_tower_with_a_batch_axis_each_image_follows_its_own_class_token(router: str) -> None:
    layer, x = made_layer(router, sees=True), numbers(3, 4, WIDTH)
    layer.routing_state.pictured_BT = torch.zeros(5, 2, dtype=torch.bool)  # samples do not matter in a tower
    h = layer.base_layer(x)
    want = wanted(layer, h, lambda b, t: h[b, 0].tolist(), lambda b, t: 1)
    torch.testing.assert_close(layer(x), want, atol=1e-12, rtol=0)


def test_in_a_tower_without_class_token_each_image_follows_the_mean_over_its_tokens() -> None:
    layer, x = made_layer("embedding", sees=True, class_token=False), numbers(3, 4, WIDTH)
    h = layer.base_layer(x)
    want = wanted(layer, h, lambda b, t: h[b].mean(0).tolist(), lambda b, t: 1)
    torch.testing.assert_close(layer(x), want, atol=1e-12, rtol=0)


@pytest.mark.parametrize("router", ROUTERS)
def test_images_in_one_row_follow_the_means_over_their_own_tokens(router: str) -> None:
    layer, x = made_layer(router, sees=True, class_token=False), numbers(7, WIDTH)
    ends = [0, 4, 5, 7]
    follow(layer, ends)
    h = layer.base_layer(x)
    means = [h[a:b].mean(0).tolist() for a, b in pairwise(ends) for _ in range(a, b)]
    want = wanted(layer, h[None], lambda b, t: means[t], lambda b, t: 1)[0]
    torch.testing.assert_close(layer(x), want, atol=1e-12, rtol=0)


def test_gradients_through_the_mean_are_right() -> None:
    layer = made_layer("embedding", sees=True, class_token=False)
    follow(layer, [0, 3, 5])
    assert torch.autograd.gradcheck(layer, (numbers(5, WIDTH).requires_grad_(),))


def test_a_tower_that_does_not_say_where_images_end_wants_the_table() -> None:
    layer = made_layer("embedding", sees=True)
    with pytest.raises(ValueError, match=r"adapter\.router=table"):
        layer(numbers(5, WIDTH))
    assert made_layer("table", sees=True)(numbers(5, WIDTH)).shape == (5, WIDTH)


def test_rows_that_nobody_told_of_are_refused() -> None:
    layer = made_layer("table", sees=False)
    layer.routing_state.pictured_BT = torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"expected the 2 rows of the last route\(\), got 4"):
        layer(numbers(4, 3, WIDTH))


def test_a_step_of_generation_and_what_follows_the_told_tokens_belong_to_the_rows_last() -> None:
    layer, x = made_layer("table", sees=False), numbers(2, 5, WIDTH)
    layer.routing_state.pictured_BT = torch.tensor([[False, False, True], [True, True, False]])  # as padded on the left
    long = layer(x)
    assert torch.equal(layer(x[:, :3]), long[:, :3])
    torch.testing.assert_close(layer(x[:, 4:]), long[:, 4:], atol=1e-14, rtol=0)
    layer.routing_state.pictured_BT = ~layer.routing_state.pictured_BT
    assert not torch.allclose(layer(x[:, 4:]), long[:, 4:])


def test_dropout_is_in_the_bottleneck_and_the_same_for_both_experts() -> None:
    layer, x = made_layer("table", sees=False), numbers(1, 3, WIDTH)
    mixture = layer.mixture_adapters["default"]
    with torch.no_grad():
        mixture.up_weight[1] = -mixture.up_weight[0]
        mixture.up_bias.zero_()
        mixture.table.zero_()
    mixture.dropout.p = 0.5
    torch.testing.assert_close(layer.train()(x), layer.base_layer(x))  # with a mask for each they would not cancel
    with torch.no_grad():
        mixture.up_weight[1] = mixture.up_weight[0]
    assert not torch.allclose(layer(x), layer(x))


@pytest.mark.parametrize(
    ("change", "said"),
    [({"groups": 3}, "expected a divisor of the width"), ({"r": 6, "groups": 4}, "expected a divisor")],
)
def test_groups_must_divide_width_and_rank(change: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Mixture(WIDTH, mixture_config("table", **change), device=torch.device("cpu"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rank": 6, "groups": 4}, "multiple of adapter.groups"),
        ({"temperature": 0.0}, "above 0"),
        ({"router": "tables"}, "table, embedding, none"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        adapter("table", **change)


@pytest.mark.parametrize(
    ("width", "blocks", "heads", "published"), [(4096, 32, 32, 3_781_296), (5120, 40, 40, 5_390_080)]
)
def test_the_published_numbers_of_weights(width: int, blocks: int, heads: int, published: int) -> None:
    shape = {"hidden_size": width, "num_hidden_layers": blocks, "num_attention_heads": heads, "vocab_size": 32}
    tower = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "patch_size": 14}
    with torch.device("meta"):
        net = nn.Module()
        net.llm = LlamaModel(LlamaConfig(**shape, intermediate_size=64, pad_token_id=0))
        net.tower = CLIPVisionModel(CLIPVisionConfig(**tower, intermediate_size=4096))
        place = Place({"llm": ("llm",), "vision": ("tower",)}, ("llm.layers", "tower.encoder.layers"))
        adapted = adapter("embedding").attach(net, place, None)
    prefix = 1024 * 128 + 128 + 128 * width + width  # LaVIN's visual prefix, which is the model's
    assert sum(p.numel() for p in trained(adapted).values()) == published - prefix
