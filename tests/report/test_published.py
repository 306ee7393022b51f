"""Published rows: are they read as they stand, audited, and told apart only where their items allow it?"""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from scipy import stats
from typer.testing import CliRunner

from circuitvlm.report.page import page_of_published
from circuitvlm.report.published import CHANCE, HEADER, PublishedError, against, base_of, findings, read
from circuitvlm.report.scienceqa import GROUPS
from circuitvlm.report.significance import unpaired
from circuitvlm.serving.cli.app import app

SHIPPED = Path(__file__).parents[2] / "experiments" / "lavin_published.csv"
HEAD = ",".join(HEADER)
ROW = "base,88.45,94.71,84.82,87.59,86.37,87.80,90.20,86.35,88.82,paper"


def written(folder: Path, *lines: str, head: str = HEAD) -> Path:
    path = folder / "rows.csv"
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


def test_the_shipped_rows_are_the_studys_eight_and_three_papers() -> None:
    rows = read(SHIPPED)
    assert [row.name for row in rows][:3] == ["study base", "study cyclical", "study step"]
    assert len(rows) == 11
    assert all(tuple(row.cells) == tuple(GROUPS) for row in rows)
    assert {row.source for row in rows[8:]} == {"arXiv 2305.15023", "arXiv 2303.16199", "arXiv 2304.08485"}


def test_one_shipped_row_cannot_be_and_is_named() -> None:
    rows = read(SHIPPED)
    assert [row.name for row in rows if not row.audit.possible] == ["LaVIN-7B"]
    (line,) = (line for line in findings(rows).splitlines() if "cannot be" in line)
    assert "LAN: no k of 1100 is 85.24 % (937 are 85.18, 938 are 85.27)" in line
    assert "3,792" in line
    assert "- study base: possible: 3,767 of 4,241 right." in findings(rows)


def test_of_the_studys_differences_two_are_more_than_chance() -> None:
    rows = read(SHIPPED)
    words = {found.row.name: found.sentence.split(": ")[1] for found in against(rows, base_of(rows, None))}
    same = "not distinguishable from study base at 4,241 items"
    assert words == {
        "study cyclical": "worse than study base",
        "study step": same,
        "study exponential": "worse than study base",
        "study increasing": same,
        "study decreasing": same,
        "study increasing v2": same,
        "study decreasing v2": same,
        "LaVIN-7B": same,
        "LLaMA-Adapter": "worse than study base",
        "LLaVA": "better than study base",
    }


def test_another_base_turns_the_verdict_round() -> None:
    rows = read(SHIPPED)
    found = {each.row.name: each for each in against(rows, base_of(rows, "LLaVA"))}
    assert "worse than LLaVA" in found["study base"].sentence
    with pytest.raises(PublishedError, match="Did you mean 'LLaVA'"):
        base_of(rows, "LLaVa")


def test_a_missing_cell_is_allowed_and_said(tmp_path: Path) -> None:
    rows = read(written(tmp_path, ROW, "other,,,,,,,,,80.05,", "parts,88.45,,,,,,,,,"))
    assert dict(rows[1].cells) == {"Average": "80.05"}
    assert [found.row.name for found in against(rows, base_of(rows, None))] == ["other"]
    text = page_of_published(rows, title="x").markdown
    assert "| parts | 88.45 | – |" in text
    assert "- parts: possible, as far as it goes (without SOC, LAN" in text


def test_a_spreadsheets_file_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(("\ufeff" + HEAD + "\r\n" + ROW.replace("base", '"base, ours"') + "\r\n\r\n").encode())
    assert [row.name for row in read(path)] == ["base, ours"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((ROW, ROW), "'base' is there twice"),
        ((ROW.replace("88.82", "101"),), "Average is '101'"),
        ((ROW.replace("88.82", "-1"),), "Average is '-1'"),
        ((ROW.replace("88.82", "nan"),), "row 1 .base.: Average is 'nan'"),
        ((ROW, "b,1"), "row 2: 2 cells, wanted 11"),
        ((",,,,,,,,,,paper",), "wanted a name"),
        (('"base,1',), "CSV"),
        ((), "0 rows"),
        (tuple(ROW.replace("base", f"b{k}") for k in range(101)), "101 rows"),
    ],
)
def test_what_is_no_row_is_refused_with_its_place(lines: tuple[str, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(PublishedError, match=said):
        read(written(tmp_path, *lines))


@pytest.mark.parametrize("head", ["", HEAD.lower(), "name,Average", HEAD.replace("NAT,SOC", "SOC,NAT")])
def test_a_wrong_header_is_refused_with_the_right_one(head: str, tmp_path: Path) -> None:
    with pytest.raises(PublishedError, match="wanted name,NAT,SOC,LAN,TXT,IMG,NO,G1-6,G7-12,Average,source"):
        read(written(tmp_path, ROW, head=head))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PublishedError, match="UTF-8"):
        read(tmp_path / "x.csv")
    with pytest.raises(PublishedError, match="wanted a CSV file"):
        read(tmp_path / "absent.csv")


def test_few_items_are_tested_exactly() -> None:
    exact = stats.fisher_exact([[0, 4], [3767, 474]]).pvalue
    assert unpaired(0.0, 4, 3767 / 4241, 4241).p == pytest.approx(exact)
    assert unpaired(1.0, 50, 1.0, 50).p == 1.0


def test_the_page_says_what_such_tests_leave_out() -> None:
    page = page_of_published(read(SHIPPED), title="LaVIN <b>")
    assert page.markdown.count(CHANCE) == 1
    assert "corrected by Holm over 10 rows" in page.markdown
    assert Image.open(io.BytesIO(page.pictures["published.png"])).width > 500
    assert "<b>" not in page.html


def test_a_hostile_name_stays_text(tmp_path: Path) -> None:
    name = "<script>|x|$\\frac{$ ](y)"
    page = page_of_published(read(written(tmp_path, ROW, ROW.replace("base", name))), title="x")
    assert "<script>" not in page.html
    assert "\\frac" in page.html


def test_the_command_needs_no_run(tmp_path: Path) -> None:
    out = tmp_path / "page"
    done = CliRunner().invoke(app, ["report", "--published", str(SHIPPED), "--base", "LaVIN-7B", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == {"report.md", "report.html", "published.png"}
    assert "study base: not distinguishable from LaVIN-7B" in (out / "report.md").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to report"),
        (["--published", str(SHIPPED), "--metric", "t/exact"], "no folder of runs"),
        (["--published", str(SHIPPED), "--base", "nobody"], "no published row"),
        (["--published", "absent.csv"], "absent.csv"),
    ],
)
def test_the_command_says_what_is_missing(words: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["report", *words])
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
