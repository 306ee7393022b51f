"""How do several systems compare? One Markdown table a metric, with intervals and paired gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from circuitvlm.report.grade import Grades
from circuitvlm.report.significance import Interval, paired

NOTHING = "–"
"""What stands where there is no item to tell of."""


def comparison(rows: Mapping[str, Mapping[str, Grades]], *, notes: Mapping[str, str]) -> str:
    """Markdown: for each metric a row per system and a column per split, in per cent with 95 % intervals.

    The first row is the run itself; below each metric stands its paired gain over every other row, on the same items.
    A cell says "–" where a system has no score of that metric on that split. Raises ValueError where two systems did
    not answer the same items.
    """
    first = next(iter(rows))
    splits = list(rows[first])
    _refuse_other_items(rows, splits)
    metrics = dict.fromkeys(metric for split in splits for metric in rows[first][split].metrics())
    return "\n\n".join(_metric_table(metric, rows, splits, notes) for metric in metrics) + "\n"


def row(cells: Sequence[str]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def cell(grades: Grades, metric: str) -> str:
    """The mean of a metric with its interval, in per cent; "–" where nothing has been scored by it."""
    return percent(grades.interval(metric)) if grades.values(metric) else NOTHING


def percent(interval: Interval, *, sign: str = "") -> str:
    """An estimate and its interval in per cent, `sign` as in a format."""
    low, high = (format(100 * x, f"{sign}.1f") for x in (interval.low, interval.high))
    return f"{100 * interval.value:{sign}.1f} [{low}, {high}]"


def plain(text: str) -> str:
    """Text as it stands, in Markdown."""
    for sign in "\\`*_[]<>|#":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def _refuse_other_items(rows: Mapping[str, Mapping[str, Grades]], splits: Sequence[str]) -> None:
    first, *others = rows
    for name in others:
        for split in splits:
            if [i.id for i in rows[name][split].items] != [i.id for i in rows[first][split].items]:
                raise ValueError(
                    f"{name} and {first} did not answer the same items of {split}; a paired gain needs that"
                )


def _metric_table(
    metric: str, rows: Mapping[str, Mapping[str, Grades]], splits: Sequence[str], notes: Mapping[str, str]
) -> str:
    first, *others = rows
    counts = [len(rows[first][split].values(metric)) for split in splits]
    head = ["", *(f"{split} (n={n})" for split, n in zip(splits, counts, strict=True)), "training"]
    lines = [f"**{metric}**, % with 95 % interval", "", row(head), row(["---"] * len(head))]
    for name, grades in rows.items():
        lines.append(row([name, *(cell(grades[split], metric) for split in splits), notes.get(name, "")]))
    for name in others:
        gains = [_gain(rows[first][split], rows[name][split], metric) for split in splits]
        lines.append(row([f"*{first} − {name}*", *gains, "paired, points"]))
    return "\n".join(lines)


def _gain(new: Grades, old: Grades, metric: str) -> str:
    scores = new.values(metric), old.values(metric)
    return percent(paired(*scores), sign="+") if all(scores) else NOTHING
