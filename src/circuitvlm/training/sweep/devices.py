"""Which GPUs and how many threads are a trial's own, beside others on the same machine?"""

from __future__ import annotations

import logging
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.runtime.folders.lock import HeldError, held

VISIBLE, THREADS = "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"
SOME_SECONDS = (1.0, 3.0)
"""Between two looks for free GPUs; drawn, so that two trials that want several do not meet again and again."""

log = logging.getLogger(__name__)


@contextmanager
def handed_out(trainer: Mapping[str, Any], *, processes: int) -> Iterator[dict[str, str]]:
    """Variables that show a trial its GPUs, none of them another trial's of this user on this machine, until it ends.

    `trainer` is the section of its config, `processes` how many an outer launcher gives it (1: as the trainer says).
    Waits while too few are free. Nothing on a machine without GPUs, or for a trial on the CPU. Each GPU is a lock that
    the kernel takes back at any death. Raises ConfigError where there are fewer than are wanted.
    """
    there = visible() if trainer.get("accelerator") != "cpu" else []
    count = max(processes, _wanted(trainer, len(there))) if there else 0
    if count > len(there):
        raise ConfigError([f"trainer.devices: a trial wants {count} GPUs, and {len(there)} are visible"])
    with ExitStack() as taken:
        mine = _taken(there, count, taken)
        yield {VISIBLE: ",".join(mine)} if mine else {}


def visible() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip() not in ("", "-1", "NoDevFiles")]
    query = ("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader")
    if shutil.which(query[0]) is None:
        return []
    told = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
    return told.stdout.split() if told.returncode == 0 else []


def _wanted(trainer: Mapping[str, Any], there: int) -> int:
    """One for each device; all for -1 and auto, as Lightning reads them."""
    devices = trainer.get("devices", 1)
    if isinstance(devices, int) and devices > 0:
        return devices
    return len(devices) if isinstance(devices, Sequence) and not isinstance(devices, str) else there


def _taken(there: Sequence[str], count: int, taken: ExitStack) -> list[str]:
    told = False
    while count:
        mine = []
        for name in there:
            try:
                taken.enter_context(held(_desk() / name.replace("/", "_")))
            except HeldError:
                continue
            mine.append(name)
            if len(mine) == count:
                return mine
        taken.close()  # holding some while waiting for others could wait for ever
        if not told:
            log.info("waiting for %d of the GPUs %s to be free", count, ", ".join(there))
        told = True
        time.sleep(random.uniform(*SOME_SECONDS))
    return []


def _desk() -> Path:
    return Path(tempfile.gettempdir(), f"circuitvlm-gpus-{os.getuid() if hasattr(os, 'getuid') else 0}")


def share_threads(launcher: Mapping[str, Any], trainer: Mapping[str, Any], *, trials: int) -> None:
    """Give each of the trials that a launcher runs at a time here its part of the cores, unless that is set.

    For joblib and submitit_local; on a cluster each trial has a machine, or a part of one, to itself.
    """
    jobs = min(_at_a_time(launcher, trials), trials)
    if jobs > 1 and THREADS not in os.environ:
        devices = trainer.get("devices")
        processes = devices if isinstance(devices, int) and devices > 0 else 1
        os.environ[THREADS] = str(max(1, _cores() // (jobs * processes)))
        log.info("%s=%s for each of %d trials at a time", THREADS, os.environ[THREADS], jobs)


def _at_a_time(launcher: Mapping[str, Any], trials: int) -> int:
    if "n_jobs" in launcher:  # joblib, whose -1 is a trial for each core
        jobs = int(launcher["n_jobs"])
        return jobs if jobs > 0 else max(1, _cores() + 1 + jobs)
    return trials if str(launcher.get("_target_", "")).endswith(".LocalLauncher") else 1


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
