"""Read the parameters of a part: from the source text of this project's own parts, or by an import of any part.

The source is read in milliseconds. An import of a part may take seconds, since most parts need torch.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import operator
import sys
import types
import typing
from collections.abc import Callable
from contextlib import suppress
from dataclasses import is_dataclass
from typing import Any, Literal

from circuitvlm.runtime.config import allow_list
from circuitvlm.runtime.config.source import Definition, find_definition

TYPE_MODULES = ("typing", "collections.abc", "pathlib")
"""Library modules whose names are evaluated in an annotation; a name of any other library is not checked here."""

BASES_WITHOUT_PARAMETERS = ("ABC", "Generic", "Protocol", "object")
POSITIONAL, KEYWORD = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
Parameters = dict[str, inspect.Parameter]
"""The parameters that a config can set: those that may be given by keyword, by name. Annotations are evaluated."""


def imported_parameters(target: object, *groups: str) -> Parameters:
    """The parameters of an allowed target, by an import of its module. Raises TargetError."""
    return callable_parameters(allow_list.resolve(target, *groups))


def callable_parameters(part: Callable[..., Any]) -> Parameters:
    """The parameters of a class or function; an annotation that only type checkers can evaluate is left out."""
    function = part.__init__ if inspect.isclass(part) else part
    owners = reversed(part.__mro__) if inspect.isclass(part) and is_dataclass(part) else [function]
    hints: dict[str, Any] = {}
    for owner in owners:  # each class of a dataclass, since a field is annotated with the names of its own module
        names = vars(sys.modules[getattr(owner, "__module__", __name__)])
        for key, annotation in inspect.get_annotations(owner).items():
            with suppress(NameError, TypeError, AttributeError):
                holder = types.SimpleNamespace(__annotations__={key: annotation})
                hints |= typing.get_type_hints(holder, globalns=names)
    parameters = [p for p in inspect.signature(part).parameters.values() if p.kind in (POSITIONAL, KEYWORD)]
    return {p.name: p.replace(annotation=hints.get(p.name, p.empty)) for p in parameters}


def source_parameters(target: object, *groups: str) -> Parameters | None:
    """The parameters of an allowed target of this project, read from its source.

    An annotation is Any where only an import could evaluate it, and a default value is `...`. The result is None for
    a target of a library, and for a class whose constructor comes from a library. Raises TargetError.
    """
    reason = allow_list.refusal(target, *groups)
    if reason is not None:
        raise allow_list.TargetError(reason)
    module, _, name = str(target).rpartition(".")
    return _parameters(find_definition(module, name))


def _parameters(definition: Definition | None) -> Parameters | None:
    match definition:
        case Definition(statement=ast.FunctionDef(args=arguments), module=module):
            return _function_parameters(arguments, module)
        case Definition(statement=ast.ClassDef() as node, module=module):
            return _class_parameters(node, module)
    return None


def _function_parameters(arguments: ast.arguments, module: str) -> Parameters:
    first_default = len(arguments.args) - len(arguments.defaults)
    positional = [(argument, POSITIONAL, index >= first_default) for index, argument in enumerate(arguments.args)]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    keyword = [(argument, KEYWORD, default is not None) for argument, default in pairs]
    return {
        argument.arg: _parameter(argument.arg, kind, argument.annotation, module, optional=optional)
        for argument, kind, optional in (*positional, *keyword)
        if argument.arg != "self"
    }


def _class_parameters(node: ast.ClassDef, module: str) -> Parameters | None:
    """Those of `__init__`, of the first base class that has some, and of the fields of a dataclass."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return _function_parameters(statement.args, module)
    parameters: Parameters | None = {}
    for name in [ast.unparse(base).partition("[")[0] for base in node.bases]:
        if name not in BASES_WITHOUT_PARAMETERS and parameters == {}:
            parameters = _parameters(find_definition(module, name))
    for decorator in map(ast.unparse, node.decorator_list):
        if decorator.startswith("dataclass") and parameters is not None:
            parameters |= _field_parameters(node, module, decorator)
    return parameters


def _field_parameters(node: ast.ClassDef, module: str, decorator: str) -> Parameters:
    """The parameters that the fields of one dataclass become."""
    kind = KEYWORD if "kw_only=True" in decorator else POSITIONAL
    parameters: Parameters = {}
    for statement in node.body:
        if not isinstance(statement, ast.AnnAssign) or ast.unparse(statement.annotation).startswith("ClassVar"):
            continue
        name, value = ast.unparse(statement.target), ast.unparse(statement.value) if statement.value else ""
        if "init=False" not in value:
            optional = bool(value) and (not value.startswith("field(") or "default" in value)
            parameters[name] = _parameter(name, kind, statement.annotation, module, optional=optional)
    return parameters


def _parameter(name: str, kind: Any, annotation: ast.expr | None, module: str, *, optional: bool) -> inspect.Parameter:
    hint: Any = Any
    with suppress(TypeError, AttributeError, RecursionError):  # of a name that an import would evaluate otherwise
        hint = Any if annotation is None else _evaluate(annotation, module)
    return inspect.Parameter(name, kind, default=... if optional else inspect.Parameter.empty, annotation=hint)


def _evaluate(node: ast.expr, module: str) -> Any:
    """The type that an annotation names; Any in the place of each name that only an import could tell."""
    match node:
        case ast.Constant(value=str(text)):
            return _evaluate(ast.parse(text, mode="eval").body, module)
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return _evaluate_name(name, module)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return operator.or_(_evaluate(left, module), _evaluate(right, module))
        case ast.Tuple(elts=elements):
            return tuple(_evaluate(element, module) for element in elements)
        case ast.List(elts=elements):
            return [_evaluate(element, module) for element in elements]
        case ast.Subscript(value=generic, slice=inner):
            origin = _evaluate(generic, module)
            if origin is Literal:
                return operator.getitem(Literal, ast.literal_eval(inner))
            return Any if origin is Any else origin[_evaluate(inner, module)]
    return Any


def _evaluate_name(name: str, module: str) -> Any:
    definition = find_definition(module, name)
    if definition is None:
        return getattr(builtins, name, Any)
    if definition.module in TYPE_MODULES:
        return getattr(importlib.import_module(definition.module), definition.name)
    if isinstance(definition.statement, (ast.Assign, ast.AnnAssign)) and definition.statement.value is not None:
        return _evaluate(definition.statement.value, definition.module)
    return Any
