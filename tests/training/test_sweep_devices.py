"""Check that parallel trials get GPUs of their own and share the cores."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.training.sweep import devices
from circuitvlm.training.sweep.devices import THREADS, VISIBLE, reserve_gpus, share_threads, visible_gpus

GPU = {"accelerator": "gpu", "devices": 1}


class Patience:
    """In the place of sleep: a trial that waits for ever fails its test."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def __call__(self, seconds: float) -> None:
        self.looks -= 1
        assert self.looks > 0, "it waits for ever"
        time.sleep(seconds)


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Four GPUs, as far as the variables say, on a machine of this test's own."""
    monkeypatch.setenv(VISIBLE, "0,1,2,GPU-3")
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(devices, "WAIT_SECONDS", (0.01, 0.02))
    monkeypatch.setattr(devices, "time", SimpleNamespace(sleep=Patience(looks=400)))
    monkeypatch.setattr("circuitvlm.runtime.folders.lock._WRITE_SECONDS", 0.0)


@pytest.mark.usefixtures("four")
def test_no_gpu_is_given_twice_and_each_comes_back() -> None:
    with reserve_gpus(GPU, processes=1) as one, reserve_gpus(GPU | {"devices": 2}, processes=1) as two:
        assert (one[VISIBLE], two[VISIBLE]) == ("0", "1,2")
        with reserve_gpus(GPU, processes=1) as last:
            assert last[VISIBLE] == "GPU-3"
    with reserve_gpus(GPU | {"devices": -1}, processes=1) as every:
        assert every[VISIBLE] == "0,1,2,GPU-3"


@pytest.mark.usefixtures("four")
def test_a_trial_waits_until_enough_are_free() -> None:
    given: list[str] = []

    def late() -> None:
        with reserve_gpus(GPU | {"devices": 3}, processes=1) as mine:
            given.append(mine[VISIBLE])

    with reserve_gpus(GPU | {"devices": 2}, processes=1):
        waiting = threading.Thread(target=late)
        waiting.start()
        time.sleep(0.1)
        assert not given
        with reserve_gpus(GPU | {"devices": 2}, processes=1) as rest:
            assert rest[VISIBLE] == "2,GPU-3", "who waits for three holds none of the two that are free"
    waiting.join(timeout=10)
    assert [len(names.split(",")) for names in given] == [3]  # which three depends on which come back first


@pytest.mark.usefixtures("four")
def test_the_cpu_needs_none_and_an_outer_launcher_says_how_many() -> None:
    with reserve_gpus(GPU | {"accelerator": "cpu"}, processes=2) as nothing:
        assert nothing == {}
    with reserve_gpus(GPU, processes=3) as three:
        assert three[VISIBLE] == "0,1,2"
    with pytest.raises(ConfigError, match="at most 4 visible GPUs, got 5"), reserve_gpus(GPU, processes=5):
        pass


@pytest.mark.usefixtures("four")
def test_a_killed_trials_gpu_is_free_again(tmp_path: Path) -> None:
    code = (
        "import sys, tempfile, time; tempfile.tempdir = sys.argv[1]\n"
        "from circuitvlm.training.sweep.devices import reserve_gpus\n"
        "with reserve_gpus({'accelerator': 'gpu', 'devices': 4}, processes=1):\n"
        "    print('holds', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holds\n"
        holder.kill()
    with reserve_gpus(GPU, processes=1) as mine:
        assert mine[VISIBLE] == "0"


def test_without_a_gpu_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for hidden in ("", "-1"):
        monkeypatch.setenv(VISIBLE, hidden)
        assert visible_gpus() == []
    monkeypatch.delenv(VISIBLE)
    monkeypatch.setattr(devices.shutil, "which", lambda name: None)
    assert visible_gpus() == []
    with reserve_gpus({"accelerator": "auto", "devices": -1}, processes=1) as nothing:
        assert nothing == {}


@pytest.mark.parametrize(
    ("launcher", "trainer", "trials", "threads"),
    [
        ({"n_jobs": 4}, {"devices": 1}, 8, "4"),
        ({"n_jobs": 4}, {"devices": 2}, 8, "2"),
        ({"n_jobs": 4}, {"devices": -1}, 2, "8"),
        ({"n_jobs": -1}, {}, 99, "1"),
        ({"n_jobs": 1}, {}, 8, None),
        ({"_target_": "hydra_plugins.x.LocalLauncher"}, {}, 4, "4"),
        ({"_target_": "hydra_plugins.x.SlurmLauncher"}, {}, 4, None),
    ],
)
def test_parallel_trials_share_the_cores(
    launcher: dict[str, object],
    trainer: dict[str, object],
    trials: int,
    threads: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "_cores", lambda: 16)
    monkeypatch.setenv(THREADS, "7")
    share_threads(launcher, trainer, trials=trials)
    assert os.environ[THREADS] == "7", "what the user has set stays"
    monkeypatch.delenv(THREADS)
    share_threads(launcher, trainer, trials=trials)
    assert os.environ.get(THREADS) == threads
