"""Which command makes a page of runs? report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from circuitvlm.runtime.folders.run_folder import write_atomic
from circuitvlm.runtime.progress import setup_logging
from circuitvlm.serving.cli.shell import told

if TYPE_CHECKING:
    from circuitvlm.report.page import Page


def report(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="[FOLDER..]", help="Runs, or folders that hold runs.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="By default FOLDER/report; without runs, runs/FILE's name.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="An arm, by default the experiment unchanged; without runs, a published row."
        ),
    ] = None,
    split: Annotated[list[str] | None, typer.Option(metavar="NAME", help="This split only; may be repeated.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="TASK/NAME", help="This metric only; may be repeated.")
    ] = None,
    published: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Rows of others as CSV, such as experiments/lavin_published.csv."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="By default the folder's name.")] = None,
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep", help="A table of all trials, failed and pruned ones too, and what decided; sweep.html."
        ),
    ] = False,
) -> None:
    """Make one page of finished runs, published rows, or both, as report.html, report.md and PNG files: tables,
    verdicts, pictures.

    Runs that differ by their seed alone are one arm. Each arm is held against the base with a paired test over seeds
    and items, corrected for the number of arms. Of published rows no items are known: their tests are unpaired.

    \b
    circuitvlm report runs/lavin_sweep --metric rationale_lavin/right
    circuitvlm report runs/tiny_circuits --sweep --metric validate/loss
    circuitvlm report --published experiments/lavin_published.csv
    """
    with told():
        setup_logging()
        logging.getLogger("tensorboard").setLevel(logging.WARNING)  # it tells of every log that it has read
        from circuitvlm.report.page import page_of, page_of_published  # matplotlib and tensorboard: a second
        from circuitvlm.report.published import read
        from circuitvlm.report.study import gather

        rows = read(published) if published else ()
        if sweep:
            if base or published:
                raise ValueError("report --sweep: --base and --published are of the page without --sweep")
            _tell(*_of_sweep(runs or [], split=split or [], metric=metric or [], title=title, out=out), stem="sweep")
            return
        if runs:
            _refuse_absent(runs)
            told_as, where = title or runs[0].resolve().name, out or runs[0] / "report"
            study = gather(runs, base=base)
            made = page_of(study, title=told_as, splits=split or (), metrics=metric or (), published=rows)
        elif published:
            if split or metric:
                raise ValueError("report: --split and --metric choose from runs, and no folder of runs was named")
            where = out or Path("runs") / published.stem
            made = page_of_published(rows, title=title or published.stem, base=base)
        else:
            raise ValueError("report: nothing to report; name folders of runs, or --published FILE, or both")
        _tell(made, where, stem="report")


def _of_sweep(
    runs: Sequence[Path], *, split: Sequence[str], metric: Sequence[str], title: str | None, out: Path | None
) -> tuple[Page, Path]:
    """The page of a sweep, and where it goes."""
    from circuitvlm.report.sweep.page import page_of_sweep
    from circuitvlm.report.sweep.results import gather_sweep

    if not runs or max(len(split), len(metric)) > 1:
        raise ValueError("report --sweep: name folders of runs, and at most one --split and one --metric")
    _refuse_absent(runs)
    found = gather_sweep(runs, split=next(iter(split), None), metric=next(iter(metric), None))
    return page_of_sweep(found, title=title or runs[0].resolve().name), out or runs[0] / "report"


def _refuse_absent(runs: Sequence[Path]) -> None:
    if absent := [str(path) for path in runs if not path.is_dir()]:
        raise ValueError(f"report: there is no folder {', '.join(absent)}; wanted those of runs")


def _tell(made: Page, where: Path, *, stem: str) -> None:
    """Write a page as Markdown and HTML, its pictures beside it, and say where."""
    where.mkdir(parents=True, exist_ok=True)
    for name, data in made.pictures.items():
        (where / name).write_bytes(data)
    write_atomic(where / f"{stem}.md", made.markdown)
    write_atomic(where / f"{stem}.html", made.html)
    count = len(made.pictures)
    typer.echo(f"{where / stem}.html, {where / stem}.md and {count} picture{'s' * (count != 1)}")
