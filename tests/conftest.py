"""What holds for every test? One thread, for small models' threads wait longer for each other than they work; the same
random examples each time, however long one takes on a busy machine; what takes long is begun first. Garbage is looked
for more seldom than by itself: among the half a million objects of torch and its kin that took 8 % of a file's time.

And what a command that ran in this process did to the logging is undone: the next test counts the lines that it hears.
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
settings.load_profile("stable")

ROOT = logging.getLogger()
LEVEL = ROOT.level
HEAVY = ("training", "docs", "contract")
"""Folders whose files take longest: they start processes and train."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The heavy folders first: a process that is given a long file last works on while the other one has nothing left.

    `make test` tells xdist to keep this order; by itself it begins the files with the most tests, which are the light
    ones.
    """
    places = {Path(__file__).parent / folder: place for place, folder in enumerate(HEAVY)}
    items.sort(key=lambda item: places.get(item.path.parent, len(HEAVY)))


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """`setup_logging` puts a handler on the root logger, to the standard error of that moment, and lowers its level."""
    yield
    for handler in list(ROOT.handlers):
        if handler.name == "circuitvlm":
            ROOT.removeHandler(handler)
    ROOT.setLevel(LEVEL)
    logging.captureWarnings(False)
