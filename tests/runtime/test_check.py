"""Does the check find every fault, all at once, and let a good config through?"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf, open_dict

from circuitvlm.runtime.config.check import ConfigError, check, check_evaluation, check_part
from circuitvlm.runtime.config.compose import compose


def faults_of(cfg: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check(cfg)
    return caught.value.faults


def changed(plain: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    found = copy.deepcopy(plain)
    *rooms, last = key.split(".")
    node = found
    for room in rooms:
        node = node[room]
    node[last] = value
    return found


def test_a_good_config_passes_as_config_and_as_dict(cfg: DictConfig, plain: dict[str, Any]) -> None:
    check(cfg)
    check(plain)


def test_the_check_leaves_the_config_as_it_was(cfg: DictConfig) -> None:
    before = OmegaConf.to_yaml(cfg)
    check(cfg)
    assert OmegaConf.to_yaml(cfg) == before


BAD: list[tuple[str, Any, str]] = [
    ("adapter.rnak", 4, "adapter.rnak: Fake has no such argument. Did you mean 'rank'?"),
    ("adapter.rank", True, "adapter.rank: wanted int, came True (bool)"),
    ("adapter.rank", "8", "adapter.rank: wanted int, came '8' (str); to YAML that is text: write 8.0 without quotes"),
    ("optimizer.lr", "1e-3", "optimizer.lr: wanted float"),
    ("optimizer.betas", [0.9], "optimizer.betas: wanted 2 elements, came 1"),
    ("tasks.fake.form", "shrot", "tasks.fake.form: wanted one of 'short', 'long', came 'shrot'"),
    ("tasks.fake.metrics.exact.tolerence", 1, "tasks.fake.metrics.exact.tolerence: Fake has no such argument"),
    ("tasks.fake.metrics.exact._target_", "os.system", "tasks.fake.metrics.exact._target_: 'os.system' is not on"),
    ("tasks.fake.hint", {"_target_": "torch.hub.load"}, "tasks.fake.hint._target_: 'torch.hub.load'"),
    ("trainer.strategy._target_", "circuitvlm.data.fake.Fake", "belongs to the room 'data', wanted here: strategy"),
    ("model._target_", "circuitvlm.schedule.fake.fake", "belongs to the room 'schedule', wanted here: model"),
    ("model._args_", [1], "model._args_: no such special key"),
    ("model._partial_", 1, "model._partial_: wanted true or false, came 1"),
    ("model.path", "${nowhere}", "model.path: Interpolation key 'nowhere' not found"),
    ("model.path", "${model}", "model.path: Interpolation to parent node detected"),
    ("model.path", "${model.path}", "model.path: Recursive interpolation detected"),
    ("model.path", "???", "model.path: is not given ('???')"),
    ("model.path", "${unclosed", "config: "),
    ("data.fake", 3, "data.fake: wanted a part with _target_, came 3"),
    ("data", {"_target_": "circuitvlm.data.fake.Fake"}, "data: holds parts under names of their own"),
    ("data", {}, "data: nothing is chosen, wanted at least one data"),
    ("objective", {}, "objective: nothing is chosen"),
    ("objective", None, "objective: wanted dict"),
    ("objective", {"smoothing": 0.1}, "objective: has no _target_"),
    ("objective.smoothing", "big", "objective.smoothing: wanted float"),
    ("schedule._partial_", False, "schedule.step: fake needs this argument (or _partial_: true"),
    ("sed", 3, "sed: no such key. Did you mean 'seed'?"),
    ("seed", "0", "seed: wanted int"),
    ("seed", -1, "seed: wanted 0 or more"),
    ("seed", True, "seed: wanted int, came True (bool)"),
    ("fresh", "no", "fresh: wanted bool"),
    ("evaluate", "test", "evaluate: wanted list[str]"),
    ("controls", {"blind": "standin=true"}, "controls.blind: wanted list[str]"),
    ("epochs", 2, "steps, epochs: wanted exactly one of the two, came steps and epochs"),
    ("steps", None, "steps, epochs: wanted exactly one of the two, came neither"),
    ("steps", -1, "steps: wanted 0 or more, came -1"),
    ("blr", 9e-3, "blr, optimizer.lr: wanted exactly one of the two, came 0.009 and 0.001; optimizer.lr=null"),
    ("optimizer.lr", None, "blr, optimizer.lr: wanted exactly one of the two, came neither"),
    ("blr", 0, "blr: wanted more than 0, came 0"),
    ("log_every", 0, "log_every: wanted more than 0, came 0"),
    ("clip", -1.0, "clip: wanted more than 0"),
    ("micro_batch", 3, "global_batch: 8 is not divisible by micro_batch 3"),
    ("precision", "bf16", "precision: wanted one of 32-true, bf16-mixed, 16-mixed, came 'bf16'"),
    ("name", "../../etc", "name: it names a folder"),
    ("controls", {"../base": ["steps=0"]}, "controls.../base: it names a folder"),
    ("controls", {"this run": ["steps=0"]}, "controls.this run: it names a folder"),
    ("trainer.max_steps", 5, "trainer.max_steps: the program gives Trainer this argument; set steps"),
    ("trainer.accumulate_grad_batches", 2, "set global_batch and micro_batch"),
    ("logger.fake.save_dir", "here", "logger.fake.save_dir: the program gives CSVLogger this argument; set folder"),
    ("trainer.strategy.find_unused_paramters", True, "Did you mean 'find_unused_parameters'?"),
]


@pytest.mark.parametrize(("key", "value", "said"), BAD)
def test_a_fault_is_told_with_its_key(key: str, value: Any, said: str, plain: dict[str, Any]) -> None:
    faults = faults_of(changed(plain, key, value))
    assert any(said in fault for fault in faults), faults


def test_all_faults_come_at_once(plain: dict[str, Any]) -> None:
    one = changed(plain, "adapter.rnak", 4)
    for key, value in {"model._target_": "os.system", "sed": 1, "steps": None, "seed": "???"}.items():
        one = changed(one, key, value)
    with pytest.raises(ConfigError, match="the config has 5 faults:\n") as caught:
        check(one)
    assert len(caught.value.faults) == 5
    assert len(str(caught.value).splitlines()) == 6


def test_a_missing_key_and_a_missing_argument_are_faults(plain: dict[str, Any]) -> None:
    del plain["seed"], plain["model"]["pixels"], plain["schedule"]["warmup"], plain["collate"]
    faults = faults_of(plain)
    assert "seed: is not given" in faults
    assert "model.pixels: Fake needs this argument" in faults
    assert "schedule.warmup: fake needs this argument" in faults
    assert any(fault.startswith("collate: nothing is chosen") for fault in faults)


def test_the_plus_that_slips_past_the_dataclass_is_caught(conf: Path) -> None:
    cfg = compose(["+gobal_batch=4"], config_dir=conf)
    assert faults_of(cfg) == ["gobal_batch: no such key. Did you mean 'global_batch'?"]


def test_a_base_rate_takes_the_place_of_the_rate(plain: dict[str, Any]) -> None:
    check(changed(changed(plain, "blr", 9e-3), "optimizer.lr", None))
    del plain["optimizer"]["lr"]
    assert "blr, optimizer.lr: wanted exactly one of the two, came neither" in faults_of(plain)


def test_a_part_taken_out_by_null_is_no_fault(plain: dict[str, Any]) -> None:
    plain["callback"]["writer"] = None
    check(plain)


def test_nothing_switches_the_check_off(cfg: DictConfig) -> None:
    with open_dict(cfg):
        cfg.check = False
    cfg.model["_target_"] = "os.system"
    assert len(faults_of(cfg)) == 2


def test_a_single_part_can_be_checked(rooms: Path) -> None:
    part = {"_target_": "circuitvlm.metric.fake.Fake", "tolerance": "x"}
    assert check_part(part, "metric", key="exact") == ["exact.tolerance: wanted float, came 'x' (str)"]


def test_an_evaluation_is_checked(conf: Path) -> None:
    cfg = compose(["run=runs/x", "splits=[test]", "items=5"], config_name="eval", config_dir=conf)
    check_evaluation(cfg)
    with pytest.raises(ConfigError, match="2 faults"):
        check_evaluation({**dict(cfg), "items": 0, "splits": "test"})
    with pytest.raises(ConfigError, match="Did you mean 'splits'"):
        check_evaluation(compose(["+split=test"], config_name="eval", config_dir=conf))
