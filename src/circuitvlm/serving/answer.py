"""What does a model read in an image, and what follows from that? Its words, and what exact solvers say to them.

The model's text is only ever parsed. What is solved, drawn and written is the circuit that the parser has found in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import typer

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.quantity import LARGEST
from circuitvlm.circuit.solve import numeric
from circuitvlm.circuit.solve.numeric import Solution
from circuitvlm.core.record import Picture
from circuitvlm.serving import show

T = TypeVar("T")


class Respondent(Protocol):
    """Who is asked about images (see respond.py)."""

    def netlist(self, picture: Picture) -> str: ...

    def read(self, text: str) -> Circuit | None: ...

    def reply(self, picture: Picture, question: str) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person wants to know: at which frequency, from which source to which output, and in words.

    `output` is a device, a node, or two nodes, as in `verdict.matches_circuit`.
    """

    frequency: float = 0.0
    source: str | None = None
    output: str | None = None
    question: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A transfer function as text: with the names of R, C and L as symbols, and with the values that they have."""

    source: str
    output: str
    symbolic: str
    valued: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All that is known of one image. What could not be found out is None, and `errors` says why."""

    image: str
    text: str
    circuit: Circuit | None
    canonical: str | None
    frequency: float
    solution: Solution | None
    transfer: Transfer | None
    question: str | None
    reply: str | None
    errors: tuple[str, ...]


def answer(respondent: Respondent, picture: Picture, wanted: Wanted, *, image: str) -> Answer:
    """Ask for the netlist, and the question if there is one; solve what has been read. Raises only for bad images."""
    text = respondent.netlist(picture)
    reply = None if wanted.question is None else respondent.reply(picture, wanted.question)
    circuit = respondent.read(text)
    errors: list[str] = []
    if circuit is None:
        errors.append(f"netlist: {why_unreadable(text)}")
    return Answer(
        image=image,
        text=text,
        circuit=circuit,
        frequency=wanted.frequency,
        canonical=_try("canonical form", netlist.format, circuit, errors=errors),
        solution=_try("solution", solve, circuit, wanted.frequency, errors=errors),
        transfer=_try("transfer function", _transfer, circuit, wanted, errors=errors),
        question=wanted.question,
        reply=reply,
        errors=tuple(errors),
    )


def why_unreadable(text: str) -> str:
    """What the parser says to a reply that is no netlist."""
    try:
        netlist.parse(text)
    except netlist.NetlistError as error:
        return str(error)
    return "the reply is no netlist to the task that asked"


def solve(circuit: Circuit, frequency: float) -> Solution:
    """As `numeric.solve`, whose errors it raises; ValueError also where a number is too large to be written."""
    solved = numeric.solve(circuit, frequency)
    try:
        numbers = list(_numbers(show.solution_body(circuit, solved, frequency=frequency)))
    except ArithmeticError:  # the magnitude of a complex number overflows with an error, that of a real one without
        numbers = [math.inf]
    if not all(abs(number) <= LARGEST for number in numbers):
        raise ValueError(f"a voltage, a current or a power is beyond {LARGEST:g}; are the values that were read right?")
    return solved


def transfer(circuit: Circuit, *, source: str, output: str) -> Transfer:
    """The exact transfer function, twice. Raises KeyError and ValueError as `symbolic.transfer_function` does."""
    from circuitvlm.circuit.solve import symbolic  # sympy: a second that a help text does not wait for

    named = replace(circuit, devices=tuple(replace(d, value=None) if d.kind in "RCL" else d for d in circuit.devices))
    found = [str(symbolic.transfer_function(each, source=source, output=output)) for each in (named, circuit)]
    return Transfer(source=source, output=output, symbolic=found[0], valued=found[1])


def body(answer: Answer) -> dict[str, Any]:
    """The answer for another program: plain containers. `netlist` is what the model said, word for word."""
    circuit, solution, found = answer.circuit, answer.solution, answer.transfer
    numbers = None
    if circuit is not None and solution is not None:
        numbers = show.solution_body(circuit, solution, frequency=answer.frequency)
    stated: Mapping[str, Any] = {} if answer.question is None else {"question": answer.question, "answer": answer.reply}
    return {
        "image": answer.image,
        **stated,
        "netlist": answer.text,
        "canonical": answer.canonical,
        "solution": numbers,
        "transfer_function": None if found is None else {name: getattr(found, name) for name in Transfer.__slots__},
        "errors": list(answer.errors),
    }


def tell(answer: Answer) -> None:
    """The answer for a person, on standard output."""
    if answer.question is not None:
        typer.echo(f"the model's answer, unverified\n{indented(answer.reply or '')}\n")
    if answer.circuit is None or answer.canonical is None:
        typer.echo(f"the model's reply, which is no netlist\n{indented(answer.text)}")
        return
    typer.echo(f"netlist, as the model read it\n{indented(netlist.format(answer.circuit, renumber=False))}")
    if answer.solution is not None:
        tell_solution(answer.circuit, answer.solution, frequency=answer.frequency)
    if answer.transfer is not None:
        tell_transfer(answer.transfer)


def tell_solution(circuit: Circuit, solution: Solution, *, frequency: float) -> None:
    typer.echo(f"\n{f'at {frequency:g} Hz' if frequency else 'operating point'}, solved from that netlist")
    show.solution(circuit, solution, frequency=frequency)


def tell_transfer(found: Transfer) -> None:
    typer.echo(f"\ntransfer function from {harmless(found.source)} to {harmless(found.output)}, from that netlist")
    typer.echo(indented(f"H(s) = {found.symbolic}"))
    if found.valued != found.symbolic:
        typer.echo(indented(f"     = {found.valued}"))


def indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in harmless(text).splitlines())


def harmless(text: str) -> str:
    """The text without what a terminal would obey: a model's words may hold escape sequences."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text.expandtabs())


def reason(error: Exception) -> str:
    """An error's own words; a KeyError's come in quotation marks."""
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)


def _transfer(circuit: Circuit, wanted: Wanted) -> Transfer | None:
    if wanted.source is None or wanted.output is None:
        return None
    return transfer(circuit, source=wanted.source, output=wanted.output)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _numbers(inner)
    else:
        yield value


def _try(what: str, work: Callable[..., T], circuit: Circuit | None, *more: Any, errors: list[str]) -> T | None:
    """What a solver finds, or None with its reason among the errors: a model may have read anything."""
    if circuit is None:
        return None
    try:
        return work(circuit, *more)
    except (ValueError, KeyError) as error:
        errors.append(f"{what}: {reason(error)}")
        return None
