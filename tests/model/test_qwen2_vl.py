"""Test Qwen2-VL against its recipes, on the real shapes and on small ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

from circuitvlm.collate.padded import Padded
from circuitvlm.core.record import Dialogue, Turn
from circuitvlm.model.qwen2_vl import Qwen2VL
from circuitvlm.runtime.config.allow_list import instantiate
from circuitvlm.runtime.config.compose import compose
from tests.contract import parts

CONF = Path(__file__).parents[2] / "conf"

SHAPE_7B = {
    "text_config": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
    },
    "vision_config": {"depth": 32, "embed_dim": 1280, "hidden_size": 3584, "num_heads": 16},
}


def test_the_recipe_of_the_document_trains_161_480_704_weights() -> None:
    cfg = OmegaConf.to_container(compose(["experiment=qwen2vl_qlora"], config_dir=CONF), resolve=True)
    with torch.device("meta"):
        net = Qwen2VLForConditionalGeneration(Qwen2VLConfig(**SHAPE_7B)).requires_grad_(False)
        adapted_net = instantiate(cfg["adapter"]).attach(net, instantiate(cfg["model"]), instantiate(cfg["dropout"]))
    trainable_weights = [p for p in adapted_net.parameters() if p.requires_grad]
    assert sum(p.numel() for p in trainable_weights) == 161_480_704
    assert {p.dtype for p in trainable_weights} == {torch.float32}
    recipe = {key: cfg[key] for key in ("max_epochs", "global_batch_size", "micro_batch_size", "precision")}
    assert recipe == {"max_epochs": 3, "global_batch_size": 16, "micro_batch_size": 2, "precision": "bf16-mixed"}
    assert cfg["quantization"]["bnb_4bit_quant_type"] == "nf4"
    assert cfg["quantization"]["bnb_4bit_use_double_quant"] is True


def test_missing_weights_are_told_in_two_lines() -> None:
    for weights in ("/no/such/folder", "nobody-at-all/no-such-model"):
        with pytest.raises(FileNotFoundError) as error_info:
            make_model(weights=weights, shape=None).codec()
        lines = str(error_info.value).splitlines()
        assert len(lines) == 2
        assert weights in lines[0]
        assert "model.weights=" in lines[1]


def test_one_of_weights_and_shape_is_wanted() -> None:
    with pytest.raises(ValueError, match="either weights or shape"):
        make_model(weights=None, shape=None)


def test_flash_attention_falls_back_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    net = make_model(attention="flash_attention_2").build(dtype=torch.float32, quantization=None)
    assert net.config._attn_implementation == "sdpa"
    assert "using sdpa instead" in caplog.text


def test_the_same_seed_gives_the_same_weights() -> None:
    nets = []
    for _ in range(2):
        torch.manual_seed(3)
        nets.append(make_model().build(dtype=torch.float32, quantization=None))
    assert all(torch.equal(a, b) for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True))


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"min_pixels": 10_000, "max_pixels": 5_000}, "1 to model.max_pixels=5000, got 10000"),
        ({"max_pixels": 1_000}, "1 to model.max_pixels=1000, got 3136"),
        ({"min_pixels": 40_000}, "1 to model.max_pixels=37632, got 40000"),
        ({"min_pixels": 0}, "1 to model.max_pixels=37632, got 0"),
    ],
)
def test_a_smallest_picture_above_the_largest_is_refused(bounds: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"model.min_pixels: expected a number of pixels from {message}"):
        make_model(**bounds).codec()
    make_model(min_pixels=5_000, max_pixels=5_000).codec()


def test_replies_are_the_likeliest_tokens_whatever_the_checkpoint_states(tmp_path: Path) -> None:
    """As the hub's checkpoints do: a penalty for repetition, and sampling; and a bound in seconds."""
    torch.manual_seed(0)
    untrained_model = make_model()
    codec, net = untrained_model.codec(), untrained_model.build(dtype=torch.float32, quantization=None).eval()
    net.save_pretrained(tmp_path)
    codec.save(tmp_path)
    settings = {"do_sample": True, "temperature": 9.0, "repetition_penalty": 8.0, "max_time": 1e-9, "eos_token_id": [1]}
    (tmp_path / "generation_config.json").write_text(json.dumps(settings))
    model = make_model(weights=str(tmp_path), shape=None)
    own_net = model.build(dtype=torch.float32, quantization=None).eval()
    question = Dialogue(id="q", task="t", prompt=(Turn(role="user", text="Read."),), reply="")
    batch = Padded()([codec.encode(question, reply=False)], pad=codec.pad, side="left")
    replies = [
        m.generate(n, batch, max_new_tokens=12, synced_gpus=False)
        for m, n in ((untrained_model, net), (model, own_net))
    ]
    assert replies[0] == replies[1]
    assert len(set(replies[0][0])) < len(replies[0][0]), "a reply without repetition would not show the penalty"
    assert set(own_net.generation_config.eos_token_id) == {1, codec.end}


def make_model(**changes: Any) -> Qwen2VL:
    settings: dict[str, Any] = {
        "weights": None,
        "shape": Qwen2VL.smoke_test_shape,
        "attention": "sdpa",
        "gradient_checkpointing": False,
        "min_pixels": None,
        "max_pixels": None,
        "max_tokens": 512,
        "reply_tokens": 64,
        "cache": "cache",
    }
    return Qwen2VL(**{**settings, **changes})


def test_nf4_learns_after_it_was_evaluated() -> None:
    """bitsandbytes repacks 4-bit weights on some CPUs when a net is evaluated, and cannot train them any more."""
    quantization = instantiate(parts.section("quantization", "nf4_float32"))
    layer = (
        make_model().build(dtype=torch.float32, quantization=quantization).model.language_model.layers[0].mlp.up_proj
    )
    initial_weight = layer.weight.detach().clone()
    with torch.no_grad():
        reference = layer.eval()(torch.ones(2, 3, 64))
    x = torch.ones(2, 3, 64, requires_grad=True)
    layer.train()(x).sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs().sum()) > 0
    assert torch.equal(layer.weight, initial_weight)
    assert torch.allclose(layer(x), reference, atol=1e-5)
