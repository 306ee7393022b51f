"""Check that errors carry the offending value: without it a user cannot find what to change."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
LIMIT = 0.95
"""The smallest share of raised errors that carry a value."""

VALUES = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.BinOp, ast.BoolOp, ast.List, ast.Tuple, ast.Starred)
"""Kinds of arguments that are values, unlike a constant text."""


def carries_value(error: ast.Call) -> bool:
    """True for an error whose text is formatted with a value, or that gets a value as an argument."""
    is_formatted = any(isinstance(node, ast.FormattedValue) for node in ast.walk(error))
    return is_formatted or any(isinstance(argument, VALUES) for argument in error.args)


def raised_errors(source: str) -> list[ast.Call]:
    """The errors that a module constructs where it raises them."""
    raises = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Raise))
    return [node.exc for node in raises if isinstance(node.exc, ast.Call)]


def test_nearly_all_errors_carry_the_offending_value() -> None:
    total, bare = 0, []
    for path in sorted(SRC.rglob("*.py")):
        errors = raised_errors(path.read_text(encoding="utf-8"))
        total += len(errors)
        bare += [f"{path.relative_to(SRC)}:{error.lineno}" for error in errors if not carries_value(error)]
    assert len(bare) <= (1 - LIMIT) * total, f"{len(bare)} of {total} errors carry no value: {', '.join(bare)}"


@pytest.mark.parametrize("source", ['raise ValueError(f"p: got {p!r}")', "raise KeyError(name)"])
def test_an_error_with_a_value_is_found(source: str) -> None:
    assert all(map(carries_value, raised_errors(source)))


def test_an_error_without_a_value_is_found() -> None:
    (error,) = raised_errors('raise ValueError("wrong")')
    assert not carries_value(error)
