"""Check what a run derives before anything is built: sizes of a smoke test, learning rate, and refused settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from circuitvlm.runtime.config.check import ConfigError, check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.folders.portable import portable_settings
from circuitvlm.training.assemble import Run
from circuitvlm.training.baselines import compose_baselines
from circuitvlm.training.smoke_test import MAX_COUNT

CONF = Path(__file__).parents[2] / "conf"


def made(*words: str) -> Run:
    cfg = compose(list(words), config_dir=CONF)
    check(cfg)
    return Run(cfg, base=cfg)


@pytest.mark.parametrize("experiment", ["tiny_base", "tiny_circuits"])
def test_a_smoke_test_is_small_and_starts_from_nothing(experiment: str, tmp_path: Path) -> None:
    words = [f"experiment={experiment}", "smoke_test=true", f"runs={tmp_path}"]
    cfg = compose(words, config_dir=CONF)
    run = Run(cfg, base=cfg)
    splits = [split for source in run.cfg["data"].values() for split in source["splits"].values()]
    assert {split["count"] for split in splits} <= set(range(1, MAX_COUNT + 1))
    assert max(split["count"] for split in splits) == MAX_COUNT
    assert (run.cfg["max_steps"], run.cfg["init_adapter"]) == (1, None)
    assert run.settings["data"] == portable_settings(compose(words, config_dir=CONF))["data"]
    assert compose_baselines(cfg, overrides=words, config_dir=CONF) == {}


def test_a_trained_smoke_test_keeps_its_adapter_and_trains_no_more(tmp_path: Path) -> None:
    cfg = compose(["smoke_test=true", "max_steps=0", "max_minutes=null", f"init_adapter={tmp_path}"], config_dir=CONF)
    run = Run(cfg, base=cfg)
    assert (run.cfg["max_steps"], run.cfg["init_adapter"]) == (0, str(tmp_path))


def test_a_base_rate_is_scaled_by_the_global_batch_before_anything_is_built(tmp_path: Path) -> None:
    words = ["base_lr=9.0e-3", "optimizer.lr=null", "global_batch_size=32", "baselines=null", f"runs={tmp_path}"]
    run = made(*words)
    assert run.cfg["optimizer"]["lr"] == pytest.approx(1.125e-3, rel=1e-12)
    assert (run.settings["base_lr"], run.settings["optimizer"]["lr"]) == (9e-3, None), (
        "the run's folder keeps what was said"
    )
    assert made("optimizer.lr=0.5").cfg["optimizer"] == made("optimizer.lr=0.5").settings["optimizer"]


def test_the_rate_is_scaled_for_every_optimizer(tmp_path: Path) -> None:
    run = made("optimizer=muon", "base_lr=0.08", "optimizer.lr=null", "global_batch_size=64", f"runs={tmp_path}")
    assert run.cfg["optimizer"]["lr"] == pytest.approx(0.02, rel=1e-12)


def test_a_baseline_with_an_optimizer_of_its_own_has_its_rate(tmp_path: Path) -> None:
    """The main job's baseline states muon's rate, which replaces the base rate."""
    words = ["base_lr=9.0e-3", "optimizer.lr=null", f"runs={tmp_path}"]
    cfg = compose(words, config_dir=CONF)
    configs = compose_baselines(cfg, overrides=words, config_dir=CONF)
    assert {(c.base_lr, c.optimizer.lr) for c in configs.values()} == {(9e-3, None), (None, 0.01)}


def test_a_misspelt_component_is_told_before_weights_are_loaded(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        made("~experiment", "lr_multipliers={projecter: 2.0, head: 1.0}", f"runs={tmp_path}").check_parts()
    (fault,) = caught.value.faults
    assert fault.startswith("lr_multipliers: expected a component of vision, projector, llm, head, got 'projecter'.")
    assert "Did you mean 'projector'?" in fault


@pytest.mark.parametrize("steps", [1, 0])
def test_a_callback_that_goes_by_a_validation_needs_one(steps: int, tmp_path: Path) -> None:
    stopping = "callback.stop={_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: validate/loss}"
    words = [
        "data=scienceqa",
        "task=rationale",
        "eval_splits=[test,tset]",
        f"+{stopping}",
        f"max_steps={steps}",
        f"runs={tmp_path}",
    ]
    with pytest.raises(ConfigError) as caught:
        made("~experiment", *words, "data.scienceqa.splits.validation=null").check_parts()
    said = ["eval_splits: expected a split of "]
    if steps:
        said.append(
            "callback.stop.monitor: expected a value that is computed, got 'validate/loss'; no source has the split"
        )
    assert len(caught.value.faults) == len(said)
    assert all(fault.startswith(words) for fault, words in zip(caught.value.faults, said, strict=True))
    with pytest.raises(ConfigError, match="1 fault"):
        made("~experiment", *words).check_parts()
