"""Who may write into a folder? One process at a time: it holds a lock that the kernel takes back at any death."""

from __future__ import annotations

import errno
import logging
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

if sys.platform == "win32":

    def _flock(descriptor: int) -> None:
        raise OSError(errno.ENOTSUP, "this system has no flock")

else:
    import fcntl

    def _flock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


LOCK = ".lock"
_MOMENT = 0.2
"""Seconds after which a process that has just locked a folder has surely written its name into the file."""
_HELD: set[int] = set()
log = logging.getLogger(__name__)


class HeldError(ValueError):
    """A folder that another process is writing into; the message says which."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder, which is made where it is not there, for this process alone until the block ends.

    Raises HeldError where another process holds it. A lock file that somebody left behind holds nothing: what counts is
    the kernel's lock on it (flock), which ends with its process. Where there are no such locks, that is warned of once,
    and nothing is held.
    """
    path = folder.resolve() / LOCK  # resolved: a link may point to a folder that is gone
    descriptor = _locked(path)
    if descriptor is None:
        yield
        return
    _HELD.add(descriptor)
    try:
        yield
    finally:
        if descriptor in _HELD:  # a forked child has let go of it
            _HELD.remove(descriptor)
            if _lies_at(path, descriptor):  # the folder may have been moved away, and another begun in its place
                path.unlink()
            os.close(descriptor)


def _locked(path: Path) -> int | None:
    """The descriptor of the locked file, with this process's name in it; None where files cannot be locked."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        refused = _refusal(descriptor)
        if refused is None and _lies_at(path, descriptor):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())
            return descriptor
        os.close(descriptor)
        if isinstance(refused, BlockingIOError):
            raise HeldError(
                f"{path.parent} is being written by {_holder(path)}: wait for it or end it, or say another folder"
            )
        if refused is not None:
            path.unlink(missing_ok=True)
            _warn(str(refused))
            return None
        # else its holder let it go, and the file with it, between our opening and locking it: it is opened anew


def _refusal(descriptor: int) -> OSError | None:
    """Why the file cannot be locked: BlockingIOError where somebody else holds it."""
    try:
        _flock(descriptor)
    except OSError as error:
        return error
    return None


def _lies_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    time.sleep(_MOMENT)
    try:
        return path.read_text(encoding="utf-8", errors="replace")[:200] or "another process"
    except FileNotFoundError:
        return "another process, which has just ended"


@cache  # once
def _warn(reason: str) -> None:
    log.warning("folders cannot be locked here (%s): start no two processes of one run at the same time", reason)


def _let_go() -> None:
    """A forked child (a loader's worker) would hold the lock for as long as it outlives its parent."""
    for descriptor in _HELD:
        os.close(descriptor)
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
