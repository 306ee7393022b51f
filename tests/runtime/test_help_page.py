"""Check that the help pages name every key with its comment, every config group and every option."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from circuitvlm.runtime.config.schema import Evaluation, Run
from circuitvlm.runtime.help_page import WIDTH, help_page
from tests.runtime.test_signature import ROOT, run

CONF = ROOT / "conf"
PAGES = {"train": Run, "eval": Evaluation}


@pytest.fixture(params=PAGES)
def entry(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def comments(path: Path) -> dict[str, str]:
    """The comment of each key of the file's top level that holds a value."""
    lines = path.read_text(encoding="utf-8").splitlines()
    keys = [line.partition(":")[0] for line in lines if line[:1].isalpha() and line.partition(":")[2]]
    return {key: next(line for line in lines if line.startswith(f"{key}:")).partition(" # ")[2] for key in keys}


def test_every_key_is_there_with_its_comment(entry: str) -> None:
    page = " ".join(help_page(CONF / f"{entry}.yaml").split())
    values = OmegaConf.to_container(OmegaConf.load(CONF / f"{entry}.yaml"))
    assert isinstance(values, dict)
    table = comments(CONF / f"{entry}.yaml")
    assert set(table) == set(values) - {"defaults", "hydra"}
    assert [key for key, comment in table.items() if not 1 <= len(comment.split()) <= 20] == []
    assert [key for key, comment in table.items() if f"{key}: " not in page or comment not in page] == []


def test_every_group_and_every_option_is_there() -> None:
    page = help_page(CONF / "train.yaml").replace(",", " ").split()
    groups = {path.parent.relative_to(CONF).as_posix() for path in CONF.glob("*/**/*.yaml")}
    assert {"adapter", "experiment", "hydra/sweeper", "metric"} <= groups
    assert [group for group in groups if not any(word.partition("=")[0] == group for word in page)] == []
    assert [path.stem for path in CONF.glob("*/**/*.yaml") if path.stem not in page] == []


def test_the_page_of_the_evaluation_has_its_own_groups_only() -> None:
    page = help_page(CONF / "eval.yaml")
    assert "data=null" in page
    assert "adapter=" not in page


def test_the_page_fits_a_terminal(entry: str) -> None:
    page = help_page(CONF / f"{entry}.yaml")
    assert [line for line in page.splitlines() if len(line) > WIDTH] == []
    assert "???" not in page


def test_the_page_has_examples(entry: str) -> None:
    examples = help_page(CONF / f"{entry}.yaml").partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert len(examples) == {"train": 8, "eval": 6}[entry]
    assert all("#" in example for example in examples), "each says what it does"


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_command_prints_the_page_without_torch(option: str, entry: str) -> None:
    process = run([option], entry=entry)
    assert process.returncode == 0, process.stderr
    assert process.stdout == help_page(CONF / f"{entry}.yaml")


def test_hydras_own_options_are_left_to_hydra() -> None:
    process = run(["--cfg", "job", "seed=12"])
    assert process.returncode == 0, process.stderr
    assert "\nseed: 12\n" in process.stdout
    assert "Hydra" in run(["--hydra-help"]).stdout
