"""Define the command report, which writes a page about finished runs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from circuitvlm.runtime.folders.links import refuse_links
from circuitvlm.runtime.folders.run_folder import write_atomic
from circuitvlm.runtime.progress import setup_logging
from circuitvlm.serving.cli.common import exit_on_error
from circuitvlm.serving.text import echo

if TYPE_CHECKING:
    from circuitvlm.report.page import Page


def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER", exists=True, file_okay=False, help="Folders of runs, or folders that contain runs."
        ),
    ] = None,
    out_folder: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="Where to write. By default FOLDER/report, or runs/NAME for NAME.csv."
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The arm or published row to compare with. By default the unchanged experiment, or the first row.",
        ),
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Show only this split. Repeat the option for several.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="TASK/NAME", help="Show only this metric. Repeat the option for several."),
    ] = None,
    published_file: Annotated[
        Path | None,
        typer.Option(
            "--published",
            metavar="FILE",
            help="A CSV file of published results, such as experiments/lavin_published.csv.",
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The title of the page. By default the name of the folder.")
    ] = None,
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep",
            help="Write sweep.html with all trials, also failed and pruned ones, and the importance of each setting.",
        ),
    ] = False,
) -> None:
    """Write a page about finished runs, published results, or both.

    The page is report.html and report.md, with tables, verdicts and PNG files.
    Runs that differ only in their seed are one arm. Each arm is compared with the base by a paired test.
    The test is paired over seeds and items, and corrected for the number of arms.
    The items of published rows are not known, so their tests are unpaired.

    \b
    Examples:
    circuitvlm report runs/lavin_sweep --metric rationale_lavin/right
    circuitvlm report runs/tiny_circuits --sweep --metric validate/loss
    circuitvlm report --published experiments/lavin_published.csv
    """
    with exit_on_error():
        setup_logging()
        logging.getLogger("tensorboard").setLevel(logging.WARNING)  # it logs every file that it reads
        from circuitvlm.report.page import published_page, study_page  # matplotlib and tensorboard take a second
        from circuitvlm.report.published import read
        from circuitvlm.report.study import gather

        rows = read(published_file) if published_file else ()
        stem = published_file.stem if published_file else ""
        folder, name = (runs[0] / "report", runs[0].resolve().name) if runs else (Path("runs") / stem, stem)
        title = title or name
        if sweep:
            if base or published_file:
                raise ValueError(f"report --sweep: expected no --base or --published, got {base or published_file}")
            page = _sweep_page(runs or [], splits=split or [], metrics=metric or [], title=title)
        elif runs:
            study = gather(runs, base=base)
            page = study_page(study, title=title, splits=split or (), metrics=metric or (), published_rows=rows)
        elif not published_file:
            raise ValueError("report: nothing to report: expected folders of runs, --published FILE, or both, got none")
        elif split or metric:
            raise ValueError(
                f"report: expected folders of runs for --split and --metric, got {published_file} and no folder of runs"
            )
        else:
            page = published_page(rows, title=title, base=base)
        if runs and out_folder is None:
            refuse_links(folder, within=runs[0])
        _write(page, out_folder or folder, stem="sweep" if sweep else "report")


def _sweep_page(runs: Sequence[Path], *, splits: Sequence[str], metrics: Sequence[str], title: str) -> Page:
    from circuitvlm.report.sweep.page import sweep_page
    from circuitvlm.report.sweep.results import gather_sweep

    if not runs or max(len(splits), len(metrics)) > 1:
        raise ValueError(
            "report --sweep: expected folders of runs and at most one --split and one --metric, got "
            f"{list(map(str, runs))}, {splits} and {metrics}"
        )
    results = gather_sweep(runs, split=next(iter(splits), None), metric=next(iter(metrics), None))
    return sweep_page(results, title=title)


def _write(page: Page, folder: Path, *, stem: str) -> None:
    """Write a page as Markdown and HTML with its pictures, and print the files' names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in page.pictures.items():
        write_atomic(folder / name, data)
    write_atomic(folder / f"{stem}.md", page.markdown)
    write_atomic(folder / f"{stem}.html", page.html)
    count = len(page.pictures)
    echo(f"{folder / stem}.html, {folder / stem}.md and {count} picture{'s' * (count != 1)}")
