"""Check that the doctor passes a healthy run of each family, names each fault, and counts memory correctly."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from circuitvlm.core.tensor import IMAGE
from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.serving.cli import doctor_page
from circuitvlm.serving.cli.app import app
from circuitvlm.serving.text import escape
from circuitvlm.training.assemble import Run
from circuitvlm.training.doctor import doctor, memory, weights
from circuitvlm.training.doctor.doctor import Diagnosis, examine
from circuitvlm.training.doctor.text import Finding, Level
from tests.contract import parts

CONF = parts.CONF
FAMILIES = {
    "qwen2_vl": ["model=qwen2_vl_tiny", "adapter=lora_everywhere", "quantization=nf4_float32"],
    "llava": ["model=llava_tiny", "adapter=lora"],
    "idefics3": ["model=idefics3_tiny", "adapter=lora"],
    "lavin": ["model=lavin_tiny", "adapter=mixture_of_modality"],
    "projector": ["model=projector_tiny", "adapter=projector", "dropout=constant_none"],
}
SMALL = [
    "~experiment", "smoke_test=true", "trainer=cpu", "num_workers=0", "data.circuits.num_workers=0",
    "micro_batch_size=2",
    "global_batch_size=2", "precision=32-true", "validate_items=2", "logger=csv", "callback=[]",
    "data.circuits.splits.train.count=4", "data.circuits.splits.validation.count=2",
    "data.circuits.splits.train.components=[2,3]", "data.circuits.splits.validation.components=[2,3]",
]  # fmt: skip


PLAIN = "not compared: the prompts are plain text, without a chat template"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def words(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The command line of a small run."""
    monkeypatch.setenv("CIRCUITVLM_CACHE", str(cache))
    return lambda family, *more: [*SMALL, f"model.cache={cache}", *FAMILIES[family], *more]


@pytest.fixture
def made(words: Callable[..., list[str]]) -> Callable[..., Run]:
    def make(family: str = "llava", *more: str) -> Run:
        # the model first: model.cache is a key of its file
        cfg = compose(sorted(words(family, *more), key=lambda word: not word.startswith("model=")), config_dir=CONF)
        check(cfg)
        return Run(cfg, base=cfg)

    return make


def faults(found: Diagnosis) -> dict[str, str]:
    return {finding.check: finding.message for finding in found.faults}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_healthy_run_of_each_family_passes_every_check(family: str, made: Callable[..., Run]) -> None:
    run = made(family)
    before = torch.get_rng_state()
    found = examine(run, show=1, ranks=4)
    assert torch.equal(before, torch.get_rng_state())
    assert [f.message for f in found.findings if f.level is not Level.GOOD] == [PLAIN] * (family == "lavin")
    assert {f.check for f in found.findings} == {"labels", "template", "weights", "image tokens", "gradients"}
    shown = found.samples[0]
    dialogue = run.tasks[shown.task].ask(next(iter(run.data.questions("train"))))
    assert shown.target.startswith(dialogue.reply)
    assert dialogue.prompt[-1].text in shown.prompt
    assert re.search(r"\[image: \d+ tokens?\]", shown.prompt)
    assert found.need is not None
    tensors = sum(p.requires_grad for p in run.module.parameters())
    assert found.need.states == 2 * found.need.gradients + 4 * tensors  # AdamW: two of each, and the number of its step
    assert found.step is not None
    assert found.step.samples == 2
    assert not run.folder.exists()
    kinds = {(s.component, s.number_format) for s in found.shares if not s.is_trained}
    assert (("llm", "4-bit") in kinds) == (family == "qwen2_vl")


def test_a_weight_that_nothing_uses_is_named(made: Callable[..., Run]) -> None:
    run = made()
    run.module.configure_model()
    assert run.module.net is not None
    llm = run.module.net.weights.get_submodule("base_model.model.model.language_model")
    llm.register_parameter("spare", nn.Parameter(torch.zeros(3)))
    found = faults(examine(run, show=1, ranks=2))
    assert found.keys() == {"gradients"}
    assert "language_model.spare" in found["gradients"]


def test_another_chat_template_is_named_with_its_first_token(made: Callable[..., Run]) -> None:
    run = made()
    words = run.data.codec.tokenizer  # type: ignore[attr-defined]  # of a LLaVA's codec
    words.chat_template = words.chat_template.replace("ASSISTANT:", "ASSISTANT;")
    found = faults(examine(run, show=1, ranks=2))
    assert found.keys() == {"template"}
    assert re.search(
        r"token \d+ of the prompt differs: after '.*SISTANT' is ';', in the stock template ':'", found["template"]
    )


def test_a_stock_template_without_an_end_is_a_fault(made: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    run = made()
    stock = copy(run.data.codec.tokenizer)
    stock.chat_template = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    monkeypatch.setattr("circuitvlm.training.doctor.text._stock_processor", lambda folder: stock)
    assert "more than 20,000,000 steps" in faults(examine(run, show=1, ranks=2))["template"]


def test_image_tokens_that_were_cut_are_counted(made: Callable[..., Run]) -> None:
    run = made()
    real = run.data.codec

    def encode(self: Any, dialogue: Any, *, reply: bool) -> Any:
        whole = real.encode(dialogue, reply=reply)
        left = torch.ones(len(whole), dtype=torch.bool)
        left[(whole.modality_T == IMAGE).nonzero()[:3]] = False
        names = ("tokens_T", "labels_T", "modality_T", "image_T")
        cut = {name: getattr(whole, name)[left] for name in names}
        return replace(whole, **cut, positions_RT=whole.positions_RT[:, left])

    run.data.codec = parts.broken_copy(real, encode=encode)
    found = faults(examine(run, show=1, ranks=2))
    assert found.keys() == {"image tokens"}
    assert re.search(r"train-00000\d: 13 image tokens for 16 features; some are cut off", found["image tokens"])


def test_a_prompt_in_the_loss_is_named(made: Callable[..., Run]) -> None:
    run = made()
    real = run.data.codec

    def encode(self: Any, dialogue: Any, *, reply: bool) -> Any:
        whole = real.encode(dialogue, reply=reply)
        return replace(whole, labels_T=torch.where(whole.modality_T == IMAGE, -100, whole.tokens_T))

    run.data.codec = parts.broken_copy(real, encode=encode)
    found = faults(examine(run, show=1, ranks=2))
    assert found.keys() == {"labels"}
    assert "the prompt is in the loss" in found["labels"]
    assert "USER" in found["labels"]


def test_a_reply_without_its_end_token_and_labels_lost_in_a_batch_are_named(made: Callable[..., Run]) -> None:
    run = made()
    real, collate = run.data.codec, run.data.collate

    def encode(self: Any, dialogue: Any, *, reply: bool) -> Any:
        whole = real.encode(dialogue, reply=reply)
        names = ("tokens_T", "labels_T", "modality_T", "image_T")
        cut = {name: getattr(whole, name)[:-1] for name in names} if reply else {}
        return replace(whole, **cut, positions_RT=whole.positions_RT[:, : len(whole) - reply])

    def masked(samples: Any, **given: Any) -> Any:
        batch = collate(samples, **given)
        return replace(batch, labels_BT=torch.where(batch.labels_BT == batch.labels_BT.max(), -100, batch.labels_BT))

    run.data.codec, run.data.collate = parts.broken_copy(real, encode=encode), masked
    said = [finding.message for finding in examine(run, show=1, ranks=2).faults]
    assert any("does not end with the end token" in each for each in said)
    assert any("its labels in a batch differ from those alone" in each for each in said)


def test_a_loss_that_is_not_finite_and_weights_that_the_optimizer_lacks_are_named(
    made: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made()
    run.module.configure_model()
    assert run.module.net is not None
    name, weight = next(pair for pair in run.module.named_parameters() if pair[1].requires_grad)
    optimizer = run.module.configure_optimizers()["optimizer"]
    optimizer.param_groups[0]["params"] = [p for p in optimizer.param_groups[0]["params"] if p is not weight]
    monkeypatch.setattr(run.module, "configure_optimizers", lambda: {"optimizer": optimizer})
    with torch.no_grad():
        run.module.net.weights.get_submodule("base_model.model.lm_head").weight.fill_(torch.nan)
    found = faults(examine(run, show=1, ranks=2))
    assert f"the optimizer does not hold {name.removeprefix('net.')}" in found["weights"]
    assert "the loss is nan on train-" in found["step"]


def spoil(
    run: Run, *, before: Callable[[Any], Any] = lambda it: it, after: Callable[[Any], Any] = lambda it: it
) -> None:
    """Change each dialogue before the run's codec encodes it, or what comes out."""
    real = run.data.codec
    run.data.codec = parts.broken_copy(
        real, encode=lambda self, dialogue, *, reply: after(real.encode(before(dialogue), reply=reply))
    )


def test_a_dialogue_that_loses_its_image_is_named(made: Callable[..., Run]) -> None:
    run = made()
    spoil(run, before=lambda it: replace(it, prompt=tuple(replace(turn, images=()) for turn in it.prompt)))
    found = faults(examine(run, show=1, ranks=2))
    assert found.keys() == {"template", "image tokens"}
    assert re.search(r"train-00000\d: 1 images, of which 0 have tokens", found["image tokens"])
    assert "in the stock template '<image>" in found["template"]


def test_a_reply_that_is_nowhere_in_the_loss_is_named(made: Callable[..., Run]) -> None:
    run = made()
    spoil(run, after=lambda it: replace(it, labels_T=torch.full_like(it.labels_T, -100)))
    found = faults(examine(run, show=1, ranks=2))
    assert found.keys() == {"labels", "gradients"}
    assert re.search(r"train-00000\d: a part of the reply is not in the loss: '[RLCV]1 ", found["labels"])
    assert "llm learns nothing, all its trained weights have a gradient of zero in 2 steps" in found["gradients"]


def test_a_net_that_no_gradient_goes_through_is_named(made: Callable[..., Run]) -> None:
    run = made()
    real = run.model
    run.__dict__["model"] = parts.broken_copy(
        real, answer_logits=lambda self, *given: real.answer_logits(*given).detach()
    )
    found = faults(examine(run, show=1, ranks=2))
    assert found.keys() == {"gradients"}
    assert "depends on no trained weight" in found["gradients"]


def test_a_frozen_weight_that_the_optimizer_is_to_train_is_named(
    made: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made()
    run.module.configure_model()
    optimizer = run.module.configure_optimizers()["optimizer"]
    name, weight = next(pair for pair in run.module.named_parameters() if not pair[1].requires_grad)
    optimizer.add_param_group({"params": [weight]})
    monkeypatch.setattr(run.module, "configure_optimizers", lambda: {"optimizer": optimizer})
    found = faults(examine(run, show=1, ranks=2))
    assert found.keys() == {"weights"}
    assert f"frozen, so never trained, and yet held by the optimizer: {name.removeprefix('net.')}" in found["weights"]


def test_a_sample_that_does_not_fit_is_a_fault_and_the_others_are_looked_at(made: Callable[..., Run]) -> None:
    found = examine(made("llava", "model.max_tokens=40"), show=1, ranks=2)
    assert all("expected at most model.max_tokens=40" in finding.message for finding in found.faults)
    assert found.faults
    assert not found.shares


def test_a_gradient_of_zero_counts_when_it_comes_each_time_and_is_a_fault_of_all_that_a_component_trains() -> None:
    empty = frozenset[str]()
    a, b = frozenset({"model.x.lora_A", "model.x.lora_B"}), frozenset({"model.x.lora_B"})
    model: Any = type("Map", (), {"components": {"llm": ("model",), "vision": ("eye",)}})

    def judged(first: frozenset[str], second: frozenset[str], precision: str = "32-true") -> list[Level]:
        given = {"model": model, "trained_names": a | {"eye.lora_A"}, "has_images": False, "precision": precision}
        steps = [
            weights.GradientState(absent=empty, non_finite=empty, zero=zero, frozen_with=empty)
            for zero in (first, second)
        ]
        return [f.level for f in weights.check_learning(steps, **given)]

    assert judged(a, empty) == judged(empty, b) == [Level.GOOD]
    assert judged(a, b) == [Level.WARNING]
    assert judged(a, a) == judged(a, a, "bf16-mixed") == [Level.FAULT]
    assert judged(a, a, "16-mixed") == [Level.WARNING], "the training's loss is scaled up, and this one is not"
    eye = frozenset({"eye.lora_A"})
    assert judged(eye, eye) == [Level.WARNING], "no sample has an image"


def test_activations_are_what_autograd_keeps_each_once() -> None:
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    given = torch.randn(10, 8)
    with memory.count_saved_tensors(net) as kept:
        net(given).sum()
    assert kept.bytes == 4 * (10 * 8 + 10 * 16)  # the input, and the rectified that both ReLU and Linear keep


def test_each_strategy_divides_what_it_shards() -> None:
    need = memory.Need(weights=800, gradients=80, states=160, activations=7, block=100)
    made = {each.strategy: (each.device, each.host) for each in memory.estimates(need, ranks=8)}
    assert made == {
        "one device": (1047, 0),
        "ddp x 8": (1127, 0),
        "zero1 x 8": (907, 0),
        "zero2 x 8": (837, 0),
        "fsdp2, zero3 x 8": (237, 0),
        "zero2 offload x 8": (817, 30),
        "zero3 offload x 8": (107, 130),
    }
    levels = [memory.check_memory(memory.estimates(need, ranks=8), device_bytes=n).level for n in (2000, 900, 50)]
    assert levels == [Level.GOOD, Level.WARNING, Level.FAULT]


# -------------------------------------------------------------------------------------------------------- as a command


def call(*given: str) -> Any:
    return CliRunner().invoke(app, ["doctor", f"--conf={CONF}", *given])


def test_the_command_shows_tables_and_a_verdict(words: Callable[..., list[str]]) -> None:
    done = call(*words("projector"), "--samples", "1")
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith("verdict: ready to start\n")
    parts = ("in the loss:", "[image: ", "projector  trained", "projector  spare", "fsdp2, zero3 x 8", "samples/s")
    for part in (*parts, "gradients: all "):
        assert part in done.stdout


def test_a_fault_ends_the_command_with_1_in_json_too(
    words: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Diagnosis(findings=[Finding("labels", Level.FAULT, "x: the prompt is in the loss")])
    found.findings.append(Finding("trainer", Level.WARNING, "here is no GPU"))

    def examined(run: Run, **given: Any) -> Diagnosis:
        sys.stdout.write("[WARNING] a library that says so on standard output\n")
        return found

    monkeypatch.setattr(doctor, "examine", examined)
    done = call(*words("projector"), "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["fit"] is False
    done = call(*words("projector"))
    assert done.exit_code == 1
    assert done.stdout.endswith("verdict: not ready: 1 fault, with 1 warning\n")
    assert done.stdout.index("trainer: here is no GPU") < done.stdout.index("labels: x:"), "faults stand last"


def test_missing_weights_and_data_and_wrong_words_end_the_command_with_2(
    words: Callable[..., list[str]], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(parts.ROOT)
    given = [
        "model=llava_15_7b",
        "model.weights=/nowhere/llava",
        "data=cord",
        "task=extract",
        "data.cord.root=/nowhere",
    ]
    assert call("~experiment", *given).exit_code == 2
    for part in (
        "/nowhere/llava",
        "smoke_test=true examines this recipe",
        "data.cord.root=tests/fixtures/cord examines",
    ):
        assert part in caplog.text
    assert call(*words("projector"), "adaptor=lora").exit_code == 2


def test_no_control_character_of_a_data_set_reaches_the_terminal() -> None:
    assert escape("10 Ω\x1b[2J\n") == "10 Ω\\u001b[2J\\n"


def test_figures_are_read_without_exponents() -> None:
    assert [doctor_page.size_text(n) for n in (0, 999, 999_700, 1.5e9, 4e15)] == [
        "0 B",
        "999 B",
        "1 MB",
        "1.5 GB",
        "4,000 TB",
    ]
    texts = [doctor_page.number_text(n) for n in (0.0123, 7.374, 999.7, 31370.4)]
    assert texts == ["0.0123", "7.37", "1,000", "31,370"]


def test_a_run_of_epochs_is_forecast_too() -> None:
    step = doctor.Step(device="CPU", seconds=2.0, samples=4, tokens=8, target_tokens=4, peak=10**9, steps=3600)
    said = list(doctor_page._step_lines(step, {"smoke_test": False, "global_batch_size": 2}))
    assert said[-1] == "  3,600 steps of 2 samples: about 1 h on one such device, without validations"
    assert [doctor_page.duration_text(seconds) for seconds in (90, 3600 * 30)] == ["1.5 min", "30 h"]


def test_the_command_explains_itself() -> None:
    done = CliRunner().invoke(app, ["doctor", "--help"])
    assert done.exit_code == 0
    assert "circuitvlm doctor experiment=tiny_circuits" in done.stdout
