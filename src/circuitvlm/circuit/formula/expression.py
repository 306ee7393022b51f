"""Which formula does this text state? LaTeX and plain mathematics, read without ever being executed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice

from circuitvlm.circuit.formula import text as answer_text
from circuitvlm.circuit.formula.definitions import Definition, Substitution, definition
from circuitvlm.circuit.formula.lexer import Token, tokens
from circuitvlm.circuit.formula.names import Vocabulary
from circuitvlm.circuit.formula.reader import MAX_DEPTH, MAX_EXPONENT, Reader
from circuitvlm.circuit.formula.signs import canonical
from circuitvlm.circuit.formula.tree import Expression, ExpressionError

__all__ = [
    "MAX_CHARACTERS",
    "MAX_DEPTH",
    "MAX_EXPONENT",
    "Expression",
    "ExpressionError",
    "Statement",
    "canonical",
    "definitions",
    "parse",
    "read",
    "read_defined",
]

MAX_CHARACTERS = 20_000
"""Longest text that is read; the longest answers of CircuitSense have 11,276 characters."""

MAX_EQUATIONS = 200
"""Most equations of a text among which definitions are looked for."""

_ELEMENTS = "RLCZrg"
"""First letters of what is in a circuit, so that a ratio of two is a formula, where one of signals is a name."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a text states.

    `result` is its last side, or the difference of the sides of an equation. `equal` are the formulas that it calls
    equal to the last side, `readings` those that it may be taken to answer as well: what stands before a number
    (`R2/(R1+R2) = 0.5`), and before a sign of approximation. `number` is that number.
    """

    result: Expression
    equal: tuple[Expression, ...] = ()
    readings: tuple[Expression, ...] = ()
    is_equation: bool = False
    number: Expression | None = None


def parse(text: str, symbols: Iterable[str] | Vocabulary | None = None) -> Expression:
    """The formula that a text states: `R2/(R1+R2)`, `\\frac{1}{1+sR_1C_1}`, `H(s) = ..`, a sentence that ends in one.

    `R1`, `R_1`, `R_{1}` and `R_{\\text{1}}` are one symbol, named R1. With `symbols`, a run of letters that is none of
    them is cut into those that are (`sR1C1` is s*R1*C1), and letters of the wrong case are mended where only one
    symbol fits. Without, a capital letter or a digit's end begins the next symbol. A product without a sign binds
    tighter than a slash where no space stands between (`1/sC` is 1/(s*C), `1/2R` is 1/(2*R)); `||`, `//` and
    `\\parallel` lie between + and *. `V_1(s)` is the signal V1, `\\tan^{-1}` the arctangent, `R_LC` is RL*C,
    `\\omega_nt` is omegan*t, and a lone I or i beside omega the imaginary unit, where there is no j and no symbol of
    that name. Of `a = b` the last side counts, if the others only name it; of an equation that names nothing
    (`V1/R1 + I = 0`) the difference of its sides. Of a text with several formulas the box counts, else what follows
    "answer:", else the last one stated, but not what is said behind "where", "for" or a comma; a unit behind it goes.
    With `symbols`, what the text defines beside the formula is put in ("where \\tau = RC", "let", "with", lists, also
    behind one another), but for `symbols`, s and omega; without, nobody says which symbols are wanted, and they stay.
    Raises ExpressionError for what is no formula, for definitions in a circle or that grow too large, for texts over
    MAX_CHARACTERS, nesting over MAX_DEPTH and exponents over MAX_EXPONENT.
    """
    if symbols is None:
        return read(text).result
    vocabulary = symbols if isinstance(symbols, Vocabulary) else Vocabulary(symbols)
    stated, own = read(text, vocabulary), vocabulary.joined(["s", "omega"])
    return (read_defined(text, definitions(text, own), own) or stated).result


def read(text: str, symbols: Iterable[str] | Vocabulary | None = None, *, is_of_frequency: bool = False) -> Statement:
    """What `parse` reads, with the other sides of the same statement. Raises as `parse` does.

    `is_of_frequency`: a function of s is wanted, so that a cutoff or time constant stated after it does not count.
    """
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"{len(text)} characters; at most {MAX_CHARACTERS} are read")
    vocabulary = None if symbols is None else symbols if isinstance(symbols, Vocabulary) else Vocabulary(symbols)
    fault: ExpressionError | None = None
    for candidate in answer_text.candidates(text, vocabulary, is_of_frequency=is_of_frequency):
        try:
            return _statement(candidate, vocabulary)
        except ExpressionError as error:
            fault = fault or error
    raise fault or ExpressionError("the text is empty; wanted a formula such as R2/(R1+R2)")


def definitions(text: str, own: Vocabulary) -> dict[str, list[Definition]]:
    """The equations of a text that define symbols, but for the `own` ones, by name in their order.

    Only the first MAX_EQUATIONS of a text are looked at.
    """
    found: dict[str, list[Definition]] = {}
    for equation in islice(answer_text.equations(text, own), MAX_EQUATIONS):
        if (made := definition(equation, own)) is not None and own.find(made.name) is None:
            found.setdefault(made.name, []).append(made)
    return found


def read_defined(
    text: str, defined: Mapping[str, Sequence[Definition]], own: Vocabulary, *, is_of_frequency: bool = False
) -> Statement | None:
    """What `read` reads, with the definitions put in; None where the formula has none of their symbols.

    Of several definitions of a symbol the last counts, and of its sides the last with symbols; with the numbers behind
    them (`\\tau = RC = 1 ms`) it is a further reading. If `own` has s but not omega, omega becomes s/j, as both are one
    in a transfer function. Raises ExpressionError as `parse` does.
    """
    if not defined:
        return None
    vocabulary = own.joined(defined)
    stated = read(text, vocabulary, is_of_frequency=is_of_frequency)
    sides = (stated.result, *stated.readings)
    if not any(side.symbols() & defined.keys() for side in sides):
        return None
    said = {name: _said(name, ones, vocabulary) for name, ones in defined.items()}
    if own.find("s") and not own.find("omega"):
        said["omega"] = [Expression("neg", (Expression("*", (Expression("j"), Expression("symbol", name="s"))),))]
    formulas, numbers = (
        Substitution(lambda name: _last(said.get(name, []), number=False)),
        Substitution(lambda name: _last(said.get(name, []), number=True)),
    )
    result, *readings = [substitution.of(side) for substitution in (formulas, numbers) for side in sides]
    return replace(stated, result=result, readings=tuple(readings))


def _said(name: str, ones: Sequence[Definition], vocabulary: Vocabulary) -> list[Expression]:
    """What a symbol is said to be, in the order of the text; a side that cannot be read is not needed."""
    said: list[Expression] = []
    for one in ones:
        with contextlib.suppress(ExpressionError):
            right = _formulas(_sides(list(tokens(one.equation, vocabulary)))[0][1:])
            said += [_root(side, one.degree) for side in right if _is_said(name, side)]
    return said


def _last(said: Sequence[Expression], *, number: bool) -> Expression | None:
    """The last of several formulas, or of the numbers among them, where there is one."""
    wanted = [side for side in said if bool(side.symbols()) is not number]
    return next(reversed(wanted or said), None)


def _is_said(name: str, side: Expression) -> bool:
    """Whether a side defines its name: `s = j\\omega` does, where `s = -1/(RC)` says a pole, and `R = R` nothing."""
    spoken = side.symbols()
    if name in ("s", "omega"):
        return spoken == {"f"} or (name == "s" and spoken == {"omega"})
    return spoken != {name}


def _root(side: Expression, degree: int) -> Expression:
    return side if degree == 1 else Expression("^", (side, Expression("number", number=Fraction(1, degree))))


def _statement(text: str, vocabulary: Vocabulary | None) -> Statement:
    """The statement of a text without prose around it."""
    sides, signs = _sides(list(tokens(text, vocabulary)))
    if len(sides) == 2 and _is_ratio(sides[1]) and not _names_something(sides[0]):
        sides.reverse()  # R2/(R1+R2) = Vo/Vi
    last = Reader(_imaginary(sides[-1])).whole()
    number = None if last.symbols() else last
    if len(sides) == 2 and signs == ["="] and not _names_something(sides[0]):
        first = Reader(_imaginary(sides[0])).whole()
        difference = Expression("+", (first, Expression("neg", (last,))))
        if number is None or last == Expression("number"):
            return Statement(difference, is_equation=True)
        return Statement(difference, (first,), (first,), is_equation=True, number=number)
    exact = len(signs) - signs[::-1].index("≈") if "≈" in signs else 0
    start = 1 if _names_something(sides[0]) else 0
    equal = _formulas(sides[max(exact, start) : -1])
    nearly = _formulas(sides[start:exact])[-1:]
    symbolic = [side for side in equal if number is not None and side.symbols()][-1:]
    return Statement(last, tuple(equal), (*symbolic, *nearly), number=number)


def _formulas(sides: Sequence[list[Token]]) -> list[Expression]:
    """The sides that are formulas and not only names; one that cannot be read is not needed."""
    found = []
    for side in sides:
        if not _is_ratio(side):
            try:
                found.append(Reader(_imaginary(side)).whole())
            except ExpressionError:
                continue
    return found


def _sides(found: list[Token]) -> tuple[list[list[Token]], list[str]]:
    """What stands between the signs of equality, and those signs."""
    sides: list[list[Token]] = [[]]
    signs: list[str] = []
    for token in found:
        if token.kind in ("=", "≈"):
            sides.append([])
            signs.append(token.kind)
        else:
            sides[-1].append(token)
    if not sides[-1]:
        raise ExpressionError("no formula behind the sign of equality")
    kept = [i for i, side in enumerate(sides) if side]
    return [_parallel(sides[i]) for i in kept], [signs[i - 1] for i in kept[1:]]


def _parallel(side: list[Token]) -> list[Token]:
    """A bar without a partner stands for two: `R1 | R2`."""
    if sum(token.kind == "|" for token in side) != 1:
        return side
    return [replace(token, kind="||") if token.kind == "|" else token for token in side]


def _imaginary(side: list[Token]) -> list[Token]:
    """With I or i beside omega as SymPy's imaginary unit, where there is no j."""
    kinds = {token.kind for token in side}
    if "j" in kinds or not any(token.text == "omega" for token in side):
        return side
    return [replace(t, kind="j") if t.text in ("I", "i") and t.kind == "name" and not t.known else t for t in side]


def _names_something(side: list[Token]) -> bool:
    """Whether a side only names what the next one states: `H(s)`, `\\frac{V_o(s)}{V_i(s)}`, `|H|^2`, `BW`."""
    names: set[tuple[int, int]] = set()
    first: set[str] = set()
    slashes, ended, at = 0, 0, 0
    while at < len(side):
        token = side[at]
        if token.kind == "name":
            first |= {token.text[0]} if (token.run, ended) not in names else set()
            names.add((token.run, ended))
            ended += token.text[-1].isdigit()  # R1C1 are two
            at += _argument(side, at + 1)
        elif token.kind == "^" and side[at + 1 : at + 2] and side[at + 1].kind == "number":
            at += 1
        elif token.kind in ("/", "frac"):
            slashes += 1
        elif token.kind not in ("open", "close", "|", "j"):
            return False
        at += 1
    if slashes and first & set(_ELEMENTS):
        return False  # R1/R2 says something
    return 0 < len(names) <= 1 + slashes <= 2


def _argument(side: list[Token], at: int) -> int:
    """The length of the bracket behind a name, if it holds no sum: `(j omega)`, `(2 pi f)`."""
    if at >= len(side) or side[at].text != "(":
        return 0
    for end in range(at + 1, len(side)):
        if side[end].text == ")":
            return end - at + 1
        if side[end].kind not in ("name", "number", "j", "*"):
            return 0
    return 0


def _is_ratio(side: list[Token]) -> bool:
    """Whether a side is `V_o/V_i` or a transfer function's name with its argument."""
    if not _names_something(side):
        return False
    names = [token.text[0] for token in side if token.kind == "name" and token.text not in ("s", "omega")]
    signals = len(names) == 2 and all(name in "Vv" for name in names)
    return signals or (names == ["H"] and any(token.kind == "open" for token in side))
