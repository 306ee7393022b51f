"""Check the error of a run whose baseline fails."""

import re
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.entry import ReportedError
from circuitvlm.runtime.folders import run_folder
from circuitvlm.training import baselines
from circuitvlm.training.execute import execute
from circuitvlm.training.sweep import child_process
from tests.training.test_strategies import ADAPTERS, ROOT, SHARED


def test_a_control_that_fails_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "PROGRAM", (sys.executable, "-c", "import sys; sys.exit(3)"))
    cfg = OmegaConf.create({"name": "blind", "max_minutes": None, "folder": None})
    with pytest.raises(ReportedError, match=r"expected exit status 0, got 3; .*blind\.yaml.*same command resumes"):
        baselines.run_baseline("blind", cfg, run=tmp_path, minutes=2)
    told = OmegaConf.load(tmp_path / "baselines" / "blind.yaml")
    assert (told.max_minutes, told.folder) == (2, str(tmp_path / "baselines" / "blind"))


def test_a_baseline_that_was_stopped_keeps_its_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The minutes of a resumed run are measured again; another limit would be another baseline."""
    monkeypatch.setattr(child_process, "PROGRAM", (sys.executable, "-c", ""))
    cfg = OmegaConf.create({"name": "blind", "max_minutes": 2.25, "folder": None})
    folder = tmp_path / "baselines" / "blind"
    run_folder.prepare(folder, cfg, base=cfg, overwrite=False)
    baselines.run_baseline("blind", cfg, run=tmp_path, minutes=2.5)
    assert OmegaConf.load(tmp_path / "baselines" / "blind.yaml").max_minutes == 2.25


def test_a_run_that_its_time_limit_ended_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CIRCUITVLM_CACHE", str(tmp_path / "cache"))
    words = [*SHARED, *ADAPTERS["lora"], "eval_splits=[]", "max_steps=500", "max_minutes=0.02"]
    cfg = compose([*words, f"folder={tmp_path / 'run'}", f"model.cache={tmp_path}"], config_dir=ROOT / "conf")
    check(cfg)
    execute(cfg, base=cfg, baseline_configs={})
    note = baselines.training_note(tmp_path / "run")
    assert re.search(r", ended by max_minutes=0\.02 at step \d+ of 500$", note)
    assert "ended by max_minutes=0.02 at step" in caplog.text
