"""Define the command ask: a model's answer about images, solved where it is a circuit.

torch and transformers are imported when the command runs, so that its help text appears at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from circuitvlm.circuit import netlist
from circuitvlm.core.record import Picture
from circuitvlm.runtime.progress import bar
from circuitvlm.serving import circuit_answer, task_answer
from circuitvlm.serving.circuit_answer import CircuitAnswer, CircuitRequest
from circuitvlm.serving.cli import model as model_command
from circuitvlm.serving.cli.common import Frequency, exit_on_error, numbered_path, print_error
from circuitvlm.serving.cli.model import Adapter, AllowPrivate, FourBit, MaxNewTokens, Model
from circuitvlm.serving.fetch_image import fetch_image
from circuitvlm.serving.text import echo, escape

if TYPE_CHECKING:
    from circuitvlm.serving.predictor import Predictor


def ask(
    images: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", help="Image files, or http(s) addresses.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A task of the run, or for a checkpoint: netlist, extract, extract_tokens or digit. "
            "With --task question, only --question is asked. A wrong name lists the tasks.",
        ),
    ] = None,
    question: Annotated[str | None, typer.Option(metavar="TEXT", help="A question in free text.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="One of the answers to choose from. Repeat the option for each answer."),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="With extract: complete JSON that was cut off, and report it on standard error."),
    ] = False,
    model: Model = None,
    adapter: Adapter = None,
    frequency: Frequency = 0.0,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The source of a transfer function, such as V1."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE", help="The output of the transfer function: a device such as C1, a node, or v(2,3)."
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line for each image: the reply and the results.")
    ] = False,
    deck: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a SPICE deck of the circuit that the model read.")
    ] = None,
    redraw: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a PNG with the image and the circuit side by side.")
    ] = None,
    max_new_tokens: MaxNewTokens = None,
    four_bit: FourBit = False,
    allow_private: AllowPrivate = False,
) -> None:
    """Ask a model about images. A circuit is solved, and the fields of a receipt are printed as JSON.

    Without --task the model runs the task that it was trained for.
    For a circuit it writes the netlist. Voltages, currents and the transfer function are then computed exactly from it.
    The answer to --question is printed with these results. It is not verified.
    For a receipt (task extract) only JSON is printed, on one line.
    With several images, null is printed for a receipt whose reply has no JSON.
    For every other task the reply is printed.
    For several images the files of --deck and --redraw are numbered: out-1.png, out-2.png.
    Exit code 0: success. 1: an answer cannot be read or solved; standard error has the reason. 2: bad input.

    \b
    Examples:
    circuitvlm ask circuit.png
    circuitvlm ask circuit.png --adapter runs/tiny_circuits/plain-44136fa3 --redraw understood.png
    circuitvlm ask a.png b.png --json --frequency 1k --source V1 --output C1
    circuitvlm ask receipt.jpg --model runs/llava_cord_qlora/plain-44136fa3 | jq .total.total_price
    circuitvlm ask receipt.jpg --model llava-hf/llava-1.5-7b-hf --task extract --repair > receipt.json
    circuitvlm ask https://example.org/circuit.png --model Qwen/Qwen2-VL-2B-Instruct --question 'What is V(2)?'
    circuitvlm ask --model runs/lavin_7b/plain-44136fa3 --question 'Which is a metal?' --option zinc --option wood
    """
    with exit_on_error(), TemporaryDirectory() as folder:
        if (source is None) != (output is None):
            raise ValueError(f"--source and --output: expected both or neither, got {source!r} and {output!r}")
        if not 0 <= frequency < float("inf"):
            raise ValueError(f"--frequency: expected 0 or a positive number of hertz, got {frequency:g}")
        if not images and question is None:
            raise ValueError("ask: expected an image, --question TEXT, or both, got neither")
        for file in (deck, redraw):
            if file is not None and not file.parent.is_dir():
                raise ValueError(f"{file}: expected a file in an existing folder, got the folder {file.parent}")
        options = option or ()
        names = images or []
        pictures = [fetch_image(name, folder=Path(folder), allow_private=allow_private) for name in names]
        predictor = model_command.load_predictor(model, adapter, max_new_tokens=max_new_tokens, four_bit=four_bit)
        if repair:
            predictor.enable_repair()
        if names and predictor.asks_netlist(task, question=question, options=options):
            request = CircuitRequest(frequency=frequency, source=source, output=output, question=question)
            has_errors = _ask_circuits(predictor, names, pictures, request, json=json, deck=deck, redraw=redraw)
        else:
            circuit_options = {"--frequency": frequency, "--source": source, "--deck": deck, "--redraw": redraw}
            if ineffective_options := [name for name, value in circuit_options.items() if value]:
                raise ValueError(f"{', '.join(ineffective_options)}: expected the netlist task; give --task netlist")
            task_name = predictor.select_task(task, question=question, options=options)
            has_errors = _ask_task(predictor, task_name, names, pictures, question=question, options=options, json=json)
    raise typer.Exit(1 if has_errors else 0)


def _ask_circuits(
    predictor: Predictor,
    names: Sequence[str],
    pictures: Sequence[Picture],
    request: CircuitRequest,
    *,
    json: bool,
    deck: Path | None,
    redraw: Path | None,
) -> bool:
    """Print the answer about each image, and write its files. Returns whether an answer has errors."""
    has_errors = False
    for number, (name, picture) in enumerate(zip(names, bar(pictures, label="asking"), strict=True), start=1):
        answer = circuit_answer.answer_request(predictor, picture, request, image=name)
        file_number = number if len(names) > 1 else None
        files = [file and numbered_path(file, file_number) for file in (deck, redraw)]
        errors = [*answer.errors, *_write_files(answer, picture, *files)]
        has_errors = has_errors or bool(errors)
        if json:
            echo(task_answer.json_line({**circuit_answer.as_dict(answer), "errors": errors}))
        else:
            if file_number is not None:
                echo(f"{'' if number == 1 else chr(10)}== {escape(name)}")
            circuit_answer.print_answer(answer)
        for error in errors:
            print_error(f"{name}: {error}")
    return has_errors


def _ask_task(
    predictor: Predictor,
    task_name: str,
    names: Sequence[str],
    pictures: Sequence[Picture],
    *,
    question: str | None,
    options: Sequence[str],
    json: bool,
) -> bool:
    """Print the reply about each image, or the one without an image. Returns whether a reply cannot be read."""
    inputs: list[tuple[str | None, Picture | None]] = [*zip(names, pictures, strict=True)] or [(None, None)]
    has_errors = False
    for name, picture in bar(inputs, label="asking"):
        answer = task_answer.answer_task(predictor, task_name, picture, image=name, question=question, options=options)
        has_errors = has_errors or bool(answer.errors)
        if json:
            echo(task_answer.json_line(task_answer.as_dict(answer)))
        else:
            task_answer.print_answer(answer, is_one_of_several=len(inputs) > 1)
        for error in answer.errors:
            print_error(f"{name or 'the question'}: {error}")
        if getattr(answer.parsed_value, "mended", "") == "repaired":
            print_error(f"{name or 'the question'}: the JSON was cut off and has been completed")
    return has_errors


def _write_files(answer: CircuitAnswer, picture: Picture, deck: Path | None, redraw: Path | None) -> list[str]:
    """Write the files about a circuit. Returns the errors of a circuit that cannot be written or drawn."""
    errors = []
    if deck is not None and answer.circuit is not None:
        try:
            text = netlist.deck(answer.circuit, f"ac {answer.frequency!r}" if answer.frequency else "op")
            deck.write_text(text, encoding="utf-8")
        except ValueError as error:
            errors.append(f"deck: {error}")
    if redraw is not None:
        try:
            redraw.write_bytes(circuit_answer.redraw(picture, answer.circuit, answer.text))
        except ValueError as error:
            errors.append(f"drawing: {error}")
    return errors
