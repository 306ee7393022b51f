"""What did others publish on ScienceQA, can it be, and which of its differences are more than chance?"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from circuitvlm.report.scienceqa import AVERAGE, GROUPS, TEST_SIZES, RowAudit, audit_row
from circuitvlm.report.significance import ALPHA, Comparison, Interval, holm, unpaired, wilson, word_of
from circuitvlm.report.table import NOTHING, plain, row
from circuitvlm.runtime.spelling import suggestion

HEADER = ("name", *GROUPS, "source")
MAX_BYTES = 1_000_000
MAX_ROWS = 100
CHANCE = (
    "Unpaired tests of two shares, since nobody published which were right: that both answered the same questions is "
    "left unused, which makes the tests cautious, but a published row is one training, whose own noise is in no "
    "interval, which makes them bold."
)
"""What a reader of such tests has to know."""

_PER_CENT = re.compile(r"\d{1,3}(\.\d{1,6})?", re.ASCII)


class PublishedError(ValueError):
    """A file of published rows that cannot be read, or a row that is not there; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Published:
    """A row that somebody published: shares in per cent by group, as they are printed, of so many items each."""

    name: str
    cells: Mapping[str, str]
    counts: Mapping[str, int]
    source: str = ""

    @property
    def has_average(self) -> bool:
        return AVERAGE in self.cells

    @property
    def average(self) -> Interval:
        """From 0 to 1, with Wilson's interval over the items; only of a row that has one."""
        count = self.counts[AVERAGE]
        return wilson(float(self.cells[AVERAGE]) / 100 * count, count)

    @property
    def audit(self) -> RowAudit:
        return audit_row(self.cells, sizes=self.counts)


@dataclass(frozen=True, slots=True)
class Beside:
    """A row beside a base: the gain in the average (-1 to 1), and its p-value after Holm's correction over all rows."""

    row: Published
    base: Published
    gain: Comparison
    p: float

    @property
    def sentence(self) -> str:
        """What a reader may take home."""
        counts = sorted({each.counts[AVERAGE] for each in (self.row, self.base)})
        items = " and ".join(f"{count:,}" for count in counts)
        word, base = word_of(self.gain, self.p), self.base.name
        said = f"{word} than {base}" if self.p < ALPHA else f"{word} from {base} at {items} items"
        size = f"{100 * self.gain.value:+.2f} points [{100 * self.gain.low:+.2f}, {100 * self.gain.high:+.2f}]"
        return f"{self.row.name}: {said}: {size}, p = {self.p:.3g} after Holm."


def read(path: Path) -> tuple[Published, ...]:
    """Rows of ScienceQA's test split from a CSV file with the columns name, the nine groups, and source.

    Shares are in per cent, with the decimals that are printed; an empty cell was not published. Raises PublishedError.
    """
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        raise PublishedError(f"{path}: wanted a CSV file of at most {MAX_BYTES:,} bytes")
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(text, newline=""), strict=True)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise PublishedError(f"{path}: {error}; wanted a CSV file in UTF-8") from error
    head, *body = lines or [[]]
    if tuple(head) != HEADER:
        raise PublishedError(f"{path}: the header is {','.join(head)[:200]!r}, wanted {','.join(HEADER)}")
    rows = tuple(_row(line, f"{path}, row {number}") for number, line in enumerate(body, 1) if any(line))
    names = [each.name for each in rows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PublishedError(f"{path}: the name {twice[0]!r} is there twice")
    if not 1 <= len(rows) <= MAX_ROWS:
        raise PublishedError(f"{path}: {len(rows)} rows, wanted 1 to {MAX_ROWS}")
    return rows


def _row(line: Sequence[str], where: str) -> Published:
    if len(line) != len(HEADER):
        raise PublishedError(f"{where}: {len(line)} cells, wanted {len(HEADER)}: {','.join(HEADER)}")
    name, *shares, source = line
    cells = {group: cell for group, cell in zip(GROUPS, shares, strict=True) if cell}
    if not name or not cells:
        raise PublishedError(f"{where}: wanted a name and at least one share")
    for group, cell in cells.items():
        if not _PER_CENT.fullmatch(cell) or float(cell) > 100:
            raise PublishedError(
                f"{where} ({name}): {group} is {cell[:40]!r}, wanted per cent such as 88.51, or nothing"
            )
    return Published(name, cells, TEST_SIZES, source)


def base_of(rows: Sequence[Published], name: str | None) -> Published:
    """The row of this name, or the first, of those that have an average. Raises PublishedError where there is none."""
    known = {each.name: each for each in rows if each.has_average}
    if not known:
        raise PublishedError(f"no published row has an {AVERAGE}, so none can be held against another")
    if name is None:
        return next(iter(known.values()))
    if name not in known:
        few, nearest = ", ".join(known), suggestion(name, known)
        raise PublishedError(f"no published row with an {AVERAGE} is called {name!r}; there are {few}.{nearest}")
    return known[name]


def against(rows: Sequence[Published], base: Published) -> tuple[Beside, ...]:
    """Each row that has an average beside the base's, unpaired."""
    others = [each for each in rows if each is not base and each.has_average]
    count, value = base.counts[AVERAGE], base.average.value
    gains = [unpaired(each.average.value, each.counts[AVERAGE], value, count) for each in others]
    corrected = holm([gain.p for gain in gains])
    return tuple(Beside(each, base, gain, p) for each, gain, p in zip(others, gains, corrected, strict=True))


def table_of(rows: Sequence[Published]) -> str:
    """Markdown: the cells as they are printed, the average with its interval, and where it was published."""
    sizes = [f"{group} (n={rows[0].counts[group]})" for group in GROUPS]
    lines = [row(["", *sizes, "source"]), row(["---"] * (len(GROUPS) + 2))]
    for each in rows:
        cells = [each.cells.get(group, NOTHING) for group in GROUPS]
        if each.has_average:
            cells[-1] += f" [{100 * each.average.low:.1f}, {100 * each.average.high:.1f}]"
        lines.append(row([plain(each.name), *cells, plain(each.source)]))
    return "\n".join([*lines, "", "% as published; of the average with Wilson's 95 % interval over the items."])


def findings(rows: Sequence[Published]) -> str:
    """Markdown: of each row whether its cells can be shares of so many items, and of how many right answers."""
    return "\n".join(f"- {plain(_finding(each))}" for each in rows)


def _finding(each: Published) -> str:
    found = each.audit
    if found.faults:
        rest = f"; its other sums agree on {_either(found.totals)} right answers" if found.totals else ""
        return f"{each.name}: cannot be as published: {'; '.join(found.faults)}{rest}."
    missing = [group for group in GROUPS if group not in each.cells]
    known = f", as far as it goes (without {', '.join(missing)})" if missing else ""
    total = f": {_either(found.totals)} of {each.counts[AVERAGE]:,} right" if found.totals else ""
    return f"{each.name}: possible{known}{total}."


def _either(totals: Sequence[int]) -> str:
    return f"{totals[0]:,}" if len(totals) == 1 else f"{totals[0]:,} to {totals[-1]:,}"
