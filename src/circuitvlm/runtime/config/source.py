"""Find classes and functions of this project in its source text, without importing their modules."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = "circuitvlm"


@dataclass(frozen=True, slots=True)
class Definition:
    """A name as its own module defines it; `statement` is None where that module belongs to a library."""

    module: str
    name: str
    statement: ast.stmt | None


def find_definition(module: str, name: str) -> Definition | None:
    """The definition of a module-level name, imports between this project's modules followed; None if there is none."""
    if module.partition(".")[0] != PROJECT:
        return Definition(module, name, None)
    for statement in reversed(_statements(module)):
        match statement:
            case (
                ast.ClassDef(name=target)
                | ast.FunctionDef(name=target)
                | ast.Assign(targets=[ast.Name(id=target)])
                | ast.AnnAssign(target=ast.Name(id=target))
            ) if target == name:
                return Definition(module, name, statement)
            case ast.ImportFrom(module=str(origin), names=aliases):
                for alias in aliases:
                    if (alias.asname or alias.name) == name:
                        return find_definition(origin, alias.name)
    return None


def public_names(module: str) -> list[str]:
    """The names in `__all__`; in a module without it, the public classes and functions that it defines."""
    statements = _statements(module)
    return _exports(statements) or [
        node.name
        for node in statements
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_")
    ]


def exported_names(path: Path) -> list[str]:
    """The names in `__all__ = [..]` of a source file; none where it has no such list of plain texts."""
    return _exports(_parse(path, path.stat().st_mtime_ns))


def package_folders(package: str) -> list[Path]:
    """The folders of a package of this project, which is not imported for it."""
    if package in sys.modules:
        return [Path(folder) for folder in getattr(sys.modules[package], "__path__", ())]
    parent, _, name = package.rpartition(".")
    return [folder / name for folder in package_folders(parent)] if parent else []


def _exports(statements: list[ast.stmt]) -> list[str]:
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=names):
                return list(ast.literal_eval(names))
    return []


def _statements(module: str) -> list[ast.stmt]:
    """The statements of a module; none where it has no file."""
    package, _, name = module.rpartition(".")
    paths = (folder / file for folder in package_folders(package) for file in (f"{name}.py", f"{name}/__init__.py"))
    path = next(filter(Path.is_file, paths), None)
    return [] if path is None else _parse(path, path.stat().st_mtime_ns)


@cache
def _parse(path: Path, modification_time: int) -> list[ast.stmt]:
    """The statements of a file; the time is part of the cache's key, so that an edited file is read again."""
    return ast.parse(path.read_text(encoding="utf-8")).body
