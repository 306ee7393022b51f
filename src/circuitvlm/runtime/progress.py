"""How does a person see what is going on, at a terminal and in a log file?"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

T = TypeVar("T")
log = logging.getLogger(__name__)
_MARK = "circuitvlm"


def rank() -> int:
    """This process among those of the run, from the environment: known before any process group exists."""
    for name in ("RANK", "SLURM_PROCID"):
        if os.environ.get(name, "").isdigit():
            return int(os.environ[name])
    # Lightning's own launcher gives its children these two; which exact number it is matters less than "not 0"
    return int(os.environ.get("NODE_RANK", "0") or 0) * 1000 + int(os.environ.get("LOCAL_RANK", "0") or 0)


def restarts() -> int:
    """How often a launcher has started this process again: torchrun --max-restarts, or SLURM's requeue."""
    counts = (os.environ.get(name, "") for name in ("TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"))
    return max(int(count) if count.isdigit() else 0 for count in counts)


def bar(items: Iterable[T], *, total: int | None = None, label: str, every: float = 10.0) -> Iterator[T]:
    """The items again, with a bar on a terminal, or a log line every so many seconds where there is none."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    if rank() != 0:
        yield from items
    elif sys.stderr.isatty():
        yield from _drawn(items, total=total, label=label)
    else:
        yield from _logged(items, total=total, label=label, every=every)


def _drawn(items: Iterable[T], *, total: int | None, label: str) -> Iterator[T]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        yield from progress.track(items, total=total, description=label)


def _logged(items: Iterable[T], *, total: int | None, label: str, every: float) -> Iterator[T]:
    began = told = time.monotonic()
    of = "" if total is None else f" of {total}"
    count = 0
    for count, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - told >= every:
            log.info("%s: %d%s, %.0f s", label, count, of, now - began)
            told = now
    log.info("%s: %d%s, done in %.1f s", label, count, of, time.monotonic() - began)


def setup_logging(level: int = logging.INFO) -> None:
    """One handler on the root logger, for people; ranks other than 0 tell warnings only. Harmless to repeat."""
    root = logging.getLogger()
    for old in list(root.handlers):
        if old.name == _MARK or type(old) is logging.StreamHandler:  # ours, or the one that Hydra has set up
            root.removeHandler(old)
    root.addHandler(_handler())
    root.setLevel(level if rank() == 0 else max(level, logging.WARNING))
    logging.captureWarnings(True)


def _handler() -> logging.Handler:
    who = f"[rank {rank()}] " if rank() else ""
    handler: logging.Handler
    if sys.stderr.isatty():
        handler = RichHandler(console=Console(stderr=True), show_path=False, rich_tracebacks=False)
        handler.setFormatter(logging.Formatter(f"{who}%(message)s", datefmt="%H:%M:%S"))
    else:  # rich would fold the lines of a log file at 80 characters
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {who}%(name)s: %(message)s"))
    handler.set_name(_MARK)
    return handler
