"""Provide one cache and one harness to all contract tests of a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.contract.harness import Harness


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which untrained models and small data sets are made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return Harness(tmp_path_factory.mktemp("harness"))


@pytest.fixture(autouse=True)
def random_numbers() -> Iterator[None]:
    """Give each test the same random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
