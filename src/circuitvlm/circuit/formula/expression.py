"""Parse the formula that a text states: LaTeX or plain mathematics, never executed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import islice

from circuitvlm.circuit.formula.candidates import find_candidates, find_equations
from circuitvlm.circuit.formula.definitions import Definition, Substitution, parse_definition
from circuitvlm.circuit.formula.lexer import Token, tokenize
from circuitvlm.circuit.formula.notation import canonical_name
from circuitvlm.circuit.formula.parser import MAX_DEPTH, MAX_EXPONENT, parse_tokens
from circuitvlm.circuit.formula.tree import Expression, ExpressionError
from circuitvlm.circuit.formula.vocabulary import Vocabulary

__all__ = [
    "MAX_CHARACTERS",
    "MAX_DEPTH",
    "MAX_EXPONENT",
    "Expression",
    "ExpressionError",
    "Statement",
    "canonical_name",
    "find_definitions",
    "parse",
    "parse_statement",
    "parse_with_definitions",
]

MAX_CHARACTERS = 20_000
"""Longest text that is parsed; the longest answers of CircuitSense have 11,276 characters."""

MAX_EQUATIONS = 200
"""Most equations of a text that are searched for definitions."""

_ELEMENTS = frozenset("RLCZrg")
"""First letters of circuit elements: a ratio of two elements is a formula, a ratio of two signals is a name."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a text states.

    `result` is its last side, or the difference of the sides of an equation. `equal_sides` are the formulas that the
    text equates with the last side. `alternatives` are the formulas that may be its answer as well: the side before a
    number (`R2/(R1+R2) = 0.5`), and the one before a sign of approximation. `number` is that number.
    """

    result: Expression
    equal_sides: tuple[Expression, ...] = ()
    alternatives: tuple[Expression, ...] = ()
    is_equation: bool = False
    number: Expression | None = None


def parse(text: str, symbols: Iterable[str] | Vocabulary | None = None) -> Expression:
    """Return the formula that a text states: `R2/(R1+R2)`, `H(s) = \\frac{1}{1+sR_1C_1}`, a sentence that ends in one.

    `R1`, `R_1`, `R_{1}` and `R_{\\text{1}}` are one symbol, named R1. With `symbols`, a run of letters that is none of
    them is split into those that are (`sR1C1` is s*R1*C1), and letters of the wrong case are corrected where only one
    symbol fits. Without `symbols`, a capital letter, or the end of a number, begins the next symbol.
    A product without a sign binds tighter than a slash if it has no space (`1/sC` is 1/(s*C), `1/2R` is 1/(2*R)).
    `||`, `//` and `\\parallel` have a precedence between + and *. `V_1(s)` is the signal V1, `\\tan^{-1}` the
    arctangent, `R_LC` is RL*C, and `\\omega_nt` is omegan*t. A lone I or i beside omega is the imaginary unit, unless
    there is a j or a symbol of that name.
    Of `a = b` the last side counts if the others only name it. Of an equation that names nothing (`V1/R1 + I = 0`) the
    difference of its sides counts. Of several formulas the one in the box counts, else the one after "answer:", else
    the last one, but none after "where", "for" or a comma. The unit after a formula is ignored.
    With `symbols`, definitions in the text ("where \\tau = RC", "let", "with", lists, also of one another) are
    substituted, except for `symbols`, s and omega. Without `symbols`, they are not substituted.
    Raises ExpressionError for a text without a formula, for circular or too large definitions, for texts over
    MAX_CHARACTERS, nesting over MAX_DEPTH and exponents over MAX_EXPONENT.
    """
    if symbols is None:
        return parse_statement(text).result
    vocabulary = symbols if isinstance(symbols, Vocabulary) else Vocabulary(symbols)
    statement, fixed_symbols = parse_statement(text, vocabulary), vocabulary.union(["s", "omega"])
    return (parse_with_definitions(text, find_definitions(text, fixed_symbols), fixed_symbols) or statement).result


def parse_statement(
    text: str, symbols: Iterable[str] | Vocabulary | None = None, *, is_function_of_s: bool = False
) -> Statement:
    """Return the formula that `parse` returns, with the other sides of the same statement. Raises as `parse` does.

    `is_function_of_s`: a function of s is expected, so that a cutoff or time constant after it does not count.
    """
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"expected a text of at most {MAX_CHARACTERS} characters, got {len(text)}")
    vocabulary = symbols if symbols is None or isinstance(symbols, Vocabulary) else Vocabulary(symbols)
    first_error: ExpressionError | None = None
    for candidate in find_candidates(text, vocabulary, is_function_of_s=is_function_of_s):
        try:
            return _parse_candidate(candidate, vocabulary)
        except ExpressionError as error:
            first_error = first_error or error
    raise first_error or ExpressionError(f"expected a formula such as R2/(R1+R2), got {text[:40]!r}")


def find_definitions(text: str, fixed_symbols: Vocabulary) -> dict[str, list[Definition]]:
    """Return the definitions of a text in their order, by name, except those of `fixed_symbols`.

    Only the first MAX_EQUATIONS equations are searched.
    """
    definitions: dict[str, list[Definition]] = {}
    for equation in islice(find_equations(text, fixed_symbols), MAX_EQUATIONS):
        definition = parse_definition(equation, fixed_symbols)
        if definition is not None and fixed_symbols.find(definition.name) is None:
            definitions.setdefault(definition.name, []).append(definition)
    return definitions


def parse_with_definitions(
    text: str,
    definitions: Mapping[str, Sequence[Definition]],
    fixed_symbols: Vocabulary,
    *,
    is_function_of_s: bool = False,
) -> Statement | None:
    """Return what `parse_statement` returns, with the definitions substituted; None if the formula uses none of them.

    Of several definitions of a symbol the last counts, and of its sides the last one with symbols. With the numbers
    after these (`\\tau = RC = 1 ms`) the formula is an alternative. If `fixed_symbols` has s but not omega, omega
    becomes s/j, as both mean the same in a transfer function. Raises ExpressionError as `parse` does.
    """
    if not definitions:
        return None
    vocabulary = fixed_symbols.union(definitions)
    statement = parse_statement(text, vocabulary, is_function_of_s=is_function_of_s)
    sides = (statement.result, *statement.alternatives)
    if not any(side.symbols() & definitions.keys() for side in sides):
        return None
    meanings = {name: _parse_meanings(name, equations, vocabulary) for name, equations in definitions.items()}
    if fixed_symbols.find("s") and not fixed_symbols.find("omega"):
        meanings["omega"] = [Expression("neg", (Expression("*", (Expression("j"), Expression("symbol", name="s"))),))]
    substitutions = [Substitution(partial(_choose_meaning, meanings, is_number=flag)) for flag in (False, True)]
    result, *alternatives = [substitution.apply(side) for substitution in substitutions for side in sides]
    return replace(statement, result=result, alternatives=tuple(alternatives))


def _parse_meanings(name: str, definitions: Sequence[Definition], vocabulary: Vocabulary) -> list[Expression]:
    """Return the formulas and numbers that define a symbol, in the order of the text; unreadable sides are skipped."""
    meanings: list[Expression] = []
    for definition in definitions:
        with contextlib.suppress(ExpressionError):
            right_sides = _parse_sides(_split_sides(tokenize(definition.equation, vocabulary))[0][1:])
            meanings += [_root(side, definition.degree) for side in right_sides if _is_meaning(name, side)]
    return meanings


def _choose_meaning(meanings: Mapping[str, list[Expression]], name: str, *, is_number: bool) -> Expression | None:
    """Return the last formula that defines a symbol, or the last number; the last of all where there is none."""
    sides = meanings.get(name, [])
    preferred_sides = [side for side in sides if bool(side.symbols()) is not is_number]
    return next(reversed(preferred_sides or sides), None)


def _is_meaning(name: str, side: Expression) -> bool:
    """Whether a side defines the symbol: `s = j\\omega` does, but `s = -1/(RC)` is a pole, and `R = R` says nothing."""
    meanings = {"s": ({"f"}, {"omega"}), "omega": ({"f"},)}
    return side.symbols() in meanings[name] if name in meanings else side.symbols() != {name}


def _root(side: Expression, degree: int) -> Expression:
    return side if degree == 1 else Expression("^", (side, Expression("number", number=Fraction(1, degree))))


def _parse_candidate(text: str, vocabulary: Vocabulary | None) -> Statement:
    """Parse a text without prose around its formula."""
    sides, relations = _split_sides(tokenize(text, vocabulary))
    if len(sides) == 2 and _is_ratio_name(sides[1]) and not _is_name(sides[0]):
        sides.reverse()  # R2/(R1+R2) = Vo/Vi
    names = int(_is_name(sides[0]))  # how many sides before the first formula
    result = _parse_side(sides[-1])
    number = None if result.symbols() else result
    if len(sides) == 2 and relations == ["="] and not names:
        left_side = _parse_side(sides[0])
        difference = Expression("+", (left_side, Expression("neg", (result,))))
        if number is None or result == Expression("number"):
            return Statement(difference, is_equation=True)
        return Statement(difference, (left_side,), (left_side,), is_equation=True, number=number)
    exact_start = len(relations) - relations[::-1].index("≈") if "≈" in relations else 0
    equal_sides = _parse_sides(sides[max(exact_start, names) : -1])
    approximated_sides = _parse_sides(sides[names:exact_start])[-1:]
    evaluated_sides = [side for side in equal_sides if number is not None and side.symbols()][-1:]
    return Statement(result, tuple(equal_sides), (*evaluated_sides, *approximated_sides), number=number)


def _parse_sides(sides: Sequence[list[Token]]) -> list[Expression]:
    """Parse the sides that are formulas and not only names; unreadable sides are skipped."""
    formulas: list[Expression] = []
    for side in sides:
        if not _is_ratio_name(side):
            with contextlib.suppress(ExpressionError):
                formulas.append(_parse_side(side))
    return formulas


def _parse_side(side: list[Token]) -> Expression:
    """Parse one side; I or i beside omega is the imaginary unit, as SymPy prints it, unless there is a j."""
    if any(token.kind == "j" for token in side) or not any(token.text == "omega" for token in side):
        return parse_tokens(side)
    is_unit = [token.text in ("I", "i") and token.kind == "name" and not token.is_known for token in side]
    return parse_tokens([replace(t, kind="j") if flag else t for t, flag in zip(side, is_unit, strict=True)])


def _split_sides(tokens: Iterable[Token]) -> tuple[list[list[Token]], list[str]]:
    """Return the non-empty sides between the signs of equality, and these signs."""
    sides: list[tuple[str, list[Token]]] = [("", [])]
    for token in tokens:
        if token.kind in ("=", "≈"):
            sides.append((token.kind, []))
        else:
            sides[-1][1].append(token)
    if not sides[-1][1]:
        raise ExpressionError(f"expected a formula after the last {sides[-1][0]!r}, got none")
    sides = [(relation, side) for relation, side in sides if side]
    return [_replace_single_bar(side) for _, side in sides], [relation for relation, _ in sides[1:]]


def _replace_single_bar(side: list[Token]) -> list[Token]:
    """Return the side with a single bar as the sign of parallel elements: `R1 | R2`."""
    is_single = [token.kind for token in side].count("|") == 1
    return [replace(token, kind="||") if is_single and token.kind == "|" else token for token in side]


def _is_name(side: list[Token]) -> bool:
    """Whether a side only names what the next one states: `H(s)`, `\\frac{V_o(s)}{V_i(s)}`, `|H|^2`, `BW`."""
    initials: dict[tuple[int, int], str] = {}
    slashes, numbered_symbols, position = 0, 0, 0
    while position < len(side):
        token = side[position]
        if token.kind == "name":
            initials.setdefault((token.run_start, numbered_symbols), token.text[0])
            numbered_symbols += token.text[-1].isdigit()  # R1C1 are two names
            position += _bracket_length(side, position + 1)
        elif token.kind == "^" and [power.kind for power in side[position + 1 : position + 2]] == ["number"]:
            position += 1
        elif token.kind in ("/", "frac"):
            slashes += 1
        elif token.kind not in ("open", "close", "|", "j"):
            return False
        position += 1
    is_formula = slashes > 0 and not _ELEMENTS.isdisjoint(initials.values())  # R1/R2
    return not is_formula and 0 < len(initials) <= 1 + slashes <= 2


def _bracket_length(side: list[Token], start: int) -> int:
    """Return how many tokens the bracket after a name has, if it holds no sum: `(j omega)`, `(2 pi f)`; else 0."""
    if start >= len(side) or side[start].text != "(":
        return 0
    end = start + 1
    while end < len(side) and side[end].kind in ("name", "number", "j", "*"):
        end += 1
    return end - start + 1 if end < len(side) and side[end].text == ")" else 0


def _is_ratio_name(side: list[Token]) -> bool:
    """Whether a side is `V_o/V_i`, or the name of a transfer function with its argument."""
    initials = [token.text[0] for token in side if token.kind == "name" and token.text not in ("s", "omega")]
    is_voltage_ratio = len(initials) == 2 and all(initial in "Vv" for initial in initials)
    is_call = initials == ["H"] and any(token.kind == "open" for token in side)
    return (is_voltage_ratio or is_call) and _is_name(side)
