"""Handle requests to stop a run: SIGTERM, and SIGUSR1, which SLURM sends as a warning."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

STOP_STATUS = 143
"""The exit status of a run that was stopped and can be resumed: the one that a shell gives for SIGTERM."""

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))


class StopRequest:
    """Replaces Lightning's handlers, which talk to other ranks, or save, in the middle of a step.

    Lightning restores the handlers from before its loop when the loop ends.
    """

    def __init__(self) -> None:
        self.is_set = False

    def defer_signals(self) -> None:
        """Make a signal only set `is_set`, to be read at the end of the step."""
        self._handle(self._set)

    def exit_on_signals(self) -> None:
        """Make a signal end the process at once, where there is nothing to save."""
        self._handle(_exit)

    def _set(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True

    def _handle(self, handler: signal._HANDLER) -> None:
        if threading.current_thread() is threading.main_thread():  # no other thread may set handlers
            for number in SIGNALS:
                signal.signal(number, handler)


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(STOP_STATUS)


def ignore_foreign_sigterm(_: int) -> None:
    """Let SIGTERM end a loader's worker only when its parent sends it; sent to a whole job, it fails no step."""
    if not hasattr(signal, "sigwaitinfo"):
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # threads that start later inherit it
    threading.Thread(target=_exit_with_parents_sigterm, name="parent's signal", daemon=True).start()


def _exit_with_parents_sigterm() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
