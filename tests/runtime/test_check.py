"""Check that the config check finds every fault, reports all at once, and accepts a good config."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf, open_dict

from circuitvlm.runtime.config.check import ConfigError, check, check_evaluation, check_part
from circuitvlm.runtime.config.compose import compose


def faults_of(cfg: Any) -> list[str]:
    with pytest.raises(ConfigError) as error:
        check(cfg)
    return error.value.faults


def replace(plain: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    result = copy.deepcopy(plain)
    *sections, last = key.split(".")
    node = result
    for section in sections:
        node = node[section]
    node[last] = value
    return result


def test_a_good_config_passes_as_config_and_as_dict(cfg: DictConfig, plain: dict[str, Any]) -> None:
    check(cfg)
    check(plain)


def test_the_check_leaves_the_config_as_it_was(cfg: DictConfig) -> None:
    yaml_text = OmegaConf.to_yaml(cfg)
    check(cfg)
    assert OmegaConf.to_yaml(cfg) == yaml_text


BAD: list[tuple[str, Any, str]] = [
    ("adapter.rnak", 4, "adapter.rnak: Fake has no such argument. Did you mean 'rank'?"),
    ("adapter.rank", True, "adapter.rank: expected int, got True (bool)"),
    (
        "adapter.rank",
        "8",
        "adapter.rank: expected int, got '8' (str); YAML reads that as text: write 8.0 without quotes",
    ),
    ("optimizer.lr", "1e-3", "optimizer.lr: expected float"),
    ("optimizer.betas", [0.9], "optimizer.betas: expected 2 elements, got 1"),
    ("tasks.fake.form", "shrot", "tasks.fake.form: expected one of 'short', 'long', got 'shrot'"),
    ("tasks.fake.metrics.exact.tolerence", 1, "tasks.fake.metrics.exact.tolerence: Fake has no such argument"),
    ("tasks.fake.metrics.exact._target_", "os.system", "tasks.fake.metrics.exact._target_: 'os.system' is not on"),
    ("tasks.fake.hint", {"_target_": "torch.hub.load"}, "tasks.fake.hint._target_: 'torch.hub.load'"),
    (
        "trainer.strategy._target_",
        "circuitvlm.data.fake.Fake",
        "expected a part of the group strategy, got 'circuitvlm.data.fake.Fake' of 'data'",
    ),
    ("model._target_", "circuitvlm.schedule.fake.fake", "expected a part of the group model, got"),
    ("model._args_", [1], "model._args_: expected no special key but"),
    ("model._partial_", 1, "model._partial_: expected true or false, got 1"),
    ("model.path", "${nowhere}", "model.path: Interpolation key 'nowhere' not found"),
    ("model.path", "${model}", "model.path: Interpolation to parent node detected"),
    ("model.path", "${model.path}", "model.path: Recursive interpolation detected"),
    ("model.path", "???", "model.path: expected a value, got none ('???')"),
    ("model.path", "${unclosed", "config: "),
    ("data.fake", 3, "data.fake: expected a part with _target_, got 3"),
    ("data", {"_target_": "circuitvlm.data.fake.Fake"}, "data: expected parts under names (data.<name>._target_)"),
    ("data", {}, "data: expected a part of the group data, got nothing"),
    ("objective", {}, "objective: expected a part of the group objective, got nothing"),
    ("objective", None, "objective: expected dict"),
    ("objective", {"smoothing": 0.1}, "objective: expected a part with _target_, got {'smoothing': 0.1}"),
    ("objective.smoothing", "big", "objective.smoothing: expected float"),
    ("schedule._partial_", False, "schedule.step: fake needs this argument (or _partial_: true"),
    ("sed", 3, "sed: no such key. Did you mean 'seed'?"),
    ("seed", "0", "seed: expected int"),
    ("seed", -1, "seed: expected 0 or more"),
    ("seed", True, "seed: expected int, got True (bool)"),
    ("overwrite", "no", "overwrite: expected bool"),
    ("eval_splits", "test", "eval_splits: expected list[str]"),
    ("baselines", {"blind": "smoke_test=true"}, "baselines.blind: expected list[str]"),
    ("max_epochs", 2, "max_steps, max_epochs: expected exactly one of the two, got max_steps=1000 and max_epochs=2"),
    ("max_steps", None, "max_steps, max_epochs: expected exactly one of the two, got neither"),
    ("max_steps", -1, "max_steps: expected 0 or more, got -1"),
    (
        "base_lr",
        9e-3,
        "expected exactly one of the two, got base_lr=0.009 and optimizer.lr=0.001; optimizer.lr=null",
    ),
    ("optimizer.lr", None, "base_lr, optimizer.lr: expected exactly one of the two, got neither"),
    ("base_lr", 0, "base_lr: expected more than 0, got 0"),
    ("log_every_n_steps", 0, "log_every_n_steps: expected more than 0, got 0"),
    ("gradient_clip_val", -1.0, "gradient_clip_val: expected more than 0"),
    ("micro_batch_size", 3, "global_batch_size: expected a multiple of micro_batch_size 3, got 8"),
    ("precision", "bf16", "precision: expected one of 32-true, bf16-mixed, 16-mixed, got 'bf16'"),
    ("name", "../../etc", "name: expected the name of a folder"),
    ("baselines", {"../base": ["max_steps=0"]}, "baselines: expected the name of a folder"),
    ("baselines", {"this run": ["max_steps=0"]}, "baselines: expected the name of a folder"),
    (
        "trainer.max_steps",
        5,
        "trainer.max_steps: the program sets this argument of Trainer; set max_steps instead, got 5",
    ),
    ("trainer.accumulate_grad_batches", 2, "set global_batch_size and micro_batch_size"),
    (
        "logger.fake.save_dir",
        "here",
        "logger.fake.save_dir: the program sets this argument of CSVLogger; set folder instead",
    ),
    ("trainer.strategy.find_unused_paramters", True, "Did you mean 'find_unused_parameters'?"),
]


@pytest.mark.parametrize(("key", "value", "message"), BAD)
def test_a_fault_is_told_with_its_key(key: str, value: Any, message: str, plain: dict[str, Any]) -> None:
    faults = faults_of(replace(plain, key, value))
    assert any(message in fault for fault in faults), faults


def test_all_faults_come_at_once(plain: dict[str, Any]) -> None:
    config = replace(plain, "adapter.rnak", 4)
    for key, value in {"model._target_": "os.system", "sed": 1, "max_steps": None, "seed": "???"}.items():
        config = replace(config, key, value)
    with pytest.raises(ConfigError, match="the config has 5 faults:\n") as error:
        check(config)
    assert len(error.value.faults) == 5
    assert len(str(error.value).splitlines()) == 6


def test_a_missing_key_and_a_missing_argument_are_faults(plain: dict[str, Any]) -> None:
    del plain["seed"], plain["model"]["pixels"], plain["schedule"]["warmup"], plain["collate"]
    faults = faults_of(plain)
    assert "seed: expected a value, got none" in faults
    assert "model.pixels: Fake needs this argument" in faults
    assert "schedule.warmup: fake needs this argument" in faults
    assert any(fault.startswith("collate: expected a part of the group collate") for fault in faults)


def test_the_plus_that_slips_past_the_dataclass_is_caught(conf: Path) -> None:
    cfg = compose(["+gobal_batch=4"], config_dir=conf)
    assert faults_of(cfg) == ["gobal_batch: no such key. Did you mean 'global_batch_size'?"]


def test_a_base_rate_takes_the_place_of_the_rate(plain: dict[str, Any]) -> None:
    check(replace(replace(plain, "base_lr", 9e-3), "optimizer.lr", None))
    del plain["optimizer"]["lr"]
    assert "base_lr, optimizer.lr: expected exactly one of the two, got neither" in faults_of(plain)


def test_a_part_taken_out_by_null_is_no_fault(plain: dict[str, Any]) -> None:
    plain["callback"]["writer"] = None
    check(plain)


def test_nothing_switches_the_check_off(cfg: DictConfig) -> None:
    with open_dict(cfg):
        cfg.check = False
    cfg.model["_target_"] = "os.system"
    assert len(faults_of(cfg)) == 2


def test_a_single_part_can_be_checked(packages: Path) -> None:
    part = {"_target_": "circuitvlm.metric.fake.Fake", "tolerance": "x"}
    assert check_part(part, "metric", key="exact") == ["exact.tolerance: expected float, got 'x' (str)"]


def test_an_evaluation_is_checked(conf: Path) -> None:
    cfg = compose(["run=runs/x", "splits=[test]", "max_samples=5"], config_name="eval", config_dir=conf)
    check_evaluation(cfg)
    with pytest.raises(ConfigError, match="2 faults"):
        check_evaluation({**dict(cfg), "max_samples": 0, "splits": "test"})
    with pytest.raises(ConfigError, match="Did you mean 'splits'"):
        check_evaluation(compose(["+split=test"], config_name="eval", config_dir=conf))
