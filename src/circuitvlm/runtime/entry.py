"""Run a command, and end it with a clear message and an exit status where it fails."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.runtime.errors import disk_full_message, is_project_error
from circuitvlm.runtime.folders.lock import FolderLockedError
from circuitvlm.runtime.folders.saved_file import FolderError
from circuitvlm.runtime.progress import rank, setup_logging
from circuitvlm.runtime.spelling import suggestion

log = logging.getLogger("circuitvlm")

USER_ERRORS = (ConfigError, FolderError, FolderLockedError, FileNotFoundError, HydraException, OmegaConfBaseException)
"""Errors that the user can correct. They end a command with their message alone, without a traceback."""

LOCAL_RANK_OPTION = "--local_rank="
"""The option that the `deepspeed` launcher adds to the command line of each process; Hydra does not know it."""


class ReportedError(RuntimeError):
    """A failure whose reason is reported already: the command ends with its message and status 1."""


def is_sweep(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for a sweep: by -m, --multirun or hydra.mode=MULTIRUN."""
    options, unknown = get_args_parser().parse_known_args(list(arguments))
    return bool(options.multirun) or "hydra.mode=MULTIRUN" in (*options.overrides, *unknown)


def run(main: Callable[[], object]) -> None:
    """Run a Hydra application. An error of the user's ends it with status 2, and Ctrl-C by its signal (where Lightning
    trains, with Lightning's status 1), in both cases without a traceback.

    Under a launcher of several processes, rank 0 alone runs a sweep and starts the processes of each trial. The other
    ranks end at once, and the launcher ends with the status of rank 0.
    """
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # else Hydra prints half of a traceback and exits with status 1
    sys.argv[1:] = [argument for argument in sys.argv[1:] if not argument.startswith(LOCAL_RANK_OPTION)]
    if rank() != 0 and is_sweep(sys.argv[1:]):
        return
    try:
        main()
    except KeyboardInterrupt:
        setup_logging()
        _end_interrupted()
    except ReportedError as error:
        setup_logging()
        log.error("%s", error)
        sys.exit(1)
    except Exception as error:
        if (message := _user_message(error)) is None:
            raise
        setup_logging()
        log.error("%s", message)
        sys.exit(2)


def _end_interrupted() -> NoReturn:
    """End by the signal itself, which also ends a shell loop around the command."""
    log.warning("interrupted; the same command resumes what is not finished")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.raise_signal(signal.SIGINT)
    raise AssertionError("expected the process to end by SIGINT, got past it")


def _user_message(error: Exception) -> str | None:
    """The message for an error that the user can correct; None for a bug."""
    if isinstance(error, USER_ERRORS) or (isinstance(error, ValueError) and is_project_error(error)):
        return _unknown_key_message(error) or "\n".join(_messages(error))
    if (message := disk_full_message(error)) is not None:
        return f"{message}, and give the same command again; a training resumes from its last checkpoint"
    return None


def _unknown_key_message(error: BaseException) -> str | None:
    """For a key that the config does not have: the key, and the nearest one that its section has."""
    cause = error.__cause__ or error
    if not isinstance(cause, (ConfigKeyError, ConfigAttributeError)) or not cause.full_key:
        return None
    key, section = str(cause.full_key), cause.parent_node or ()
    return f"{key}: no such key.{suggestion(key.rpartition('.')[2], map(str, section))}"


def _messages(error: BaseException | None) -> Iterator[str]:
    """The messages of an error and of its causes, each once."""
    messages: list[str] = []
    while error is not None:
        text = str(error).strip()
        if text and not any(text in earlier for earlier in messages):
            messages.append(text)
            yield text
        error = error.__cause__
