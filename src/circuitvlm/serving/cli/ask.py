"""What does a model say to an image? The command `ask`: of a circuit all that follows from it, of a receipt its JSON.

torch and transformers are imported when it runs, not before: its help text comes at once.
"""

from __future__ import annotations

import json as json_text
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from circuitvlm.circuit import netlist
from circuitvlm.core.record import Picture
from circuitvlm.runtime.progress import bar
from circuitvlm.serving import answer as answers
from circuitvlm.serving import task_answer
from circuitvlm.serving.cli import model as model_command
from circuitvlm.serving.cli.model import Adapter, FourBit, MaxNewTokens, Model, Private
from circuitvlm.serving.cli.shell import Frequency, numbered, told
from circuitvlm.serving.fetch_image import fetch_image

if TYPE_CHECKING:
    from circuitvlm.serving.respond import Respondent


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How the answers about circuits are shown, and which files are written beside them."""

    json: bool
    deck: Path | None
    redraw: Path | None


def ask(
    images: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", help="Image files, or http(s) addresses.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What is asked: a task of the run, as it was trained; of a checkpoint netlist, extract, "
            "extract_tokens or digit; or question: --question by itself. A wrong name lists those there are.",
        ),
    ] = None,
    question: Annotated[str | None, typer.Option(metavar="TEXT", help="Ask the model this, in words.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="One of the answers to choose from; said for each.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Of extract: close JSON that was cut off, and say so.")
    ] = False,
    model: Model = None,
    adapter: Adapter = None,
    frequency: Frequency = 0.0,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="A source, as V1: with --output, the transfer function.")
    ] = None,
    output: Annotated[str | None, typer.Option(metavar="WHERE", help="C1, or a node, or v(2,3).")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line for each image: the reply and what was made of it.")
    ] = False,
    deck: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a SPICE deck of the circuit, made anew.")
    ] = None,
    redraw: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a PNG: the image, and beside it what was understood.")
    ] = None,
    max_new_tokens: MaxNewTokens = None,
    four_bit: FourBit = False,
    allow_private: Private = False,
) -> None:
    """Ask a model for what is in an image: the circuit, and solve what it read, or the fields of a receipt as JSON.

    A model is asked what it was trained for, unless --task says otherwise. Of a circuit it is asked the netlist, in
    the words that it was trained with; voltages, currents and the transfer function are computed exactly from that
    netlist, and the answer to --question stands beside these. Of a receipt (extract) nothing but the JSON goes to
    standard output, in one line; of several images null for each that gave none. Of all else it is the reply.
    For several images, the files of --deck and --redraw are numbered: out-1.png, out-2.png.
    Exit code 0: done. 1: an answer cannot be read or solved; standard error says what came. 2: bad input.

    \b
    circuitvlm ask circuit.png
    circuitvlm ask circuit.png --adapter runs/tiny_circuits/plain-44136fa3 --redraw understood.png
    circuitvlm ask a.png b.png --json --frequency 1k --source V1 --output C1
    circuitvlm ask receipt.jpg --model runs/llava_cord_qlora/plain-44136fa3 | jq .total.total_price
    circuitvlm ask receipt.jpg --model llava-hf/llava-1.5-7b-hf --task extract --repair > receipt.json
    circuitvlm ask https://example.org/circuit.png --model Qwen/Qwen2-VL-2B-Instruct --question 'What is V(2)?'
    circuitvlm ask --model runs/lavin_7b/plain-44136fa3 --question 'Which is a metal?' --option zinc --option wood
    """
    with told(), ExitStack() as stack:
        if (source is None) != (output is None):
            raise ValueError("--source and --output go together: the transfer function is from one to the other")
        if not 0 <= frequency < float("inf"):
            raise ValueError(f"--frequency {frequency:g}; wanted 0 or more hertz")
        if not images and question is None:
            raise ValueError("nothing to ask about: wanted an image, or --question TEXT, or both")
        wanted = answers.Wanted(frequency=frequency, source=source, output=output, question=question)
        shown = Shown(json=json, deck=deck, redraw=redraw)
        _refuse_lost(deck, redraw)
        folder = Path(stack.enter_context(TemporaryDirectory()))
        names = images or []
        pictures = [fetch_image(image, folder=folder, allow_private=allow_private) for image in names]
        respondent = model_command.respondent(model, adapter, max_new_tokens=max_new_tokens, four_bit=four_bit)
        if repair:
            respondent.repair()
        if names and respondent.asks_circuit(task, question=question, options=option or ()):
            failed = _circuits(respondent, names, pictures, wanted, shown=shown)
        else:
            _refuse_circuits(frequency, source, deck, redraw)
            asked = respondent.chosen(task, question=question, options=option or ())
            failed = _replies(respondent, asked, names, pictures, question=question, options=option or (), json=json)
    raise typer.Exit(1 if failed else 0)


def _circuits(
    respondent: Respondent, images: Sequence[str], pictures: Sequence[Picture], wanted: answers.Wanted, *, shown: Shown
) -> bool:
    """Tells the answer about each image; whether one of them is not what was wanted."""
    failed = False
    for number, (image, picture) in enumerate(zip(images, bar(pictures, label="asking"), strict=True), start=1):
        found = answers.answer(respondent, picture, wanted, image=image)
        errors = [*found.errors, *_files(found, picture, shown=shown, number=number if len(images) > 1 else None)]
        failed = failed or bool(errors)
        if shown.json:
            typer.echo(json_text.dumps({**answers.body(found), "errors": errors}))
        else:
            if len(images) > 1:
                typer.echo(f"{'' if number == 1 else chr(10)}== {answers.harmless(image)}")
            answers.tell(found)
        _tell_errors(image, errors)
    return failed


def _replies(
    respondent: Respondent,
    task: str,
    images: Sequence[str],
    pictures: Sequence[Picture],
    *,
    question: str | None,
    options: Sequence[str],
    json: bool,
) -> bool:
    """Tells the reply to a task for each image, or the one to none; whether one of them cannot be read."""
    about: list[tuple[str | None, Picture | None]] = [*zip(images, pictures, strict=True)] or [(None, None)]
    failed = False
    for image, picture in bar(about, label="asking"):
        found = task_answer.task_answer(respondent, task, picture, image=image, question=question, options=options)
        failed = failed or bool(found.errors)
        if json:
            typer.echo(task_answer.one_line(task_answer.body(found)))
        else:
            task_answer.tell(found, several=len(about) > 1)
        _tell_errors(image or "the question", found.errors)
        if getattr(found.read, "mended", "") == "repaired":
            typer.echo(
                f"circuitvlm: {answers.harmless(image or '')}: the JSON was cut off, and has been closed", err=True
            )
    return failed


def _tell_errors(image: str, errors: Sequence[str]) -> None:
    for error in errors:
        typer.echo(f"circuitvlm: {answers.harmless(image)}: {answers.harmless(error)}", err=True)


def _refuse_circuits(frequency: float, source: str | None, deck: Path | None, redraw: Path | None) -> None:
    """What is said of a circuit is not left out silently where none is asked for."""
    said = {"--frequency": frequency, "--source": source, "--deck": deck, "--redraw": redraw}
    if odd := [name for name, value in said.items() if value]:
        raise ValueError(f"{', '.join(odd)}: of circuits only, and no netlist is asked for; --task netlist asks for it")


def _refuse_lost(*files: Path | None) -> None:
    """A folder that is not there is told before the model is loaded."""
    for file in files:
        if file is not None and not file.parent.is_dir():
            raise ValueError(f"{file}: there is no folder {file.parent}")


def _files(found: answers.Answer, picture: Picture, *, shown: Shown, number: int | None) -> list[str]:
    """Writes the files that are wanted; what keeps a circuit from being written or drawn is returned."""
    errors = []
    deck, redraw = (None if file is None else numbered(file, number) for file in (shown.deck, shown.redraw))
    if deck is not None and found.circuit is not None:
        try:
            text = netlist.deck(found.circuit, f"ac {found.frequency!r}" if found.frequency else "op")
            deck.write_text(text, encoding="utf-8")
        except ValueError as error:
            errors.append(f"deck: {error}")
    if redraw is not None:
        from circuitvlm.serving.side_by_side import side_by_side  # matplotlib's fonts

        why = "" if found.circuit is not None else f"no netlist: {answers.why_unreadable(found.text)}"
        try:
            redraw.write_bytes(side_by_side(picture.open(), found.circuit, why=why))
        except ValueError as error:
            errors.append(f"drawing: {error}")
    return errors
