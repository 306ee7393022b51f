"""Build small runs whose adapters are changed at random and saved, without training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.folders.run_folder import prepare
from circuitvlm.training.assemble import Run

ROOT = Path(__file__).parents[2]
SMALL = [
    "~experiment", "max_steps=0", "num_workers=0", "precision=32-true", "validate_items=3", "max_new_tokens=24",
    "data.circuits.num_workers=0", "data.circuits.splits.validation.count=3",
    "data.circuits.splits.validation.components=[2,3]",
    "model.cache=${oc.env:CIRCUITVLM_CACHE}", "callback=[]", "logger=csv", "dropout=constant_none",
]  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: for such small nets a second one costs more time than it saves."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def moved_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Build a run in tmp_path / name, with noise of this scale on every trained weight."""
    monkeypatch.setenv("CIRCUITVLM_CACHE", str(tmp_path / "cache"))

    def make(*overrides: str, scale: float = 0.05, name: str = "run") -> Run:
        folder = tmp_path / name
        asks = [] if any(word.startswith("task=") for word in overrides) else ["tasks.netlist.prompt=Netlist?"]
        cfg = compose([*SMALL, *asks, f"folder={folder}", *overrides], config_dir=ROOT / "conf")
        check(cfg)
        run = Run(cfg, base=cfg)
        prepare(folder, cfg, base=cfg, overwrite=False)
        run.module.configure_model()
        assert run.module.net is not None
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in run.module.net.parameters():
                if parameter.requires_grad:
                    parameter.add_(scale * torch.randn_like(parameter))
        run.save(folder / "adapter")
        return run

    return make
