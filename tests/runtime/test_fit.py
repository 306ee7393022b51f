"""Check that values of a surely wrong type are refused, and all others accepted."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NewType, Optional, Union

import pytest

from circuitvlm.runtime.config import signature, type_check

if TYPE_CHECKING:
    from nowhere import Stranger  # type: ignore[import-not-found]  # what only type checkers find

Rank = NewType("Rank", int)


class Foreign:
    """A type that YAML cannot spell."""


GOOD: list[tuple[Any, Any]] = [
    (1, int),
    (1, float),
    (1.5, float),
    ("a", str),
    (True, bool),
    (None, type(None)),
    (None, Optional[int]),  # noqa: UP045 - the old spelling is understood too
    (None, int | None),
    (3, Union[str, int]),  # noqa: UP007
    ("x", str | Path),
    ("x", Path),
    ("x", Path | None),
    ("bfloat16", Foreign),
    ("anything", Any),
    ([1, 2], list[int]),
    ([1, 2], Sequence[int]),
    ([1, 2], Iterable[float]),
    ([1, 2], tuple[int, ...]),
    ([1, "a"], tuple[int, str]),
    ([], list[int]),
    ([], list),
    ({"a": 1}, dict[str, int]),
    ({"a": [1]}, Mapping[str, list[float]]),
    ({"_target_": "x"}, Foreign),
    ({"a": {"_target_": "x"}}, Mapping[str, Foreign]),
    ("short", Literal["short", "long"]),
    (None, Literal["short"] | None),
    (4, Annotated[int, "positive"]),
    (4, Rank),
    (0.1, float | Foreign),
    ({"_target_": "x"}, float | Foreign),
    (["a"], str | list[str]),
    ("a", str | list[str]),
    ("name", Callable[[int], int]),
    (type_check.UnresolvedValue(), int),
]
BAD: list[tuple[Any, Any, str]] = [
    (True, int, "expected int, got True (bool)"),
    (True, float, "expected float"),
    (1, bool, "expected bool, got 1 (int)"),
    (1.0, int, "expected int, got 1.0 (float)"),
    ("1e-3", float, "write 0.001 without quotes"),
    ("1e-3", float | None, "write 0.001 without quotes"),
    ("1e-3", float | Foreign, "write 0.001 without quotes"),
    ("3", int, "without quotes"),
    ("three", int, "expected int, got 'three' (str)"),
    (False, str, "put it in quotes"),
    (12, str, "put it in quotes"),
    (None, int, "got None (null)"),
    (None, list[int], "got None (null)"),
    ("q_proj", list[str], "expected list[str], got 'q_proj' (str)"),
    ("q_proj", Sequence[str], "got 'q_proj'"),
    ([1, "a"], list[int], "k[1]: expected int"),
    ([1, 2, 3], tuple[int, int], "expected 2 elements, got 3"),
    ({"a": "b"}, dict[str, int], "k.a: expected int"),
    ({1: 1}, dict[str, int], "the key"),
    ([1], dict[str, int], "expected dict[str, int]"),
    ("middle", Literal["short", "long"], "one of 'short', 'long'"),
    (True, Literal[1, 2], "one of 1, 2"),
    ("x", int | float, "expected int or float"),
    ({"_target_": "x"}, int, "got a part, "),
    ({"a": {"b": ["1e-3"]}}, dict[str, dict[str, list[float]]], "k.a.b[0]: expected float"),
    ("big", Rank, "expected int"),
]


@pytest.mark.parametrize(("value", "hint"), GOOD)
def test_what_fits_is_let_through(value: Any, hint: Any) -> None:
    assert type_check.mismatches(value, hint, key="k") == []


@pytest.mark.parametrize(("value", "hint", "message"), BAD)
def test_what_does_not_fit_is_told_with_its_place(value: Any, hint: Any, message: str) -> None:
    (fault,) = type_check.mismatches(value, hint, key="k")
    assert fault.startswith("k")
    assert message in fault


def test_one_unreadable_annotation_does_not_hide_the_others() -> None:
    def part(*, near: int, far: Stranger) -> None: ...

    parameters = signature.callable_parameters(part)
    assert parameters["near"].annotation is int
    assert parameters["far"].annotation is inspect.Parameter.empty
