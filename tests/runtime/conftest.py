"""Provide a small project for these tests: a fake module in each package of parts, and a conf/ that chooses them."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from circuitvlm.runtime.config.allow_list import PART_PACKAGES
from circuitvlm.runtime.config.compose import compose

CONF = Path(__file__).parents[2] / "conf"

CODE = {
    "data": """
class Fake:
    def __init__(self, *, root: str, splits: list[str], share: float) -> None:
        self.root, self.splits, self.share = root, splits, share
class Mix:
    def __init__(self, *, parts: dict[str, Fake], weights: tuple[float, float]) -> None:
        self.parts, self.weights = parts, weights
""",
    "task": """
from collections.abc import Mapping
from typing import Any, Literal, Optional
import os
class Fake:
    def __init__(
        self, *, form: Literal["short", "long"], metrics: Mapping[str, Any], hint: Optional[str] = None
    ) -> None:
        self.form, self.metrics, self.hint = form, metrics, hint
""",
    "model": """
class Fake:
    def __init__(self, *, path: str, pixels: int, checkpoint: bool) -> None:
        self.path, self.pixels, self.checkpoint = path, pixels, checkpoint
""",
    "adapter": """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from nowhere import Stranger
class Fake:
    def __init__(self, *, rank: int, alpha: float, parts: tuple[str, ...], extra: Stranger | None = None) -> None:
        self.rank, self.alpha, self.parts, self.extra = rank, alpha, parts, extra
""",
    "dropout": "def fake(depth: int, *, rate: float) -> list[float]:\n    return [rate] * depth\n",
    "collate": "class Fake:\n    def __init__(self, *, multiple: int) -> None:\n        self.multiple = multiple\n",
    "objective": "from dataclasses import dataclass\n@dataclass(kw_only=True)\nclass Fake:\n    smoothing: float\n",
    "schedule": """
def fake(step: int, total: int, *, warmup: int, end: float = 0.0) -> float:
    return step / total
""",
    "metric": """
class Fake:
    def __init__(self, *, tolerance: float | None) -> None:
        self.tolerance = tolerance
""",
    "optimizer": """
class Fake:
    def __init__(self, params: list, *, lr: float) -> None:
        self.params, self.lr = params, lr
""",
    "callback": """
class Science:
    def __init__(self, *, decay: float) -> None:
        self.decay = decay
class Writer:
    infrastructure = True
    def __init__(self, *, every: int) -> None:
        self.every = every
""",
}
YAML = {
    "data/fake": (
        "# @package data.fake\n_target_: circuitvlm.data.fake.Fake\nroot: here\nsplits: [train, test]\nshare: 0.5\n"
    ),
    "task/fake": (
        "# @package tasks.fake\n_target_: circuitvlm.task.fake.Fake\nform: short\n"
        "metrics:\n  exact:\n    _target_: circuitvlm.metric.fake.Fake\n    tolerance: null\n"
    ),
    "model/fake": "_target_: circuitvlm.model.fake.Fake\npath: weights/${name}\npixels: 64\ncheckpoint: false\n",
    "adapter/fake": "_target_: circuitvlm.adapter.fake.Fake\nrank: 8\nalpha: 16\nparts: [q, v]\n",
    "adapter/none": "_target_: circuitvlm.adapter.fake.Fake\nrank: 1\nalpha: 1.0\nparts: []\n",
    "dropout/fake": "_target_: circuitvlm.dropout.fake.fake\n_partial_: true\nrate: 0.1\n",
    "collate/fake": "_target_: circuitvlm.collate.fake.Fake\nmultiple: 8\n",
    "objective/fake": "_target_: circuitvlm.objective.fake.Fake\nsmoothing: 0\n",
    "schedule/fake": "_target_: circuitvlm.schedule.fake.fake\n_partial_: true\nwarmup: 10\n",
    "optimizer/fake": "_target_: torch.optim.AdamW\n_partial_: true\nlr: 1e-3\nbetas: [0.9, 0.95]\n",
    "trainer/fake": (
        "_target_: lightning.Trainer\naccelerator: cpu\ndevices: 1\n"
        "strategy:\n  _target_: lightning.pytorch.strategies.DDPStrategy\n  find_unused_parameters: false\n"
    ),
    "logger/fake": "fake:\n  _target_: lightning.pytorch.loggers.CSVLogger\n  name: ${name}\n",
    "callback/writer": "writer:\n  _target_: circuitvlm.training.callback.fake.Writer\n  every: 5\n",
    "callback/science": "science:\n  _target_: circuitvlm.training.callback.fake.Science\n  decay: 0.9\n",
    "experiment/first": "# @package _global_\nname: first\nmax_steps: 100\ndefaults:\n  - override /adapter: none\n",
}
LIBRARY_OPTIONS = {"optimizer": "fake", "trainer": "fake", "logger": "fake", "callback": "writer",
                   "quantization": "null", "experiment": "null"}  # fmt: skip


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module `fake` in every package of parts, removed again afterwards; returns the folder that contains them."""
    modules = {group: importlib.import_module(package) for group, package in PART_PACKAGES.items()}
    loaded = set(sys.modules)
    folder = tmp_path / "packages"
    for group, module in modules.items():
        (folder / group).mkdir(parents=True)
        (folder / group / "fake.py").write_text(CODE[group])
        monkeypatch.setattr(module, "__path__", [*module.__path__, str(folder / group)])
    importlib.invalidate_caches()
    yield folder
    for name in set(sys.modules) - loaded:
        if name.startswith("circuitvlm.") and name.endswith((".fake", ".variety")):
            package_name, _, child = name.rpartition(".")
            vars(sys.modules[package_name]).pop(child, None)
            del sys.modules[name]


@pytest.fixture
def conf(tmp_path: Path, packages: Path) -> Path:
    """The real train.yaml and eval.yaml over fake groups."""
    folder = tmp_path / "conf"
    folder.mkdir()
    shutil.copy(CONF / "eval.yaml", folder)
    groups = {**dict.fromkeys(PART_PACKAGES, "fake"), **LIBRARY_OPTIONS}
    lines = []
    for line in (CONF / "train.yaml").read_text().splitlines():
        group = line.strip().removeprefix("- ").partition(":")[0]
        lines.append(f"  - {group}: {groups[group]}" if line.startswith("  - ") and group in groups else line)
    shutil.copytree(CONF / "hydra", folder / "hydra")
    (folder / "train.yaml").write_text("\n".join(lines))
    for name, text in YAML.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.fixture
def cfg(conf: Path) -> DictConfig:
    """A config without a fault."""
    return compose(["num_workers=0"], config_dir=conf)


@pytest.fixture
def plain(cfg: DictConfig) -> dict[str, Any]:
    """The same as plain containers."""
    plain = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}
