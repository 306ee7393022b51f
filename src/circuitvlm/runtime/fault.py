"""Whose fault is an error: the user's, who is told in words, a full disk's, or ours, which needs its traceback?"""

from __future__ import annotations

import errno
import os
import re

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The numbers of a system that has no room left, for this user or this file."""

_IN_RUST = re.compile(r"\(os error (\d+)\)")


def ours(error: BaseException) -> bool:
    """True for an error that this project raised: a library's ValueError is a bug of ours, and needs its traceback."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and last.tb_frame.f_globals.get("__name__", "").startswith("circuitvlm.")


def system_error(error: BaseException | None) -> OSError | None:
    """The OSError behind an error: torch errs once more where it closes what it could not write, and libraries that
    are written in Rust (safetensors, tokenizers) tell its number in their words alone.
    """
    while error is not None and not isinstance(error, OSError):
        if found := _IN_RUST.search(str(error)):
            number = int(found[1])
            return OSError(number, os.strerror(number))
        error = error.__cause__ or error.__context__
    return error


def full_disk(error: BaseException) -> str | None:
    """What to do where an error comes of a disk without room; None for any other."""
    why = system_error(error)
    return f"{why}: make room" if why is not None and why.errno in FULL else None
