"""Which commands need a model? ask and chat, with images; export and merge, which are one, with a trained run.

They import torch and transformers when they run, not before: help texts come at once.
"""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from circuitvlm.circuit import netlist
from circuitvlm.core.record import Picture
from circuitvlm.runtime.progress import bar, setup_logging
from circuitvlm.serving import answer as answers
from circuitvlm.serving.chat import HELP, Chat
from circuitvlm.serving.fetch_image import fetch_image
from circuitvlm.serving.shell import Frequency, Precision, told

if TYPE_CHECKING:
    from circuitvlm.serving.respond import Respondent

BASE = "weights/circuit-tiny"
"""Asked where no model is named: the small base that the project has trained itself."""

_MODEL_HELP = f"A run's folder, an adapter's, a checkpoint's, or a name on the hub; by default {BASE}."
Model = Annotated[str | None, typer.Option(metavar="WHAT", help=_MODEL_HELP)]
Adapter = Annotated[
    str | None,
    typer.Option(metavar="WHAT", help="A run's folder or an adapter's: on --model, or on the base it was trained on."),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option("--max-new-tokens", min=1, max=8192, metavar="N", help="By default as the model was trained."),
]
FourBit = Annotated[bool, typer.Option("--four-bit", help="Quantize the base to nf4 while it loads.")]
Private = Annotated[bool, typer.Option("--allow-private", help="Also URLs on private networks and this machine.")]


def ask(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Image files, or http(s) addresses.")],
    question: Annotated[str | None, typer.Option(metavar="TEXT", help="Also ask the model this, in words.")] = None,
    model: Model = None,
    adapter: Adapter = None,
    frequency: Frequency = 0.0,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="A source, as V1: with --output, the transfer function.")
    ] = None,
    output: Annotated[str | None, typer.Option(metavar="WHERE", help="C1, or a node, or v(2,3).")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each image.")] = False,
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
    """Ask a model for the circuit in an image, and solve what it read.

    The model is asked for the netlist, in the words that it was trained with; voltages, currents and the transfer
    function are computed exactly from that netlist. Where --question is asked too, its answer in words stands beside
    these. For several images, the files of --deck and --redraw are numbered: out-1.png, out-2.png.
    Exit code 0: done. 1: an answer cannot be read or solved. 2: bad input.

    \b
    circuitvlm ask circuit.png
    circuitvlm ask circuit.png --adapter runs/tiny_circuits/plain-44136fa3 --redraw understood.png
    circuitvlm ask a.png b.png --json --frequency 1k --source V1 --output C1
    circuitvlm ask https://example.org/circuit.png --model Qwen/Qwen2-VL-2B-Instruct --question 'What is V(2)?'
    """
    with told(), ExitStack() as stack:
        if (source is None) != (output is None):
            raise ValueError("--source and --output go together: the transfer function is from one to the other")
        if not 0 <= frequency < float("inf"):
            raise ValueError(f"--frequency {frequency:g}; wanted 0 or more hertz")
        wanted = answers.Wanted(frequency=frequency, source=source, output=output, question=question)
        _refuse_lost(deck, redraw)
        folder = Path(stack.enter_context(TemporaryDirectory()))
        pictures = [fetch_image(image, folder=folder, allow_private=allow_private) for image in images]
        respondent = _respondent(model, adapter, max_new_tokens=max_new_tokens, four_bit=four_bit)
        failed = False
        for number, (image, picture) in enumerate(zip(images, bar(pictures, label="asking"), strict=True), start=1):
            found = answers.answer(respondent, picture, wanted, image=image)
            at = number if len(images) > 1 else None
            errors = [*found.errors, *_files(found, picture, deck=_numbered(deck, at), redraw=_numbered(redraw, at))]
            failed = failed or bool(errors)
            if json:
                typer.echo(json_text.dumps({**answers.body(found), "errors": errors}))
            else:
                if len(images) > 1:
                    typer.echo(f"{'' if number == 1 else chr(10)}== {answers.harmless(image)}")
                answers.tell(found)
            for error in errors:
                typer.echo(f"circuitvlm: {answers.harmless(image)}: {answers.harmless(error)}", err=True)
    raise typer.Exit(1 if failed else 0)


def chat(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="An image file, or an http(s) address.")],
    model: Model = None,
    adapter: Adapter = None,
    max_new_tokens: MaxNewTokens = None,
    four_bit: FourBit = False,
    allow_private: Private = False,
) -> None:
    """Talk with a model about the circuit in an image, line by line.

    A line is a question; /netlist, /solve, /tf, /draw and others, which /help lists, say what follows exactly from the
    netlist that the model reads. Lines may come through a pipe. Ctrl-D ends.

    \b
    circuitvlm chat circuit.png
    circuitvlm chat circuit.png --adapter runs/tiny_circuits/plain-44136fa3
    printf '/netlist\\n/solve 1k\\n' | circuitvlm chat circuit.png
    """
    with told(), TemporaryDirectory() as name:

        def fetch(what: str) -> Picture:
            return fetch_image(what, folder=Path(name), allow_private=allow_private)

        picture = fetch(image)
        respondent = _respondent(model, adapter, max_new_tokens=max_new_tokens, four_bit=four_bit)
        talk = Chat(respondent, picture, fetch=fetch)
        if sys.stdin.isatty():
            typer.echo(HELP, err=True)
        talk.run(_lines())


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, or of its adapter.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    dtype: Annotated[Precision, typer.Option(help="Of the written weights.")] = Precision.BFLOAT16,
    dequantize: Annotated[
        bool, typer.Option("--dequantize", help="Of an nf4 or int8 base: give it full numbers back, then merge.")
    ] = False,
) -> None:
    """Write a trained run as a plain Hugging Face folder: weights, tokenizer, chat template and image processor.

    `export` and `merge` are one command. LoRA updates are merged into the base. A quantized base needs --dequantize:
    merging into rounded weights would lose the updates. At the end the written model's logits are compared with the
    run's own, on a few of its validation questions.

    \b
    circuitvlm export runs/tiny_base/plain-44136fa3 weights/circuit-tiny
    circuitvlm merge runs/tiny_circuits/plain-44136fa3 merged --dequantize --dtype float32
    """
    with told():
        setup_logging()
        from circuitvlm.serving.export import export_run  # torch and transformers: seconds

        drift = export_run(run, out, dtype=dtype.value, dequantize=dequantize)
        size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 1e6
        typer.echo(f"{out}: {size:.1f} MB, {dtype.value}\n{drift}")


def _respondent(model: str | None, adapter: str | None, *, max_new_tokens: int | None, four_bit: bool) -> Respondent:
    """The model, loaded; its notes go to standard error."""
    setup_logging()
    from circuitvlm.serving.load import load  # torch and transformers: seconds

    chosen = model or ("" if adapter else BASE)
    return load(chosen, adapter=adapter, max_new_tokens=max_new_tokens, four_bit=four_bit)


def _lines() -> Iterator[str]:
    """What the person types, with a prompt at a terminal, or the lines of a pipe."""
    prompt = "> " if sys.stdin.isatty() else ""
    while True:
        try:
            yield input(prompt)
        except EOFError:
            return


def _numbered(path: Path | None, number: int | None) -> Path | None:
    return path if path is None or number is None else path.with_name(f"{path.stem}-{number}{path.suffix}")


def _refuse_lost(*files: Path | None) -> None:
    """A folder that is not there is told before the model is loaded."""
    for file in files:
        if file is not None and not file.parent.is_dir():
            raise ValueError(f"{file}: there is no folder {file.parent}")


def _files(found: answers.Answer, picture: Picture, *, deck: Path | None, redraw: Path | None) -> list[str]:
    """Writes the files that are wanted; what keeps a circuit from being written or drawn is returned."""
    errors = []
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
