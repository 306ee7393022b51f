"""Define the options of commands that load a model, and the command export, which is also called merge.

torch and transformers are imported when a command runs, so that help texts appear at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from circuitvlm.runtime.progress import setup_logging
from circuitvlm.serving.cli.common import exit_on_error
from circuitvlm.serving.text import echo

if TYPE_CHECKING:
    from circuitvlm.serving.predictor import Predictor

DEFAULT_MODEL = "weights/circuit-tiny"
"""The small base model that is trained by this project and comes with it."""

Model = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help=f"A run's, adapter's or checkpoint's folder, or a name on the hub. By default {DEFAULT_MODEL}.",
    ),
]
Adapter = Annotated[
    str | None,
    typer.Option(
        metavar="ADAPTER",
        help="A run's or an adapter's folder. It is attached to --model, or to the base it was trained on.",
    ),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option(
        "--max-new-tokens",
        min=1,
        max=8192,
        metavar="N",
        help="The largest number of tokens in a reply. By default the model's own.",
    ),
]
FourBit = Annotated[bool, typer.Option("--four-bit", help="Quantize the base model to nf4 while it is loaded.")]
AllowPrivate = Annotated[
    bool, typer.Option("--allow-private", help="Also accept web addresses of private networks and of this machine.")
]


def load_predictor(model: str | None, adapter: str | None, *, max_new_tokens: int | None, four_bit: bool) -> Predictor:
    """Load the model of a command; log messages go to standard error."""
    setup_logging()
    from circuitvlm.serving.load import load  # torch and transformers take seconds to load

    return load(
        model or ("" if adapter else DEFAULT_MODEL), adapter=adapter, max_new_tokens=max_new_tokens, four_bit=four_bit
    )


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, or of its adapter.")],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    dtype: Annotated[Literal["bfloat16", "float32"], typer.Option(help="The dtype of the weights.")] = "bfloat16",
    dequantize: Annotated[
        bool, typer.Option("--dequantize", help="For an nf4 or int8 base: dequantize it, then merge.")
    ] = False,
) -> None:
    """Write a trained run as a plain Hugging Face folder.

    The folder has the weights, tokenizer, chat template and image processor. LoRA updates are merged into the base.
    A quantized base needs --dequantize, because quantized weights would lose the updates.
    At the end, the logits of the written model are compared with the run's, on a few validation questions.
    The commands export and merge are the same.

    \b
    Examples:
    circuitvlm export runs/tiny_base/plain-44136fa3 weights/circuit-tiny
    circuitvlm merge runs/tiny_circuits/plain-44136fa3 merged --dequantize --dtype float32
    """
    with exit_on_error():
        setup_logging()
        from circuitvlm.serving.export.export import export_run  # torch and transformers take seconds to load

        drift = export_run(run, folder, dtype=dtype, dequantize=dequantize)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        echo(f"{folder}: {size:.1f} MB, {dtype}\n{drift}")
