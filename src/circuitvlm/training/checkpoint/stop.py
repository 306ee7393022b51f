"""Has somebody asked this process to end (SIGTERM; SIGUSR1 is SLURM's warning), and at which moment does it?"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

ASKED = 143
"""The exit status of a run that was asked to end and can be gone on with: as a shell tells of SIGTERM."""

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))


class Stop:
    """Takes the place of Lightning's handlers, which talk to other ranks, or save, in the middle of a step.

    Lightning gives the signals back to whoever had them before when its loop ends.
    """

    def __init__(self) -> None:
        self.asked = False

    def note(self) -> None:
        """From now on a signal is only noted, for the end of the step."""
        self._listen(self._note)

    def heed(self) -> None:
        """From now on a signal ends the process at once: there is nothing to save."""
        self._listen(_leave)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def _listen(self, handler: signal._HANDLER) -> None:
        if threading.current_thread() is threading.main_thread():  # no other may, and none is sent a signal
            for number in SIGNALS:
                signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(ASKED)


def spare_worker(_: int) -> None:
    """In a loader's worker: SIGTERM counts only from its parent; sent to a whole job, it fails no step."""
    if not hasattr(signal, "sigwaitinfo"):
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # threads that come later inherit it
    threading.Thread(target=_wait_for_parent, name="parent's signal", daemon=True).start()


def _wait_for_parent() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
