"""Tell an error that the user can correct from a full disk and from a bug."""

from __future__ import annotations

import errno
import os
import re

DISK_FULL_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The errno values of a full disk, of a user's full quota, and of a file that may not grow further."""

_RUST_OS_ERROR = re.compile(r"\(os error (\d+)\)")


def is_project_error(error: BaseException) -> bool:
    """Whether this project itself raised the error; a ValueError that a library raised is a bug of this project."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and last.tb_frame.f_globals.get("__name__", "").startswith("circuitvlm.")


def system_error(error: BaseException | None) -> OSError | None:
    """The OSError that caused an error, or None.

    torch raises a second error where it closes a file that it could not write. Libraries that are written in Rust
    (safetensors, tokenizers) give the error's number only in their message.
    """
    while error is not None and not isinstance(error, OSError):
        if match := _RUST_OS_ERROR.search(str(error)):
            number = int(match[1])
            return OSError(number, os.strerror(number))
        error = error.__cause__ or error.__context__
    return error


def disk_full_message(error: BaseException) -> str | None:
    """What to do about an error that a full disk caused; None for any other error."""
    cause = system_error(error)
    return f"{cause}: free some disk space" if cause is not None and cause.errno in DISK_FULL_NUMBERS else None
