"""Check that names of runs, tasks, labels and tags are shown as text in every table, page and picture."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from circuitvlm.report.breakdown import breakdown
from circuitvlm.report.confusion import confusion
from circuitvlm.report.grade import Grades, Item
from circuitvlm.report.page import make_page
from circuitvlm.report.table import code, comparison, escape, table, tag_cell

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a | b | c",
    "**bold** _it_ `code`",
    "[link](javascript:alert(1))",
    "![image](http://x/y.png)",
    "line\nbreak\r\n| x |",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "&lt;b&gt; &amp;",
    "back\\slash\\",
    "# heading",
    "$\\frac{1}{0}$ costs $5",
    "\ud800",
    "``` fence",
    "<!-- comment -->",
]


class Shown(HTMLParser):
    """The tags of a page, and the text of each of its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.in_cell = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag in ("td", "th"):
            self.in_cell = True
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.cells[-1] += data


def shown(markdown: str) -> Shown:
    page = make_page("page", [markdown], {})
    parser = Shown()
    parser.feed(page.html.partition("<body>")[2])
    assert not [c for c in markdown if not c.isprintable() and c != "\n"], "a control character"
    return parser


def visible(name: str) -> str:
    """What a name shows: its printable characters on one line."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(name.split()))


@pytest.mark.parametrize("name", HOSTILE)
def test_every_kind_of_cell_shows_the_name_and_nothing_else(name: str) -> None:
    page = shown(table(["a", "b"], [[escape(name), code(name)], [tag_cell(name), "x"]]))
    assert set(page.tags) <= {"h1", "table", "thead", "tbody", "tr", "th", "td", "code"}
    _, _, escaped, as_code, tag, last = page.cells
    assert last == "x"
    assert escaped == visible(name)
    assert tag == escaped
    assert as_code == visible(name).replace("`", "'").replace("|", "¦")


@pytest.mark.parametrize("name", HOSTILE)
def test_the_tables_of_an_evaluation_keep_their_shape(name: str) -> None:
    items = tuple(Item(str(k), name, {"style": f"{name} {k % 2}"}, name, name, {name: 1.0}, cut=True) for k in range(4))
    grades = {name: Grades(items)}
    text = comparison({name: grades, f"other {name}": grades}, notes={name: name}) + breakdown(grades, tags=["style"])
    page = shown(text)
    assert set(page.tags) <= {"h1", "h2", "p", "strong", "em", "table", "thead", "tbody", "tr", "th", "td"}
    assert page.tags.count("tr") == 10
    assert confusion([name, None], [name, "b"], labels=[name, "b"]).picture(title=name).startswith(b"\x89PNG")
    assert set(shown(confusion([name], [name], labels=[name, "b"]).table()).tags) >= {"table", "strong"}
