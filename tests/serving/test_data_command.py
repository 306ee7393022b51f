"""Test the output and the exit codes of transfer, audit and dataset."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from typer.testing import CliRunner

from circuitvlm.serving.cli.app import app

FILTER = "V1 1 0 V1\nR1 1 2 R1\nC1 2 0 C1\n"
FIXTURES = Path(__file__).parents[1] / "fixtures" / "circuitsense"


def run(*words: str, stdin: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words), input=stdin)
    return result.exit_code, result.output


def test_transfer_prints_the_formula_with_its_poles() -> None:
    code, output = run("transfer", stdin=FILTER)
    assert code == 0
    assert output.splitlines() == [
        "H(s) = 1/(C1*R1*s + 1)",
        "poles (rad/s): -1/(C1*R1)",
        "zeros (rad/s): none",
        "DC gain: 1",
    ]


def test_transfer_checks_a_formula() -> None:
    assert run("transfer", "--check", r"\frac{1}{1+sR_1C_1}", stdin=FILTER) == (0, "equal\n")
    assert run("transfer", "--check", "-1/(1+s*R1*C1)", stdin=FILTER) == (1, "opposite sign\n")
    assert run("transfer", "--check", "no idea at all", stdin=FILTER) == (1, "unreadable\n")


def test_transfer_gives_json_and_names_what_is_missing() -> None:
    code, output = run("transfer", "--json", stdin="V1 1 0 1\nR1 1 2 1k\nC1 2 0 1u\n")
    assert code == 0
    assert json.loads(output)["poles"] == ["-1000+0j"]
    code, output = run("transfer", "--output", "R9", stdin=FILTER)
    assert code == 2
    assert "devices: V1, R1, C1; nodes: 1, 0, 2" in output


def test_audit_counts_and_exits_by_what_is_contradicted(tmp_path: Path) -> None:
    code, output = run("audit", str(FIXTURES), "--cache", str(tmp_path))
    assert code == 0
    assert "2 cannot be used: answer says TIMEOUT_OR_ERROR" in output
    code, output = run("audit", str(tmp_path / "nothing"), "--cache", str(tmp_path))
    assert code == 2


def test_audit_knows_a_cord_folder_and_its_faults(tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("*.py", "__pycache__")
    folder = shutil.copytree(FIXTURES.parent / "cord", tmp_path / "cord", ignore=ignore)
    code, output = run("audit", str(folder), "--cache", str(tmp_path))
    assert code == 0
    assert "3 in test\n" in output
    (folder / "test" / "json" / "receipt_00001.json").write_text("TOTAL 60.000")
    code, output = run("audit", str(folder), "--cache", str(tmp_path))
    assert code == 1
    assert "1 cannot be used: ground truth is not JSON" in output
    code, output = run("audit", str(folder), "--max-samples", "2")
    assert code == 2
    assert "--max-samples: expected a CircuitSense folder" in output


def test_audit_shows_names_of_files_and_fields_as_they_are(tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("*.py", "__pycache__")
    folder = shutil.copytree(FIXTURES.parent / "cord", tmp_path / "cord\x1b[2J", ignore=ignore)
    path = folder / "test" / "json" / "receipt_00000.json"
    path.write_text(path.read_text().replace('"total_price"', '"a\\u001b[2J\\n9 in test\\u202e"'))
    code, output = run("audit", str(folder), "--cache", str(tmp_path))
    assert code == 0
    assert r" of total.a\u001b[2J\n9 in test\u202e" in output
    assert not {"\x1b", "\u202e"} & set(output)


def test_a_wrong_stored_answer_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "Analysis" / "synthetic" / "level1" / "q1"
    folder.mkdir(parents=True)
    picture = next(FIXTURES.rglob("*.png"))
    (folder / "q1_image.png").write_bytes(picture.read_bytes())
    (folder / "q1_question.txt").write_text("What is the transfer function from V1 to C1 in this circuit?")
    (folder / "q1_netlist.txt").write_text("V1 1 0 step\nR1 1 2 R1\nC1 2 0 C1")
    (folder / "q1_ta.txt").write_text("1/(1 + s*R1)")
    code, output = run("audit", str(tmp_path), "--cache", str(tmp_path / "cache"))
    assert code == 1
    assert "1 of 1 checked answers are contradicted by the solver" in output


def test_dataset_writes_what_audit_accepts(tmp_path: Path) -> None:
    code, output = run("dataset", str(tmp_path / "made"), "--count", "4", "--seed", "2")
    assert (code, output.splitlines()[-1]) == (0, f"{tmp_path / 'made'}: 4 circuits")
    assert run("audit", str(tmp_path / "made"), "--cache", str(tmp_path))[0] == 0
    assert run("dataset", str(tmp_path / "made"))[0] == 2
