"""How does a command end? With its work done, or with a message a person can act on and exit status 2."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.runtime.config.compose import compose_base, experiment_of
from circuitvlm.runtime.config.schema import Run
from circuitvlm.runtime.fault import full_disk, ours
from circuitvlm.runtime.folders.lock import HeldError
from circuitvlm.runtime.folders.run_folder import FolderError
from circuitvlm.runtime.progress import rank, setup_logging
from circuitvlm.runtime.spelling import suggestion

log = logging.getLogger("circuitvlm")

USERS_FAULT = (ConfigError, FolderError, HeldError, FileNotFoundError, HydraException, OmegaConfBaseException)
"""What the user can mend: told in words, as are a ValueError of our own and a full disk. Else there is a traceback."""

LOCAL_RANK = "--local_rank="
"""What the `deepspeed` launcher says to each process behind its script; Hydra knows no such option."""


class ToldError(RuntimeError):
    """Something failed, and where it did so the reason is told already: the command ends with status 1, in words."""


def sweeps(words: Sequence[str]) -> bool:
    """Whether a command line asks for a sweep: by -m, --multirun or hydra.mode=MULTIRUN."""
    told, overrides = get_args_parser().parse_known_args(list(words))
    return bool(told.multirun) or "hydra.mode=MULTIRUN" in (*told.overrides, *overrides)


def run(main: Callable[[], object], *, config_dir: Path) -> None:
    """Run a Hydra application; a fault of the user's ends it with status 2, Ctrl-C by its signal (where Lightning
    trains, with its status 1), and both without a traceback.

    Under a launcher of several processes a sweep is rank 0's alone, which gives each trial as many of its own: the
    others end at once, and the launcher with the status of rank 0.
    """
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # else Hydra prints its own half of a traceback and exits with 1
    sys.argv[1:] = [word for word in sys.argv[1:] if not word.startswith(LOCAL_RANK)]
    if rank() != 0 and sweeps(sys.argv[1:]):
        return
    try:
        main()
    except KeyboardInterrupt:
        setup_logging()
        _end_interrupted()
    except ToldError as error:
        setup_logging()
        log.error("%s", error)
        sys.exit(1)
    except Exception as error:
        if (said := _told(error, config_dir)) is None:
            raise
        setup_logging()
        log.error("%s", said)
        sys.exit(2)


def _end_interrupted() -> NoReturn:
    """In words, and by the signal itself, which ends a loop of the shell around the command too."""
    log.warning("interrupted; the same command goes on with what is not finished")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.raise_signal(signal.SIGINT)
    raise AssertionError("a process outlived its SIGINT")


def _told(error: Exception, config_dir: Path) -> str | None:
    """What is said of an error that the user can mend; None for a bug."""
    if isinstance(error, USERS_FAULT) or (isinstance(error, ValueError) and ours(error)):
        return _misspelt(error, config_dir) or "\n".join(_chain(error))
    if (full := full_disk(error)) is not None:
        return f"{full}, and give the same command again; a training goes on from its last checkpoint"
    return None


def _misspelt(error: BaseException, config_dir: Path) -> str | None:
    """For a key that the config does not have: the key, and the nearest one that it has."""
    cause = error.__cause__ or error
    key = getattr(cause, "full_key", None)
    if not key or not isinstance(cause, (ConfigKeyError, ConfigAttributeError)):
        return None
    parent, _, name = str(key).rpartition(".")
    section = OmegaConf.select(compose_base(config_dir, experiment_of(sys.argv[1:])), parent) if parent else None
    known = [field.name for field in fields(Run)] if section is None else [str(k) for k in section]
    return f"{key}: no such key.{suggestion(name, known)}"


def _chain(error: BaseException | None) -> Iterator[str]:
    """The messages of an error and of what caused it, each once."""
    seen: set[str] = set()
    while error is not None:
        text = str(error).strip()
        if text and not any(text in other for other in seen):
            seen.add(text)
            yield text
        error = error.__cause__
