"""Read the circuit in an image with a model, and solve it exactly.

The text of the model is only parsed. What is solved, drawn and written is the circuit that the parser returns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.quantity import MAX_MAGNITUDE
from circuitvlm.circuit.solve import numeric
from circuitvlm.circuit.solve.numeric import Solution
from circuitvlm.core.record import Picture
from circuitvlm.serving import display
from circuitvlm.serving.cut_reply import CutReplyError
from circuitvlm.serving.text import echo, error_text, indent

if TYPE_CHECKING:  # torch takes seconds to load
    from circuitvlm.serving.predictor import Predictor

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitRequest:
    """What to compute for the circuit, and a question in free text.

    `frequency` is in hertz. The transfer function is that from `source` to `output`: a device, a node, or two nodes, as
    in `verdict.matches_circuit`.
    """

    frequency: float = 0.0
    source: str | None = None
    output: str | None = None
    question: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferText:
    """A transfer function as text: with the names of R, C and L as symbols, and with their values as numbers."""

    source: str
    output: str
    symbolic: str
    numeric: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitAnswer:
    """All results for one image. A result that could not be computed is None, and `errors` has the reason.

    `text` is the model's reply with the netlist, and `answer` its reply to the question; `cut`: whether one of them was
    cut.
    """

    image: str
    text: str
    cut: bool
    circuit: Circuit | None
    canonical: str | None
    frequency: float
    solution: Solution | None
    transfer: TransferText | None
    question: str | None
    answer: str | None
    errors: tuple[str, ...]


def answer_request(predictor: Predictor, picture: Picture, request: CircuitRequest, *, image: str) -> CircuitAnswer:
    """Predict the netlist, and the answer to a question, and solve the circuit. Raises ValueError for bad images only.

    `image` is the name of the picture in the answer.
    """
    errors: list[str] = []
    answer = circuit = None
    cut = False
    try:
        text = predictor.predict_netlist(picture)
        circuit = predictor.netlist_task.read(text)
        errors += [] if circuit is not None else [f"netlist: {parse_error(text)}"]
    except CutReplyError as error:  # what is left of it may be another circuit
        text, cut = error.text, True
        errors.append(f"netlist: {error}")
    try:
        answer = None if request.question is None else predictor.answer_question(picture, request.question)
    except CutReplyError as error:
        answer, cut = error.text, True
        errors.append(f"question: {error}")
    return CircuitAnswer(
        image=image,
        text=text,
        cut=cut,
        circuit=circuit,
        frequency=request.frequency,
        canonical=_compute("canonical form", netlist.format, circuit, errors=errors),
        solution=_compute("solution", solve, circuit, request.frequency, errors=errors),
        transfer=None
        if request.source is None or request.output is None
        else _compute("transfer function", derive_transfer, circuit, request.source, request.output, errors=errors),
        question=request.question,
        answer=answer,
        errors=tuple(errors),
    )


def parse_error(text: str) -> str:
    """Why a reply is not a netlist."""
    try:
        netlist.parse(text)
    except netlist.NetlistError as error:
        return str(error)
    return "the task does not accept the reply as a netlist"


def redraw(picture: Picture, circuit: Circuit | None, text: str) -> bytes:
    """A PNG with the picture and the circuit side by side; without a circuit, why the reply is not a netlist.

    Raises ValueError for a circuit that cannot be drawn.
    """
    from circuitvlm.serving.comparison_image import comparison_image  # matplotlib takes a second to load

    message = "" if circuit is not None else f"no netlist: {parse_error(text)}"
    return comparison_image(picture.open(), circuit, message=message)


def solve(circuit: Circuit, frequency: float) -> Solution:
    """Solve as `numeric.solve`, with its errors; ValueError also where a result is too large to be written."""
    solution = numeric.solve(circuit, frequency)
    try:
        numbers = list(_numbers(display.solution_dict(circuit, solution, frequency=frequency)))
    except ArithmeticError:  # the magnitude of a complex number overflows with an error, that of a float does not
        numbers = [math.inf]
    if large_numbers := [number for number in numbers if not abs(number) <= MAX_MAGNITUDE]:
        raise ValueError(
            f"voltages, currents and powers: expected at most {MAX_MAGNITUDE:g}, got {large_numbers[0]:g}; check the "
            "values of the netlist"
        )
    return solution


def derive_transfer(circuit: Circuit, source: str, output: str) -> TransferText:
    """The exact transfer function. Raises KeyError and ValueError as `symbolic.transfer_function` does."""
    from circuitvlm.circuit.solve.symbolic import transfer_function  # SymPy takes a second to load

    devices = (replace(d, value=None) if d.kind in "RCL" else d for d in circuit.devices)
    circuits = (replace(circuit, devices=tuple(devices)), circuit)
    symbolic, numbers = (str(transfer_function(c, source=source, output=output)) for c in circuits)
    return TransferText(source=source, output=output, symbolic=symbolic, numeric=numbers)


def as_dict(answer: CircuitAnswer) -> dict[str, Any]:
    """The answer for JSON, in plain containers. `netlist` is the reply of the model, unchanged."""
    circuit, solution, transfer = answer.circuit, answer.solution, answer.transfer
    return {
        "image": answer.image,
        **({} if answer.question is None else {"question": answer.question, "answer": answer.answer}),
        "netlist": answer.text,
        "cut": answer.cut,
        "canonical": answer.canonical,
        "solution": None
        if circuit is None or solution is None
        else display.solution_dict(circuit, solution, frequency=answer.frequency),
        "transfer_function": None
        if transfer is None
        else {
            "source": transfer.source,
            "output": transfer.output,
            "symbolic": transfer.symbolic,
            "valued": transfer.numeric,
        },
        "errors": list(answer.errors),
    }


def print_answer(answer: CircuitAnswer) -> None:
    """Print the answer for a person on standard output."""
    if answer.question is not None:
        echo(f"answer of the model, not verified\n{indent(answer.answer or '')}\n")
    if answer.circuit is None or answer.canonical is None:
        echo(f"reply of the model, which is not read as a netlist\n{indent(answer.text)}")
        return
    echo(f"netlist, as the model read it\n{indent(netlist.format(answer.circuit, renumber=False))}")
    if answer.solution is not None:
        print_solution(answer.circuit, answer.solution, frequency=answer.frequency)
    if answer.transfer is not None:
        print_transfer(answer.transfer)


def print_solution(circuit: Circuit, solution: Solution, *, frequency: float) -> None:
    """Print the solution below a title with the frequency."""
    analysis = f"phasors at {frequency:g} Hz" if frequency else "operating point"
    echo(f"\n{analysis}, computed from that netlist")
    display.print_solution(circuit, solution, frequency=frequency)


def print_transfer(transfer: TransferText) -> None:
    """Print the transfer function with symbols, and with numbers where that is another text."""
    ports = f"from {transfer.source} to {transfer.output}"
    echo(f"\ntransfer function {ports}, computed from that netlist")
    echo(indent(f"H(s) = {transfer.symbolic}"))
    if transfer.numeric != transfer.symbolic:
        echo(indent(f"     = {transfer.numeric}"))


def _numbers(value: Any) -> Iterator[float]:
    """All numbers in nested mappings."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _numbers(inner)
    else:
        yield value


def _compute(
    name: str, function: Callable[..., T], circuit: Circuit | None, *arguments: Any, errors: list[str]
) -> T | None:
    """The result of the function; where it raises an error, None, and the reason is appended to `errors`."""
    if circuit is None:
        return None
    try:
        return function(circuit, *arguments)
    except (ValueError, KeyError) as error:
        errors.append(f"{name}: {error_text(error)}")
        return None
