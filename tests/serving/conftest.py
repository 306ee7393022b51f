"""Small trained things to serve: runs whose adapters were moved, and saved, without training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.folders.run_folder import start
from circuitvlm.training.assemble import Run

ROOT = Path(__file__).parents[2]
SMALL = [
    "~experiment", "steps=0", "workers=0", "precision=32-true", "validate_items=3", "max_new_tokens=24",
    "data.circuits.workers=0", "data.circuits.splits.validation.count=3",
    "data.circuits.splits.validation.components=[2,3]",
    "model.cache=${oc.env:CIRCUITVLM_CACHE}", "callback=[]", "logger=csv", "dropout=constant_none",
]  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Nets this small wait longer for a second thread than they gain by it, most of all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def moved_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Makes a run in tmp_path / name, every trained weight moved by `by`."""
    monkeypatch.setenv("CIRCUITVLM_CACHE", str(tmp_path / "cache"))

    def make(*overrides: str, by: float = 0.05, name: str = "run") -> Run:
        folder = tmp_path / name
        asks = [] if any(word.startswith("task=") for word in overrides) else ["tasks.netlist.prompt=Netlist?"]
        cfg = compose([*SMALL, *asks, f"folder={folder}", *overrides], config_dir=ROOT / "conf")
        check(cfg)
        run = Run(cfg, base=cfg)
        start(folder, cfg, base=cfg, fresh=False)
        run.module.configure_model()
        assert run.module.net is not None
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in run.module.net.parameters():
                if parameter.requires_grad:
                    parameter.add_(by * torch.randn_like(parameter))
        run.save(folder / "adapter")
        return run

    return make
