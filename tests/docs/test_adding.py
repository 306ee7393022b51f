"""Check docs/adding.md: its files, put into a copy of the project, are found, checked and tested as they are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from circuitvlm.runtime.config.allow_list import PART_PACKAGES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding.md"
FILE = re.compile(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", re.M | re.S)
PACKAGE = re.compile(r"^<!-- package: (\S+) -->\n```\w+\n(.*?)^```$", re.M | re.S)

CHOOSE_PARTS = """
from pathlib import Path
import circuitvlm
from circuitvlm.runtime.config.allow_list import instantiate
from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose

project = Path.cwd()
assert Path(circuitvlm.__file__).is_relative_to(project), circuitvlm.__file__
for overrides in (
    ["schedule=polynomial", "schedule.power=2", "schedule.warmup=0.0", "+metric@tasks.netlist.metrics.similar=similar"],
    ["experiment=straight_line", "schedule.power=2", "schedule.warmup=0.0"],
):
    cfg = compose(overrides, config_dir=project / "conf")
    check(cfg)
    schedule = instantiate(cfg.schedule)
    assert schedule(100, 100) == 0 and schedule(50, 100) == 0.25
    metrics = instantiate(cfg.tasks.netlist).metrics
    assert metrics["similar"].score("R1", "r1").value == 1
    assert "topology" in metrics
"""


def page_files() -> dict[str, str]:
    """Path -> content of each file that the page shows whole."""
    return dict(FILE.findall(PAGE.read_text(encoding="utf-8")))


def copy_project(folder: Path) -> Path:
    """The project as a user has it, with the page's files added."""
    for name in ("src", "conf", "tests/contract", "tests/fixtures", "tests/golden"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", *(f"tests/{path.name}" for path in (ROOT / "tests").glob("*.py"))):
        shutil.copy(ROOT / name, folder / name)
    for name, text in page_files().items():
        assert not (folder / name).exists(), f"{name}: expected a new file, got one of the project; change the example"
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


def run_python(project: Path, *arguments: str) -> str:
    """The output of a new Python process in the copy; an AssertionError with its output where it fails."""
    variables = {
        "PYTHONPATH": f"{project / 'src'}{os.pathsep}{project}",
        "CIRCUITVLM_CACHE": str(project / "cache"),
    }
    command = [sys.executable, *arguments]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=project, env={**os.environ, **variables}
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_page_shows_one_code_file_and_one_yaml_for_each_part() -> None:
    assert sorted(page_files()) == [
        "conf/experiment/straight_line.yaml",
        "conf/metric/similar.yaml",
        "conf/schedule/polynomial.yaml",
        "src/circuitvlm/metric/similar.py",
        "src/circuitvlm/schedule/polynomial.py",
    ]


def test_the_new_parts_can_be_chosen(project: Path) -> None:
    run_python(project, "-c", CHOOSE_PARTS)


def test_the_contract_tests_find_the_new_parts_by_themselves(project: Path) -> None:
    names = {"schedule": "polynomial", "metric": "similar"}
    modules = [f"tests/contract/test_{kind}.py" for kind in names]
    options = ("-q", "-p", "no:cacheprovider", "-k", " or ".join(names.values()), "-rA")
    output = run_python(project, "-m", "pytest", *options, *modules)
    for kind, name in names.items():
        passed_tests = re.findall(rf"PASSED tests/contract/test_{kind}\.py::test_{kind}_keeps\[.*{name}.*\]", output)
        assert len(passed_tests) >= 3, output


def test_the_commands_of_the_page_can_be_given(project: Path) -> None:
    """The page's commands choose the parts that it adds, so they are checked in the copy, with the page as README."""
    (project / "tests/docs").mkdir()
    for name in ("Makefile", "tests/docs/test_commands.py"):
        shutil.copy(ROOT / name, project / name)
    shutil.copy(PAGE, project / "README.md")
    output = run_python(
        project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/docs/test_commands.py", "-k", "README", "-rA"
    )
    passed_tests = [line for line in output.splitlines() if line.startswith("PASSED")]
    assert any("schedule=polynomial" in line for line in passed_tests), output
    assert any("experiment=straight_line" in line for line in passed_tests), output


def test_a_part_may_be_a_sub_package(tmp_path: Path) -> None:
    """The page's metric works as a sub-package too, with the `__init__` that the page shows and the same YAML file."""
    project = copy_project(tmp_path)
    ((name, text),) = PACKAGE.findall(PAGE.read_text(encoding="utf-8"))
    package = (project / name).parent
    package.mkdir()
    (project / name).write_text(text, encoding="utf-8")
    package.with_suffix(".py").rename(package / "score.py")
    run_python(project, "-c", CHOOSE_PARTS)


def test_the_page_has_a_section_for_every_kind_of_part() -> None:
    sections = re.findall(r"^## Add an? (\w+)", PAGE.read_text(encoding="utf-8"), re.M)
    assert {*PART_PACKAGES, "experiment", "source"} - {"data"} <= {*sections}
