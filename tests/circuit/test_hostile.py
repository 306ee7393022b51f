"""Tests that every reader of circuits and formulas refuses hostile text, and executes none."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvlm.circuit import netlist, quantity
from circuitvlm.circuit.formula import expression
from circuitvlm.circuit.judge.answer import read_executable
from circuitvlm.circuit.judge.verdict import Verdict, equal_expressions
from circuitvlm.circuit.solve import probe
from tests.steps import max_calls

PAYLOADS = (
    "__import__('os').system('touch {0}')",
    "R1 1 2 `touch {0}`\nR2 2 0 $(touch {0})",
    "V1 1 0 1\nR1 1 0 1\n.control\nshell touch {0}\n.endc\n.end",
    "R1 1 0 {{__import__('os').system('touch {0}')}}",
    ".include /etc/passwd\nR1 1 0 1",
    "B1 1 0 V=system('touch {0}')\nR1 1 0 1",
    "exec(open('{0}','w'))",
    "(lambda: open('{0}','w'))()",
    r"\input{{/etc/passwd}} \write18{{touch {0}}}",
    "9**9**9",
    "9^9^9^9^9^9",
    "10^10^10 V",
    "1e99999999 V",
    "((((((((((" * 1000,
    "R1*" * 30_000,
    "\x00\x1b]0;title\x07R1 1 0 1",
    "‮R1 1 0 1‬",
    "{{}}" * 5000,
    "-" * 20_000,
    "1," * 20_000,
)

READERS: tuple[Callable[[str], object], ...] = (
    netlist.parse,
    expression.parse,
    lambda text: expression.parse(text, ["R1", "C1"]),
    quantity.parse,
    probe.parse,
    probe.probes_of,
    read_executable,
    lambda text: equal_expressions(text, "R1"),
)


def check_is_read_or_refused(reader: Callable[[str], object], text: str, *, calls: int | None = None) -> None:
    errors = (netlist.NetlistError, expression.ExpressionError, quantity.QuantityError, probe.ProbeError)
    with max_calls(calls or 20_000 + 400 * len(text), f"{text[:60]!r}"), contextlib.suppress(*errors):
        reader(text)


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_a_payload_is_never_executed(payload: str, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    text = payload.replace("{0}", str(proof)).replace("{{", "{").replace("}}", "}")
    for reader in READERS:
        check_is_read_or_refused(reader, text)
    assert not proof.exists()


def test_ten_megabytes_of_brackets_are_refused_at_once() -> None:
    for reader in READERS:
        check_is_read_or_refused(reader, "(" * 10_000_000, calls=1000)
    assert equal_expressions("[" * 10_000_000, "1") is Verdict.UNREADABLE


def test_no_reader_loads_what_could_run_a_model_text() -> None:
    """The readers of text work without SymPy, whose own reader executes what it is given."""
    code = (
        "import sys; from circuitvlm.circuit import netlist, quantity;"
        "from circuitvlm.circuit.formula import expression;"
        "from circuitvlm.circuit.judge import verdict;"
        "verdict.equal_expressions('R1/(R1+R2)', 'R2'); sys.exit('sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


_PIECES = (
    "R1 C2 V1 L3 E1 0 1 2 k Meg u 10 4.7k -3 1e3 .end .control .tf .print v( ) ( { } [ ] , ; * ** ^ / || | = + -"
    " \\frac \\text _ s j ω ∠ ° Ω µ mA dB $ # ' \" ` < > % & ~"
)
PIECES = [*_PIECES.split(), "\n", "\x00"]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=24).map(" ".join) | st.text(max_size=120)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(TEXTS)
def test_ten_thousand_texts_are_read_or_refused(text: str) -> None:
    for reader in READERS:
        check_is_read_or_refused(reader, text)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_some_texts_are_read_or_refused(text: str) -> None:
    for reader in READERS:
        check_is_read_or_refused(reader, text)
