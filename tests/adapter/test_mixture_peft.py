"""Does plain PEFT save, load, switch and take off the adapter, and does a resumed run get its dropout back?"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftConfig, PeftModel
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_PREFIX_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from torch import Tensor

from circuitvlm.adapter.mixture_of_modality.config import KIND, MixtureConfig
from circuitvlm.adapter.mixture_of_modality.tuner import MixtureModel, register
from tests.adapter.mixture_nets import BOTH, LLM, Pair, adapter, attached, layers, llama, pixels, shaken, trained

TOKENS = torch.tensor([[3, 4, 5, 6], [7, 8, 9, 10]])
PICTURED = torch.tensor([[True] * 5, [False] * 5])
ROUTERS = ("table", "embedding", "none")


class Rising:
    """A profile that says at each depth how deep it is."""

    def profile(self, depth: int) -> list[float]:
        return [0.1 * (n + 1) for n in range(depth)]


def said(net: Any) -> Tensor:
    with torch.no_grad():
        logits: Tensor = net(pixels(2), TOKENS)
    return logits


def routed(net: Any) -> Any:
    net.base_model.route(PICTURED)
    return net


def test_registering_twice_is_registering_once() -> None:
    tables = (PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING, PEFT_TYPE_TO_PREFIX_MAPPING)
    before = [dict(table) for table in tables]
    register()
    assert [dict(table) for table in tables] == before
    assert [table[KIND] for table in tables] == [MixtureConfig, MixtureModel, "mixture_"]


@pytest.mark.parametrize("router", ROUTERS)
def test_plain_peft_reads_the_folder_under_any_adapter_name(router: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = Pair()
    net = routed(attached(router, copy.deepcopy(plain), BOTH, train=["projector"]))
    net.save_pretrained(str(tmp_path), save_embedding_layers=False)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors", ".md"}
    assert json.loads((tmp_path / "adapter_config.json").read_text())["peft_type"] == KIND
    assert isinstance(PeftConfig.from_pretrained(str(tmp_path)), MixtureConfig)
    before = said(copy.deepcopy(plain).double())
    assert float((said(net) - before).abs().max()) > 0.01
    other = PeftModel.from_pretrained(plain.double(), str(tmp_path), adapter_name="other").double()
    torch.testing.assert_close(said(routed(other)), said(net), atol=1e-6, rtol=0)  # the folder is float32 of float64
    assert not trained(other)


def test_the_folder_holds_the_adapter_and_nothing_of_the_base(tmp_path: Path) -> None:
    part = adapter("embedding", train=["projector"])
    net = shaken(part.attach(Pair(), BOTH, None))
    part.save(net, tmp_path)
    again = part.attach(Pair(), BOTH, None)
    part.load(again, tmp_path)
    mine, yours = trained(net), trained(again)
    assert list(mine) == list(yours)
    assert all(torch.equal(mine[name], yours[name]) for name in mine)
    held = sum(p.numel() for p in mine.values()) * 4
    assert held < (tmp_path / "adapter_model.safetensors").stat().st_size < held + 20_000


def test_a_folder_of_another_shape_is_refused(tmp_path: Path) -> None:
    part = adapter("table", rank=4)
    part.save(part.attach(Pair(), BOTH, None), tmp_path)
    for other, match in (
        (adapter("table", rank=8), r"of another shape .*Use the rank, groups"),
        (adapter("none", rank=4), "unexpected"),
        (adapter("table", rank=4, train=["projector"]), r"missing .*projector"),
    ):
        net = other.attach(Pair(), BOTH, None)
        with pytest.raises(ValueError, match=match):
            other.load(net, tmp_path)


def test_two_adapters_take_turns_add_up_and_go() -> None:
    net = routed(attached("embedding", Pair(), BOTH))
    first = said(net)
    names = list(trained(net))
    net.add_adapter("second", copy.deepcopy(net.peft_config["default"]))
    net.double()
    assert torch.equal(said(net), first)
    assert list(trained(net)) == names
    net.set_adapter("second")
    assert set(trained(net)) == {name.replace(".default.", ".second.") for name in names}
    with net.disable_adapter():
        silent = said(net)
    torch.testing.assert_close(said(net), silent)  # the second is at its birth
    shaken(net, seed=11)
    second = said(net)
    assert not torch.allclose(first, second)
    net.set_adapter("default")
    assert torch.equal(said(net), first)
    net.base_model.set_adapter(["default", "second"])
    both = said(net)
    assert not torch.allclose(both, first)
    assert not torch.allclose(both, second)
    net.set_adapter("default")
    net.delete_adapter("second")
    assert torch.equal(said(net), first)
    assert not [name for name, _ in net.named_parameters() if "second" in name]


def test_disabled_it_is_the_base_and_trains_nothing() -> None:
    torch.manual_seed(0)
    plain = Pair().double()
    net = routed(attached("embedding", copy.deepcopy(plain), BOTH))
    before, names = said(net), list(trained(net))
    with net.disable_adapter():
        assert torch.equal(said(net), said(plain))
        assert not trained(net)
    assert torch.equal(said(net), before)
    assert list(trained(net)) == names
    assert any("mixture_embedding" in name for name in names)


def test_merging_is_refused_with_the_reason_and_leaves_the_net_as_it_was() -> None:
    net = routed(attached("table", Pair(), BOTH, train=["projector"]))
    before = said(net)
    for merge in (net.merge_and_unload, net.merge_adapter):
        with pytest.raises(NotImplementedError, match="whether the sample has an image"):
            merge()
    assert torch.equal(said(net), before)


def test_unloading_gives_the_plain_net_back() -> None:
    torch.manual_seed(0)
    plain = Pair().double()
    net = attached("embedding", copy.deepcopy(plain), BOTH)
    bare = net.unload()
    assert [name for name, _ in bare.named_modules()] == [name for name, _ in plain.named_modules()]
    assert not any(module._forward_pre_hooks for name, module in bare.named_modules() if "encoder.layers" in name)
    assert torch.equal(said(bare), said(plain))


def test_dropout_follows_the_profile_of_each_stack_and_outlives_saving_and_loading(tmp_path: Path) -> None:
    part = adapter("table")
    want = {
        "base_model.model.tower.encoder.layers.0.layer_norm1": 0.1,
        "base_model.model.tower.encoder.layers.1.layer_norm1": 0.2,
        "base_model.model.llm.model.layers.0.input_layernorm": 0.1,
        "base_model.model.llm.model.layers.1.input_layernorm": 0.2,
        "base_model.model.llm.model.layers.2.input_layernorm": pytest.approx(0.3),
    }
    net = part.attach(Pair(), BOTH, Rising())
    part.save(net, tmp_path)
    again = part.attach(Pair(), BOTH, Rising())
    part.load(again, tmp_path)
    for made in (net, again):
        assert {n: layer.mixture_adapters["default"].dropout.p for n, layer in layers(made).items()} == want
    none = part.attach(Pair(), BOTH, None)
    assert {layer.mixture_adapters["default"].dropout.p for layer in layers(none).values()} == {0.0}


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(ValueError, match="expected llm, got 'vision'"):
        adapter("table").attach(llama(), LLM, None)
    with pytest.raises(ValueError, match=r"expected a component with blocks \(llm\.model\.layers"):
        adapter("table", components=["projector"]).attach(Pair(), BOTH, None)
    with pytest.raises(ValueError, match=r"adapter\.train: expected components of the model .*got prefix"):
        adapter("table", train=["prefix"]).attach(Pair(), BOTH, None)
    with pytest.raises(ValueError, match=r"adapter\.train: expected none of adapter\.components, got vision"):
        adapter("table", train=["vision"]).attach(Pair(), BOTH, None)
