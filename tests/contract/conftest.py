"""What the contract tests share: one small torch thread, one cache and one desk for the whole session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.contract.desk import Desk


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where blank models and small data sets are made, once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(autouse=True)
def random_numbers() -> Iterator[None]:
    """No test hands its random state to the next."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
