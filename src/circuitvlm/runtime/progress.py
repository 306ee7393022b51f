"""Show progress and log messages, at a terminal and in a log file."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from circuitvlm.runtime.terminal import sanitize

T = TypeVar("T")
log = logging.getLogger(__name__)
_HANDLER_NAME = "circuitvlm"


def rank() -> int:
    """The rank of this process, from the environment: known before any process group exists."""
    for name in ("RANK", "SLURM_PROCID"):
        if os.environ.get(name, "").isdigit():
            return int(os.environ[name])
    # Lightning's own launcher sets these two for its processes; only whether the result is 0 matters
    return int(os.environ.get("NODE_RANK", "0") or 0) * 1000 + int(os.environ.get("LOCAL_RANK", "0") or 0)


def restart_count() -> int:
    """How often a launcher has restarted this process: torchrun --max-restarts, or SLURM's requeue."""
    counts = (os.environ.get(name, "") for name in ("TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"))
    return max(int(count) if count.isdigit() else 0 for count in counts)


def bar(items: Iterable[T], *, total: int | None = None, label: str, every: float = 10.0) -> Iterator[T]:
    """Yield the items with a progress bar on a terminal, or with a log line every `every` seconds without one."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    if rank() != 0:
        yield from items
    elif sys.stderr.isatty():
        yield from _with_bar(items, total=total, label=label)
    else:
        yield from _with_log_lines(items, total=total, label=label, every=every)


def _with_bar(items: Iterable[T], *, total: int | None, label: str) -> Iterator[T]:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        yield from progress.track(items, total=total, description=sanitize(label))


def _with_log_lines(items: Iterable[T], *, total: int | None, label: str, every: float) -> Iterator[T]:
    start = last_line = time.monotonic()
    total_text = "" if total is None else f" of {total}"
    count = 0
    for count, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last_line >= every:
            log.info("%s: %d%s, %.0f s", label, count, total_text, now - start)
            last_line = now
    log.info("%s: %d%s, done in %.1f s", label, count, total_text, time.monotonic() - start)


def setup_logging(level: int = logging.INFO) -> None:
    """Set one handler on the root logger; ranks other than 0 log warnings only. It may be called repeatedly."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if handler.name == _HANDLER_NAME or type(handler) is logging.StreamHandler:  # an earlier one, or Hydra's
            root.removeHandler(handler)
    root.addHandler(_handler())
    root.setLevel(level if rank() == 0 else max(level, logging.WARNING))
    logging.captureWarnings(True)
    sys.excepthook = _print_exception


class _Formatter(logging.Formatter):
    """Formats messages without characters that a terminal could execute: names and replies stand in them."""

    def format(self, record: logging.LogRecord) -> str:
        return sanitize(super().format(record))


def _print_exception(*error: Any) -> None:
    """Print the traceback of an error that ends the process, without characters that a terminal could execute."""
    sys.stderr.write(sanitize("".join(traceback.format_exception(*error))))


def _handler() -> logging.Handler:
    prefix = f"[rank {rank()}] " if rank() else ""
    handler: logging.Handler
    if sys.stderr.isatty():
        handler = RichHandler(console=Console(stderr=True), show_path=False, rich_tracebacks=False)
        handler.setFormatter(_Formatter(f"{prefix}%(message)s", datefmt="%H:%M:%S"))
    else:  # rich would wrap the lines of a log file at 80 characters
        handler = logging.StreamHandler()
        handler.setFormatter(_Formatter(f"%(asctime)s %(levelname)s {prefix}%(name)s: %(message)s"))
    handler.set_name(_HANDLER_NAME)
    return handler
