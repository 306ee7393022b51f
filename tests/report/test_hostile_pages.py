"""Attack every page of reports by names of runs, splits, tasks, metrics, tags and labels, and figures by texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import unescape
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from matplotlib.figure import Figure

from circuitvlm.report.breakdown import breakdown, side_by_side
from circuitvlm.report.confusion import Confusion
from circuitvlm.report.drawing import figure_text, png, wrap_name
from circuitvlm.report.figure import _labels
from circuitvlm.report.grade import Grades, Item
from circuitvlm.report.page import Page, published_page, study_page
from circuitvlm.report.published import PublishedRow
from circuitvlm.report.scienceqa import AVERAGE, TEST_SIZES, group_table
from circuitvlm.report.significance import Interval
from circuitvlm.report.study import Arm, Study, Trial
from circuitvlm.report.sweep.page import sweep_page
from circuitvlm.report.sweep.results import Sweep
from circuitvlm.report.sweep.results import Trial as SweepTrial
from circuitvlm.report.table import comparison, escape
from circuitvlm.runtime.folders.outcome import Outcome
from circuitvlm.runtime.terminal import sanitize

ATTACKS = [
    "a|b|c", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;b&gt;", "**bold** _em_ __x__ ~~del~~",
    "`code`", "``a`", "[link](http://x)", "![image](http://x)", "[ref]: http://x", "<http://x>", "# head", "- item",
    "+ item", "1. item", "12) item", "---", "-", "> quote", "\\", "\\|", "a\\", "line\nline", "cr\rlf\r\nend", "tab\tx",
    "\x1b[2J\x1b]0;owned\x07", "\x9b31m", "\u202eabc\u2066", "a\u200b\u200d\ufeffb", "\ud800", "\U000e0041",
    "$\\alpha$", "$", r"\$x$", "$x$ and $", "=1+1", "@SUM(1)", "_hidden", "_x_", "a_b*c", " padded ",
]  # fmt: skip


def shown(name: str) -> str:
    """How a page shows a name."""
    return sanitize(" ".join(name.split()))


def rows_of(name: str) -> Mapping[str, Mapping[str, Grades]]:
    """Two systems, one split and one task, all of this name; a tag and a metric too."""
    tags = [{name: f"{name}{k}"[-50:], "style": name if k else "b"} for k in range(2)]
    items = [Item(f"q{k}#{task}", task, tags[k], name, name, {name: 0.5}, cut=k == 0) for k in range(2)
             for task in (name, f"{name}_executed")]  # fmt: skip
    grades = Grades(tuple(items))
    return {name: {name: grades}, f"{name}2": {name: grades}}


def scienceqa_of(name: str) -> dict[str, Grades]:
    tags = {"pid": "1", "options": "2", "answer": "A", "has_hint": "no", "has_image": "no", "subject": name,
            "grade_band": "1-6", "topic": name}  # fmt: skip
    return {name: Grades((Item("1", name, tags, name, name, {name: 1.0}, cut=True),))}


def study_of(name: str) -> Study:
    grades = {name: Grades(tuple(Item(str(k), name, {}, name, name, {name: k % 2}, cut=True) for k in range(4)))}
    arms = [Arm(arm, (Trial(Path("runs", arm), 0, grades, name),)) for arm in (name, f"{name}2")]
    return Study(tuple(arms), arms[0], {Path("runs", name): f"failed: {name}"})


def sweep_of(name: str) -> Sweep:
    outcomes = Outcome("finished"), Outcome("finished", name), Outcome("failed", name)
    folders, grades = (Path("runs", f"{k}{name}") for k in range(3)), study_of(name).trials[0].grades
    trials = [SweepTrial(f, o, {name: name}, 0.5, None, grades) for f, o in zip(folders, outcomes, strict=True)]
    return Sweep(tuple(trials), (name,), name, False)


def published_of(name: str) -> Page:
    rows = [PublishedRow(n, {AVERAGE: "90.00"}, TEST_SIZES, name) for n in (name, f"{name}2")]
    return published_page(rows, title=name)


PAGES: dict[str, Callable[[str], str]] = {
    "comparison": lambda name: comparison(rows_of(name), notes={name: name}),
    "breakdown": lambda name: breakdown(rows_of(name)[name], tags=(name, "style")),
    "side_by_side": lambda name: side_by_side(rows_of(name)[name]),
    "scienceqa": lambda name: group_table(scienceqa_of(name)),
    "confusion": lambda name: Confusion((name, "b"), np.ones((2, 3), dtype=int)).table(),
    "study": lambda name: study_page(study_of(name), title=name).markdown,
    "sweep": lambda name: sweep_page(sweep_of(name), title=name).markdown,
    "published": lambda name: published_of(name).markdown,
}

EXPECTED_TAGS = {
    "p",
    "code",
    "h1",
    "h2",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "strong",
    "em",
    "ul",
    "li",
    "img",
}
"""What our own pages consist of; no name may add another tag, a list in a list, or a picture from elsewhere."""


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing is tested below; a picture and a bootstrap for each attack would take minutes."""
    for function in ("grade.mean", "table.paired_gain"):
        monkeypatch.setattr(f"circuitvlm.report.{function}", lambda *args: Interval(0.5, 0.4, 0.6))
    for function in ("figure.draw_shares", "figure.draw_curves", "figure.draw_profiles"):
        monkeypatch.setattr(f"circuitvlm.report.page.{function}", lambda *args, **kwargs: b"png")
    for function in ("draw_parallel", "draw_importance"):
        monkeypatch.setattr(f"circuitvlm.report.sweep.figure.{function}", lambda *args: b"png")


def check_page(markdown: str, name: str) -> None:
    assert all(c == "\n" or c.isprintable() or c == "\xa0" for c in markdown)
    html = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)
    assert set(re.findall(r"<([a-z0-9]+)", html)) <= EXPECTED_TAGS
    assert re.search(r"<(li|p)>\s*<(ul|h1)", html) is None
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+\.png", source) for source in re.findall(r'src="([^"]*)"', html))
    text = unescape(re.sub(r"<[^>]*>", "", html))
    assert shown(name) in text or shown(name).replace("`", "'").replace("|", "¦") in text
    lines = [re.sub(r"\\.", "", line) for line in markdown.splitlines()]
    for line, following in pairwise(lines):
        if line.startswith("|") and following.startswith("|"):
            assert line.count("|") == following.count("|"), f"{line}\n{following}"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_every_name_as_it_is(page: str) -> None:
    for name in ATTACKS:
        check_page(PAGES[page](name), name)


def test_names_of_plain_words_stay_readable() -> None:
    for name in ("test_style", "netlist/exact_match", "rate=1e-3, kind=a", "1.5", "-3", "zero-shot", "max_minutes=0.5"):
        assert escape(name) == name


MAKERS = [published_of, lambda n: study_page(study_of(n), title=n), lambda n: sweep_page(sweep_of(n), title=n)]


@pytest.mark.parametrize("make", MAKERS)
def test_html_shows_every_title_as_it_is(make: Callable[[str], Page]) -> None:
    for name in ATTACKS:
        html = make(name).html
        assert all(c == "\n" or c.isprintable() or c == "\xa0" for c in html)
        assert unescape(html.partition("<title>")[2].partition("</title>")[0]) == sanitize(name)
        assert "<script" not in html
        assert 'src="http' not in html
        assert 'src="data:image/png;base64,' in html


def test_pictures_of_different_names_are_different_files() -> None:
    scores = {f"a{sign}b": float(sign == "|") for sign in "|/ $"}
    grades = {"../x": Grades((Item("1", "t", {}, "", "", scores), Item("2", "t", {}, "", "", scores)))}
    arm = Arm("arm", (Trial(Path("runs"), 0, grades),))
    page = study_page(Study((arm,), arm, {}), title="x")
    names = [name for name in page.pictures if name not in ("curves.png", "dropout.png")]
    assert names == ["-x-t-a-b.png", "-x-t-a-b-2.png", "-x-t-a-b-3.png"]
    assert all(f"]({name})" in page.markdown for name in names)


def test_a_figure_shows_every_text_as_it_is() -> None:
    """No text is read as mathematics, an unclosed `$` fails no figure, and no name is left out of a legend."""
    figure = Figure()
    axes = figure.subplots()
    for k, name in enumerate(ATTACKS):
        axes.text(0, k / len(ATTACKS), figure_text(name), gid="attack")
        axes.plot([0, 1], [k, k], label=_labels([[name]])[0])
    axes.set(title=figure_text(ATTACKS[0]), xlabel=wrap_name("$x$ and " * 20))
    legend = axes.legend()
    png(figure)
    texts = [text for text in axes.texts if text.get_gid() == "attack"]
    assert all(text._preprocess_math(text.get_text())[1] is False for text in texts)
    assert len(legend.get_texts()) == len(ATTACKS)
    assert all(c == "\n" or c.isprintable() or c == "\xa0" for text in texts for c in text.get_text())


def test_the_confusion_is_drawn_with_any_label() -> None:
    labels = tuple(name for name in ATTACKS if name.strip())[:12]
    assert Confusion(labels, np.ones((12, 13), dtype=int)).picture(title="$x$ and $").startswith(b"\x89PNG")


def test_a_logarithmic_axis_keeps_its_powers() -> None:
    """The labels of ticks are mathematics of matplotlib itself."""
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    axes.plot([1, 2], [1e-3, 1e3])
    axes.set_yscale("log")
    png(figure)
    labels = [label for label in axes.get_yticklabels() if label.get_text()]
    assert labels
    assert all(label._preprocess_math(label.get_text())[1] is True for label in labels)
