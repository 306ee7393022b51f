"""Which commands need a model? chat, with images or without; export and merge, which are one, with a trained run; ask
(ask_command.py).

They import torch and transformers when they run, not before: help texts come at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from circuitvlm.core.record import Picture
from circuitvlm.runtime.progress import setup_logging
from circuitvlm.serving.cli.chat import HELP, Chat
from circuitvlm.serving.cli.shell import Precision, told
from circuitvlm.serving.fetch_image import fetch_image

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


def chat(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|IMAGE",
            help="Folders of runs, adapters or checkpoints, at most one image file or http(s) address, or neither. "
            "run=NAME and image=NAME say which is which: run=OWNER/NAME is a model on the hub.",
        ),
    ] = None,
    model: Model = None,
    adapter: Adapter = None,
    max_new_tokens: MaxNewTokens = None,
    four_bit: FourBit = False,
    allow_private: Private = False,
) -> None:
    """Talk with a model about an image, or about none, line by line; or with several models side by side.

    A line is a question. /task asks as the model was trained to be asked; /netlist, /solve, /tf, /draw and others,
    which /help lists, say what follows exactly from the netlist that the model reads. Lines may come through a pipe.
    Ctrl-D ends. Beside several runs, --model is the base of each.

    \b
    circuitvlm chat circuit.png
    circuitvlm chat circuit.png --adapter runs/tiny_circuits/plain-44136fa3
    circuitvlm chat runs/lavin_7b/plain-44136fa3 runs/lavin_7b_cyclical/plain-44136fa3 magnets.png
    circuitvlm chat run=runs/lavin_7b/plain-44136fa3 run=runs/lavin_7b_step/plain-44136fa3
    printf '/netlist\\n/solve 1k\\n' | circuitvlm chat circuit.png
    """
    with told(), TemporaryDirectory() as name:

        def fetch(what: str) -> Picture:
            return fetch_image(what, folder=Path(name), allow_private=allow_private)

        runs: list[str] = []
        images: list[str] = []
        for word in words or ():
            (runs if _is_run(word) else images).append(word.removeprefix("run=").removeprefix("image="))
        _refuse_many(runs, images, adapter=adapter)
        picture = fetch(images[0]) if images else None
        named: dict[str, tuple[str | None, str | None]] = {run: (model or run, run if model else None) for run in runs}
        named = named or {"": (model, adapter)}
        talkers = {
            called: respondent(*what, max_new_tokens=max_new_tokens, four_bit=four_bit)
            for called, what in zip(_short(list(named)), named.values(), strict=True)
        }
        talk = Chat(talkers, picture, fetch=fetch)
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
        from circuitvlm.serving.export.export import export_run  # torch and transformers: seconds

        drift = export_run(run, out, dtype=dtype.value, dequantize=dequantize)
        size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 1e6
        typer.echo(f"{out}: {size:.1f} MB, {dtype.value}\n{drift}")


def respondent(model: str | None, adapter: str | None, *, max_new_tokens: int | None, four_bit: bool) -> Respondent:
    """The model, loaded; its notes go to standard error."""
    setup_logging()
    from circuitvlm.serving.load import load  # torch and transformers: seconds

    chosen = model or ("" if adapter else BASE)
    return load(chosen, adapter=adapter, max_new_tokens=max_new_tokens, four_bit=four_bit)


def _is_run(word: str) -> bool:
    """Whether a word of chat's names a model: it says so, or is a folder. All else is an image."""
    return word.startswith("run=") or (not word.startswith("image=") and Path(word).expanduser().is_dir())


def _refuse_many(runs: Sequence[str], images: Sequence[str], *, adapter: str | None) -> None:
    """Told before a model is loaded."""
    if len(images) > 1:
        raise ValueError(f"{' and '.join(images)} are no folders of runs, and so two images; wanted one at most")
    if runs and adapter:
        raise ValueError(f"--adapter {adapter} beside {' '.join(runs)}: name every run in the same way")
    if twice := sorted({run for run in runs if runs.count(run) > 1}):
        raise ValueError(f"{', '.join(twice)} twice; wanted different runs")


def _short(runs: Sequence[str]) -> list[str]:
    """What each is called: as little of the end of its path as tells it from the others."""
    paths = [Path(run).parts for run in runs]
    for length in range(1, max(map(len, paths), default=0) + 1):
        ends = ["/".join(parts[-length:]) for parts in paths]
        if len(set(ends)) == len(ends):
            return ends
    return list(runs)


def _lines() -> Iterator[str]:
    """What the person types, with a prompt at a terminal, or the lines of a pipe."""
    prompt = "> " if sys.stdin.isatty() else ""
    while True:
        try:
            yield input(prompt)
        except EOFError:
            return
