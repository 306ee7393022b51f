"""Is docs/adding.md true? Its files, put into a copy of the project, are found, checked and tested as they are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from circuitvlm.runtime.config.allow_list import DOORS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding.md"
FILE = re.compile(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", re.M | re.S)

CHOSEN = """
from pathlib import Path
import circuitvlm
from circuitvlm.runtime.config.allow_list import instantiate
from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose

here = Path.cwd()
assert Path(circuitvlm.__file__).is_relative_to(here), circuitvlm.__file__
for overrides in (
    ["schedule=polynomial", "schedule.power=2", "schedule.warmup=0.0", "+metric@tasks.netlist.metrics.similar=similar"],
    ["experiment=straight_line", "schedule.power=2", "schedule.warmup=0.0"],
):
    cfg = compose(overrides, config_dir=here / "conf")
    check(cfg)
    schedule = instantiate(cfg.schedule)
    assert schedule(100, 100) == 0 and schedule(50, 100) == 0.25
    metrics = instantiate(cfg.tasks.netlist).metrics
    assert metrics["similar"].score("R1", "r1").value == 1
    assert "topology" in metrics
"""


def files() -> dict[str, str]:
    """Path -> content of each file that the page shows whole."""
    return dict(FILE.findall(PAGE.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as a user has it, with the page's files put in."""
    home = tmp_path_factory.mktemp("project")
    for name in ("src", "conf", "tests/contract", "tests/fixtures", "tests/golden"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "tests/__init__.py"):
        shutil.copy(ROOT / name, home / name)
    for name, text in files().items():
        assert not (home / name).exists(), f"{name} is there already; the page needs another example"
        (home / name).write_text(text, encoding="utf-8")
    return home


def run(home: Path, *words: str) -> str:
    """What a fresh Python in the copy says; fails with it where it fails."""
    env = {**os.environ, "PYTHONPATH": f"{home / 'src'}{os.pathsep}{home}", "CIRCUITVLM_CACHE": str(home / "cache")}
    command = [sys.executable, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=home, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_shows_one_code_file_and_one_yaml_for_each_part() -> None:
    assert sorted(files()) == [
        "conf/experiment/straight_line.yaml",
        "conf/metric/similar.yaml",
        "conf/schedule/polynomial.yaml",
        "src/circuitvlm/metric/similar.py",
        "src/circuitvlm/schedule/polynomial.py",
    ]


def test_the_new_parts_can_be_chosen(copy: Path) -> None:
    run(copy, "-c", CHOSEN)


def test_the_contract_tests_find_the_new_parts_by_themselves(copy: Path) -> None:
    parts = {"schedule": "polynomial", "metric": "similar"}
    rooms = [f"tests/contract/test_{room}.py" for room in parts]
    said = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *rooms, "-k", " or ".join(parts.values()), "-rA")
    for room, name in parts.items():
        found = re.findall(rf"PASSED tests/contract/test_{room}\.py::test_{room}_keeps\[.*{name}.*\]", said)
        assert len(found) >= 3, said


def test_the_page_has_a_section_for_every_room() -> None:
    sections = re.findall(r"^## An? (\w+)", PAGE.read_text(encoding="utf-8"), re.M)
    assert {*DOORS, "experiment"} - {"data"} <= {*sections}
    assert "source" in sections
