"""Does a value from YAML fit the annotation of the argument that it is given to?

A stranger's annotation (a dtype, a Protocol) passes: the check refuses what is surely wrong, not what it cannot judge.
"""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
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


class Unresolved:
    """Stands where a value could not be read (a fault already told); it fits everywhere, so nothing is told twice."""


def hints_of(target: Callable[..., Any]) -> dict[str, Any]:
    """Annotation by argument, evaluated; one that cannot be (imported for type checkers only) is left out."""
    function: Any = target.__init__ if inspect.isclass(target) else target
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        return _one_by_one(function)


def _one_by_one(function: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    names = getattr(inspect.unwrap(function), "__globals__", {})
    for key, raw in getattr(function, "__annotations__", {}).items():
        alone = types.SimpleNamespace(__annotations__={key: raw})
        try:
            found |= typing.get_type_hints(alone, globalns=names)
        except (NameError, TypeError, AttributeError):
            continue
    return found


def misfits(value: Any, hint: Any, *, key: str) -> list[str]:
    """One line for each place in the value that does not fit, each with its dotted key."""
    hint = _bare(hint)
    origin = get_origin(hint) or hint
    if isinstance(value, Unresolved) or hint in (Any, object, inspect.Parameter.empty):
        return []
    if origin in (Union, types.UnionType):
        return _union(value, get_args(hint), key=key)
    if origin is Literal:
        return [] if _is_choice(value, get_args(hint)) else [f"{key}: wanted one of {_choices(hint)}, came {value!r}"]
    if isinstance(value, Mapping) and "_target_" in value:
        return [f"{key}: wanted {spell(hint)}, came a part to build"] if hint in (*_SCALARS, None, type(None)) else []
    if origin in _SEQUENCES:
        return _elements(value, hint, key=key)
    if origin in _MAPPINGS:
        return _entries(value, hint, key=key)
    return _scalar(value, hint, key=key)


def _bare(hint: Any) -> Any:
    """The type under NewType, Annotated, Final and aliases."""
    while True:
        if hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        elif get_origin(hint) in (typing.Annotated, typing.Final, typing.ClassVar, typing.Required):
            hint = get_args(hint)[0]
        else:
            return hint


def _scalar(value: Any, hint: Any, *, key: str) -> list[str]:
    if hint in (None, type(None)):
        return [] if value is None else [f"{key}: wanted null, came {value!r}"]
    if hint not in _SCALARS or _is_scalar(value, hint):
        return []
    return [f"{key}: wanted {spell(hint)}, came {_came(value)}{_trap(value, hint)}"]


def _is_scalar(value: Any, hint: Any) -> bool:
    if isinstance(value, bool) or hint is bool:  # a bool is an int to Python, never to a researcher
        return isinstance(value, bool) and hint is bool
    return isinstance(value, (int, float)) if hint is float else isinstance(value, hint)


def _trap(value: Any, hint: Any) -> str:
    """YAML's own traps, named where one was stepped into."""
    if hint in (int, float) and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return ""
        return f"; to YAML that is text: write {number!r} without quotes" if hint is float or number % 1 == 0 else ""
    if hint is str and isinstance(value, (bool, int, float)):
        return "; YAML reads bare yes, no, on, off and digits as bool or number: put it in quotes"
    return ""


def _union(value: Any, members: Sequence[Any], *, key: str) -> list[str]:
    members = [_bare(member) for member in members]
    if value is None and any(member in (None, type(None), Any, object) for member in members):
        return []
    # `float | Tensor` must still refuse "1e-3": beside a scalar, a stranger's type does not vouch for a scalar
    if isinstance(value, _SCALARS) and any(member in _SCALARS or get_origin(member) is Literal for member in members):
        members = [member for member in members if member in (*_SCALARS, Any, object) or get_origin(member) is Literal]
    tried = [misfits(value, member, key=key) for member in members if member is not type(None)]
    if not tried or any(not faults for faults in tried):
        return [] if tried else [f"{key}: wanted null, came {_came(value)}"]
    if len(tried) == 1:
        return tried[0]
    trap = next((trap for member in members if (trap := _trap(value, member))), "")
    return [f"{key}: wanted {' or '.join(spell(member) for member in members)}, came {_came(value)}{trap}"]


def _elements(value: Any, hint: Any, *, key: str) -> list[str]:
    if not isinstance(value, (list, tuple)):
        return [f"{key}: wanted {spell(hint)}, came {_came(value)}"]
    arguments = get_args(hint)
    if get_origin(hint) is tuple and Ellipsis not in arguments:
        if arguments and len(arguments) != len(value):
            return [f"{key}: wanted {len(arguments)} elements, came {len(value)}: {value!r}"]
    else:
        arguments = (arguments[0] if arguments else Any,) * len(value)
    pairs = zip(value, arguments, strict=False)
    return [fault for i, (inner, wanted) in enumerate(pairs) for fault in misfits(inner, wanted, key=f"{key}[{i}]")]


def _entries(value: Any, hint: Any, *, key: str) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{key}: wanted {spell(hint)}, came {_came(value)}"]
    arguments = get_args(hint)
    wanted_key, wanted = arguments if len(arguments) == 2 else (Any, Any)
    faults = [fault for name in value for fault in misfits(name, wanted_key, key=f"{key}.{name} (the key)")]
    return faults + [fault for name, inner in value.items() for fault in misfits(inner, wanted, key=f"{key}.{name}")]


def _is_choice(value: Any, choices: Sequence[Any]) -> bool:
    return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in choices)


def _choices(hint: Any) -> str:
    return ", ".join(repr(choice) for choice in get_args(hint))


def _came(value: Any) -> str:
    return f"{value!r} ({'null' if value is None else type(value).__name__})"


def spell(hint: Any) -> str:
    """The annotation as a reader of YAML would say it."""
    if hint in (None, type(None)):
        return "null"
    if get_origin(hint) is Literal:
        return f"one of {_choices(hint)}"
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace("typing.", "")
