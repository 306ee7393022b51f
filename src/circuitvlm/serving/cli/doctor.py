"""Which command looks at a run before it is started? doctor."""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from circuitvlm.runtime.progress import setup_logging
from circuitvlm.serving import show
from circuitvlm.serving.cli.doctor_page import page

if TYPE_CHECKING:
    from circuitvlm.training.doctor.doctor import Diagnosis

CONF = Path("conf")


def doctor(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE..]", help="As behind `python train.py`: experiment=.. model.max_tokens=.."),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, max=1000, help="Shown; looked at are more, a micro-batch of them.")
    ] = 4,
    ranks: Annotated[int, typer.Option(min=2, help="For how many devices memory is estimated.")] = 8,
    conf: Annotated[Path, typer.Option(metavar="FOLDER", help="The project's folder of settings.")] = CONF,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """Look at a run before it is started: what it reads, is taught, trains and holds; one step of it; a verdict.

    It writes nothing but caches, such as drawings of circuits. Exit code 0: fit to be started. 1: a fault was found.
    2: the settings are wrong, or weights or data are missing; standin=true looks at the recipe on a small untrained
    model of its family.

    \b
    circuitvlm doctor experiment=tiny_circuits
    circuitvlm doctor experiment=qwen2vl_qlora standin=true trainer=cpu
    circuitvlm doctor experiment=lavin_7b model.weights=/models/llama-7b --samples 16 --ranks 4
    """
    setup_logging()
    from circuitvlm.runtime.config.check import check  # hydra
    from circuitvlm.runtime.config.compose import compose
    from circuitvlm.runtime.entry import run as told

    found: list[tuple[Diagnosis, dict[str, Any]]] = []

    def look() -> None:
        _hush()
        cfg = compose(overrides or [], config_dir=conf)
        check(cfg)
        from circuitvlm.training.assemble import Run  # torch and transformers: seconds
        from circuitvlm.training.doctor.doctor import examine, missing

        run = Run(cfg, base=cfg)
        if lost := missing(run):
            raise FileNotFoundError("\n".join(lost))
        run.refuse_unfit()
        found.append((examine(run, show=samples, ranks=ranks), run.cfg))

    with redirect_stdout(sys.stderr):  # DeepSpeed logs to standard output, which is the page's or JSON's alone
        told(look, config_dir=conf)
    made, settings = found[0]
    if json:
        show.as_json({**asdict(made), "fit": not made.faults})
    else:
        page(made, settings)
    raise typer.Exit(1 if made.faults else 0)


def _hush() -> None:
    """Silence what libraries say of themselves while they load and build: it is no finding about the run."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    from transformers.utils.logging import disable_progress_bar  # transformers: seconds

    disable_progress_bar()
