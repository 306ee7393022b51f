"""Define the command doctor, which examines a run before it starts."""

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
from circuitvlm.serving import display
from circuitvlm.serving.cli.common import Json
from circuitvlm.serving.cli.doctor_page import print_page

if TYPE_CHECKING:
    from circuitvlm.training.doctor.doctor import Diagnosis


def doctor(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE", help="Settings as for `python train.py`, such as experiment=tiny_circuits seed=1."
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, max=1000, help="The number of samples to print. At least one micro-batch is examined.")
    ] = 4,
    ranks: Annotated[int, typer.Option(min=2, help="The number of devices in the estimates of memory.")] = 8,
    conf: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder of the project's settings.")] = Path("conf"),
    json: Json = False,
) -> None:
    """Examine a run before it starts: its samples, what is trained, its memory, and one training step.

    Only caches are written, such as drawings of circuits.
    smoke_test=true examines the settings with a small untrained model of the same family.
    Exit code 0: the run can start. 1: a fault was found. 2: settings are wrong, or weights or data are missing.

    \b
    Examples:
    circuitvlm doctor experiment=tiny_circuits
    circuitvlm doctor experiment=qwen2vl_qlora smoke_test=true trainer=cpu
    circuitvlm doctor experiment=lavin_7b model.weights=/models/llama-7b --samples 16 --ranks 4
    """
    setup_logging()
    from circuitvlm.runtime.config.check import check  # hydra takes time to load
    from circuitvlm.runtime.config.compose import compose
    from circuitvlm.runtime.entry import run as run_command

    results: list[tuple[Diagnosis, dict[str, Any]]] = []

    def examine_run() -> None:
        _silence_libraries()
        cfg = compose(overrides or [], config_dir=conf)
        check(cfg)
        from circuitvlm.training.assemble import Run  # torch and transformers take seconds to load
        from circuitvlm.training.doctor.doctor import examine, missing_files

        run = Run(cfg, base=cfg)
        if messages := missing_files(run):
            raise FileNotFoundError("\n".join(messages))
        run.check_parts()
        results.append((examine(run, show=samples, ranks=ranks), run.cfg))

    with redirect_stdout(sys.stderr):  # DeepSpeed logs to standard output, which is for the page or for JSON
        run_command(examine_run)
    diagnosis, settings = results[0]
    if json:
        display.print_json({**asdict(diagnosis), "fit": not diagnosis.faults})
    else:
        print_page(diagnosis, settings)
    raise typer.Exit(1 if diagnosis.faults else 0)


def _silence_libraries() -> None:
    """Hide what libraries log while they load and build, which says nothing about the run."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    from transformers.utils.logging import disable_progress_bar  # transformers takes seconds to load

    disable_progress_bar()
