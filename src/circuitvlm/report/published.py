"""Read rows that others published on ScienceQA, audit them, and test their differences."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from circuitvlm.report.scienceqa import AVERAGE, GROUPS, TEST_SIZES, RowAudit, audit_row, number_range
from circuitvlm.report.significance import Interval, Verdict, holm, unpaired_gain, wilson
from circuitvlm.report.table import NO_VALUE, escape, table
from circuitvlm.runtime.spelling import suggestion

HEADER = ("name", *GROUPS, "source")
MAX_BYTES = 1_000_000
MAX_ROWS = 100
TEST_NOTE = (
    "These are unpaired tests of two shares, since it is not published which answers were right. They do not use that "
    "both models answered the same questions, which makes them conservative. A published row is one training run, and "
    "the noise of its training is in no interval, which makes them liberal."
)
"""What a reader of these tests has to know."""

_PER_CENT = re.compile(r"\d{1,3}(\.\d{1,6})?", re.ASCII)


class PublishedError(ValueError):
    """A file of published rows that cannot be read, or a row that it does not have; the message says where and why."""


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A published row: group -> share in per cent with its printed decimals, and group -> number of items."""

    name: str
    cells: Mapping[str, str]
    counts: Mapping[str, int]
    source: str = ""

    @property
    def has_average(self) -> bool:
        return AVERAGE in self.cells

    @property
    def average(self) -> Interval:
        """From 0 to 1, with Wilson's interval over the items. Raises KeyError for a row without an average."""
        count = self.counts[AVERAGE]
        return wilson(float(self.cells[AVERAGE]) / 100 * count, count)

    @property
    def audit(self) -> RowAudit:
        return audit_row(self.cells, sizes=self.counts)

    @property
    def audit_sentence(self) -> str:
        """Whether the cells can be shares of so many items, and of how many right answers."""
        audit, total = self.audit, self.counts[AVERAGE]
        right = number_range(audit.totals) if audit.totals else ""
        if audit.faults:
            agreement = f"; its other sums agree on {right} right answers" if right else ""
            return f"{self.name}: impossible as published: {'; '.join(audit.faults)}{agreement}."
        absent_groups = ", ".join(group for group in GROUPS if group not in self.cells)
        scope = f", by the published groups (without {absent_groups})" if absent_groups else ""
        return f"{self.name}: possible{scope}{f': {right} of {total:,} right' if right else ''}."


def read(path: Path) -> tuple[PublishedRow, ...]:
    """Rows of ScienceQA's test split from a CSV file with the columns name, the nine groups, and source.

    Shares are in per cent, with their printed decimals; an empty cell was not published. Raises PublishedError.
    """
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        problem = f"{path.stat().st_size:,} bytes" if path.is_file() else "no file"
        raise PublishedError(f"{path}: expected a CSV file of at most {MAX_BYTES:,} bytes, got {problem}")
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(text, newline=""), strict=True)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise PublishedError(f"{path}: expected a CSV file in UTF-8, got {error}") from error
    head, *body = lines or [[]]
    if tuple(head) != HEADER:
        raise PublishedError(f"{path}: expected the header {','.join(HEADER)}, got {','.join(head)[:200]!r}")
    rows = tuple(_row(line, f"{path}, row {number}") for number, line in enumerate(body, 1) if any(line))
    names = [row.name for row in rows]
    if repeated_names := sorted({name for name in names if names.count(name) > 1}):
        raise PublishedError(f"{path}: expected each name once, got {repeated_names[0]!r} twice")
    if not 1 <= len(rows) <= MAX_ROWS:
        raise PublishedError(f"{path}: expected 1 to {MAX_ROWS} rows, got {len(rows)} rows")
    return rows


def _row(line: Sequence[str], location: str) -> PublishedRow:
    if len(line) != len(HEADER):
        raise PublishedError(f"{location}: expected {len(HEADER)} cells ({','.join(HEADER)}), got {len(line)} cells")
    name, *shares, source = line
    cells = {group: cell for group, cell in zip(GROUPS, shares, strict=True) if cell}
    if not name or not cells:
        raise PublishedError(f"{location}: expected a name and at least one share, got {','.join(line)[:200]!r}")
    for group, cell in cells.items():
        if not _PER_CENT.fullmatch(cell) or float(cell) > 100:
            raise PublishedError(
                f"{location} ({name}): {group}: expected per cent such as 88.51, or an empty cell, got {cell[:40]!r}"
            )
    return PublishedRow(name, cells, TEST_SIZES, source)


def find_base(rows: Sequence[PublishedRow], name: str | None) -> PublishedRow:
    """The row of this name, or the first, among those with an average. Raises PublishedError where there is none."""
    bases = {row.name: row for row in rows if row.has_average}
    if not bases:
        raise PublishedError(f"expected a published row with an {AVERAGE}, got none in {len(rows)} rows")
    if name is None:
        return next(iter(bases.values()))
    if name not in bases:
        raise PublishedError(
            f"base: expected a published row with an {AVERAGE} ({', '.join(bases)}), got {name!r}."
            f"{suggestion(name, bases)}"
        )
    return bases[name]


def compare_rows(rows: Sequence[PublishedRow], base: PublishedRow) -> tuple[Verdict, ...]:
    """Compare the average of each other row that has one with the base's, unpaired."""
    compared_rows = [row for row in rows if row is not base and row.has_average]
    base_count = base.counts[AVERAGE]
    gains = [
        unpaired_gain(row.average.value, row.counts[AVERAGE], base.average.value, base_count) for row in compared_rows
    ]
    verdicts = []
    for row, gain, p in zip(compared_rows, gains, holm([gain.p for gain in gains]), strict=True):
        counts = " and ".join(f"{count:,}" for count in sorted({row.counts[AVERAGE], base_count}))
        verdicts.append(Verdict(row.name, base.name, gain, p, f"{counts} items"))
    return tuple(verdicts)


def published_table(rows: Sequence[PublishedRow]) -> str:
    """Markdown: the cells as they are printed, the average with its interval, and the source."""
    lines = []
    for row in rows:
        cells = [row.cells.get(group, NO_VALUE) for group in GROUPS]
        if row.has_average:
            cells[-1] += f" [{100 * row.average.low:.1f}, {100 * row.average.high:.1f}]"
        lines.append([escape(row.name), *cells, escape(row.source)])
    sizes = [f"{group} (n={rows[0].counts[group]})" for group in GROUPS]
    note = "In %, as published; the average with Wilson's 95 % interval over the items."
    return f"{table(['', *sizes, 'source'], lines)}\n\n{note}"


def audit_list(rows: Sequence[PublishedRow]) -> str:
    """Markdown: for each row whether its cells can be shares of so many items, and of how many right answers."""
    return "\n".join(f"- {escape(row.audit_sentence)}" for row in rows)
