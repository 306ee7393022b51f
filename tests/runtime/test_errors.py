"""Check that a full disk and a user's error end a command with a message, and a bug with its traceback."""

from __future__ import annotations

import errno
import json
import logging
import resource
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from circuitvlm.circuit import netlist
from circuitvlm.runtime import entry, errors

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture
def room() -> Iterator[None]:
    """Every file ends at 2000 bytes, which errs as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def plainly(path: Path) -> None:
    with path.open("w") as file:
        file.write("x" * 5000)


def in_rust(path: Path) -> None:
    save_file({"a": torch.zeros(2000)}, path)


def with_torch(path: Path) -> None:
    with closing(path.open("wb")) as file:
        torch.save(torch.zeros(2000), file)


@pytest.mark.parametrize("write", [plainly, in_rust, with_torch])
def test_whatever_writes_a_full_disk_is_known(write: Callable[[Path], None], tmp_path: Path, room: None) -> None:
    with pytest.raises(Exception) as error:  # noqa: PT011  # of a class that its library chooses
        write(tmp_path / "file")
    assert (why := errors.system_error(error.value)) is not None
    assert why.errno == errno.EFBIG
    assert str(errors.disk_full_message(error.value)).endswith("free some disk space")


def test_another_error_of_the_system_is_no_full_disk() -> None:
    assert errors.disk_full_message(PermissionError(errno.EACCES, "Permission denied")) is None
    assert errors.disk_full_message(ValueError("no (os error 13) of this kind")) is None
    assert errors.disk_full_message(ZeroDivisionError()) is None


def exit_status(main: Callable[[], object]) -> int:
    with pytest.raises(SystemExit) as error:
        entry.run(main)
    return int(str(error.value.code))


def test_a_command_on_a_full_disk_ends_with_2_and_says_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    def main() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "runs/table.md")

    with caplog.at_level(logging.ERROR):
        assert exit_status(main) == 2
    assert (
        "No space left on device: 'runs/table.md': free some disk space, and give the same command again" in caplog.text
    )


def test_an_error_of_ours_is_told_and_one_of_a_library_keeps_its_traceback() -> None:
    assert exit_status(lambda: netlist.parse("R1 1")) == 2
    for wrong in (lambda: json.loads("{"), lambda: Path(__file__).mkdir()):
        with pytest.raises((ValueError, FileExistsError)):
            entry.run(wrong)
