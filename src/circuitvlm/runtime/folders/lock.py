"""Lock a folder for one process at a time, by a file lock that the kernel releases when the process ends."""

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


LOCK_FILE = ".lock"
_WRITE_SECONDS = 0.2
"""Seconds after which a process that has just locked a folder has surely written its name into the file."""

_descriptors: set[int] = set()
"""The open lock files of this process."""

log = logging.getLogger(__name__)


class FolderLockedError(ValueError):
    """A folder that another process writes into; the message names that process."""


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock the folder, which is created if it does not exist, for this process until the block ends.

    Raises FolderLockedError where another process has locked it. A lock file that an ended process has left locks
    nothing, since the kernel's lock on it (flock) has ended with that process. On a file system without such locks
    this warns once, and locks nothing.
    """
    path = folder.resolve() / LOCK_FILE  # resolved: a link may point to a folder that was deleted
    descriptor = _open_locked(path)
    if descriptor is None:
        yield
        return
    _descriptors.add(descriptor)
    try:
        yield
    finally:
        if descriptor in _descriptors:  # a forked child has closed its copy
            _descriptors.remove(descriptor)
            if _is_same_file(path, descriptor):  # the folder may have been moved, and another created in its place
                path.unlink()
            os.close(descriptor)


def _open_locked(path: Path) -> int | None:
    """The descriptor of the locked file, which names this process; None where files cannot be locked."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():  # whose target would be emptied
            raise FolderLockedError(f"{path}: expected a file, got a link to {path.readlink()}; delete the link")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        error = _lock_error(descriptor)
        if error is None and _is_same_file(path, descriptor):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())
            return descriptor
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise FolderLockedError(
                f"{path.parent}: expected a folder that no other process writes into, got one of "
                f"{_owner(path)}; wait for that process, end it, or set another folder"
            )
        if error is not None:
            path.unlink(missing_ok=True)
            _warn(str(error))
            return None
        # else the owner has deleted the file after it was opened here: it is opened again


def _lock_error(descriptor: int) -> OSError | None:
    """Why the file cannot be locked: BlockingIOError where another process has locked it."""
    try:
        _flock(descriptor)
    except OSError as error:
        return error
    return None


def _is_same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _owner(path: Path) -> str:
    time.sleep(_WRITE_SECONDS)
    try:
        return path.read_text(encoding="utf-8", errors="replace")[:200] or "an unnamed process"
    except FileNotFoundError:
        return "a process that has just ended"


@cache  # warn once
def _warn(reason: str) -> None:
    log.warning("folders cannot be locked here (%s): start no two processes of one run at the same time", reason)


def _close_all() -> None:
    """Close the lock files in a forked process (a loader's worker), which would keep the locks after its parent."""
    for descriptor in _descriptors:
        os.close(descriptor)
    _descriptors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_all)
