"""Test that values are what SPICE means: arithmetic, multipliers, models, temperature, waveforms, symbols."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitvlm.circuit import netlist
from circuitvlm.circuit.netlist.arithmetic import MAX_DEPTH, evaluate
from circuitvlm.circuit.solve.numeric import solve
from circuitvlm.circuit.values import UnsolvableDeviceError


def value(line: str, cards: str = "") -> float | None:
    """The value of the first device of a deck with this line."""
    return netlist.parse_deck(f"* t\n{line}\nRX 1 0 1\n{cards}\n.end").devices[0].value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2*1k", 2000), ("1meg/2", 5e5), ("-2+3", 1), ("8/2/2", 2), ("2-3-4", -5), ("2*(3+4)", 14), ("2**3", 8),
        ("2^-1", 0.5), ("-3*-2", 6), ("sqrt(16)*a", 28), ("max(1,2,a)", 7), ("pow(2,10)", 1024), ("2*pi", 2 * math.pi),
        ("A+a", 14), ("1.5e3+.5", 1500.5), ("pwr(-2,2)", -4), ("int(2.7)", 2), ("ln(exp(2))", 2), ("log10(1k)", 3),
        ("", None), ("1k+", None), ("b*2", None), ("1/0", None), ("sqrt(-1)", None), ("(1,2)", None), ("5 5", None),
        ("max()", None), ("v(1)*2", None), ("9**9**9**9", None), ("__import__('os')", None), ("2;3", None),
        ("()", None), ("(" * 2 * MAX_DEPTH + "1" + ")" * 2 * MAX_DEPTH, None),
        ("(" * 100_000, None), ("-" * 100_000 + "1", None),
    ],
)  # fmt: skip
def test_arithmetic(text: str, expected: float | None) -> None:
    assert evaluate(text, {"a": 7.0}) == (None if expected is None else pytest.approx(expected))


@given(st.recursive(st.integers(1, 99).map(str), lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(
    lambda parts: f"({parts[0]}{parts[1]}{parts[2]})"), max_leaves=12))  # fmt: skip
def test_arithmetic_is_that_of_numbers(text: str) -> None:
    try:
        expected = float(_compute(text))
    except ZeroDivisionError:
        assert evaluate(text, {}) is None
    else:
        assert evaluate(text, {}) == pytest.approx(expected)


def _compute(text: str) -> float:
    """An oracle of its own: it splits a bracket at its outermost sign."""
    if text[0] != "(":
        return float(text)
    depth = 0
    for place, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 1 and character in "+-*/":
            a, b = _compute(text[1:place]), _compute(text[place + 1 : -1])
            return a / b if character == "/" else {"+": a + b, "-": a - b, "*": a * b}[character]
    raise AssertionError(text)


@pytest.mark.parametrize(
    ("line", "cards", "expected"),
    [
        ("R1 1 0 {2*1k}", "", 2000), ("R1 1 0 '2*1k'", "", 2000), ("R1 1 0 R={1k/4}", "", 250),
        ("R1 1 0 {Vo**2/Po}", ".param Vo=5 Po=10", 2.5), ("R1 1 0 {b}", ".param b={2*a}\n.param a=1k", 2000),
        ("R1 1 0 {b/4+a}", ".param a=1k b={2*a}", 1500), ("C1 1 0 {1u*3}", "", 3e-6),
        ("R1 1 0 1k m=2", "", 500), ("C1 1 0 1u m=2", "", 2e-6), ("L1 1 0 1m m=2", "", 5e-4), ("I1 1 0 1 m=3", "", 3),
        ("G1 1 0 1 0 2m m=2", "", 4e-3), ("R1 1 0 1k scale=3 m=2", "", 1500), ("R1 1 0 1k m=1", "", 1000),
        ("R1 1 0 1k tc1=0.01 dtemp=100", "", 2000), ("R1 1 0 1k tc1=0.01 temp=127", "", 2000),
        ("R1 1 0 1k tc=0.01,0.001 dtemp=10", "", 1200), ("R1 1 0 1k tc1=0.01", "", 1000),
        ("R1 1 0 1k tc1=0.01", ".temp 127", 2000), ("R1 1 0 1k tc1=0.01", ".options temp=127 tnom=77", 1500),
        ("C1 1 0 1u tc1=0.01 dtemp=100", "", 2e-6), ("R1 1 0 RM 2k", ".model RM RES (TC1=0)", 2000),
        ("R1 1 0 2k RM", ".model RM R(tc1=0.01)\n.temp 127", 4000),
        ("R1 1 0 2k RM dtemp=100", ".model RM r(tc1=.01)", 4000),
        ("rR1 1 0 1000 vresR1", ".model vresR1 r( )", 1000), ("R1 1 0 1798 $SUB=sub! $[rhigh] m=2", "", 899),
        ("E1 1 0 POLY(1) 1 0 0 10", "", 10), ("F1 1 0 POLY(1) V1 0 2", "", 2),
    ],
)  # fmt: skip
def test_a_value_is_what_spice_means(line: str, cards: str, expected: float) -> None:
    assert value(line, cards) == pytest.approx(expected)
    text = netlist.format(netlist.parse_deck(f"* t\n{line}\nR9 1 0 1\n{cards}\n.end"))
    assert netlist.parse(text).devices[0].value == pytest.approx(expected), "also after it was written"


def test_parameters_of_a_call_are_computed() -> None:
    text = "* t\nV1 1 0 1\nX1 1 0 s r={2*500}\n.param k=3\n.subckt s a b params: r=1 c={r*k}\nR1 a b {c}\n.ends\n.end"
    assert netlist.parse_deck(text).device("R.X1.R1").value == 3000


@pytest.mark.parametrize(
    ("text", "volts"),
    [
        ("SINE (2 1 1k) AC 1", 2), ("sin(2 1 1k)", 2), ("SIN 2 1 1k", 2), ("PULSE(3 5 0 1n)", 3), ("PWL(0 4 1m 5)", 4),
        ("EXP(1 2 0 1u)", 1), ("DC 7 SIN(2 1 1k)", 7),
    ],
)  # fmt: skip
def test_a_waveform_has_its_first_value_at_dc(text: str, volts: float) -> None:
    assert solve(netlist.parse_deck(f"* t\nV1 1 0 {text}\nR1 1 0 1k\n.end")).voltage("1", "0") == volts
    if "AC" not in text and "DC" not in text:
        with pytest.raises(UnsolvableDeviceError, match="V1"):  # it has no amplitude
            solve(netlist.parse_deck(f"* t\nV1 1 0 {text}\nR1 1 0 1k\n.end"), 50.0)


@pytest.mark.parametrize(
    "line",
    ["V1 1 0 5 delay=3", "E1 1 0 POLY(2) 1 0 1 0 0 1 2 3", "R1 1 0 1k foo",
     "R1 1 0 1k ohmic=2", "E1 1 0 1 0 2 max=3", "R1 1 0 1k m=0",
     "R1 1 0 {2*x}", "R1 1 0 RM 2k"],
)  # fmt: skip
def test_what_is_not_understood_is_refused_by_name(line: str) -> None:
    with pytest.raises(ValueError, match=line.split()[0]):
        solve(netlist.parse_deck(f"* t\nVX 1 0 1\n{line}\n.end"))


@pytest.mark.parametrize(
    ("line", "volts"),
    [
        ("V1 1 0 5 Rser=3\nR1 1 0 3", 2.5), ("V1 1 0 5 Rser=3 Rpar=1k\nR1 1 0 3", 2.5 * 1 / (1 + 1.5 / 1000)),
        ("I1 0 1 1 Rpar=3\nR1 1 0 3", 1.5), ("V1 1 0 5 Rser=0\nR1 1 0 3", 5),
        ("V1 9 0 5\nL1 9 1 1m Rser=3\nR1 1 0 3", 2.5),
        ("V1 1 0 5\nC1 1 0 1u Rser=3 Lser=1n\nR1 1 0 1", 5),
    ],
)  # fmt: skip
def test_parasitic_parts_are_devices(line: str, volts: float) -> None:
    """The voltage by hand; LTspice states them so."""
    circuit = netlist.parse_deck(f"* t\n{line}\n.end")
    assert solve(circuit).voltage("1", "0") == pytest.approx(volts)
    again = netlist.parse(netlist.format(circuit))
    assert solve(again).voltage(again.device("R1").nodes[0], "0") == pytest.approx(volts)


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("R1 1 2 R1 R2 2 3 R2 E1 3 0 opamp 0 2 A", [("R1", "R1"), ("R2", "R2"), ("E1", "A")]),
        ("R1 1 2 A R2 2 3 B R3 3 4 C", [("R1", "A"), ("R2", "B"), ("R3", "C")]),
        ("V1 1 0 Vin R1 1 2 Ra C1 2 0 Cb", [("V1", "Vin"), ("R1", "Ra"), ("C1", "Cb")]),
        ("Rs 1 2 Rs Rl 2 0 Rl", [("RS", "Rs"), ("RL", "Rl")]),
        ("V1 1 0 AC V\nR1 1 0 R", [("V1", "AC V"), ("R1", "R")]),
    ],
)
def test_symbols_for_values_are_read_in_one_line(text: str, devices: list[tuple[str, str]]) -> None:
    circuit = netlist.parse(text)
    assert [(device.name, device.text) for device in circuit.devices] == devices
    again = netlist.parse(netlist.format(circuit))
    assert [(device.name, device.text) for device in again.devices] == devices


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
@pytest.mark.parametrize(
    ("line", "cards"),
    [
        ("R1 1 2 {2*1k}", ""), ("R1 1 2 {Vo**2/Po}", ".param Vo=50 Po=10"), ("R1 1 2 {b/4+a}", ".param a=1k b={2*a}"),
        ("R1 1 2 {-2**2+2000}", ""), ("R1 1 2 {sqrt(1meg)*max(1,2)}", ""), ("R1 1 2 {10*log(10)}", ""),
        ("R1 1 2 1k m=2", ""), ("R1 1 2 1k scale=3 m=2", ""), ("R1 1 2 1k tc1=0.01 dtemp=100", ""),
        ("R1 1 2 1k tc1=0.01 tc2=1e-4 temp=127", ""), ("R1 1 2 1k tc1=0.01", ".temp 127"),
        ("R1 1 2 1k tc1=0.01", ".options temp=127 tnom=77"), ("R1 1 2 RM 2k", ".model RM R(TC1=0.01)\n.temp 127"),
        ("R1 1 2 2k RM dtemp=50", ".model RM R(TC1=0.01 TC2=1e-4)"), ("L1 1 2 1m m=2", ""),
        ("E1 1 2 POLY(1) 1 0 0 0.5", ""), ("E1 2 0 POLY(2) 1 0 1 0 0.25 0.5 0.125\nR3 2 1 1k", ""),
        ("G1 1 2 POLY(2) 1 0 1 2 1m 0.5m 0.125m", ""), ("F1 1 2 POLY(2) V1 V9 1m 0.5 0.25\nV9 1 9 1\nR9 9 0 1k", ""),
        ("H1 2 0 POLY(2) V1 V9 1 500 250\nV9 1 9 1\nR9 9 0 1k\nR3 1 2 1k", ""), ("G1 1 2 1 0 1m m=3", ""),
    ],
)  # fmt: skip
def test_ngspice_computes_the_same(line: str, cards: str, tmp_path: Path) -> None:
    deck = f"t\nV1 1 0 6\n{line}\nR2 2 0 1k\n{cards}\n.op\n.print op v(2)\n.end\n"
    (tmp_path / "deck.cir").write_text(deck)
    words = ["ngspice", "-b", str(tmp_path / "deck.cir")]
    output = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path).stdout
    match = re.search(r"^\s*V\(2\)\s+([-+.0-9e]+)$", output, re.M)
    assert match is not None, output
    assert solve(netlist.parse_deck(deck)).voltage("2", "0") == pytest.approx(float(match[1]), rel=2e-6), (
        "six digits are printed"
    )
