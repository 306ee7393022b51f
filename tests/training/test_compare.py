"""Check that other runs, also of other families, and the untrained base answer the same questions in one table."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig
from torch import Tensor

from circuitvlm.report.grade import Grades
from circuitvlm.runtime.config.check import ConfigError, check, check_evaluation
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.folders.saved_file import FolderError
from circuitvlm.training.assemble import Run, trained_run
from circuitvlm.training.execute import execute, execute_evaluation

CONF = Path(__file__).parents[2] / "conf"
SMALL = "hidden: 32, layers: 1, heads: 2, kv_heads: 2, intermediate: 32"
FAMILIES = {
    "projector": ["model=projector_tiny", f"model.shape={{{SMALL}}}", "adapter=projector", "dropout=constant_none"],
    "lora": [
        "model=qwen2_vl_new",
        f"model.shape={{{SMALL}, vision_hidden: 32, vision_layers: 1, vision_heads: 2, patch: 14, min_pixels: 3136,"
        " max_pixels: 3136}",
        "adapter=lora",
    ],
}
FAMILIES["full"] = [*FAMILIES["lora"][:2], "adapter=full", "dropout=constant_none"]
WORDS = [
    "~experiment", "data=[digits]", "task=[digit]", "precision=32-true", "global_batch_size=4", "micro_batch_size=4",
    "max_steps=1",
    "validate_items=1", "eval_splits=[test]", "eval_items=3", "eval_batch_size=3", "max_new_tokens=8", "num_workers=0",
    "logger={}", "callback={}", "baselines={}", "optimizer.lr=0.3", "schedule=constant",
    *(f"data.digits.splits.{split}.count=8" for split in ("train", "validation", "test")),
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Where a run of each adapter lies, trained by one long step, and one of two tasks."""
    home = tmp_path_factory.mktemp("beside")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIRCUITVLM_CACHE", str(home / "cache"))
        for name, family in FAMILIES.items():
            train(home / name, *family)
        train(home / "several", *FAMILIES["projector"], "task=[digit,netlist]")
        yield home


def composed(folder: Path, *words: str) -> DictConfig:
    more = [f"model.cache={folder.parent / 'cache'}"] if "model=projector_tiny" in words else []
    cfg = compose([*WORDS, *words, *more, f"folder={folder}"], config_dir=CONF)
    check(cfg)
    return cfg


def train(folder: Path, *words: str) -> None:
    cfg = composed(folder, *words)
    execute(cfg, base=cfg, baseline_configs={})


def evaluate(*words: str) -> None:
    cfg = compose(list(words), config_name="eval", config_dir=CONF)
    check_evaluation(cfg)
    execute_evaluation(cfg)


def replies(folder: Path) -> list[tuple[str, str]]:
    return [(item.id, item.reply) for item in Grades.load(folder / "test" / "scores.json").items]


def weights(run: Run) -> dict[str, Tensor]:
    run.module.configure_model()
    return {name: weight.detach() for name, weight in run.module.named_parameters()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(bool((one[name] == other[name]).all()) for name in one)


@pytest.mark.parametrize("name", FAMILIES)
def test_zero_shot_is_the_run_as_it_was_before_it_was_trained(name: str, home: Path) -> None:
    cfg = composed(home / name, *FAMILIES[name])
    new, base = Run(cfg, base=cfg), trained_run(home / name, changes={}, with_adapter=False)
    assert same(weights(base), weights(new))
    assert not same(weights(base), weights(trained_run(home / name, changes={})))


def test_the_base_is_a_row(home: Path, tmp_path: Path) -> None:
    evaluate(f"run={home / 'full'}", "zero_shot=true", f"out={tmp_path}")
    assert replies(tmp_path) == replies(home / "full" / "replies")
    base = replies(tmp_path / "compared" / "zero-shot")
    assert [id for id, _ in base] == [id for id, _ in replies(tmp_path)]
    assert base != replies(tmp_path)
    assert "| zero-shot |" in (tmp_path / "table.md").read_text()


def test_runs_of_other_families_and_adapters_answer_the_same_questions(home: Path, tmp_path: Path) -> None:
    others = ["projector", "full/adapter", "lora/adapter", "several"]
    evaluate(
        f"run={home / 'lora'}", f"compare_with=[{','.join(str(home / name) for name in others)}]", f"out={tmp_path}"
    )
    table = (tmp_path / "table.md").read_text()
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    assert rows[2:7] == ["lora", "projector", "adapter", str(home / "lora/adapter"), "several"]
    assert replies(tmp_path / "compared" / "projector") == replies(home / "projector" / "replies")
    assert replies(tmp_path / "compared" / "adapter") == replies(home / "full" / "replies")
    assert replies(tmp_path / "compared" / str(home / "lora/adapter").replace("/", "_")) == replies(tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare_with=[{home}/projectro]"], "expected the folder of a run|expected a trained adapter"),
        (
            ["compare_with=[{home}/lora/adapter,{home}/full/adapter,{home}/full/adapter]"],
            "full/adapter twice",
        ),
        (["splits=[test,tset]"], r"splits: expected a split of .*, got 'tset'\. Did you mean 'test'\?"),
        (["run={home}/several", "compare_with=[{home}/lora]"], r"lora without netlist; .* task=\[\.\.\]"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_generated(
    words: list[str], said: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "evaluate", lambda *args, **given: pytest.fail("something was generated"))
    with pytest.raises((ConfigError, FolderError), match=said):
        evaluate(f"run={home / 'lora'}", f"out={tmp_path}", *(word.format(home=home) for word in words))


def test_a_model_that_was_asked_leaves_the_memory(home: Path, tmp_path: Path) -> None:
    run = trained_run(home / "lora", changes={})
    run.evaluate(["test"], items=1, replies_folder=tmp_path)
    net = weakref.ref(run.module.net)
    run.release()
    gc.collect()
    assert net() is None
