"""Does the family file do what its recipes state, on the real shapes and on small ones?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

from circuitvlm.collate.padded import Padded
from circuitvlm.core.record import Dialogue, Turn
from circuitvlm.model.qwen2_vl import STANDIN_SHAPE, Qwen2VL
from circuitvlm.runtime.allow import instantiate
from circuitvlm.runtime.compose import compose
from tests.contract import desk

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

NF4 = OmegaConf.to_container(OmegaConf.load(CONF / "quantization" / "nf4.yaml"))


def test_the_recipe_of_the_document_trains_161_480_704_weights() -> None:
    cfg = OmegaConf.to_container(compose(["experiment=qwen2vl_qlora"], config_dir=CONF), resolve=True)
    with torch.device("meta"):
        net = Qwen2VLForConditionalGeneration(Qwen2VLConfig(**SHAPE_7B)).requires_grad_(False)
        adapted = instantiate(cfg["adapter"]).attach(net, instantiate(cfg["model"]), instantiate(cfg["dropout"]))
    trained = [p for p in adapted.parameters() if p.requires_grad]
    assert sum(p.numel() for p in trained) == 161_480_704
    assert {p.dtype for p in trained} == {torch.float32}
    stated = {key: cfg[key] for key in ("epochs", "global_batch", "micro_batch", "precision")}
    assert stated == {"epochs": 3, "global_batch": 16, "micro_batch": 2, "precision": "bf16-mixed"}
    assert cfg["quantization"]["bnb_4bit_quant_type"] == "nf4"
    assert cfg["quantization"]["bnb_4bit_use_double_quant"] is True


def test_missing_weights_are_told_in_two_lines() -> None:
    for weights in ("/no/such/folder", "nobody-at-all/no-such-model"):
        with pytest.raises(FileNotFoundError) as caught:
            made(weights=weights, shape=None).codec()
        lines = str(caught.value).splitlines()
        assert len(lines) == 2
        assert weights in lines[0]
        assert "model.weights=" in lines[1]


def test_one_of_weights_and_shape_is_wanted() -> None:
    with pytest.raises(ValueError, match="either weights or shape"):
        made(weights=None, shape=None)


def test_flash_attention_falls_back_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    net = made(attention="flash_attention_2").build(dtype=torch.float32, quantization=None)
    assert net.config._attn_implementation == "sdpa"
    assert "using sdpa instead" in caplog.text


def test_the_same_seed_gives_the_same_weights() -> None:
    nets = []
    for _ in range(2):
        torch.manual_seed(3)
        nets.append(made().build(dtype=torch.float32, quantization=None))
    assert all(torch.equal(a, b) for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True))


def made(**changes: object) -> Qwen2VL:
    settings = {
        "weights": None,
        "shape": STANDIN_SHAPE,
        "attention": "sdpa",
        "gradient_checkpointing": False,
        "min_pixels": None,
        "max_pixels": None,
        "max_tokens": 512,
        "cache": "cache",
    }
    return Qwen2VL(**{**settings, **changes})  # type: ignore[arg-type]


def test_nf4_quantizes_the_llm_and_leaves_tower_projector_and_head() -> None:
    quantization = instantiate(NF4)
    net = made().build(dtype=torch.float32, quantization=quantization)
    kinds = {name: type(module).__name__ for name, module in net.named_modules() if isinstance(module, torch.nn.Linear)}
    assert {kind for name, kind in kinds.items() if name.startswith("model.language_model.")} == {"Linear4bit"}
    assert {kind for name, kind in kinds.items() if not name.startswith("model.language_model.")} == {"Linear"}


def test_nf4_learns_after_it_was_evaluated() -> None:
    """bitsandbytes repacks 4-bit weights on some CPUs when a net is evaluated, and cannot train them any more."""
    quantization = instantiate({**NF4, "bnb_4bit_compute_dtype": "float32"})
    layer = made().build(dtype=torch.float32, quantization=quantization).model.language_model.layers[0].mlp.up_proj
    frozen = layer.weight.detach().clone()
    with torch.no_grad():
        before = layer.eval()(torch.ones(2, 3, 64))
    x = torch.ones(2, 3, 64, requires_grad=True)
    layer.train()(x).sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs().sum()) > 0
    assert torch.equal(layer.weight, frozen)
    assert torch.allclose(layer(x), before, atol=1e-5)


def test_a_question_with_choices_is_answered_by_the_likeliest_of_them(tmp_path: Path) -> None:
    model = Qwen2VL(
        weights=None, shape=STANDIN_SHAPE, attention="sdpa", gradient_checkpointing=False, min_pixels=None,
        max_pixels=None, max_tokens=512, cache=str(tmp_path),
    )  # fmt: skip
    codec, net = model.codec(), desk.built(model)
    free, bound = (
        Dialogue(id=name, task="t", prompt=(Turn(role="user", text=text),), reply="C", choices=choices)
        for name, text, choices in (("free", "Say it.", ()), ("bound", "Which one is it?", ("A", "B", "C", "D")))
    )
    alone = {d.id: Padded()([codec.encode(d, reply=False)], pad=codec.pad, side="left") for d in (free, bound)}
    both = Padded()([codec.encode(d, reply=False) for d in (free, bound)], pad=codec.pad, side="left")
    said = [codec.decode(row) for row in model.generate(net, both, max_new_tokens=6, synced=False)]
    assert said[0] == codec.decode(model.generate(net, alone["free"], max_new_tokens=6, synced=False)[0])
    likelihood = {}
    for letter in bound.choices:
        told = codec.encode(replace(bound, reply=letter), reply=True)
        batch = Padded()([told], pad=codec.pad, side="right")
        likelihood[letter] = float(torch.log_softmax(desk.logits(model, net, batch)[0], -1)[told.labels_T[-2]])
    assert said[1] == max(likelihood, key=likelihood.__getitem__)
