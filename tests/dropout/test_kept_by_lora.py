"""Check that LoRA gets a profile's probabilities from the start of each stack, and keeps them after loading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import nn

from circuitvlm.adapter.lora import Lora
from circuitvlm.core.contract import Dropout
from circuitvlm.dropout.constant import Constant
from circuitvlm.dropout.geometric import Geometric
from circuitvlm.dropout.linear import Linear
from circuitvlm.dropout.listed import Listed
from circuitvlm.model.qwen2_vl import Qwen2VL

DEPTHS = {"language_model.layers": 5, "visual.blocks": 3}
LORA = Lora(
    rank=2, alpha=4, rslora=False, targets={"llm": ["q_proj", "down_proj"], "vision": "all", "projector": "all"}
)
PROFILES: list[Dropout] = [
    Geometric(p=0.1, v=1.3, lim=0.2, mean=None),
    Geometric(p=0.2, v=0.7, lim=0.05, mean=0.1),
    Linear(first=0.0, last=0.4, mean=None),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Qwen2VL:
    """A very small Qwen2-VL whose LLM and tower have different depths."""
    depths = {"layers": DEPTHS["language_model.layers"], "vision_layers": DEPTHS["visual.blocks"]}
    shape = {**Qwen2VL.smoke_test_shape, **depths}
    return Qwen2VL(
        weights=None, shape=shape, attention="sdpa", gradient_checkpointing=False,
        min_pixels=None, max_pixels=None, max_tokens=512, reply_tokens=64, cache=str(tmp_path_factory.mktemp("cache")),
    )  # fmt: skip


def attach_lora(model: Qwen2VL, dropout: Dropout | None, *, lora: Lora = LORA) -> nn.Module:
    torch.manual_seed(0)
    return lora.attach(model.build(dtype=torch.float32, quantization=None), model, dropout)


def amounts(net: nn.Module) -> dict[str, float]:
    """Each LoRA layer's probability, read off its module; no dropout is 0."""
    return {
        name.removesuffix(".lora_dropout.default"): getattr(module, "p", 0.0)
        for name, module in net.named_modules()
        if name.endswith(".lora_dropout.default")
    }


def expected_amounts(names: Any, dropout: Dropout) -> dict[str, float]:
    """What the profile means, probabilities without the resolver."""
    probabilities = {}
    for name in names:
        stack = next((stack for stack in DEPTHS if f".{stack}." in name), None)
        if stack is None:
            probabilities[name] = dropout.profile(1)[0]
        else:
            probabilities[name] = dropout.profile(DEPTHS[stack])[int(name.split(f".{stack}.")[1].split(".")[0])]
    return probabilities


@pytest.mark.parametrize("dropout", PROFILES, ids=["increasing", "decreasing", "linear"])
def test_each_stack_gets_the_profile_from_its_own_start(model: Qwen2VL, dropout: Dropout) -> None:
    probabilities = amounts(attach_lora(model, dropout))
    assert probabilities == expected_amounts(probabilities, dropout)
    assert {sum(stack in name for name in probabilities) for stack in DEPTHS} == {5 * 2, 3 * 4}
    assert sum("merger" in name for name in probabilities) == 2


@pytest.mark.parametrize("dropout", PROFILES, ids=["increasing", "decreasing", "linear"])
def test_the_profile_is_there_after_saving_and_loading(model: Qwen2VL, dropout: Dropout, tmp_path: Path) -> None:
    first = attach_lora(model, dropout)
    probabilities = amounts(first)
    LORA.save(first, tmp_path)
    assert amounts(first) == probabilities, "saving changed it"
    again = attach_lora(model, dropout)
    LORA.load(again, tmp_path)
    assert amounts(again) == probabilities == expected_amounts(probabilities, dropout)
    LORA.load(again, tmp_path)
    assert amounts(again) == probabilities, "loading twice changed it"


def test_the_run_that_loads_says_the_profile_not_the_folder(model: Qwen2VL, tmp_path: Path) -> None:
    """A run that begins with another's adapter trains with its own dropout."""
    LORA.save(attach_lora(model, Constant(p=0.3)), tmp_path)
    second_net = attach_lora(model, PROFILES[0])
    LORA.load(second_net, tmp_path)
    assert amounts(second_net) == expected_amounts(amounts(second_net), PROFILES[0])
    silent = attach_lora(model, None)
    LORA.load(silent, tmp_path)
    assert set(amounts(silent).values()) == {0.0}


def test_plain_peft_answers_the_same_without_any_dropout(model: Qwen2VL, tmp_path: Path) -> None:
    """Noise belongs to training: whoever loads the folder with PEFT alone gets the weights and none of it."""
    adapter_net = attach_lora(model, PROFILES[0])
    for name, parameter in adapter_net.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.1)
    LORA.save(adapter_net, tmp_path)
    torch.manual_seed(0)
    plain = model.build(dtype=torch.float32, quantization=None)
    peft_net = PeftModel.from_pretrained(plain, str(tmp_path), is_trainable=True)
    assert set(amounts(peft_net).values()) == {0.0}
    tokens = torch.arange(12)[None]
    with torch.no_grad():
        noisy = adapter_net.train()(input_ids=tokens).logits
        still = adapter_net.eval()(input_ids=tokens).logits
        assert torch.equal(peft_net.train()(input_ids=tokens).logits, still)
    assert not torch.allclose(noisy, still)


def test_a_list_serves_the_stack_of_its_length_and_refuses_another(model: Qwen2VL) -> None:
    dropout = Listed(values=[0.0, 0.1, 0.0, 0.2, 0.3], mean=None)
    llm = Lora(rank=2, alpha=4, rslora=False, targets={"llm": ["q_proj"]})
    assert list(amounts(attach_lora(model, dropout, lora=llm)).values()) == [0.0, 0.1, 0.0, 0.2, 0.3]
    with pytest.raises(ValueError, match="one value for each of 3 blocks, got 5"):
        attach_lora(model, dropout, lora=Lora(rank=2, alpha=4, rslora=False, targets={"vision": "all"}))
