"""Write tables in Markdown, among them the table that compares several systems."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from circuitvlm.report.grade import Grades, check_same_items
from circuitvlm.report.significance import Interval, paired_gain
from circuitvlm.runtime.terminal import sanitize

NO_VALUE = "–"
"""The text of a cell where no item has a value."""

_MAX_TAG_LENGTH = 60

_MARKUP = re.compile(r"[\\`*\[\]<>|#&$~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_LIST_MARK = re.compile(r"^(\d*)([-+.)])(?=\s|-|$)")
"""What Markdown reads as markup anywhere, and what it reads as a list or a rule at the start of a list's entry."""


def comparison(rows: Mapping[str, Mapping[str, Grades]], *, notes: Mapping[str, str]) -> str:
    """Markdown: for each metric a row per system and a column per split, in per cent with 95 % intervals.

    The first row is the run itself. Rows below the systems have its paired gain over each other system, on the same
    items. A cell is "–" where a system has no score of that metric on that split. A last table counts the replies that
    were cut, if there are any. Raises ValueError where two systems did not answer the same items.
    """
    check_same_items(rows)
    metrics = dict.fromkeys(metric for grades in next(iter(rows.values())).values() for metric in grades.metrics())
    return "\n\n".join([*(_metric_table(metric, rows, notes) for metric in metrics), *cut_table(rows)]) + "\n"


def cut_table(rows: Mapping[str, Mapping[str, Grades]]) -> Iterator[str]:
    """A table of the cut replies of each system and task, by split; nothing where no reply was cut."""
    splits = list(dict.fromkeys(split for grades in rows.values() for split in grades))
    cut_counts = {
        name: {split: grades[split].cut_counts() if split in grades else {} for split in splits}
        for name, grades in rows.items()
    }
    lines = [
        [escape(name), escape(task), *(str(counts[split].get(task, 0)) for split in splits)]
        for name, counts in cut_counts.items()
        for task in dict.fromkeys(task for of_split in counts.values() for task in of_split)
    ]
    if not lines:
        return
    yield f"**replies cut at max_new_tokens**\n\n{table(['', 'task', *map(escape, splits)], lines)}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, without a line end after it."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def cell(grades: Grades, metric: str) -> str:
    """The mean of a metric with its interval, in per cent; "–" where no item has a score of it."""
    return percent(grades.interval(metric)) if grades.values(metric) else NO_VALUE


def gain_cell(new: Sequence[float], old: Sequence[float]) -> str:
    """The mean of new - old over the same items with its interval, in points; "–" where there are no values."""
    return percent(paired_gain(new, old), sign="+") if new and old else NO_VALUE


def percent(interval: Interval, *, sign: str = "", decimals: int = 1) -> str:
    """An estimate with `decimals`, and its interval with one, in per cent; `sign` as in a format."""
    low, high = (f"{100 * bound:{sign}.1f}" for bound in (interval.low, interval.high))
    return f"{100 * interval.value:{sign}.{decimals}f} [{low}, {high}]"


def escape(text: str) -> str:
    """Markdown that shows the text as it is, on one line, in a paragraph, a list or a cell of a table.

    An underscore within a word and a dot within a number mean nothing in Markdown, and stay as they are.
    """
    return _LIST_MARK.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", sanitize(" ".join(text.split()))))


def code(text: str) -> str:
    """Markdown that shows the text as code, in one line. What would end it, or its cell, becomes a similar sign."""
    return f"`{sanitize(' '.join(text.split())).replace('`', chr(39)).replace('|', '¦')}`"


def tag_cell(value: str) -> str:
    """At most 60 characters of a tag as one cell of a table, since the tags of a data set may have any text."""
    return escape(" ".join(value.split())[:_MAX_TAG_LENGTH])


def parse_number(text: str) -> float | None:
    """The finite number that a text is, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _metric_table(metric: str, rows: Mapping[str, Mapping[str, Grades]], notes: Mapping[str, str]) -> str:
    (first_name, first), *further_rows = rows.items()
    head = ["", *(f"{escape(split)} (n={len(grades.values(metric))})" for split, grades in first.items()), "training"]
    lines = [
        [escape(name), *(cell(grades[split], metric) for split in first), escape(notes.get(name, ""))]
        for name, grades in rows.items()
    ]
    lines += [
        [
            f"*{escape(first_name)} − {escape(name)}*",
            *(gain_cell(first[split].values(metric), grades[split].values(metric)) for split in first),
            "paired, points",
        ]
        for name, grades in further_rows
    ]
    return f"**{escape(metric)}**, % with 95 % interval\n\n{table(head, lines)}"
