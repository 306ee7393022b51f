"""Test reading, auditing and comparing published rows, and their page."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from scipy import stats
from typer.testing import CliRunner

from circuitvlm.report.page import published_page
from circuitvlm.report.published import HEADER, TEST_NOTE, PublishedError, audit_list, compare_rows, find_base, read
from circuitvlm.report.scienceqa import GROUPS
from circuitvlm.report.significance import unpaired_gain
from circuitvlm.serving.cli.app import app

SHIPPED_FILE = Path(__file__).parents[2] / "experiments" / "lavin_published.csv"
HEAD = ",".join(HEADER)
ROW = "base,88.45,94.71,84.82,87.59,86.37,87.80,90.20,86.35,88.82,paper"


def write_rows(folder: Path, *lines: str, head: str = HEAD) -> Path:
    path = folder / "rows.csv"
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


def test_the_shipped_rows_are_the_studys_eight_and_three_papers() -> None:
    rows = read(SHIPPED_FILE)
    assert [row.name for row in rows][:3] == ["study base", "study cyclical", "study step"]
    assert len(rows) == 11
    assert all(tuple(row.cells) == tuple(GROUPS) for row in rows)
    assert {row.source for row in rows[8:]} == {"arXiv 2305.15023", "arXiv 2303.16199", "arXiv 2304.08485"}


def test_one_shipped_row_cannot_be_and_is_named() -> None:
    rows = read(SHIPPED_FILE)
    assert [row.name for row in rows if row.audit.faults] == ["LaVIN-7B"]
    (line,) = (line for line in audit_list(rows).splitlines() if "impossible" in line)
    assert "LAN: no count of 1100 is 85.24 % (937 are 85.18, 938 are 85.27)" in line
    assert "3,792" in line
    assert "- study base: possible: 3,767 of 4,241 right." in audit_list(rows)


def test_of_the_studys_differences_two_are_more_than_chance() -> None:
    rows = read(SHIPPED_FILE)
    verdicts = {v.name: v.sentence.split(": ")[1] for v in compare_rows(rows, find_base(rows, None))}
    not_distinguishable = "not distinguishable from study base at 4,241 items"
    assert verdicts == {
        "study cyclical": "worse than study base",
        "study step": not_distinguishable,
        "study exponential": "worse than study base",
        "study increasing": not_distinguishable,
        "study decreasing": not_distinguishable,
        "study increasing v2": not_distinguishable,
        "study decreasing v2": not_distinguishable,
        "LaVIN-7B": not_distinguishable,
        "LLaMA-Adapter": "worse than study base",
        "LLaVA": "better than study base",
    }


def test_another_base_turns_the_verdict_round() -> None:
    rows = read(SHIPPED_FILE)
    verdicts = {verdict.name: verdict for verdict in compare_rows(rows, find_base(rows, "LLaVA"))}
    assert "worse than LLaVA" in verdicts["study base"].sentence
    with pytest.raises(PublishedError, match="Did you mean 'LLaVA'"):
        find_base(rows, "LLaVa")


def test_a_missing_cell_is_allowed_and_said(tmp_path: Path) -> None:
    rows = read(write_rows(tmp_path, ROW, "other,,,,,,,,,80.05,", "parts,88.45,,,,,,,,,"))
    assert dict(rows[1].cells) == {"Average": "80.05"}
    assert [verdict.name for verdict in compare_rows(rows, find_base(rows, None))] == ["other"]
    text = published_page(rows, title="x").markdown
    assert "| parts | 88.45 | – |" in text
    assert "- parts: possible, by the published groups (without SOC, LAN" in text


def test_a_spreadsheets_file_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(("\ufeff" + HEAD + "\r\n" + ROW.replace("base", '"base, ours"') + "\r\n\r\n").encode())
    assert [row.name for row in read(path)] == ["base, ours"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((ROW, ROW), "got 'base' twice"),
        ((ROW.replace("88.82", "101"),), "Average: .* got '101'"),
        ((ROW.replace("88.82", "-1"),), "Average: .* got '-1'"),
        ((ROW.replace("88.82", "nan"),), "row 1 .base.: Average: .* got 'nan'"),
        ((ROW, "b,1"), "row 2: expected 11 cells .*, got 2"),
        ((",,,,,,,,,,paper",), "expected a name"),
        (('"base,1',), "CSV"),
        ((), "0 rows"),
        (tuple(ROW.replace("base", f"b{k}") for k in range(101)), "101 rows"),
    ],
)
def test_what_is_no_row_is_refused_with_its_place(lines: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(PublishedError, match=message):
        read(write_rows(tmp_path, *lines))


@pytest.mark.parametrize("head", ["", HEAD.lower(), "name,Average", HEAD.replace("NAT,SOC", "SOC,NAT")])
def test_a_wrong_header_is_refused_with_the_right_one(head: str, tmp_path: Path) -> None:
    with pytest.raises(
        PublishedError, match="expected the header name,NAT,SOC,LAN,TXT,IMG,NO,G1-6,G7-12,Average,source"
    ):
        read(write_rows(tmp_path, ROW, head=head))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PublishedError, match="UTF-8"):
        read(tmp_path / "x.csv")
    with pytest.raises(PublishedError, match="expected a CSV file"):
        read(tmp_path / "absent.csv")


def test_few_items_are_tested_exactly() -> None:
    exact = stats.fisher_exact([[0, 4], [3767, 474]]).pvalue
    assert unpaired_gain(0.0, 4, 3767 / 4241, 4241).p == pytest.approx(exact)
    assert unpaired_gain(1.0, 50, 1.0, 50).p == 1.0


def test_the_page_says_what_such_tests_leave_out() -> None:
    page = published_page(read(SHIPPED_FILE), title="LaVIN <b>")
    assert page.markdown.count(TEST_NOTE) == 1
    assert "corrected by Holm's method for 10 rows" in page.markdown
    assert Image.open(io.BytesIO(page.pictures["published.png"])).width > 500
    assert "<b>" not in page.html


def test_a_hostile_name_stays_text(tmp_path: Path) -> None:
    name = "<script>|x|$\\frac{$ ](y)"
    page = published_page(read(write_rows(tmp_path, ROW, ROW.replace("base", name))), title="x")
    assert "<script>" not in page.html
    assert "\\frac" in page.html


def test_the_command_needs_no_run(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    result = CliRunner().invoke(
        app, ["report", "--published", str(SHIPPED_FILE), "--base", "LaVIN-7B", "--out", str(folder)]
    )
    assert result.exit_code == 0, result.output
    assert {path.name for path in folder.iterdir()} == {"report.md", "report.html", "published.png"}
    assert "study base: not distinguishable from LaVIN-7B" in (folder / "report.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to report"),
        (["--published", str(SHIPPED_FILE), "--metric", "t/exact"], "no folder of runs"),
        (["--published", str(SHIPPED_FILE), "--base", "nobody"], "got 'nobody'"),
        (["--published", "absent.csv"], "absent.csv"),
    ],
)
def test_the_command_says_what_is_missing(words: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["report", *words])
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
