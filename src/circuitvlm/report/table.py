"""How do several systems compare? One Markdown table a metric, with intervals and paired gains."""

from __future__ import annotations

from collections.abc import Mapping

from circuitvlm.report.grade import Grades
from circuitvlm.report.significance import Interval, paired


def comparison(rows: Mapping[str, Mapping[str, Grades]], *, notes: Mapping[str, str]) -> str:
    """Markdown: for each metric a row per system and a column per split, in per cent with 95 % intervals.

    The first row is the run itself; below each metric stands its paired gain over every other row, on the same items.
    """
    first = next(iter(rows))
    splits = list(rows[first])
    metrics = dict.fromkeys(metric for split in splits for metric in rows[first][split].metrics())
    return "\n\n".join(_metric_table(metric, rows, splits, notes) for metric in metrics) + "\n"


def _metric_table(
    metric: str, rows: Mapping[str, Mapping[str, Grades]], splits: list[str], notes: Mapping[str, str]
) -> str:
    first = next(iter(rows))
    counts = [len(rows[first][split].values(metric)) for split in splits]
    head = ["", *(f"{split} (n={n})" for split, n in zip(splits, counts, strict=True)), "training"]
    lines = [f"**{metric}**, % with 95 % interval", "", _line(head), _line(["---"] * len(head))]
    for name, grades in rows.items():
        cells = [_percent(grades[split].interval(metric)) for split in splits]
        lines.append(_line([name, *cells, notes.get(name, "")]))
    for name in list(rows)[1:]:
        for split in splits:
            if [i.id for i in rows[name][split].items] != [i.id for i in rows[first][split].items]:
                raise ValueError(
                    f"{name} and {first} did not answer the same items of {split}; a paired gain needs that"
                )
        gains = [paired(rows[first][s].values(metric), rows[name][s].values(metric)) for s in splits]
        lines.append(_line([f"*{first} − {name}*", *(_percent(gain, sign="+") for gain in gains), "paired, points"]))
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _percent(interval: Interval, *, sign: str = "") -> str:
    low, high = (format(100 * x, f"{sign}.1f") for x in (interval.low, interval.high))
    return f"{100 * interval.value:{sign}.1f} [{low}, {high}]"
