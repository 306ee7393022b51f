"""Write the page of a study: a Markdown text with PNG files, and the same as one HTML file."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
from markdown_it import MarkdownIt

from circuitvlm.report import figure
from circuitvlm.report.figure import Bar
from circuitvlm.report.grade import Grades
from circuitvlm.report.published import (
    TEST_NOTE,
    PublishedRow,
    audit_list,
    compare_rows,
    find_base,
    published_table,
)
from circuitvlm.report.scienceqa import AVERAGE, GROUPS
from circuitvlm.report.significance import Verdict, mean_over_runs
from circuitvlm.report.study import Arm, Study
from circuitvlm.report.table import NO_VALUE, code, cut_table, escape, percent, table
from circuitvlm.runtime.terminal import sanitize

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;font-size:14px;display:block;overflow-x:auto}
td,th{border-bottom:1px solid #ddd;padding:.3rem .6rem;text-align:left;white-space:nowrap}
img{max-width:100%}code{background:#f4f4f4;padding:0 .2rem}"""

_MAX_FILE_NAME = 100  # characters
_BOOTSTRAP_NOTE = (
    "Bootstrap over seeds and items, 4,000 draws, paired by item, and by seed where both have the same seeds."
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page as Markdown, and its pictures (PNG) by the names that the Markdown has for them."""

    title: str
    markdown: str
    pictures: Mapping[str, bytes]

    @property
    def html(self) -> str:
        """The whole page as one file, with its pictures. Markup in texts of runs and models is shown as text."""
        body = MarkdownIt("commonmark", {"html": False}).enable("table").render(self.markdown)
        for name, data in self.pictures.items():
            body = body.replace(f'src="{name}"', f'src="data:image/png;base64,{base64.b64encode(data).decode()}"')
        head = f'<meta charset="utf-8"><title>{html.escape(sanitize(self.title))}</title><style>{STYLE}</style>'
        return f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>\n"


def make_page(title: str, parts: Sequence[str], pictures: Mapping[str, bytes]) -> Page:
    """A page of Markdown parts below its title."""
    return Page(title, "\n\n".join([f"# {escape(title)}", *parts]) + "\n", pictures)


def study_page(
    study: Study,
    *,
    title: str,
    splits: Sequence[str] = (),
    metrics: Sequence[str] = (),
    published_rows: Sequence[PublishedRow] = (),
) -> Page:
    """The page of a study: for each split and metric a table, a verdict on each arm, and pictures.

    Without `splits` or `metrics`, the page has all that every run has. Published rows are compared with the base of the
    study, and with the first of them. Raises ValueError for a split or metric that some run lacks.
    """
    if not study.splits:
        raise ValueError("report: expected a split on which every run was graded, got none; name runs that share one")
    for split in splits:
        _check_known("split", split, study.splits)
    selection = [(split, metric) for split in splits or study.splits for metric in metrics or study.metrics(split)]
    if published_rows and len(selection) != 1:
        raise ValueError(
            f"report: expected one split and metric for published rows, got {len(selection)}; name them with --split "
            "and --metric"
        )
    parts = [_summary(study)]
    pictures: dict[str, bytes] = {}
    for split, metric in selection:
        _check_known("metric", metric, study.metrics(split))
        parts += _metric_parts(study, split, metric, published_rows, pictures)
    for name, picture, heading in (
        ("curves.png", figure.draw_curves(study), "Learning rate and training loss, the mean of each arm's seeds"),
        ("dropout.png", figure.draw_profiles(study), "Dropout of the adapter over depth"),
    ):
        if picture is not None:
            pictures[name] = picture
            parts += [f"## {heading}", f"![{heading}]({name})"]
    if published_rows:
        parts += _published_parts(published_rows, find_base(published_rows, None), pictures)
    return make_page(title, parts, pictures)


def published_page(rows: Sequence[PublishedRow], *, title: str, base: str | None = None) -> Page:
    """The page of published rows alone: the table, which rows are possible, and each compared with the base.

    The base is by default the first row. Raises PublishedError where there is no such base.
    """
    pictures: dict[str, bytes] = {}
    base_row = find_base(rows, base)
    summary = f"{len(rows)} published rows and no runs; the base is **{escape(base_row.name)}**."
    return make_page(title, [summary, *_published_parts(rows, base_row, pictures)], pictures)


def _summary(study: Study) -> str:
    lines = [f"{len(study.trials)} finished runs in {len(study.arms)} arms; the base is **{escape(study.base.name)}**."]
    lines += [
        f"- not in the tables: {code(str(folder))}, {escape(reason)}"
        for folder, reason in study.unfinished_runs.items()
    ]
    lines += [f"- {code(str(trial.folder))}: {escape(trial.early_end)}" for trial in study.trials if trial.early_end]
    return "\n\n".join(["\n".join(lines), *cut_table({str(trial.folder): trial.grades for trial in study.trials})])


def _metric_parts(
    study: Study, split: str, metric: str, published_rows: Sequence[PublishedRow], pictures: dict[str, bytes]
) -> list[str]:
    """The table, the verdicts, and their picture, which is added to `pictures`."""
    name = _file_name(f"{split}-{metric}", pictures)
    verdicts = study.verdicts(split, metric)
    values = study.base.values(split, metric)
    base = PublishedRow(study.base.name, {AVERAGE: f"{100 * np.mean(values):.6f}"}, {AVERAGE: len(values[0])})
    pictures[name] = figure.draw_shares(_bars(study, split, metric, verdicts), label=f"{metric} on {split}", seeds=True)
    return [
        f"## {escape(split)}: {escape(metric)}",
        _arm_table(study, split, metric, published_rows),
        *(_verdict_parts(verdicts, note=_BOOTSTRAP_NOTE, kind="arm") or ["There is only one arm."]),
        *_verdict_parts(compare_rows(published_rows, base), note=TEST_NOTE, kind="row"),
        f"![{escape(metric)} on {escape(split)}]({name})",
    ]


def _file_name(text: str, pictures: Mapping[str, bytes]) -> str:
    """The name of a new picture, of letters, digits, dots and hyphens; a number distinguishes it from the others."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:_MAX_FILE_NAME].lstrip(".")
    names = (f"{stem}{suffix}.png" for suffix in chain([""], map("-{}".format, count(2))))
    return next(name for name in names if name not in pictures)


def _arm_table(study: Study, split: str, metric: str, published_rows: Sequence[PublishedRow]) -> str:
    """A row per arm; the columns are ScienceQA's groups for its questions, else one for all items."""
    groups = _groups(study.arms[0], split, metric)
    rows = [[escape(arm.name), str(len(arm.trials)), *_share_cells(arm, split, metric)] for arm in study.arms]
    rows += [
        [f"*{escape(row.name)}*", "published", *(row.cells.get(group, NO_VALUE) for group in groups)]
        for row in published_rows
    ]
    head = ["arm", "seeds", *(f"{group} (n={len(scores[0])})" for group, scores in groups.items())]
    note = (
        "In %, with 95 % intervals: Student's over the means of the seeds where there are several, else over the items."
    )
    return f"{table(head, rows)}\n\n{note}"


def _share_cells(arm: Arm, split: str, metric: str) -> list[str]:
    return [percent(mean_over_runs(scores), decimals=2) for scores in _groups(arm, split, metric).values()]


def _groups(arm: Arm, split: str, metric: str) -> dict[str, list[list[float]]]:
    """Group -> for each seed the scores of its items; a group without items is left out."""
    task = metric.rpartition("/")[0]
    items = [[item for item in trial.grades[split].items if item.task == task] for trial in arm.trials]
    is_scienceqa = all("has_hint" in item.tags for of_seed in items for item in of_seed)
    scores = {
        group: [Grades(tuple(item for item in of_seed if belongs(item.tags))).values(metric) for of_seed in items]
        for group, belongs in GROUPS.items()
        if is_scienceqa or group == AVERAGE
    }
    return {group: of_seeds for group, of_seeds in scores.items() if all(of_seeds)}


def _verdict_parts(verdicts: Sequence[Verdict], *, note: str, kind: str) -> list[str]:
    """A sentence for each arm or row (`kind`), and a note on the tests; empty without verdicts."""
    if not verdicts:
        return []
    count = f"{len(verdicts)} {kind}{'s' * (len(verdicts) != 1)}"
    correction = f"The p-values are corrected by Holm's method for {count}, the intervals are not."
    return ["\n".join(f"- {escape(verdict.sentence)}" for verdict in verdicts), f"{note} {correction}"]


def _bars(study: Study, split: str, metric: str, verdicts: Sequence[Verdict]) -> list[Bar]:
    verdict_of = {verdict.name: verdict for verdict in verdicts}
    return [
        Bar(
            name=f"{arm.name}\N{NO-BREAK SPACE}({len(arm.trials)})",
            share=mean_over_runs(arm.values(split, metric)),
            verdict=verdict_of.get(arm.name),
        )
        for arm in study.arms
    ]


def _published_parts(rows: Sequence[PublishedRow], base: PublishedRow, pictures: dict[str, bytes]) -> list[str]:
    """The table, the audit, the verdicts, and their picture, which is added to `pictures`."""
    verdicts = compare_rows(rows, base)
    averages = {row.name: row.average for row in rows if row.has_average}
    bars = [Bar(base.name, base.average), *(Bar(v.name, averages[v.name], v) for v in verdicts)]
    pictures["published.png"] = figure.draw_shares(bars, label=f"published {AVERAGE}", seeds=False)
    return [
        "## Published rows",
        published_table(rows),
        "## Which of these rows are possible?",
        audit_list(rows),
        f"## Published rows compared with {escape(base.name)}",
        *_verdict_parts(verdicts, note=TEST_NOTE, kind="row"),
        "![Published averages, and their differences to the base](published.png)",
    ]


def _check_known(kind: str, name: str, known_names: Sequence[str]) -> None:
    if name not in known_names:
        raise ValueError(f"report: {kind}: expected one that every run has ({', '.join(known_names)}), got {name!r}")
