"""Test that netlists are read and written correctly, and that other texts are refused."""

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.judge.equivalence import compare
from tests.steps import max_calls

# Texts by name, each with its canonical form, in which the nodes are renumbered.
CORPUS: dict[str, list[str]] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "netlists" / "corpus.json").read_text(encoding="utf-8")
)

REFUSED_TEXTS: dict[str, str] = {
    "": "empty",
    "   \n\t": "empty",
    "* only a comment": "no device",
    ".end": "no device",
    "hello": "no device",
    "The circuit has a resistor of 5 ohm.": "no device",
    "R1 1": "R1: expected 2 nodes, got 1",
    "V1 1 0 5\nR1 1": "line 2: R1: expected 2 nodes, got 1",
    "V1 1 0 5\nU1 1 2 3": "expected a device of a kind in",
    "V1 1 0 5\nV1 1 0 6": "line 2: V1: expected one device with this name, got another one in line 1",
    "v1 1 0 5 r1 1 0 1 R1 1 0 2": "R1: expected one device with this name",
    "V1 1 0 5\nwhat is this\nR1 1 0 5": "line 2: expected a device or a card, got 'what is this'",
    "+ 5": "line 1: expected a line before the continuation line",
    "V1 1 0 5\x00": "control character",
    "V1 1 0 5\n\x1b[31m": "line 2: expected printable text",
    "V1 1 0 \ud800": "control character",
    "E1 1 0 2\nR1 1 0 5": "E1",
    "R1 1 2=3 5\nV1 1 0 5": "line 1: R1: expected a node such as 3 or out, got '2=3'",
    "R1 1 0 1,000": "a second value '000'",
    "R1 1 2 - 5": "expected a value or a model after the nodes, got '-'",
    "Resistors: 1 0 5": "no device",
    "R0 (a b) resistor r=": "no device",
    "V1 1 0 10,000\nR1 1 0 1": "a second value '000'",
    "U1 1 2 3\nV1 1 0 5": "line 1: U1: expected a device of a kind in .*, got 'U1'",
    "V1 1 0 " + "1 " * 2000: "at most 1000",
    ".subckt a b\nR1 a b 1\n.ends": "no device",
    ".control\nR1 a b 1\n": "no device",
    "R1 1 2 " + "x" * 5000: "characters",
    "R1 " + "n" * 100 + " 2 5": "expected a node",
    "V1 1 0 5\n" * 2: "expected one device with this name",
    "a" * 1_000_001: "at most",
    "\n".join(f"R{i} 1 0 1" for i in range(20_001)): "at most 20000 devices",
}

WORD_LIST = """r1 R2 Rload rx v1 V2 vin i1 c1 L1 L2 l3 q1 m1 x1 x2 d1 e1 g1 f1 h1 k1 b1 t1 s1 w1 j1 z1 u1
1 2 3 0 gnd GND out in a N+ 10k 4.7k 1u 5V 5 V ohm kohm Ω mV 1e3 1e-9 dc ac DC AC dc= ac=1 = R=10k r=5 ic=0 m=2
SIN(0 1 1k) sin (0,1) ( ) { } {a+b} ' \" step <Empty> .end .op .tran .model .control .endc .subckt .ends .dc
POLY(1) value={v(1)} value , ; $ // * + - 2N2222 NPN 90 45 -1 circuit the of Voltage _{1} R_{3} ``` ```spice
9**9**9 µ −5 2k2 Rshunt Rs Vb DMOD (load)"""
WORDS = WORD_LIST.split()


def check_stable(text: str) -> None:
    """Check that the text is refused, or that its circuit is written and read again without a change."""
    try:
        circuit = netlist.parse(text)
    except netlist.NetlistError:
        return
    for renumber in (True, False):
        once = netlist.format(circuit, renumber=renumber)
        assert netlist.format(netlist.parse(once), renumber=renumber) == once
    again = netlist.parse(netlist.format(circuit))
    assert [d.name for d in again.devices] == [d.name for d in circuit.devices]
    verdict = compare(again, circuit)
    assert verdict.names or verdict.undecided


@pytest.mark.parametrize("name", CORPUS)
def test_corpus(name: str) -> None:
    text, canonical = CORPUS[name]
    assert netlist.format(netlist.parse(text)) == canonical
    check_stable(text)


def test_the_corpus_is_large() -> None:
    assert len({text for text, _ in CORPUS.values()}) >= 60


@pytest.mark.parametrize("text", REFUSED_TEXTS, ids=lambda text: repr(text[:30]))
def test_refused_with_line_and_reason(text: str) -> None:
    with pytest.raises(netlist.NetlistError, match=REFUSED_TEXTS[text]) as error:
        netlist.parse(text)
    assert error.value.reason in str(error.value)
    assert error.value.line is None or f"line {error.value.line}: " in str(error.value)


def test_titles_are_kept() -> None:
    assert netlist.parse(CORPUS["llava"][0]).title == "Multiple dc sources"
    assert netlist.parse("My amp\nR1 1 0 5").title == "My amp"
    assert netlist.parse("R1 1 0 5").title == ""


def test_kept_names() -> None:
    circuit = netlist.parse("t\nVin In gnd 5\nRload IN out 1k\nR2 Out 0 R2")
    assert netlist.format(circuit, renumber=False) == "VIN In 0 5\nRLOAD In out 1k\nR2 out 0 R2"
    assert circuit.devices[1].value == 1000
    assert circuit.devices[2] == Device("R2", "R", ("out", "0"), None, None, "R2")


def test_a_backslash_after_a_value_is_dropped() -> None:
    assert netlist.format(netlist.parse("V1 1 0 10\nR1 1 2 1k\\ R2 2 0 2k")) == "V1 1 0 10\nR1 1 2 1k\nR2 2 0 2k"


def test_names_that_would_read_as_a_title_are_numbered() -> None:
    lone = Circuit((Device("RX", "R", ("a", "b"), 1.0),))
    assert netlist.format(lone, renumber=False) == "RX 1 2 1"


@pytest.mark.parametrize("text", ["5\n.control\nshell date\n.endc", "\x00", "a\tb"])
def test_control_characters_are_not_written(text: str) -> None:
    with pytest.raises(netlist.NetlistError, match="control character"):
        netlist.format(Circuit((Device("R1", "R", ("1", "0"), None, text=text),)))


HOSTILE = {
    "blanks": "R1 1 2 10" + " " * 990_000 + "x",
    "open": "(" * 1_000_000,
    "deep": "R1 1 2 " + "(" * 2000 + ")" * 2000,
    "deeper": "R1 1 2 " + "(" * 400_000 + ")" * 400_000,
    "mixed": "({" * 400_000 + ")}" * 50_000,
    "equals": "R1 1 2 " + "= " * 400_000,
    "quotes": "'" * 900_000,
    "names": "r1 " * 300_000,
    "calls": "x1 " + "1 " * 400_000,
    "fences": "```" * 300_000,
    "continuations": "R1 1 2\n" + "+ 1\n" * 200_000,
    "subscripts": "_{" * 400_000,
    "cards": ".a " * 300_000,
    "many nodes": "V1 1 0 5\n" + "\n".join(f"X{i} a{i} b{i} s" for i in range(4000)),
    "models": ".model " * 100_000 + " r1 " * 50_000,
    "numbers": "v1 1 0 " + "1 " * 400_000,
    "digits": "R1 1 2 " + "9" * 4000,
    "power": "R1 1 0 9**9**9\nV1 1 0 1e99999999",
    "prose": "hello world\n" * 80_000,
    "shell": "V1 1 0 5\n.control\nshell touch /tmp/pwned\n.endc\n.include /etc/passwd",
    "python": "__import__('os').system('date')",
    "emoji": "R1 😀 ０ 5\nR2 ａ b 5",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_ends_soon(name: str) -> None:
    with max_calls(100_000 + 600 * len(HOSTILE[name])):  # four readings and a comparison
        check_stable(HOSTILE[name])


@given(st.text(max_size=200))
@settings(max_examples=300)
def test_any_text(text: str) -> None:
    check_stable(text)


@given(st.lists(st.sampled_from([*WORDS, "\n", "\n+ "]), max_size=40))
@settings(max_examples=700)
def test_any_words(words: list[str]) -> None:
    check_stable(" ".join(words))


@given(st.sampled_from(sorted(CORPUS)), st.randoms(use_true_random=False))
@settings(max_examples=700)
def test_mutated_decks(name: str, rng: random.Random) -> None:
    text = CORPUS[name][0]
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.randint(0, 6))
        text = (
            text[:start]
            + rng.choice(["", " ", "\n", rng.choice(WORDS), f" {rng.choice(WORDS)} ", text[start:end] * 2])
            + text[end:]
        )
    check_stable(text)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("RCLVI"),
            st.sampled_from(["0", "a", "out", "7", "n+"]),
            st.sampled_from(["0", "b", "OUT2", "7"]),
            st.floats(1e-15, 1e15),
            st.none() | st.tuples(st.floats(0, 1e6), st.floats(-180, 180)),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=200)
def test_made_circuits_come_back(rows: list[tuple[str, str, str, float, tuple[float, float] | None]]) -> None:
    lines = [
        f"{kind}{i} {a} {b} {value!r}" + (f" AC {ac[0]!r} {ac[1]!r}" if ac and kind in "VI" else "")
        for i, (kind, a, b, value, ac) in enumerate(rows)
    ]
    check_stable("\n".join(lines))


def test_the_deck_holds_nothing_of_the_text() -> None:
    text = "t .control\nVin a-b gnd 5 SIN(0 1 1k)\nR1 a-b c 1k tc=0.1\nC1 c 0 1u ic=0"
    deck = netlist.deck(netlist.parse(text.replace(" .control", "")), "ac 1e3")
    assert "SIN" not in deck
    assert "tc" not in deck
    assert ".control" not in deck
    assert "VIN 1 0 DC 0 AC 5.0 0.0" in deck.split("\n")


@pytest.mark.parametrize(
    "analysis", ["", "op\n.control", "ac", "ac 0", "ac -5", "ac 1k", "ac inf", "dc", "ac 1 2", "ac 1e999", "tran 1"]
)
def test_other_analyses_are_refused(analysis: str) -> None:
    with pytest.raises(netlist.NetlistError, match="expected 'op'"):
        netlist.deck(netlist.parse("R1 1 0 5"), analysis)


@pytest.mark.parametrize(
    "device",
    [
        Device("R1\n.control", "R", ("1", "0"), 5.0),
        Device("R1 1 0 5\nshell", "R", ("1", "0"), 5.0),
        Device("D1", "D", ("1", "0"), text="DX"),
        Device("B1", "B", ("1", "0"), text="V=1"),
        Device("X1", "X", ("1", "0"), text="sub"),
        Device("F1", "F", ("1", "0"), 5.0, text="V1\nshell date"),
        Device("R1", "R", ("1", "0"), None, text="5\nshell date"),
        Device("R1", "R", ("1", "0"), 5.0, text="m=2"),
        Device("V1", "R", ("1", "0"), 5.0),
    ],
)
@pytest.mark.parametrize("analysis", ["op", "ac 50"])
def test_no_card_can_be_smuggled_into_a_deck(device: Device, analysis: str) -> None:
    with pytest.raises(ValueError, match=r"export|value"):
        netlist.deck(Circuit((device,)), analysis)


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
def test_a_shell_command_is_not_run(tmp_path: Path) -> None:
    bait = tmp_path / "bait"
    text = f"V1 1 0 5\nR1 1 0 1k\n.control\nshell touch {bait}\n.endc\n.end"
    (tmp_path / "deck.cir").write_text(netlist.deck(netlist.parse(text)))
    subprocess.run(["ngspice", "-b", "deck.cir"], cwd=tmp_path, check=True, capture_output=True)
    assert not bait.exists()


def test_ground_is_always_zero() -> None:
    assert GROUND in netlist.parse("R1 a gnd 1").nodes
