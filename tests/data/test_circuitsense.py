"""Test that every layout of CircuitSense is read, that splits are disjoint, and that unusable questions are counted."""

from __future__ import annotations

import base64
import io
import json
import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub.utils import filter_repo_objects
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from circuitvlm.circuit import generate, netlist, quantity
from circuitvlm.circuit.dialect import to_spice
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge import verdict
from circuitvlm.circuit.solve import numeric
from circuitvlm.core.record import Example
from circuitvlm.data._reading import files, images
from circuitvlm.data._reading import svg as svg_drawing
from circuitvlm.data._reading.files import DataFileError, UnusableError
from circuitvlm.data._reading.splits import split_by_share
from circuitvlm.data.circuitsense import CircuitSense, kinds
from circuitvlm.data.circuitsense.audit import SPLITS, audit
from circuitvlm.data.circuitsense.examples import parse_circuit, remove_probes, topology_of
from circuitvlm.data.circuitsense.folders import group_files
from circuitvlm.data.circuitsense.raw import PARTS, RawQuestion
from circuitvlm.data.circuitsense.writer import CircuitItem, Measurement, write
from circuitvlm.runtime import hub
from circuitvlm.runtime.hub import FetchError
from tests.steps import max_calls

FIXTURE = Path(__file__).parents[1] / "fixtures" / "circuitsense"


def source(root: Path | str, cache: Path, **changes: Any) -> CircuitSense:
    kwargs: dict[str, Any] = {
        "root": str(root),
        "revision": "main",
        "parts": PARTS,
        "kinds": kinds.KINDS,
        "splits": SPLITS,
        "max_samples": None,
        "seed": 0,
        "cache": str(cache),
        "on_unusable": "count",
    }
    return CircuitSense(**kwargs | changes)


def examples_by_id(data: CircuitSense) -> dict[str, Example]:
    return {example.id: example for split in data.splits() for example in data.examples(split)}


def splits_by_id(data: CircuitSense) -> dict[str, str]:
    return {example.id: split for split in data.splits() for example in data.examples(split)}


def png(colour: int = 255) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8), colour).save(buffer, format="PNG")
    return buffer.getvalue()


def item(folder: Path, *, image: bytes | None = None, **texts: str) -> Path:
    """A question in a folder of its own name."""
    folder.mkdir(parents=True, exist_ok=True)
    for role, text in texts.items():
        (folder / f"{folder.name}_{role}.txt").write_text(text, encoding="utf-8")
    (folder / f"{folder.name}_image.png").write_bytes(png() if image is None else image)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def whole(cache: Path) -> CircuitSense:
    return source(FIXTURE, cache)


# ------------------------------------------------------------------------------------------------------- what is read

READ: dict[str, dict[str, object]] = {
    "synthetic/level0/q1": {"kind": "measurement", "answer": "0.5 A", "probe": "i(VI1)", "unit": "A"},
    "synthetic/level0/q2": {"kind": "measurement", "answer": "8 V", "probe": "v(2,0)", "unit": "V"},
    "synthetic/level0/q3": {"kind": "transfer_function", "source": "V1", "output": "R2"},
    "synthetic/level1/q1": {"kind": "transfer_function", "netlist": "V1 2 0 V1\nC1 3 0 C1\nR1 3 2 R1"},
    "synthetic/level1/q2": {"kind": "equation", "unknown": "v(3)", "answer": "Vn3(s) = V1(s)/(C1*R1*s + 1)"},
    "synthetic/level2/q1": {"netlist": "V1 1 0 V1\nR1 1 0 R1\nG1 0 2 1 0 g_1\nR2 2 0 R2\nC1 2 0 C1"},
    "synthetic/level4/q1": {"kind": "transfer_function", "output": "R1"},
    "synthetic/level5_bd/q1": {"kind": "equation", "answer": "G1(s)/1"},
    "curated/level1/a_book/q1": {"kind": "choice", "answer": "C"},
    "curated/level1/a_book/q2": {"kind": "number", "unit": "mV", "question": "What is the bridge\u2019s voltage?"},
    "curated/level1/a_book/q3": {"kind": "equation", "answer": "$\\frac{R_2}{R_1 + R_2}$"},
    "perception/q1": {"kind": "number", "answer": "2"},
    "perception/q2": {"kind": "netlist", "answer": "V1 1 0 5\nR1 1 2 1k\nR2 2 0 2k"},
    "design/q1": {"kind": "open", "answer": "Double the upper resistor."},
    "generated/raw/3_1/V1_to_L1": {"kind": "transfer_function", "netlist": "V1 1 0 V1\nR1 1 2 R1\nL1 2 0 L1"},
    "generated/raw/3_1/s_domain": {"kind": "open", "answer": "Eq(Vn2(s), b)"},
    "generated/trained/4_1": {"kind": "transfer_function", "source": "V1", "output": "L1"},
    "generated/written/2_1/netlist": {"kind": "netlist", "answer": "V1 1 0 V1\nC1 1 2 C1\nR1 2 3 R1\nL1 3 0 L1"},
    "qa/raw/3_1/q1": {"kind": "number", "answer": "0.25 A", "unit": "A"},
}
TAGS: dict[str, dict[str, str]] = {
    "synthetic/level5_bd/q1": {"part": "synthetic", "level": "5", "kind": "equation"},
    "curated/level1/a_book/q1": {"part": "curated", "level": "0.5", "category": "resistive networks"},
    "qa/raw/3_1/q1": {"part": "qa", "level": "unstated", "circuit": "raw/3_1"},
}


@pytest.mark.parametrize("name", READ)
def test_an_item_is_read_as_what_it_is(name: str, whole: CircuitSense) -> None:
    facts = examples_by_id(whole)[name].facts
    assert {key: facts[key] for key in READ[name]} == READ[name]
    assert isinstance(facts["question"], str)


def test_tags_say_where_an_item_belongs(whole: CircuitSense) -> None:
    examples = examples_by_id(whole)
    for name, tags in TAGS.items():
        assert tags.items() <= examples[name].tags.items()
    assert examples["synthetic/level0/q1"].tags["circuit"] == examples["synthetic/level0/q2"].tags["circuit"]
    assert examples["curated/level1/a_book/q1"].facts["options"] == [
        "R1", "R2", "R1 + R2", "R1*R2/(R1 + R2)", "None of the above",
    ]  # fmt: skip
    assert all(e.tags["topology"] for e in examples.values() if "netlist" in e.facts)


def test_every_reason_is_counted_and_told_once(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="circuitvlm.data"):
        data = source(FIXTURE, cache)
        assert data.unusable == Counter(
            {
                "answer says TIMEOUT_OR_ERROR": 2,
                "no answer": 2,
                "no image": 1,
                "unreadable image": 1,
                "answer repeats the question": 1,
                "choice whose answer is none of its options": 1,
                "placeholder answer": 1,
                "answer says SKIPPED": 1,
                "answer says Simulation failed": 1,
                "circuit skipped": 1,
                "circuit with an error": 1,
                "path leads out of the folder": 1,
                "entry that states nothing": 1,
            }
        )
        for split in data.splits():
            data.examples(split)
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("circuitsense:")]
    assert len(lines) == 1
    assert (
        f"{len(examples_by_id(data))} of {len(examples_by_id(data)) + 15} questions in {FIXTURE}; 15 cannot be used"
        in lines[0]
    )


def test_every_transfer_function_is_that_of_its_netlist(whole: CircuitSense) -> None:
    """The proof that netlists come in SPICE's convention: with lcapy's, that of level 2 has the opposite sign."""
    count = 0
    for example in examples_by_id(whole).values():
        facts = example.facts
        if facts["kind"] == "transfer_function" and "netlist" in facts:
            circuit = netlist.parse(str(facts["netlist"]))
            result = verdict.matches_circuit(
                str(facts["answer"]), circuit, source=str(facts["source"]), output=str(facts["output"])
            )
            assert result is verdict.Verdict.EQUAL, example.id
            count += 1
    assert count >= 5


def test_unwanted_parts_and_kinds_stay_away(cache: Path) -> None:
    examples = examples_by_id(source(FIXTURE, cache, parts=["curated", "qa"], kinds=["number"]))
    assert {(e.tags["part"], e.tags["kind"]) for e in examples.values()} == {("curated", "number"), ("qa", "number")}


def test_a_single_level_can_be_the_root(cache: Path) -> None:
    data = source(FIXTURE / "Analysis/synthetic/level1", cache)
    assert [e.tags["level"] for e in examples_by_id(data).values()] == ["1", "1"]
    assert {e.tags["part"] for e in examples_by_id(data).values()} == {"synthetic"}


def test_items_come_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        item(tmp_path / f"synthetic/q{number}", question="What is V1?", ta=f"{number} V", image=png(number))
    data = source(tmp_path, tmp_path / "cache", splits={"all": {"share": 1}})
    assert [e.id for e in data.examples("all")] == ["synthetic/q1", "synthetic/q2", "synthetic/q10"]


def test_a_raster_image_goes_before_its_svg_and_a_lone_image_needs_no_name() -> None:
    questions = group_files(
        ["a/q1_question.txt", "a/q1_image.svg", "a/q1_image.png", "b/q2_question.txt", "b/photo.jpg"]
    )
    assert [question.images for question in questions] == [["a/q1_image.png"], ["b/photo.jpg"]]
    two = group_files(["c/q1_question.txt", "c/q2_question.txt", "c/photo.jpg", "c/readme_source.txt"])
    assert [question.images for question in two] == [[], []]


# -------------------------------------------------------------------------------------------------------------- splits


def test_no_topology_and_no_image_lies_in_two_splits(whole: CircuitSense) -> None:
    splits = splits_by_id(whole)
    values: dict[str, dict[str, set[str]]] = {split: {} for split in whole.splits()}
    for question in whole.scan.questions:
        split_values = values[splits[question.example.id]]
        split_values.setdefault("image", set()).update(question.image_hashes)
        split_values.setdefault("topology", set()).add(question.example.tags.get("topology", question.example.id))
    assert all(values.values())
    for first, second in combinations(values.values(), 2):
        assert not first["image"] & second["image"]
        assert not first["topology"] & second["topology"]


def test_neither_seed_nor_order_nor_size_moves_a_circuit(whole: CircuitSense, tmp_path: Path) -> None:
    everywhere = splits_by_id(whole)
    shutil.copytree(FIXTURE, tmp_path / "moved", copy_function=shutil.copyfile)
    assert splits_by_id(source(tmp_path / "moved", tmp_path, seed=5)) == everywhere
    for seed in range(3):
        sample = source(FIXTURE, tmp_path, parts=["qa", "synthetic"], max_samples=12, seed=seed)
        assert splits_by_id(sample).items() <= everywhere.items()
        assert 0 < len(splits_by_id(sample)) + sample.unusable.total() <= 12


def test_a_draw_is_the_seeds(cache: Path) -> None:
    def sample(seed: int) -> set[str]:
        return set(examples_by_id(source(FIXTURE, cache, max_samples=20, seed=seed)))

    assert sample(1) == sample(1) != sample(2)


def test_isomorphic_circuits_have_one_key_with_and_without_probes() -> None:
    first = "V1 1 0 step\nR1 1 2 R1\nC1 2 0 C1"
    again = "C7 9 0 C7\nV3 5 0 step\nVI1 5 6 0\nR2 9 6 R2\n.control\nop\nprint i(VI1) ; measurement of I1\n.endc"
    assert topology_of(first) == topology_of(again) != topology_of(first.replace("C1 2 0", "C1 1 2"))


def test_a_circuit_of_probes_alone_keeps_them() -> None:
    circuit = netlist.parse("VI1 1 0 0\nVI2 1 0 0")
    assert remove_probes(circuit) == circuit
    circuit_without_probes = remove_probes(netlist.parse("V1 1 0 5\nVI1 1 2 0\nVI2 3 0 0\nR1 2 3 1"))
    assert [device.nodes for device in circuit_without_probes.devices] == [("1", "0"), ("1", "0")]


def test_what_shares_a_picture_shares_a_split_whatever_the_netlist(tmp_path: Path) -> None:
    texts = ["V1 1 0 5\nR1 1 0 2", "V1 1 0 5\nC1 1 0 2", "V1 1 0 5\nL1 1 0 2", "V1 1 0 5\nR1 1 2 2\nC1 2 0 1", ""]
    for number, text in enumerate(texts):
        item(tmp_path / f"q{number}", question="What is V1?", ta="5 V", **({"netlist": text} if text else {}))
    assert len({split_by_share(topology_of(text), {"a": 0.5, "b": 0.5}) for text in texts if text}) == 2
    data = source(tmp_path, tmp_path / "cache", splits={"a": {"share": 0.5}, "b": {"share": 0.5}})
    assert sorted(len(data.examples(split)) for split in data.splits()) == [0, 5]


# ------------------------------------------------------------------------------------------------------ kinds of answer


@pytest.mark.parametrize(
    ("answer", "unit"),
    [
        ("5 V", "V"), ("-5.5356 A", "A"), ("3.4mA", "mA"), ("12", ""), ("1,000.5 kΩ", "kΩ"), ("−3 V", "V"),
        ("$2.5\\,\\text{k}\\Omega$", "kΩ"), ("3.4 \\times 10^{-3} A", "A"), ("V_out = 5 V", "V"), ("2.2k", ""),
        ("-40 dB", "dB"), ("10 rad/s", "rad/s"), ("1e-3 H.", "H"), ("5 volts", "volts"),
        ("R1 + R2", None), ("3 + 4", None), ("five", None), ("5 V and 3 A", None), ("", None), ("9" * 500, None),
    ],
)  # fmt: skip
def test_a_number_is_told_from_other_answers(answer: str, unit: str | None) -> None:
    assert kinds.unit_of_number(answer) == unit


@pytest.mark.parametrize(
    ("answer", "formula"),
    [
        ("((-R3*s/L1)/(s**2 + s*(R1 + R2 + R3)/L1 + 1/(C1*L1)))*1", True),
        ("\\frac{R_1}{R_{\\text{load}}+sL}", True),
        ("R1||R2", True),
        ("Vn1(s) = R1*Vs/(R1+R2)", True),
        ("K*exp(-t/tau)", True),
        ("H_0", True),
        ("the gain is R1/R2", False),
        ("A low-pass filter", False),
        ("Yes", False),
        ("It is R1. Then R2.", False),
    ],
)
def test_a_formula_is_told_from_prose(answer: str, formula: bool) -> None:
    assert kinds.is_expression(answer) is formula


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("1. 5 V\n2. 6 V\n   more\n3. 7", ["5 V", "6 V more", "7"]),
        ("A) a\nB) b\r\nC) c", ["a", "b", "c"]),
        ("(A) 1 V\n\n(B) 2 V", ["1 V", "2 V"]),
        ("1.5 V\n2.5 V\nNone of the above", ["1.5 V", "2.5 V", "None of the above"]),
        ("R1\nR2", ["R1", "R2"]),
        ("B) a\nC) b", ["B) a", "C) b"]),
    ],
)
def test_options_are_read_with_and_without_marks(text: str, options: list[str]) -> None:
    assert kinds.parse_options(text) == options


@pytest.mark.parametrize(("index", "letter"), [("1", "A"), (" 2.\n", "B"), ("(b)", "B"), ("B", "B")])
def test_an_index_is_a_letter(index: str, letter: str) -> None:
    draft = RawQuestion(question="Which?", answer="", images=(), options="x\ny", choice=index)
    assert kinds.find_facts(draft, None)["answer"] == letter


@pytest.mark.parametrize(
    ("text", "probe"),
    [("i(vi1)", "i(VI1)"), ("v(5, 7)", "v(5,7)"), (" V( 5 )", "v(5)"), ("i(a,b)", ""), ("v(1);quit", ""), ("", "")],
)
def test_a_probe_has_one_spelling(text: str, probe: str) -> None:
    assert kinds.normalize_probe(text) == probe


@pytest.mark.parametrize(
    ("question", "answer", "unknown"),
    [
        ("Derive the nodal equation for node 12 in the s-domain.", "R1*s", "v(12)"),
        ("What is the solution for the voltage source current i_v1 in s-domain?", "R1*s", "i(V1)"),
        ("Solve.", "Vn7(s) = R1*s", "v(7)"),
        ("Solve.", "I_L2(s) = R1*s", "i(L2)"),
        ("Solve.", "IV1(s) = R1*s", "i(V1)"),
    ],
)
def test_what_an_equation_is_solved_for_is_known(question: str, answer: str, unknown: str) -> None:
    facts = kinds.find_facts(RawQuestion(question=question, answer=answer, images=()), None)
    assert (facts["kind"], facts["unknown"]) == ("equation", unknown)


@pytest.mark.parametrize(
    ("ports", "circuit", "kind"),
    [
        ("from V1 to C1 in", "V1 1 0 5\nC1 1 0 1", "transfer_function"),
        ("from V1 to C1.", "", "transfer_function"),
        ("from V1 to C9 in", "V1 1 0 5\nC1 1 0 1", "equation"),
        ("from R(s) to Y(s) of", "", "equation"),
        ("from input to output of", "", "equation"),
    ],
)
def test_a_transfer_function_is_between_devices(ports: str, circuit: str, kind: str) -> None:
    draft = RawQuestion(
        question=f"What is the transfer function {ports} this?", answer="1/(s*C1)", images=(), netlist=circuit
    )
    assert kinds.find_facts(draft, parse_circuit(circuit))["kind"] == kind


WORDS = [
    "V1 1 0 5",
    "\n",
    "transfer function from ",
    " to ",
    "$",
    "\\text{",
    "{",
    "(",
    "=",
    "A)",
    "1.",
    "Vn1(s)",
    " 5 mA",
]
texts = st.lists(st.sampled_from(WORDS) | st.text(max_size=12), max_size=12).map("".join)


@given(question=texts, answer=texts, options=texts, choice=texts, text=texts)
@settings(max_examples=300)
def test_any_text_has_a_kind_or_a_reason(question: str, answer: str, options: str, choice: str, text: str) -> None:
    draft = RawQuestion(question=question, answer=answer, images=(), options=options, choice=choice, netlist=text)
    try:
        facts = kinds.find_facts(draft, parse_circuit(text))
    except UnusableError:
        return
    assert facts["kind"] in kinds.KINDS
    assert isinstance(facts["answer"], str)


@pytest.mark.parametrize(
    "text", ["1" * 200_000, "$" * 200_000, "V1 " * 60_000, "_{" * 90_000, ".control\n" * 20_000, "a " * 99_999]
)
def test_hostile_lengths_are_read_at_once(text: str) -> None:
    with max_calls(4_000_000):
        question = f"What is the current {text}"
        kinds.find_facts(RawQuestion(question=question, answer=text, images=(), netlist=text), None)
        kinds.parse_options(text)


# --------------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("R1 = 5 Ω".encode(), "R1 = 5 Ω"),
        (b"\xef\xbb\xbf5 V", "5 V"),
        ("don\u2019t, 5 µA".encode("cp1252"), "don\u2019t, 5 µA"),
        (b"\xff\x81", "\u00ff\ufffd"),
    ],
)
def test_text_is_utf_8_or_cp1252(raw: bytes, text: str) -> None:
    assert files.decode(raw) == text


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"1_1": "V1 1 0 5", }', "labels.json: invalid JSON from byte 20 on"),
        ('{"µ": 1, 2}'.encode(), "labels.json: invalid JSON from byte 10 on"),
        (b'\xef\xbb\xbf{"a" 1}', "labels.json: invalid JSON from byte 8 on"),
        (b"[" * 100_000, "labels.json: unreadable JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "labels.json: unreadable JSON"),
        (b"[1, 2]", "labels.json: expected an object of ids, got a list"),
        (b"", "labels.json: invalid JSON from byte 0 on"),
    ],
)
def test_broken_json_is_an_error_that_names_file_and_byte(raw: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_bytes(raw)
    with pytest.raises(DataFileError, match=message):
        source(tmp_path, tmp_path).examples("train")


@pytest.mark.parametrize("name", ["symbolic_equations.json", "circuit_qa_dataset.json"])
@pytest.mark.parametrize("text", ["[]", "{}", '{"results": {}, "questions": 3}', "7"])
def test_another_shape_of_json_is_an_error(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataFileError, match=f"{name}: expected an object with a list"):
        source(tmp_path, tmp_path).examples("train")


rows = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["circuit_id", "answer", "transfer_functions", "nodal_equations", "question", "cleaned_netlist",
                         "measurement_command", "image", "V1_to_R1", "skipped"]), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@given(results=st.lists(rows, max_size=4), questions=st.lists(rows, max_size=4), labels=rows)
@settings(max_examples=80)
def test_any_entries_are_counted_or_read(results: list[Any], questions: list[Any], labels: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "symbolic_equations.json").write_text(json.dumps({"results": results}))
        (folder / "circuit_qa_dataset.json").write_text(json.dumps({"questions": questions}))
        (folder / "labels.json").write_text(json.dumps({"a": labels, "../b": "V1 1 0 5"}))
        data = source(folder, folder / "cache")
        assert data.unusable["path leads out of the folder"] == 1
        assert data.scan.questions == ()


@given(st.text(alphabet="./\\aC:\0~", max_size=12))
def test_no_stated_path_leads_out_of_its_folder(relative_path: str) -> None:
    folder = Path("/data/set")
    try:
        path = files.resolve_inside(folder, relative_path)
    except UnusableError:
        return
    assert Path(*path.parts).is_relative_to(folder)
    assert ".." not in path.parts


def test_files_beyond_the_bounds_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(FIXTURE / "written", tmp_path / "written", copy_function=shutil.copyfile)
    item(tmp_path / "q1", question="What is V1?", ta="5 V", netlist="R1 1 0 5\n" + "* \n" * 300)
    item(tmp_path / "q2", question="What is V2?", ta="5 V", image=png() + b" " * 3000)
    monkeypatch.setattr(files, "MAX_JSON_BYTES", 1000)
    monkeypatch.setattr(files, "MAX_TEXT_BYTES", 500)
    monkeypatch.setattr(images, "MAX_IMAGE_BYTES", 2000)
    data = source(tmp_path, tmp_path / "cache")
    assert data.unusable["JSON file too large"] >= 2
    assert data.unusable["text file too large"] == 1
    assert data.unusable["image file too large"] == 1


def test_unusable_items_can_be_an_error(cache: Path) -> None:
    with pytest.raises(DataFileError, match=r"; 15 cannot be used \(.*\)"):
        source(FIXTURE, cache, on_unusable="stop").examples("train")
    assert source(FIXTURE, cache, parts=["perception"], on_unusable="stop").unusable == Counter()


def test_an_id_that_comes_twice_is_counted(tmp_path: Path) -> None:
    row = {"circuit_id": "1", "question_id": "1_q1", "question": "What is I1?", "answer": 2, "unit": "A"}
    (tmp_path / "circuit_qa_dataset.json").write_text(json.dumps({"questions": [row, row]}))
    (tmp_path / "1.png").write_bytes(png())
    data = source(tmp_path, tmp_path / "cache")
    assert data.unusable == Counter({"duplicate id": 1})
    assert [e.facts["answer"] for e in examples_by_id(data).values()] == ["2 A"]


def test_netlists_that_cannot_be_read_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    item(tmp_path / "q1", question="What is V1?", ta="5 V", netlist="no netlist at all")
    with caplog.at_level(logging.INFO, logger="circuitvlm.data"):
        examples = examples_by_id(source(tmp_path, tmp_path / "cache"))
    assert "netlist" not in examples["synthetic/q1"].facts
    assert "1 netlists cannot be read" in caplog.text


# --------------------------------------------------------------------------------------------------------- SVG drawings

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '


def render(body: str, size: str = 'width="60pt" height="40pt"') -> Image.Image:
    return Image.open(io.BytesIO(svg_drawing.rasterize_svg(f"{HEAD}{size}>{body}</svg>".encode())))


def test_an_svg_becomes_black_on_white_once(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_text(f'{HEAD} viewBox="0 0 60 40"><text x="5" y="30" font-size="20">G1</text></svg>')
    png_path = images.usable_image(path, cache=tmp_path)
    pixels = np.asarray(Image.open(png_path).convert("L"))
    assert pixels.shape == (40, 60)
    assert pixels.max() == 255, "no paper is drawn"
    assert pixels.min() < 100, "no text is drawn"
    stamp = png_path.stat().st_mtime_ns
    assert images.usable_image(path, cache=tmp_path) == png_path
    assert png_path.stat().st_mtime_ns == stamp
    assert not list(tmp_path.rglob("*.tmp"))


def test_nothing_from_outside_is_drawn(tmp_path: Path) -> None:
    black = tmp_path / "black.png"
    Image.new("L", (60, 40), 0).save(black)
    for link in (str(black), black.as_uri(), "black.png"):
        for attribute in ("href", "xlink:href"):
            page = render(f'<image {attribute}="{link}" width="60" height="40"/><script>alert(1)</script>')
            assert np.asarray(page.convert("L")).min() == 255


@pytest.mark.parametrize(
    ("size", "pixels"),
    [
        ('width="9000" height="3000"', (1536, 512)),
        ('viewBox="0 0 1 100000"', (16, 1536)),
        ('width="100%" height="100%" viewBox="0,0,30,20"', (30, 20)),
    ],
)
def test_the_size_of_a_drawing_is_bounded(size: str, pixels: tuple[int, int]) -> None:
    assert render('<rect width="5" height="5"/>', size).size == pixels


USES = "".join(
    f'<g id="a{i}">' + f'<use href="#a{i - 1}"/>' * 10 + "</g>" if i else '<path id="a0" d="M0 0H5"/>'
    for i in range(12)
)


def nested(kind: str, use: str, *, depth: int = 12, copies: int = 10) -> str:
    """`depth` levels of an element, each of which uses the one before in `copies` places."""
    text = f'<{kind} id="a0" width="2" height="2"><rect width="1" height="1"/></{kind}>'
    for level in range(1, depth):
        rect = f'<rect width="1" height="1" {use.replace("ID", f"a{level - 1}")}/>'
        text += f'<{kind} id="a{level}" width="2" height="2">{rect * copies}</{kind}>'
    return text


PATTERNS = nested("pattern", 'fill="url(#ID)"')
MASKS = nested("mask", "mask=\"url( '#ID' )\"")
CLIPS = nested("clipPath", 'style="clip-path:url(#ID)"')
MARKERS = '<marker id="m"><g>' + '<path d="M0 0"/>' * 300 + "</g></marker>"
LINE = '<g style="marker-mid:url(#m)"><path d="M0 0' + " L1 1" * 2000 + '"/></g>'
RECT = '<rect width="5" height="5"'
FILTER = '<filter id="f"><feGaussianBlur stdDeviation="9e9"/></filter>'
SHEET = "<style>rect { fill: url(#a11) }</style>"
ENTITY = f'<!DOCTYPE svg [<!ENTITY a "aaaa">]>{HEAD} width="5" height="5">&a;</svg>'
BOMB = io.BytesIO()
Image.new("1", (9000, 9000)).save(BOMB, "PNG")


@pytest.mark.parametrize(
    ("svg", "reason"),
    [
        (f'<!DOCTYPE svg [<!ENTITY a "aaaa">]>{HEAD} width="5" height="5">&a;</svg>', "SVG with entities"),
        (f'{HEAD} width="5" height="5">{USES}<use href="#a11"/></svg>', "SVG of too many elements"),
        *(
            (f'{HEAD} width="5" height="5">{body}</svg>', reason)
            for body, reason in (
                (f'{PATTERNS}{RECT} fill="url(#a11)"/>', "too many elements"),
                (f'{MASKS}{RECT} mask="url(#a11)"/>', "too many elements"),
                (f'{CLIPS}{RECT} clip-path="url(#a11)"/>', "too many elements"),
                (f"{PATTERNS}{SHEET}{RECT}/>", "too many elements"),
                (f"{MARKERS}{LINE}", "too many elements"),
                (FILTER, "SVG with filters"),
            )
        ),
        (f'{HEAD} width="5" height="5">' + "<g>" * 5000 + "</g>" * 5000 + "</svg>", "SVG nested too deeply"),
        (f"{HEAD}></svg>", "SVG without a size"),
        (f'{HEAD} width="0" height="5"></svg>', "SVG without a size"),
        ("<svg", "unreadable image"),
        ("", "unreadable image"),
        ("<html/>", "SVG without a size"),
    ],
)
def test_a_hostile_svg_is_refused_at_once(svg: str, reason: str) -> None:
    with max_calls(20_000), pytest.raises(UnusableError, match=reason):
        svg_drawing.rasterize_svg(svg.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_no_encoding_hides_an_entity(encoding: str) -> None:
    with max_calls(20_000), pytest.raises(UnusableError, match="SVG with entities"):
        svg_drawing.rasterize_svg(ENTITY.encode(encoding))


def test_an_svg_in_utf_16_is_drawn_as_the_same_in_utf_8() -> None:
    svg = f'<?xml version="1.0" encoding="UTF-16"?>{HEAD} width="60" height="40"><text x="5" y="30">Ω</text></svg>'
    plain = svg.replace("UTF-16", "UTF-8").encode()
    assert svg_drawing.rasterize_svg(svg.encode("utf-16")) == svg_drawing.rasterize_svg(plain)


def test_embedded_pictures_of_moderate_size_alone_are_drawn() -> None:
    small = io.BytesIO()
    Image.new("L", (60, 40), 0).save(small, "PNG")
    for file, darkest in ((small, 0), (BOMB, 255)):
        link = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
        page = render(f'<image href="{link}" width="60" height="40"/>', 'width="60" height="40"')
        assert np.asarray(page.convert("L")).min() == darkest


def test_patterns_and_markers_of_usual_size_are_drawn() -> None:
    pattern = (
        '<pattern id="p" width="4" height="4" patternUnits="userSpaceOnUse"><rect width="2" height="2"/></pattern>'
    )
    page = render(f'{pattern}<rect width="60" height="40" fill="url(#p)"/>', 'width="60" height="40"')
    assert 100 < np.asarray(page.convert("L")).mean() < 230


def test_copies_within_copies_of_themselves_are_refused_at_once() -> None:
    with max_calls(5_000), pytest.raises(UnusableError, match="unreadable image"):
        render('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g><use href="#a"/>')


@pytest.mark.parametrize(
    ("name", "raw"), [("a.png", b"GIF89a"), ("a.png", b""), ("a.jpg", png()[:20]), ("a.png", b"\x89PNG\r\n\x1a\n")]
)
def test_a_header_that_is_none_is_unreadable(name: str, raw: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(UnusableError, match="unreadable image"):
        images.usable_image(tmp_path / name, cache=tmp_path)


# -------------------------------------------------------------------------------------------------------------- the hub


class Hub:
    """A hub of one data set, the fixture, that notes what is asked of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, online: bool = True) -> None:
        self.online, self.calls = online, list[list[str]]()
        self.files = [path.relative_to(FIXTURE).as_posix() for path in FIXTURE.rglob("*") if path.is_file()]
        monkeypatch.setattr(hub, "HfApi", lambda: self)
        monkeypatch.setattr(hub, "snapshot_download", self.download)

    @property
    def sha(self) -> str:
        return "c0ffee"

    def dataset_info(self, name: str, *, revision: str) -> Hub:
        if not self.online:
            raise ConnectionError("no route to the hub")
        return self

    def list_repo_files(self, name: str, *, repo_type: str, revision: str) -> list[str]:
        assert (name, repo_type, revision) == ("someone/Some.Set", "dataset", self.sha)
        return self.files

    def download(self, name: str, *, repo_type: str, revision: str, local_dir: Path, allow_patterns: list[str]) -> None:
        if not self.online:
            raise ConnectionError("no route to the hub")
        chosen = list(filter_repo_objects(self.files, allow_patterns=allow_patterns))
        self.calls.append(chosen)
        for file in chosen:
            (local_dir / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(FIXTURE / file, local_dir / file)


def test_a_hub_name_gives_what_the_folder_gives(
    whole: CircuitSense, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(monkeypatch)
    assert splits_by_id(source("someone/Some.Set", tmp_path)) == splits_by_id(whole)
    hub.online = False
    assert splits_by_id(source("someone/Some.Set", tmp_path)) == splits_by_id(whole), "what is here needs no network"


def test_only_the_drawn_items_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(monkeypatch)
    sample = source("someone/Some.Set", tmp_path, parts=["synthetic"], max_samples=3, seed=1)
    names = set(examples_by_id(sample))
    folders = {file.rpartition("/")[0] for call in hub.calls for file in call}
    assert len(folders) == 3
    assert names == set(examples_by_id(source(FIXTURE, tmp_path, parts=["synthetic"], max_samples=3, seed=1)))
    call_count = len(hub.calls)
    examples_by_id(source("someone/Some.Set", tmp_path, parts=["synthetic"], max_samples=4, seed=1))
    again = [file for call in hub.calls[call_count:] for file in call]
    assert {file.rpartition("/")[0] for file in again}.isdisjoint(folders), "what was there came again"


def test_without_a_network_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(monkeypatch, online=False)
    with pytest.raises(FetchError, match=r"ConnectionError.*hf download someone/Some.Set --repo-type dataset"):
        source("someone/Some.Set", tmp_path).examples("train")
    hub.online = True
    monkeypatch.setattr("circuitvlm.runtime.hub.snapshot_download", lambda *_, **__: None)
    with pytest.raises(FetchError, match=r"more files.*the same command resumes"):
        source("someone/Some.Set", tmp_path).examples("train")


@given(st.data())
@settings(max_examples=60)
def test_patterns_cover_the_missing_files_and_no_other(data: st.DataObject) -> None:
    names = st.text(alphabet="ab[*?]!", min_size=1, max_size=3)
    paths = st.lists(names, min_size=1, max_size=3).map("/".join)
    every = data.draw(st.lists(paths, unique=True, min_size=1, max_size=12))
    every = [path for path in every if not any(other.startswith(f"{path}/") for other in every)]
    missing = set(data.draw(st.lists(st.sampled_from(every), min_size=1)))
    patterns = list(hub._download_patterns(every, missing))
    assert set(filter_repo_objects(every, allow_patterns=patterns)) == missing


@pytest.mark.parametrize("name", ["a", "a/b/c", "../b", "a/..", "/a/b", "a b/c", ""])
def test_what_is_no_name_never_reaches_the_hub(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Hub(monkeypatch)
    with pytest.raises((DataFileError, FetchError), match=r"expected .*owner/name"):
        source(name, tmp_path).examples("train") if not Path(name).is_dir() else hub.fetch_dataset(
            name, revision="main", cache=tmp_path
        )


# --------------------------------------------------------------------------------------------- the writer and the audit


def circuit_items(count: int, *, symbolic: bool) -> Iterable[CircuitItem]:
    """Generated circuits with what is asked of them; symbolic ones have a controlled source."""
    for number in range(count):
        circuit = generate.item([3], number, components=(3, 6)).circuit
        solution = numeric.solve(circuit)
        if symbolic:
            lines = netlist.format(circuit, renumber=False).splitlines()
            names = "\n".join(" ".join([*line.split()[:3], line.split()[0]]) for line in lines)
            circuit = netlist.parse(f"{names}\nG9 1 0 1 0 g_1")
        device = circuit.devices[0]
        measurements = [
            Measurement(f"i({device.name})", "I1", float(solution.current(device.name).real)),
            Measurement("v(1)", "U1", float(solution.voltage("1").real)),
        ]
        answers = {"V1_to_R1": "R1/(R1 + R2)"} if symbolic else {}
        yield CircuitItem(f"1_{number}", circuit, png(number), answers, () if symbolic else measurements)


def test_numeric_circuits_come_back_as_they_were_written(tmp_path: Path) -> None:
    items = list(circuit_items(12, symbolic=False))
    write(tmp_path, items)
    examples = examples_by_id(source(tmp_path, tmp_path / "cache"))
    for item in items:
        example = examples[f"generated/{item.id}/netlist"]
        assert netlist.parse(str(example.facts["netlist"])).devices == item.circuit.devices
        assert example.images[0].path.read_bytes() == item.image
        for number, measurement in enumerate(item.measurements, start=1):
            facts = examples[f"qa/{item.id}/{item.id}_q{number}"].facts
            truth = quantity.Quantity(measurement.value, "A" if measurement.probe[0] == "i" else "V")
            assert quantity.compare(str(facts["answer"]), truth, tolerance=1e-5).correct
            assert (facts["kind"], facts["probe"]) == ("measurement", measurement.probe)
    assert audit(str(tmp_path), cache=str(tmp_path / "cache")).contradictions == ()


def test_symbolic_circuits_come_back_in_spices_convention(tmp_path: Path) -> None:
    items = [item for item in circuit_items(12, symbolic=True) if any(d.name == "V1" for d in item.circuit.devices)]
    write(tmp_path, items)
    results = json.loads((tmp_path / "symbolic_equations.json").read_text())["results"]
    examples = examples_by_id(source(tmp_path, tmp_path / "cache"))
    for item, result in zip(items, results, strict=True):
        again = netlist.parse(str(examples[f"generated/{item.id}/netlist"].facts["netlist"]))
        assert [(d.name, d.nodes) for d in again.devices] == [(d.name, d.nodes) for d in item.circuit.devices]
        lcapy_circuit = netlist.parse(result["cleaned_netlist"])
        assert lcapy_circuit.device("G9").nodes == ("0", "1", "1", "0"), "lcapy's G drives out of its first node"
        assert to_spice(lcapy_circuit).devices == again.devices
        assert f"generated/{item.id}/V1_to_R1" in examples or "R1" not in {d.name for d in item.circuit.devices}


def test_the_written_keys_are_the_generators(tmp_path: Path) -> None:
    write(tmp_path, [*circuit_items(2, symbolic=False)])
    labels, equations, questions = (json.loads((tmp_path / name).read_text()) for name in
                                ("labels.json", "symbolic_equations.json", "circuit_qa_dataset.json"))  # fmt: skip
    assert set(labels) == {"1_0", "1_1"}
    assert ".control\nop\nprint i(" in labels["1_0"]
    assert set(equations) == {"summary", "results"}
    assert set(questions) == {"metadata", "questions"}
    assert set(questions["questions"][0]) == {
        "question_id", "circuit_id", "question", "measurement_command", "measurement_variable", "measurement_type",
        "unit", "answer", "answer_formatted", "has_answer", "circuit_netlist", "original_netlist",
    }  # fmt: skip
    write(tmp_path, [CircuitItem("s", to_spice(netlist.parse("V1 1 0 step\nC1 1 0 C1")), png(), {"V1_to_C1": "1"})])
    assert set(json.loads((tmp_path / "symbolic_equations.json").read_text())["results"][0]) == {
        "circuit_id", "cleaned_netlist", "voltage_sources", "components", "transfer_functions", "nodal_equations",
        "complexity_metrics",
    }  # fmt: skip


def circuit_item(**changes: Any) -> CircuitItem:
    fields: dict[str, Any] = {"id": "a", "circuit": netlist.parse("V1 1 0 5\nR1 1 0 2"), "image": png()}
    return CircuitItem(**fields | changes)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([circuit_item(id="../a")], "expected a unique file name"),
        ([circuit_item(), circuit_item()], "expected a unique file name"),
        ([circuit_item(circuit=netlist.parse("V1 1 0 step\nG1 1 0 1 0 2"))], "got lcapy's"),
        ([circuit_item(circuit=netlist.parse("V1 1 0 1.23456789\nR1 1 0 5"))], "the same after writing and reading"),
        ([circuit_item(measurements=[Measurement("i(R1);quit", "I1", 1.0)])], "expected a probe"),
        ([circuit_item(measurements=[Measurement("i(R1)", "I 1\nquit", 1.0)])], "a name such as I1"),
        ([circuit_item(measurements=[Measurement("i(R1)", "I1", float("nan"))])], "a finite value"),
    ],
)
def test_what_cannot_be_written_is_refused(items: Sequence[CircuitItem], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        write(tmp_path, items)


def test_the_audit_finds_wrong_answers_and_what_comes_twice(tmp_path: Path) -> None:
    def circuit(text: str) -> Circuit:
        return to_spice(netlist.parse(text))

    numeric_ = circuit("V1 1 0 10\nR1 1 2 1k\nR2 2 0 1k")
    low = circuit("V1 1 0 step\nR1 1 2 R1\nC1 2 0 C1")
    write(
        tmp_path,
        [
            CircuitItem("right", numeric_, png(1), measurements=[Measurement("v(2)", "U1", 5.0)]),
            CircuitItem("wrong", numeric_, png(2), measurements=[Measurement("v(2)", "U1", -5.0)]),
            CircuitItem("lowpass", low, png(3), {"V1_to_C1": "1/(1 + s*R1*C1)"}),
            CircuitItem("opposite", low, png(3), {"V1_to_C1": "-1/(1 + s*R1*C1)"}),
        ],
    )
    result = audit(str(tmp_path), cache=str(tmp_path / "cache"))
    assert [(c.id, c.result) for c in result.contradictions] == [
        ("generated/opposite/V1_to_C1", "opposite sign"),
        ("qa/wrong/wrong_q1", "5 V"),
    ]
    assert (result.checked_answers, result.divided_topologies) == (4, 0)
    assert result.isomorphic_circuits == (("lowpass", "opposite"), ("right", "wrong"))
    assert result.image_circuits == (("lowpass", "opposite"),)
    assert result.counts == {
        ("unstated", "netlist"): 4,
        ("unstated", "measurement"): 2,
        ("unstated", "transfer_function"): 2,
    }
    assert "2 of 4 checked answers are contradicted by the solver" in result.lines()


# ------------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parts": ["sythetic"]}, r"parts: expected synthetic or .*, got 'sythetic'.* Did you mean 'synthetic'"),
        ({"kinds": []}, "kinds: expected at least one of"),
        ({"on_unusable": "ignore"}, "on_unusable: expected count or stop"),
        ({"max_samples": 0}, "max_samples: expected null, or 1 or more, got 0"),
        ({"splits": {"train": {"share": 0.5}}}, "expected shares that sum to 1, got .*0.5"),
        ({"splits": {"train": {"share": 1, "seed": 2}}}, "splits.train: expected share"),
        ({"splits": {"train": {"share": 2}}}, "splits.train: expected share"),
    ],
)
def test_wrong_settings_are_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        source(tmp_path, tmp_path, **changes)


def test_an_empty_root_and_an_unknown_split_are_named(tmp_path: Path, whole: CircuitSense) -> None:
    with pytest.raises(DataFileError, match="expected questions of synthetic"):
        source(tmp_path, tmp_path).examples("train")
    with pytest.raises(ValueError, match="expected a split of train, validation, test, got 'tset'"):
        whole.examples("tset")


def test_a_symbolic_circuit_with_a_current_controlled_source_is_written_and_read(tmp_path: Path) -> None:
    """The output nodes of F are the same in SPICE and in current lcapy; those of G and I are swapped."""
    circuit = netlist.parse("V1 1 0 V1\nR1 1 2 R1\nVI1 2 3 0\nR2 3 0 R2\nF1 0 2 VI1 y_1\nR3 2 0 R3")
    write(tmp_path / "made", [CircuitItem("1_0", circuit, png(0), {"V1_to_R2": "R2"}, ())])
    made = source(tmp_path / "made", tmp_path)
    examples = [example for split in made.splits() for example in made.examples(split) if "netlist" in example.facts]
    assert examples
    assert all("F1 0 2 VI1" in str(example.facts["netlist"]) for example in examples)
