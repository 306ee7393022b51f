"""Check the error of a run whose baseline fails."""

import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from circuitvlm.runtime.entry import ReportedError
from circuitvlm.training import baselines
from circuitvlm.training.sweep import child_process


def test_a_control_that_fails_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "PROGRAM", (sys.executable, "-c", "import sys; sys.exit(3)"))
    cfg = OmegaConf.create({"name": "blind", "max_minutes": None, "folder": None})
    with pytest.raises(ReportedError, match=r"expected exit status 0, got 3; .*blind\.yaml.*same command resumes"):
        baselines.run_baseline("blind", cfg, run=tmp_path, minutes=2)
    told = OmegaConf.load(tmp_path / "baselines" / "blind.yaml")
    assert (told.max_minutes, told.folder) == (2, str(tmp_path / "baselines" / "blind"))
