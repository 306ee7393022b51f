"""What does a study's page say? One Markdown text with pictures beside it, and the same as one HTML file."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markdown_it import MarkdownIt

from circuitvlm.report import figure
from circuitvlm.report.figure import Bar
from circuitvlm.report.grade import Grades
from circuitvlm.report.published import CHANCE, Beside, Published, against, base_of, findings, table_of
from circuitvlm.report.scienceqa import AVERAGE, GROUPS
from circuitvlm.report.significance import of_runs
from circuitvlm.report.study import Arm, Study, Verdict
from circuitvlm.report.table import NOTHING, plain, row

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;font-size:14px;display:block;overflow-x:auto}
td,th{border-bottom:1px solid #ddd;padding:.3rem .6rem;text-align:left;white-space:nowrap}
img{max-width:100%}code{background:#f4f4f4;padding:0 .2rem}"""


@dataclass(frozen=True, slots=True)
class Page:
    """A page as Markdown, and the pictures (PNG) that it names."""

    title: str
    markdown: str
    pictures: Mapping[str, bytes]

    @property
    def html(self) -> str:
        """The whole page as one file: the pictures are in it. What runs and models said is text there, never markup."""
        body = MarkdownIt("commonmark", {"html": False}).enable("table").render(self.markdown)
        for name, data in self.pictures.items():
            body = body.replace(f'src="{name}"', f'src="data:image/png;base64,{base64.b64encode(data).decode()}"')
        head = f'<meta charset="utf-8"><title>{html.escape(self.title)}</title><style>{STYLE}</style>'
        return f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>\n"


def page_of(
    study: Study,
    *,
    title: str,
    splits: Sequence[str] = (),
    metrics: Sequence[str] = (),
    published: Sequence[Published] = (),
) -> Page:
    """The page of a study: for each split and metric the table, what it says of each arm, and the pictures.

    Without `splits` or `metrics`, all that every run has. Published rows stand beside the base, and beside the first of
    them. Raises ValueError for a split or metric that some run lacks.
    """
    pictures: dict[str, bytes] = {}
    parts = [f"# {plain(title)}", _counts(study)]
    if not study.splits:
        raise ValueError("report: no split was graded by every run; name runs that share one")
    for split in splits:
        _refuse_unknown("split", split, study.splits)
    chosen = [(split, metric) for split in splits or study.splits for metric in metrics or study.metrics(split)]
    if published and len(chosen) != 1:
        raise ValueError(f"report: published rows are of one split and metric; choose them (there are {len(chosen)})")
    for split, metric in chosen:
        _refuse_unknown("metric", metric, study.metrics(split))
        name = f"{split}-{metric.replace('/', '-')}.png"
        verdicts = study.verdicts(split, metric)
        pictures[name] = figure.shares(_bars(study, split, metric, verdicts), label=f"{metric} on {split}", seeds=True)
        parts += [f"## {plain(split)}: {plain(metric)}", _table(study, split, metric, published)]
        parts += [_sentences(verdicts), *_beside_published(study, split, metric, published)]
        parts += [f"![{metric} on {split}]({name})"]
    for name, made, said in (
        ("curves.png", figure.curves(study), "Learning rate and training loss, the mean of each arm's seeds"),
        ("dropout.png", figure.profiles(study), "Dropout of the adapter over depth"),
    ):
        if made is not None:
            pictures[name] = made
            parts += [f"## {said}", f"![{said}]({name})"]
    if published:
        parts += _published(published, base_of(published, None), pictures)
    return Page(title, "\n\n".join(parts) + "\n", pictures)


def page_of_published(rows: Sequence[Published], *, title: str, base: str | None = None) -> Page:
    """The page of published rows alone: the table, which rows can be, and each beside the base, by default the first.

    Raises PublishedError where there is no such base.
    """
    pictures: dict[str, bytes] = {}
    chosen = base_of(rows, base)
    said = f"{len(rows)} published rows and no runs; the base is **{plain(chosen.name)}**."
    parts = [f"# {plain(title)}", said, *_published(rows, chosen, pictures)]
    return Page(title, "\n\n".join(parts) + "\n", pictures)


def _counts(study: Study) -> str:
    runs = sum(len(arm.trials) for arm in study.arms)
    said = [f"{runs} finished runs in {len(study.arms)} arms; the base is **{plain(study.base)}**."]
    said += [f"- not in the tables: `{folder}`, {plain(why)}" for folder, why in study.missing.items()]
    return "\n".join(said)


def _table(study: Study, split: str, metric: str, published: Sequence[Published]) -> str:
    """A row per arm; the columns are ScienceQA's groups where its questions were asked, else one for all items."""
    groups = _groups(study.arms[0], split, metric)
    sizes = {group: len(values[0]) for group, values in groups.items()}
    lines = [row(["arm", "seeds", *(f"{group} (n={n})" for group, n in sizes.items())])]
    lines.append(row(["---"] * (len(groups) + 2)))
    for arm in study.arms:
        shares = [of_runs(scores) for scores in _groups(arm, split, metric).values()]
        cells = [f"{100 * s.value:.2f} [{100 * s.low:.1f}, {100 * s.high:.1f}]" for s in shares]
        lines.append(row([plain(arm.name), str(len(arm.trials)), *cells]))
    for line in published:
        cells = [line.cells.get(group, NOTHING) for group in groups]
        lines.append(row([f"*{plain(line.name)}*", "published", *cells]))
    note = "% with 95 % interval: Student's over the seeds' means where there are several, else over the items."
    return "\n".join([*lines, "", note])


def _groups(arm: Arm, split: str, metric: str) -> dict[str, list[list[float]]]:
    """Group -> for each seed the scores of its items; a group without items is left out."""
    task = metric.rpartition("/")[0]
    found: dict[str, list[list[float]]] = {}
    items = [[item for item in trial.grades[split].items if item.task == task] for trial in arm.trials]
    asked = all("has_hint" in item.tags for seed in items for item in seed)
    for group, belongs in GROUPS.items() if asked else ((AVERAGE, lambda tags: True),):
        parts = [Grades(tuple(item for item in seed if belongs(item.tags))) for seed in items]
        scores = [part.values(metric) for part in parts]
        if all(scores):
            found[group] = scores
    return found


def _sentences(verdicts: Sequence[Verdict]) -> str:
    lines = [f"- {plain(verdict.sentence)}" for verdict in verdicts]
    told = (
        "Bootstrap over seeds and items, 4,000 draws, paired by item, and by seed where both have the same seeds. "
        f"The p-values are corrected by Holm over {len(verdicts)} arms, the intervals are not."
    )
    return "\n".join([*lines, "", told]) if lines else "There is one arm only."


def _bars(study: Study, split: str, metric: str, verdicts: Sequence[Verdict]) -> list[Bar]:
    found = {verdict.arm: verdict for verdict in verdicts}
    return [
        Bar(
            name=f"{arm.name}\N{NO-BREAK SPACE}({len(arm.trials)})",
            share=of_runs(arm.values(split, metric)),
            gain=found[arm.name].gain if arm.name in found else None,
            p=found[arm.name].p if arm.name in found else 1.0,
        )
        for arm in study.arms
    ]


def _beside_published(study: Study, split: str, metric: str, published: Sequence[Published]) -> list[str]:
    """Each published row beside the base."""
    values = study.arm(study.base).values(split, metric)
    base = Published(study.base, {AVERAGE: f"{100 * np.mean(values):.6f}"}, {AVERAGE: len(values[0])})
    return _unpaired(against(published, base))


def _unpaired(found: Sequence[Beside]) -> list[str]:
    if not found:
        return []
    return [
        "\n".join(f"- {plain(each.sentence)}" for each in found),
        f"{CHANCE} The p-values are corrected by Holm over {len(found)} rows, the intervals are not.",
    ]


def _published(rows: Sequence[Published], base: Published, pictures: dict[str, bytes]) -> list[str]:
    """The table, what can be, the sentences, and the picture, which is put to the others."""
    found = against(rows, base)
    bars = [Bar(base.name, base.average), *(Bar(each.row.name, each.row.average, each.gain, each.p) for each in found)]
    pictures["published.png"] = figure.shares(bars, label=f"published {AVERAGE}", seeds=False)
    parts = ["## Published rows", table_of(rows), "## Which of these rows can be?", findings(rows)]
    picture = "![Published averages, and their differences to the base](published.png)"
    return [*parts, f"## Published rows beside {plain(base.name)}", *_unpaired(found), picture]


def _refuse_unknown(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise ValueError(f"report: no {kind} {name!r} that every run has; there are {', '.join(known)}")
