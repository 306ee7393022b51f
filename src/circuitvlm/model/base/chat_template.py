"""Render the chat template of a checkpoint, which is a program of a stranger, within a bound of steps.

The environment has what transformers gives a template (`render_jinja_template`, transformers 5.20): Jinja's sandbox,
loop controls, `tojson`, `raise_exception`, `strftime_now`, and the tag `generation`, which only marks a text.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Environment, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, pass_context
from jinja2.visitor import NodeTransformer

MAX_STEPS = 20_000_000
"""The bound of a rendering: each operation takes as many steps as it may read or write characters and items."""

MAX_TEMPLATE_LENGTH = 200_000
_CALL_STEPS = 20
"""The steps of a call, of a turn of a loop, and of each piece of the output, besides those for its size."""

_MAX_PARTS = 100_000
"""The bound of the lists and texts inside one value; a list that holds itself several times grows exponentially."""

_WIDTH_ARGUMENT = re.compile(r"%[^%a-zA-Z]*\*")
"""A width of a format that is an argument, as in `%*d`."""


class ChatTemplateError(ValueError):
    """A chat template that has an error, refuses its messages, or takes too many steps."""


def render(template: str, messages: list[dict[str, Any]], **variables: Any) -> str:
    """The text that a chat template makes of messages of plain values, with further variables. Raises
    ChatTemplateError."""
    if len(template) > MAX_TEMPLATE_LENGTH:
        raise ChatTemplateError(f"expected at most {MAX_TEMPLATE_LENGTH:,} characters, got {len(template):,}")
    try:
        return _compile(template).render(messages=messages, tools=None, documents=None, **variables)
    except Exception as error:  # a template is a program, so any operation in it may raise, its compilation too
        message = " ".join(str(error).split())[:300]
        raise ChatTemplateError(f"its error {message or type(error).__name__!r}") from error


@functools.lru_cache(maxsize=8)
def _compile(template: str) -> _Template:
    return _Template(template)


class _Template:
    """A compiled template and the counter of its steps."""

    def __init__(self, template: str) -> None:
        self.environment = _Environment()
        tree = _Counted().visit(self.environment.parse(template))
        self.compiled = self.environment.from_string(tree)

    def render(self, **variables: Any) -> str:
        self.environment.remaining_steps = MAX_STEPS
        return self.compiled.render(**variables)


class _Namespace(Namespace):
    """Jinja's own, without attributes that begin with an underscore: these reach into Python."""

    def __init__(*args: Any, **kwargs: Any) -> None:  # a template's keywords may have any name, such as self
        self, *rest = args
        Namespace.__init__(self)
        for name, value in dict(*rest, **kwargs).items():
            self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            raise SecurityError(f"namespace: expected a name without an underscore before it, got {name!r}")
        super().__setitem__(name, value)


class _Generation(Extension):
    """The tag of a text that the model is trained on; here its body alone is rendered."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.tags = {"generation"}

    def parse(self, parser: Any) -> list[nodes.Node]:
        next(parser.stream)
        body: list[nodes.Node] = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return body


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which operators, filters, calls, loops and outputs count steps."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[_Generation, "jinja2.ext.loopcontrols"],
            optimized=False,  # else constants are computed while compiling
        )
        self.remaining_steps = MAX_STEPS
        self.filters = {name: self._counted_filter(function) for name, function in self.filters.items()}
        self.filters["tojson"] = self._counted_filter(_tojson)
        self.filters["_measure"] = self._measure
        del self.globals["lipsum"]
        self.globals |= {"raise_exception": _raise_exception, "strftime_now": _strftime_now, "namespace": _Namespace}

    def spend(self, steps: float) -> None:
        """Count steps. Raises TemplateError beyond MAX_STEPS."""
        self.remaining_steps -= min(int(steps), MAX_STEPS + 1) if math.isfinite(steps) else MAX_STEPS + 1
        if self.remaining_steps < 0:
            raise TemplateError(f"it takes more than {MAX_STEPS:,} steps")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+":
            self.spend(_size(left) + _size(right) if _is_container(left) else 1)
        elif operator == "%":
            self.spend(1 + (_format_length(left) * _size(right) if isinstance(left, str) else 0))
            _check_widths(left)
        elif _is_container(left) or _is_container(right):
            self.spend(_size(left) * _size(right))
        elif operator == "**":
            self.spend(_bits(left) * abs(right))
        else:
            self.spend(_bits(left) + _bits(right))
        return super().call_binop(context, operator, left, right)

    def call(*arguments: Any, **named: Any) -> Any:  # a template's keywords may have any name
        self, context, function, *rest = arguments
        if not isinstance(function, Macro):
            owner = getattr(function, "__self__", None)
            self.spend_call(*((owner,) if _is_container(owner) else ()), *rest, *named.values())
        else:
            self.spend(_CALL_STEPS)
        return ImmutableSandboxedEnvironment.call(self, context, function, *rest, **named)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """The method `format` of a text, which Jinja replaces by a function whose text `call` cannot see."""
        if (method := super().wrap_str_format(value)) is None:
            return None

        def counted_format(*arguments: Any, **named: Any) -> str:
            self.spend_call(value.__self__, *arguments, *named.values())
            return method(*arguments, **named)

        return counted_format

    def spend_call(self, *arguments: Any) -> None:
        """Count a call whose result may be as long as its two largest arguments together allow, such as a text and what
        replaces each of its characters, or as the numbers in a format state."""
        sizes = sorted((float(_size(argument)) for argument in arguments), reverse=True)
        formats = [argument for argument in arguments if isinstance(argument, str)]
        self.spend(_CALL_STEPS + math.prod(max(1.0, size) for size in sizes[:2]) + sum(map(_format_length, formats)))

    def _counted_filter(self, function: Callable[..., Any]) -> Callable[..., Any]:
        passed = 1 if hasattr(function, "jinja_pass_arg") else 0  # Jinja passes its context first

        @functools.wraps(function)
        def counted(*arguments: Any, **named: Any) -> Any:
            self.spend_call(*arguments[passed:], *named.values())
            if function.__name__ == "do_format":
                _check_widths(arguments[passed])
            return function(*arguments, **named)

        return counted

    @property
    def _measure(self) -> Callable[..., Any]:
        @pass_context
        def measure(context: Context, value: Any) -> Any:
            self.spend(_CALL_STEPS + _size(value))
            return value

        return measure


class _Counted(NodeTransformer):
    """Makes each turn of a loop, each condition of one, each output, comparison, list, slice and `~` count.

    A list that holds another one twice has an exponential size after a few such lists, which a comparison would read.
    """

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(_measured(nodes.Const(""))))
        node.test = node.test and _measured(node.test)
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Output:
        self.generic_visit(node)
        node.nodes = [_measured(child) for child in node.nodes]
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:
        self.generic_visit(node)
        return _measured(node)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:
        self.generic_visit(node)
        node.expr = _measured(node.expr)
        for operand in node.ops:
            operand.expr = _measured(operand.expr)
        return node

    def visit_List(self, node: nodes.List) -> nodes.Expr:
        return _measured(self.generic_visit(node))

    def visit_Dict(self, node: nodes.Dict) -> nodes.Expr:
        return _measured(self.generic_visit(node))

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:
        self.generic_visit(node)
        return _measured(node) if node.ctx == "load" else node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:
        self.generic_visit(node)
        return _measured(node) if isinstance(node.arg, nodes.Slice) else node


def _measured(node: Any) -> nodes.Filter:
    return nodes.Filter(node, "_measure", [], [], None, None, lineno=getattr(node, "lineno", 1) or 1)


def _is_container(value: Any) -> bool:
    return isinstance(value, (str, bytes, list, tuple, dict, set, frozenset, range))


def _size(value: Any) -> float:
    """Characters and items of a value, of an integer its magnitude, of an iterator a million, as it has no length."""
    size, pending, part_count = 0.0, [value], 0
    while pending and size <= MAX_STEPS:
        part = pending.pop()
        part_count += 1
        if part_count > _MAX_PARTS:
            return math.inf
        if isinstance(part, (list, tuple, set, frozenset, dict)):
            size += len(part)
            pending += [item for item in part if not isinstance(item, int)]
            pending += part.values() if isinstance(part, dict) else ()
        elif isinstance(part, (str, bytes, range)):
            size += len(part)
        elif isinstance(part, int):
            size += abs(part) if part.bit_length() < 64 else math.inf
        else:
            size += 1_000_000 if isinstance(part, Iterator) else 1
    return size


def _bits(value: Any) -> int:
    return value.bit_length() if isinstance(value, int) else 1


def _check_widths(form: Any) -> None:
    if isinstance(form, str | bytes) and _WIDTH_ARGUMENT.search(str(form)):
        raise TemplateError(f"expected a format with its widths as numbers, got {str(form)[:40]!r}")


def _format_length(text: str) -> float:
    """The sum of the numbers in a text, which may be widths of a format."""
    return 1 + len(text) + sum(float(number) for number in re.findall(r"[0-9]+", text) if len(number) > 3)


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """JSON without the escapes for HTML of Jinja's own filter."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: Any) -> NoReturn:
    raise TemplateError(str(message))


def _strftime_now(format: str) -> str:
    return datetime.now().strftime(format)


def plain_tokens(special_tokens: Mapping[str, Any]) -> dict[str, str]:
    """The special tokens as the texts that a template sees."""
    return {name: str(token) for name, token in special_tokens.items()}
