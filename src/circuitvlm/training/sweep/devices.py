"""Reserve GPUs and CPU threads for a trial among others on the same machine."""

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
from circuitvlm.runtime.folders.lock import FolderLockedError, lock_folder

VISIBLE, THREADS = "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"
WAIT_SECONDS = (1.0, 3.0)
"""Bounds of the random time between two attempts to reserve GPUs, so that two trials do not collide every time."""

log = logging.getLogger(__name__)


@contextmanager
def reserve_gpus(trainer: Mapping[str, Any], *, processes: int) -> Iterator[dict[str, str]]:
    """Reserve GPUs for a trial until it ends, and yield the environment variables that show them to it.

    `trainer` is the section of its config, `processes` the number of an outer launcher (1: as the trainer states). No
    other trial of this user on this machine gets the same GPU; the function waits while too few are free. It yields no
    variables on a machine without GPUs, or for a trial on the CPU. Each GPU is a lock, which the kernel releases when
    its process dies. Raises ConfigError where the machine has too few GPUs.
    """
    gpus = visible_gpus() if trainer.get("accelerator") != "cpu" else []
    count = max(processes, _device_count(trainer, len(gpus))) if gpus else 0
    if count > len(gpus):
        raise ConfigError([f"trainer.devices: expected at most {len(gpus)} visible GPUs, got {count} for a trial"])
    with ExitStack() as locks:
        names = _lock_gpus(gpus, count, locks)
        yield {VISIBLE: ",".join(names)} if names else {}


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip() not in ("", "-1", "NoDevFiles")]
    query = ("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader")
    if shutil.which(query[0]) is None:
        return []
    result = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
    return result.stdout.split() if result.returncode == 0 else []


def _device_count(trainer: Mapping[str, Any], gpu_count: int) -> int:
    """The GPUs of a trial's trainer: all for -1 and auto, as Lightning reads them."""
    devices = trainer.get("devices", 1)
    if isinstance(devices, int) and devices > 0:
        return devices
    return len(devices) if isinstance(devices, Sequence) and not isinstance(devices, str) else gpu_count


def _lock_gpus(gpus: Sequence[str], count: int, locks: ExitStack) -> list[str]:
    is_logged = False
    while count:
        names: list[str] = []
        for name in gpus:
            try:
                locks.enter_context(lock_folder(_lock_root() / name.replace("/", "_")))
            except FolderLockedError:
                continue
            names.append(name)
            if len(names) == count:
                return names
        locks.close()  # two trials that hold some GPUs and wait for more could wait for ever
        if not is_logged:
            log.info("waiting for %d of the GPUs %s to be free", count, ", ".join(gpus))
        is_logged = True
        time.sleep(random.uniform(*WAIT_SECONDS))
    return []


def _lock_root() -> Path:
    return Path(tempfile.gettempdir(), f"circuitvlm-gpus-{os.getuid() if hasattr(os, 'getuid') else 0}")


def share_threads(launcher: Mapping[str, Any], trainer: Mapping[str, Any], *, trials: int) -> None:
    """Divide the CPU cores among the trials that a launcher runs at a time here, unless the threads are set.

    For joblib and submitit_local; on a cluster each trial has a machine, or a part of one, to itself.
    """
    jobs = min(_parallel_jobs(launcher, trials), trials)
    if jobs > 1 and THREADS not in os.environ:
        devices = trainer.get("devices")
        processes = devices if isinstance(devices, int) and devices > 0 else 1
        os.environ[THREADS] = str(max(1, _cores() // (jobs * processes)))
        log.info("%s=%s for each of %d trials at a time", THREADS, os.environ[THREADS], jobs)


def _parallel_jobs(launcher: Mapping[str, Any], trials: int) -> int:
    if "n_jobs" in launcher:  # joblib, whose -1 is a trial for each core
        jobs = int(launcher["n_jobs"])
        return jobs if jobs > 0 else max(1, _cores() + 1 + jobs)
    return trials if str(launcher.get("_target_", "")).endswith(".LocalLauncher") else 1


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
