"""Settings of all tests: one thread, stable random examples, the longest files first, and logging restored.

Small models run faster in one thread. Hypothesis uses the same examples each time, without a deadline, since a busy
machine may be slow; the profile "random" tries new ones. Garbage is collected less often than by default: among the
half a million objects of torch and its dependencies that took 8 % of a file's time.
"""

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; child processes inherit it
gc.set_threshold(100_000, 20, 20)
settings.register_profile("stable", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None, print_blob=True)
settings.load_profile("stable")

ROOT = logging.getLogger()
LEVEL = ROOT.level
HEAVY = ("training", "docs", "contract")
"""Folders whose files take longest: they start processes and train."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the heavy folders first, so that no process still has a long file when the other one has finished.

    `make test` makes xdist keep this order; by default it begins with the files that have the most tests, which are
    the light ones.
    """
    ranks = {Path(__file__).parent / folder: rank for rank, folder in enumerate(HEAVY)}
    items.sort(key=lambda item: ranks.get(item.path.parent, len(HEAVY)))


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    """Undo what `setup_logging` does: a handler on the root logger, to the current standard error, and its level."""
    yield
    for handler in list(ROOT.handlers):
        if handler.name == "circuitvlm":
            ROOT.removeHandler(handler)
    ROOT.setLevel(LEVEL)
    logging.captureWarnings(False)
