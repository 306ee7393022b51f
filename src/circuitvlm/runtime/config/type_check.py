"""Compare a value from YAML with the annotation of the argument that receives it.

A type that YAML cannot spell (a dtype, a Protocol) accepts every value: the check refuses only what is surely wrong.
"""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

_SCALARS = (bool, int, float, str)
_SEQUENCES = (
    list,
    tuple,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Collection,
)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


class UnresolvedValue:
    """Replaces a value that could not be read. It fits every type, so that its fault is not reported twice."""


def mismatches(value: Any, hint: Any, *, key: str) -> list[str]:
    """One line for each place in the value that does not fit the type, each with its dotted key."""
    hint = _unwrap(hint)
    origin = get_origin(hint) or hint
    if isinstance(value, UnresolvedValue) or hint in (Any, object, inspect.Parameter.empty):
        return []
    if origin in (Union, types.UnionType):
        return _union_mismatches(value, get_args(hint), key=key)
    if origin is Literal:
        choices = [choice for choice in get_args(hint) if isinstance(choice, bool) == isinstance(value, bool)]
        return [] if value in choices else [f"{key}: expected {type_text(hint)}, got {value!r}"]
    if isinstance(value, Mapping) and "_target_" in value:
        is_plain = hint in (*_SCALARS, None, type(None))
        return [f"{key}: expected {type_text(hint)}, got a part, {value['_target_']!r}"] if is_plain else []
    if origin in _SEQUENCES:
        return _sequence_mismatches(value, hint, key=key)
    if origin in _MAPPINGS:
        return _mapping_mismatches(value, hint, key=key)
    return _scalar_mismatches(value, hint, key=key)


def _unwrap(hint: Any) -> Any:
    """The type under NewType, Annotated, Final and aliases."""
    while True:
        if hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        elif get_origin(hint) in (typing.Annotated, typing.Final, typing.ClassVar, typing.Required):
            hint = get_args(hint)[0]
        else:
            return hint


def _scalar_mismatches(value: Any, hint: Any, *, key: str) -> list[str]:
    if hint in (None, type(None)):
        return [] if value is None else [f"{key}: expected null, got {value!r}"]
    if hint not in _SCALARS or _is_scalar(value, hint):
        return []
    return [f"{key}: expected {type_text(hint)}, got {_value_text(value)}{_yaml_advice(value, hint)}"]


def _is_scalar(value: Any, hint: Any) -> bool:
    if isinstance(value, bool) or hint is bool:  # a bool is an int in Python, but never what a user means by one
        return isinstance(value, bool) and hint is bool
    return isinstance(value, (int, float)) if hint is float else isinstance(value, hint)


def _yaml_advice(value: Any, hint: Any) -> str:
    """How to write the value, where YAML has read it as another type than its writer meant."""
    if hint in (int, float) and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return ""
        return f"; YAML reads that as text: write {number!r} without quotes" if hint is float or number % 1 == 0 else ""
    if hint is str and isinstance(value, (bool, int, float)):
        return "; YAML reads bare yes, no, on, off and digits as bool or number: put it in quotes"
    return ""


def _union_mismatches(value: Any, members: Sequence[Any], *, key: str) -> list[str]:
    members = [_unwrap(member) for member in members]
    if value is None and any(member in (None, type(None), Any, object) for member in members):
        return []
    # `float | Tensor` must still refuse "1e-3": beside a scalar type, a type of a library accepts no scalar value
    if isinstance(value, _SCALARS) and any(member in _SCALARS or get_origin(member) is Literal for member in members):
        members = [member for member in members if member in (*_SCALARS, Any, object) or get_origin(member) is Literal]
    attempts = [mismatches(value, member, key=key) for member in members if member is not type(None)]
    if not attempts:
        return [f"{key}: expected null, got {_value_text(value)}"]
    if len(attempts) == 1 or [] in attempts:
        return min(attempts, key=len)
    advice = next((advice for member in members if (advice := _yaml_advice(value, member))), "")
    return [f"{key}: expected {' or '.join(map(type_text, members))}, got {_value_text(value)}{advice}"]


def _sequence_mismatches(value: Any, hint: Any, *, key: str) -> list[str]:
    if not isinstance(value, (list, tuple)):
        return [f"{key}: expected {type_text(hint)}, got {_value_text(value)}"]
    element_types = get_args(hint)
    if get_origin(hint) is tuple and Ellipsis not in element_types:
        if element_types and len(element_types) != len(value):
            return [f"{key}: expected {len(element_types)} elements, got {len(value)}: {value!r}"]
    else:
        element_types = (element_types[0] if element_types else Any,) * len(value)
    return [
        fault
        for i, (inner, inner_type) in enumerate(zip(value, element_types, strict=False))
        for fault in mismatches(inner, inner_type, key=f"{key}[{i}]")
    ]


def _mapping_mismatches(value: Any, hint: Any, *, key: str) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{key}: expected {type_text(hint)}, got {_value_text(value)}"]
    arguments = get_args(hint)
    key_type, value_type = arguments if len(arguments) == 2 else (Any, Any)
    return [
        *(fault for name in value for fault in mismatches(name, key_type, key=f"{key}.{name} (the key)")),
        *(fault for name, inner in value.items() for fault in mismatches(inner, value_type, key=f"{key}.{name}")),
    ]


def _value_text(value: Any) -> str:
    return f"{value!r} ({'null' if value is None else type(value).__name__})"


def type_text(hint: Any) -> str:
    """The annotation in the words of YAML."""
    if hint in (None, type(None)):
        return "null"
    if get_origin(hint) is Literal:
        return f"one of {', '.join(repr(choice) for choice in get_args(hint))}"
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace("typing.", "")
