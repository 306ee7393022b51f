"""What becomes of a run whose control fails?"""

import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from circuitvlm.runtime.entry import ToldError
from circuitvlm.training import baselines
from circuitvlm.training.sweep import child_process


def test_a_control_that_fails_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "PROGRAM", (sys.executable, "-c", "import sys; sys.exit(3)"))
    cfg = OmegaConf.create({"name": "blind", "minutes": None, "folder": None})
    with pytest.raises(ToldError, match=r"control blind ended with status 3; .*the same command goes on .*blind\.yaml"):
        baselines.run_control("blind", cfg, run=tmp_path, minutes=2)
    told = OmegaConf.load(tmp_path / "controls" / "blind.yaml")
    assert (told.minutes, told.folder) == (2, str(tmp_path / "controls" / "blind"))
