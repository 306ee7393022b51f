"""Check that imports go down the layers only, and that the packages without torch import none."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_MODULES = 15
"""Modules in a folder; a larger folder is divided into packages."""

LIGHT_PACKAGES = ("runtime", "circuit", "schedule", "dropout", "metric", "task", "report")
HEAVY = ("torch", "lightning", "transformers")


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the package under root/src, by root/pyproject.toml."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache", "--config", str(root / "pyproject.toml")]
    env = {**os.environ, "PYTHONPATH": str(root / "src"), "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=env)


def heavy_imports(root: Path, package: str) -> subprocess.CompletedProcess[str]:
    """Import every module of a package in a new process, which fails and names imported heavy libraries."""
    code = f"""
import importlib, pkgutil, sys
package = importlib.import_module("circuitvlm.{package}")
for module in pkgutil.walk_packages(package.__path__, "circuitvlm.{package}."):
    importlib.import_module(module.name)
raise SystemExit(", ".join(name for name in {HEAVY!r} if name in sys.modules) or 0)
"""
    env = {**os.environ, "PYTHONPATH": str(root / "src")}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src/circuitvlm", tmp_path / "src/circuitvlm", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_imports_go_down_the_layers_only() -> None:
    process = lint(ROOT)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "Layers of the package KEPT" in process.stdout


WRONG = [
    ("core/wrong.py", "import circuitvlm.circuit", "Layers of the package BROKEN"),
    ("metric/wrong.py", "import circuitvlm.task", "Layers of the package BROKEN"),
    ("schedule/wrong.py", "def f() -> None:\n    import circuitvlm.training", "Layers of the package BROKEN"),
    ("runtime/wrong.py", "from circuitvlm.data import __doc__", "Layers of the package BROKEN"),
    ("brandnew/__init__.py", "", "circuitvlm.brandnew"),
    ("circuit/wrong.py", "import torch", "No torch below the parts BROKEN"),
    ("task/wrong.py", "import circuitvlm.core.wrong", "No torch below the parts BROKEN"),
    ("model/wrong.py", "import hydra", "Hydra only in runtime and training BROKEN"),
    ("circuit/solve/wrong.py", "import circuitvlm.circuit.judge", "Layers of the circuit package BROKEN"),
    (
        "circuit/netlist/lexer.py",  # a cycle that only the type checker sees
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import circuitvlm.circuit.netlist.netlist",
        "No import cycles BROKEN",
    ),
]


@pytest.mark.parametrize(("file", "code", "message"), WRONG, ids=[file for file, _, _ in WRONG])
def test_a_wrong_import_or_an_unlisted_package_is_noticed(file: str, code: str, message: str, copy: Path) -> None:
    (copy / "src/circuitvlm/core/wrong.py").write_text("import torch\n")  # a module that imports torch indirectly
    path = copy / "src/circuitvlm" / file
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as module:
        module.write(code + "\n")
    process = lint(copy)
    assert process.returncode != 0
    assert message in process.stdout, process.stdout + process.stderr


def private_imports(root: Path) -> list[str]:
    """Imports of an underscore module from outside the package that holds it."""
    imports = []
    for path in sorted((root / "src").rglob("*.py")):
        module = ".".join(path.with_suffix("").relative_to(root / "src").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("circuitvlm"):
                for target in (f"{node.module}.{alias.name}" for alias in node.names):
                    owner, _, rest = target.partition("._")
                    is_module = (root / "src" / Path(*owner.split("."), f"_{rest.partition('.')[0]}.py")).exists()
                    if rest and is_module and not module.startswith(f"{owner}."):
                        imports.append(f"{module} imports {target}")
    return imports


def test_no_private_module_is_imported_from_another_package() -> None:
    assert private_imports(ROOT) == []


def test_an_import_of_a_private_module_is_noticed(copy: Path) -> None:
    (copy / "src/circuitvlm/report/wrong.py").write_text("from circuitvlm.task._options import LETTERS\n")
    assert private_imports(copy) == ["circuitvlm.report.wrong imports circuitvlm.task._options.LETTERS"]


def test_no_folder_has_too_many_modules() -> None:
    folders = {path.parent for path in (ROOT / "src").rglob("*.py")}
    counts = {folder: len([path for path in folder.glob("*.py") if path.stem != "__init__"]) for folder in folders}
    assert {str(folder): count for folder, count in counts.items() if count > MAX_MODULES} == {}


@pytest.mark.parametrize("package", LIGHT_PACKAGES)
def test_a_light_package_imports_nothing_heavy(package: str) -> None:
    process = heavy_imports(ROOT, package)
    assert process.returncode == 0, process.stderr


def test_a_heavy_import_is_noticed(copy: Path) -> None:
    (copy / "src/circuitvlm/dropout/wrong.py").write_text("import importlib\nimportlib.import_module('torch')\n")
    process = heavy_imports(copy, "dropout")
    assert process.returncode != 0
    assert "torch" in process.stderr.splitlines()[-1]


def test_the_contracts_name_every_light_package() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    names = text.partition('name = "No torch below the parts"')[2].partition("forbidden_modules")[0]
    assert [package for package in LIGHT_PACKAGES if f'"circuitvlm.{package}"' not in names] == []
