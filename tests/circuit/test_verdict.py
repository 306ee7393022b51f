"""Tests that the judge accepts every true formula and no false one, in a bounded number of steps."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvlm.circuit import generate, netlist
from circuitvlm.circuit.dialect import is_lcapy, to_spice
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge import verdict as verdict_module
from circuitvlm.circuit.judge.verdict import Verdict, equal_expressions, matches_circuit, matches_unknown
from circuitvlm.circuit.solve import numeric
from circuitvlm.circuit.solve.numeric import SingularCircuitError, UnsolvableDeviceError
from circuitvlm.circuit.solve.probe import parse as probe
from circuitvlm.circuit.solve.symbolic import transfer_function
from tests.steps import max_calls

EQUAL, OPPOSITE, DIFFERENT, UNREADABLE = "equal", "opposite sign", "different", "unreadable"

PAIRS = [
    ("R1+R2", "R3", DIFFERENT),
    ("R1+R2", "R2+R1", EQUAL),
    ("R1+R2", "3R", DIFFERENT),
    ("1/(1+sRC)", "1/(1+s*R*C)", EQUAL),
    ("1/(1+s*R*C)", "1/(1+sCR)", EQUAL),
    ("RCs + 1", "1 + s*R*C", EQUAL),
    ("1/(Cs)", "1/(C*s)", EQUAL),
    ("-gm*RD", "g_m R_D", OPPOSITE),
    ("-g_m R_D", r"-g_{m}R_{D}", EQUAL),
    ("r_o", "R_o", DIFFERENT),
    ("R1||R2", "R1*R2/(R1+R2)", EQUAL),
    ("H(jw)=1/(1+jwRC)", "1/(1+sRC)", EQUAL),
    ("(a+b)^2", "a^2+2ab+b^2", EQUAL),
    ("(a+b)^2", "a^2+b^2", DIFFERENT),
    ("sqrt(L/C)", "sqrt(L)/sqrt(C)", EQUAL),
    ("sqrt(L/C)", "sqrt(C/L)", DIFFERENT),
    ("e^{-t/tau}", "exp(-t/tau)", EQUAL),
    ("e^{-t/tau}", "exp(t/tau)", DIFFERENT),
    (r"|1/(1+j\omega RC)|", r"\frac{1}{\sqrt{1+(\omega RC)^2}}", EQUAL),
    ("sin(x)^2+cos(x)^2", "1", EQUAL),
    ("log(a*b)", "log(a)+log(b)", EQUAL),
    (r"20\log_{10}(A)", "20*log(A)/log(10)", EQUAL),
    (r"\frac{1}{2\pi RC}", "1/(2*pi*R*C)", EQUAL),
    ("1/0", "1", UNREADABLE),
    ("1/(R1-R1)", "R1", UNREADABLE),
    ("0", "R1-R1", EQUAL),
    ("9**9**9", "1", UNREADABLE),
    ("__import__('os').system('x')", "1", UNREADABLE),
    ("exp(exp(exp(exp(100))))", "1", UNREADABLE),
    ("(x^64)^64^64", "1", UNREADABLE),
    ("", "", UNREADABLE),
    ("x", "y", DIFFERENT),
    ("TIMEOUT_OR_ERROR", "R1", UNREADABLE),
    ("H = R2/(R1+R2) = 2/3", "R2/(R1+R2)", EQUAL),
    ("H = R1/(R1+R2) = 2/3", "R2/(R1+R2)", DIFFERENT),
    ("R2/(R1+R2) = 0.5", "R2/(R1+R2)", EQUAL),
    ("H = R1/(R1+R2) = R2/(R1+R2)", "R2/(R1+R2)", DIFFERENT),
    ("H = Z2/(Z1+Z2) = R2/(R1+R2)", "R2/(R1+R2)", EQUAL),
    (r"A_v = -g_m(R_D\|r_o) \approx -g_m R_D", "-g_m*R_D", EQUAL),
    (r"A_v = -g_m(R_D\|r_o) \approx -g_m R_D", "-g_m*(R_D||r_o)", EQUAL),
    (r"A_v = -g_m(R_D\|r_o) \approx -g_m R_D", "-g_m*r_o", DIFFERENT),
    ("R_eq = R1 + R2 = 3 kΩ", "R1 + R2", EQUAL),
    (r"I = V_1/R_1 = 5\,\text{mA}", "V1/R1", EQUAL),
    (r"$H(s)=\frac{1}{1+sRC}$. The cutoff is $\omega_c = \frac{1}{RC}$.", "1/(1+s*R*C)", EQUAL),
    (r"$H(s)=\frac{1}{1+sRC}$. The cutoff is $\omega_c = \frac{1}{RC}$.", "1/(R*C)", EQUAL),
    (r"$H(s)=\frac{1}{1+sRC}$. The cutoff is $\omega_c = \frac{1}{RC}$.", "1/(1-s*R*C)", DIFFERENT),
    ("V1/R1 + V2/R2 = I1 + I2", "I1 + I2 = V1/R1 + V2/R2", EQUAL),
    ("V1/R1 + V2/R2 = I1 + I2", "I1 - I2 = V1/R1 + V2/R2", DIFFERENT),
    (r"-\tan^{-1}(\omega RC)", "-arctan(w*R*C)", EQUAL),
    (r"-\tan^{-1}(\omega RC)", "-1/tan(w*R*C)", DIFFERENT),
    (r"\sin\omega t", "sin(w*t)", EQUAL),
    ("1/(1+RCs)", "1/(1+s*R*C)", EQUAL),
]


@pytest.mark.parametrize(("a", "b", "expected_verdict"), PAIRS)
def test_pairs_have_the_verdict_that_mathematics_gives(a: str, b: str, expected_verdict: str) -> None:
    assert equal_expressions(a, b).value == expected_verdict
    assert equal_expressions(b, a).value == expected_verdict


def test_symbols_that_are_told_decide() -> None:
    assert equal_expressions("sr1c1", "s*R1*C1", ["R1", "C1"]) is Verdict.EQUAL
    assert equal_expressions("RC", "R*C", ["RC", "R", "C"]) is Verdict.DIFFERENT


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000_000,
        "x" * 10_000_000,
        "sin(" * 4000 + "x",
        "sin(x)+" * 2800 + "1",
        "x^64*" * 3900 + "1",
        "1/" * 9000 + "x",
        "exp(x)^" * 50 + "x",
        "R1||" * 4900 + "R1",
        "sqrt(x+" * 60 + "1" + ")" * 60,
        ".control\nshell rm -rf /\n.endc",
    ],
)
def test_nothing_takes_more_than_a_bounded_number_of_calls(text: str) -> None:
    with max_calls(10_000_000):
        equal_expressions(text, "R1+x")
        matches_circuit(text, DIVIDER, "V1", "R2")


DIVIDER = netlist.parse("V1 1 0 V1\nR1 1 2 R1\nR2 2 0 R2")


def test_what_needs_too_many_steps_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict_module, "MAX_STEPS", 500_000)
    sides = "5000a=" * 1600 + "a+" * 4999 + "a"
    ladder = "V1 n0 0 V1\n" + "\n".join(f"R{i} n{i} n{i + 1} R{i}\nC{i} n{i + 1} 0 C{i}" for i in range(200))
    circuit = netlist.parse(ladder)
    with max_calls(6_000_000):
        assert equal_expressions(sides, f"{sides} ") is Verdict.UNREADABLE
        assert matches_circuit("x", circuit, "V1", "n1") is Verdict.DIFFERENT
        assert matches_circuit("sqrt(x)", circuit, "V1", "n1") is Verdict.UNREADABLE


@pytest.mark.parametrize("steps", [0, 200, 10_000])
def test_the_steps_that_are_left_decide_and_no_clock(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict_module, "MAX_STEPS", steps)
    verdicts = [equal_expressions("sqrt(a+b)", "sqrt(b+a)"), matches_circuit("R2/(R1+R2)", DIVIDER, "V1", "R2")]
    assert verdicts == [Verdict.EQUAL if steps == 10_000 else Verdict.UNREADABLE] * 2


def test_a_netlist_may_have_values_with_roots_and_without_a_value() -> None:
    text = "V1 1 0 V1\nR1 1 2 {0}\nR2 2 0 R2"
    circuit = netlist.parse(text.replace("{0}", "{sqrt(x)}"))
    assert matches_circuit("R2/(sqrt(x)+R2)", circuit, "V1", "R2") is Verdict.EQUAL
    assert matches_circuit("R2/(sqrt(x)-R2)", circuit, "V1", "R2") is Verdict.DIFFERENT
    assert matches_unknown("V1*R2/(sqrt(x)+R2)", circuit, probe("v(2)")) is Verdict.UNREADABLE
    with pytest.raises(SingularCircuitError):
        matches_circuit("1", netlist.parse(text.replace("{0}", "{1/(x-x)}")), "V1", "R2")


def test_a_divider_is_judged_by_its_netlist() -> None:
    for right in ("R2/(R1+R2)", r"\frac{R_2}{R_1+R_2}", "H(s) = V_2/V_1 = R_2/(R_1+R_2)", "1/(1+R1/R2)", "r2/(r1+r2)"):
        assert matches_circuit(right, DIVIDER, "V1", "R2") is Verdict.EQUAL
    assert matches_circuit("-R2/(R1+R2)", DIVIDER, "V1", "R2") is Verdict.OPPOSITE
    for wrong in ("R1/(R1+R2)", "R2/(R1-R2)", "R2/(R1+R3)", "R2", "0", "1/2", "V1*R2/(R1+R2)"):
        assert matches_circuit(wrong, DIVIDER, "V1", "R2") is Verdict.DIFFERENT
    assert matches_circuit("I cannot see it", DIVIDER, "V1", "R2") is Verdict.UNREADABLE


def test_an_output_is_a_device_a_node_or_two_nodes() -> None:
    answer = "R2/(R1+R2)"
    outputs = ("R2", "r2", "2", "v(2)", "V(2, 0)", ("2", "0"), ["2"])
    assert {matches_circuit(answer, DIVIDER, "V1", o) for o in outputs} == {Verdict.EQUAL}
    assert matches_circuit(answer, DIVIDER, "V1", ("0", "2")) is Verdict.OPPOSITE
    with pytest.raises(KeyError, match="devices: V1, R1, R2; nodes: 1, 0, 2"):
        matches_circuit(answer, DIVIDER, "V1", "C1")
    with pytest.raises(KeyError, match="the circuit has V1"):
        matches_circuit(answer, DIVIDER, "V9", "R2")


def test_numbers_and_names_may_both_be_used() -> None:
    circuit = netlist.parse("V1 1 0 5\nR1 1 2 1k\nC1 2 0 1u")
    for right in ("1/(1+s*R1*C1)", "1/(1+0.001s)", "1000/(s+1000)", "1/(1+s*1000*C1)"):
        assert matches_circuit(right, circuit, "V1", "C1") is Verdict.EQUAL
    assert matches_circuit("1/(1+0.01s)", circuit, "V1", "C1") is Verdict.DIFFERENT


def test_a_number_behind_the_formula_must_follow_from_it() -> None:
    circuit = netlist.parse("V1 1 0 5\nR1 1 2 1k\nR2 2 0 2k")
    for right in ("R2/(R1+R2)", "R2/(R1+R2) = 2/3", "H = R2/(R1+R2) = 0.667", "H = 2000/(1000+2000) = 2/3"):
        assert matches_circuit(right, circuit, "V1", "R2") is Verdict.EQUAL
    for wrong in ("H = R2/(R1+R2) = 0.5", "H = R1/(R1+R2) = 2/3", "H = R1/(R1+R2) = 1/3", "H = R1/R2 = R2/(R1+R2)"):
        assert matches_circuit(wrong, circuit, "V1", "R2") is Verdict.DIFFERENT


SENTENCES = [
    "{0}",
    "$$H(s) = \\frac{{V_{{R2}}(s)}}{{V_1(s)}} = {0}$$\n\nwhere $s = j\\omega$.",
    "**Step 1:** KVL gives $V_1 = I (R_1 + R_2)$.\n\n**Step 2:** Solve for $H$:\n\n$$H = {0}$$\n\nThis is a divider.",
    "The transfer function from V1 to R2 is therefore {0}.",
    "We get V_R2/V1 = {0} (a divider), with $R_1$ as above.",
    "Let $Z_1 = R_1$ and $Z_2 = R_2$. Then the answer is $\\boxed{{{0}}}$.",
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_an_answer_in_prose_is_judged_as_the_formula_in_it(sentence: str) -> None:
    for formula, expected_verdict in (
        ("R_2/(R_1+R_2)", EQUAL),
        ("-R_2/(R_1+R_2)", OPPOSITE),
        ("R_1/(R_1+R_2)", DIFFERENT),
        ("R_2/(R_1||R_2)", DIFFERENT),
    ):
        assert matches_circuit(sentence.format(formula), DIVIDER, "V1", "R2").value == expected_verdict


def test_other_sources_are_zero_and_probes_are_wires() -> None:
    circuit = netlist.parse("V1 1 0 V1\nVI1 1 2 0\nR1 2 3 R1\nR2 3 0 R2\nI1 0 3 I1\nV2 4 0 V2\nR3 4 3 R3")
    assert matches_circuit("(R2||R3)/(R1+(R2||R3))", circuit, "V1", "R2") is Verdict.EQUAL
    assert matches_circuit("R1||R2||R3", circuit, "I1", "3") is Verdict.EQUAL


@pytest.mark.parametrize("gain", ["Ad", "Ad 0", "inf", "opamp"])
def test_an_ideal_op_amp_is_the_limit_of_its_gain(gain: str) -> None:
    circuit = netlist.parse(f"V1 1 0 step\nR1 1 2 R1\nR2 2 3 R2\nEint1 3 0 0 2 {gain}\nR3 3 0 R3")
    assert matches_circuit("-R2/R1", circuit, "V1", "R3") is Verdict.EQUAL
    assert matches_circuit("-R1/R2", circuit, "V1", "R3") is Verdict.DIFFERENT


def test_an_answer_with_the_open_loop_gain_is_judged_with_it() -> None:
    circuit = netlist.parse("V1 1 0 step\nR1 1 2 R1\nR2 2 3 R2\nE1 3 0 0 2 Ad")
    assert matches_circuit("-Ad*R2/(R1+R2+Ad*R1)", circuit, "V1", "3") is Verdict.EQUAL
    assert matches_circuit("-Ad*R2/(R1+R2-Ad*R1)", circuit, "V1", "3") is Verdict.DIFFERENT


def test_lcapys_op_amp_line_is_read() -> None:
    circuit = netlist.parse("V1 1 0 V1\nE1 3 0 opamp 1 2 Ad\nR1 2 0 R1\nR2 3 2 R2")
    assert circuit.device("E1").nodes == ("3", "0", "1", "2")
    assert matches_circuit("1+R2/R1", circuit, "V1", "3") is Verdict.EQUAL


def test_currents_of_lcapys_sources_flow_the_other_way() -> None:
    text = "V1 1 0 {0}\nG1 2 0 1 0 gm\nR1 2 0 R1"
    spice, lcapy = netlist.parse(text.format("V1")), netlist.parse(text.format("step"))
    assert matches_circuit("-gm*R1", spice, "V1", "R1") is Verdict.EQUAL
    assert matches_circuit("gm*R1", lcapy, "V1", "R1") is Verdict.EQUAL
    assert is_lcapy(lcapy)
    assert not is_lcapy(to_spice(lcapy))
    assert to_spice(spice) is spice


def test_what_has_no_answer_is_said() -> None:
    with pytest.raises(SingularCircuitError):
        matches_circuit("1", netlist.parse("V1 1 0 V1\nC1 2 3 C1\nR1 1 0 R1"), "V1", "C1")
    with pytest.raises(UnsolvableDeviceError):
        matches_circuit("1", netlist.parse("V1 1 0 V1\nQ1 1 2 0 npn\nR1 2 0 R1"), "V1", "R1")


# ------------------------------------------------------------------------- random circuits, true answers, and mutants


def symbolic_item(seed: int, components: tuple[int, int] = (3, 7)) -> Circuit:
    """A generated circuit whose values are the names of its devices; it has a voltage source."""
    for index in range(100):
        circuit = generate.item([seed, 77], index, components=components).circuit
        if any(d.kind == "V" for d in circuit.devices):
            return Circuit(tuple(replace(d, value=None, text=d.name) for d in circuit.devices))
    raise AssertionError("no circuit with a voltage source in 100")


def choose_question(circuit: Circuit, rng: random.Random) -> tuple[str, str]:
    sources = [d.name for d in circuit.devices if d.kind == "V"]
    return rng.choice(sources), rng.choice([d.name for d in circuit.devices if d.name not in sources])


@pytest.mark.parametrize("seed", range(40))
def test_true_answers_are_accepted_and_mutants_are_not(seed: int) -> None:
    rng = random.Random(seed)
    circuit = symbolic_item(seed)
    source, output = choose_question(circuit, rng)
    solution = transfer_function(circuit, source=source, output=output)
    for text in (solution.text, solution.latex, str(sympy.expand(solution.expression)), f"H(s) = {solution.latex}"):
        assert matches_circuit(text, circuit, source, output) is Verdict.EQUAL
    true = solution.expression
    if true != 0:
        assert matches_circuit(f"-({solution.text})", circuit, source, output) is Verdict.OPPOSITE
    for mutant in mutants(true, rng):
        verdict = matches_circuit(str(mutant), circuit, source, output)
        difference, total = sympy.cancel(mutant - true), sympy.cancel(mutant + true)
        expected_verdict = EQUAL if difference == 0 else OPPOSITE if total == 0 else DIFFERENT
        assert verdict.value == expected_verdict
        assert equal_expressions(str(mutant), solution.text).value == expected_verdict


def mutants(true: sympy.Expr, rng: random.Random) -> list[sympy.Expr]:
    symbols = sorted(true.free_symbols, key=str)
    variants = [2 * true, true + 1, 1 / true if true != 0 else true + 2]
    for symbol in symbols[:4]:
        variants += [true.subs(symbol, 2 * symbol), true.subs(symbol, -symbol), true.subs(symbol, sympy.Symbol("R99"))]
    if len(symbols) > 1:
        a, b = rng.sample(symbols, 2)
        variants.append(true.subs({a: b, b: a}, simultaneous=True))
    return [variant for variant in variants if not variant.has(sympy.zoo, sympy.nan)]


@pytest.mark.parametrize("seed", range(30))
def test_the_judge_agrees_with_the_numeric_solver(seed: int) -> None:
    """Another route to the truth: floating point at one frequency, with values drawn at random."""
    rng = random.Random(seed)
    circuit = symbolic_item(seed, (3, 9))
    source, output = choose_question(circuit, rng)
    solution = transfer_function(circuit, source=source, output=output)
    values = {d.name: 10 ** rng.uniform(-1, 1) for d in circuit.devices}
    plain = tuple(
        replace(d, text="", value=values[d.name] if d.kind in "RLC" else 0.0, ac=1 + 0j if d.name == source else None)
        for d in circuit.devices
    )
    device = circuit.device(output)
    voltage = numeric.solve(Circuit(plain), 0.3).voltage(*device.nodes)
    assert solution.value_at(0.3, values) == pytest.approx(voltage, rel=1e-6, abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_rational_functions_are_judged_as_sympy_judges_them(data: st.DataObject) -> None:
    x, y, z = sympy.symbols("x y z")
    leaf = st.sampled_from([x, y, z, sympy.Integer(2), sympy.Integer(3)])

    def combine(inner: st.SearchStrategy[sympy.Expr]) -> st.SearchStrategy[sympy.Expr]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            pair.map(lambda p: p[0] + p[1]), pair.map(lambda p: p[0] * p[1]), pair.map(lambda p: p[0] - p[1])
        )

    polynomial = st.recursive(leaf, combine, max_leaves=6)
    a, b, c = (data.draw(polynomial) for _ in range(3))
    first, second = sympy.together((a + b) / (c**2 + 1)), sympy.expand(a / (c**2 + 1)) + b / (c**2 + 1)
    assert equal_expressions(str(first), str(second)) is Verdict.EQUAL
    expected_verdict = EQUAL if sympy.expand(a - b) == 0 else OPPOSITE if sympy.expand(a + b) == 0 else DIFFERENT
    assert equal_expressions(str(a), str(b)).value == expected_verdict


def test_many_threads_judge_as_one_does() -> None:
    texts = [(a, b, expected_verdict) for a, b, expected_verdict in PAIRS] * 20
    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(lambda row: equal_expressions(row[0], row[1]).value, texts))
    assert verdicts == [expected_verdict for _, _, expected_verdict in texts]


def test_the_sign_of_f_in_lcapys_dialect_is_taken_both_ways() -> None:
    """lcapy 1.24 and 1.26 differ in it, and a netlist does not say its version."""
    text = "V1 1 0 {0}\nVI1 1 2 0\nR1 2 0 R1\nF1 0 3 VI1 b\nR2 3 0 R2"
    spice, lcapy = netlist.parse(text.format("V1")), netlist.parse(text.format("step"))
    assert matches_circuit("b*R2/R1", spice, "V1", "R2") is Verdict.EQUAL
    assert matches_circuit("-b*R2/R1", spice, "V1", "R2") is Verdict.OPPOSITE
    assert {matches_circuit(sign + "b*R2/R1", lcapy, "V1", "R2") for sign in ("", "-")} == {Verdict.EQUAL}
    assert matches_circuit("b*R1/R2", lcapy, "V1", "R2") is Verdict.DIFFERENT


def test_an_unknown_is_judged_with_all_sources_acting() -> None:
    circuit = netlist.parse("V1 1 0 step\nR1 1 2 R1\nC1 2 0 C1")
    voltage, current = probe("v(2)"), probe("i(V1)")
    for right in ("Vn2(s) = V1/(s*(1+s*R1*C1))", "V1/(s*(R1*C1*s + 1))", "V1/(1+s*R1*C1)"):
        assert matches_unknown(right, circuit, voltage) is Verdict.EQUAL
    assert matches_unknown("-V1/(s*(1+s*R1*C1))", circuit, voltage) is Verdict.OPPOSITE
    assert matches_unknown("V1/(s*(1-s*R1*C1))", circuit, voltage) is Verdict.DIFFERENT
    assert matches_unknown("iv1(s) = -C1*V1/(1+s*R1*C1)", circuit, current) is Verdict.EQUAL
    assert matches_unknown("no idea at all", circuit, voltage) is Verdict.UNREADABLE
    with pytest.raises(KeyError, match=r"expected an unknown of the circuit \(I\(V1\), V\(1\), V\(2\)\), got"):
        matches_unknown("1", circuit, probe("i(R1)"))


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        (r"1/j\omega C", "1/(j*w*C)"), (r"1/2\pi RC", "1/(2*pi*R*C)"), (r"1/\omega_0 L", "1/(omega_0*L)"),
        (r"\omega L/R", "omega*L/R"), ("1/R C", "C/R"), (r"1/\omega C + R", "R+1/(omega*C)"),
        (r"-R_2/R_1 as A\to\infty", "-R2/R1"), (r"-R_2/R_1 \text{ as } A \to \infty", "-R2/R1"),
        (r"-R_2/R_1, when A \rightarrow \infty", "-R2/R1"), (r"R_1 in the limit of A → ∞", "R1"),
        (r"\frac{1}{1+sRC} \quad (s = j\omega)", "1/(1+s*R*C)"), (r"-R_2/R_1 for large gain", "-R2/R1"),
        (r"\frac{1{,}000}{s+1{,}000}", "1000/(s+1000)"), ("10{,}000+s", "10000+s"),
        (r"20\log(A)", r"20\log_{10}(A)"), (r"20 \cdot \log A", r"20\log_{10} A"), ("10*log(P)", "10*log_10(P)"),
        (r"1\over 1+sRC", "1/(1+s*R*C)"), (r"H = 1\over 1+sR_{1}C", "1/(1+s*R_1*C)"), (r"{1\over 2}+x", "1/2+x"),
        ("{g}_{k}+1", "g_k+1"), ("{R}_1{C}_2", "R_1*C_2"), ("2k+1", "2*k+1"), ("3m", "3*m"),
    ],
)  # fmt: skip
def test_other_people_s_spellings_are_equal(text: str, truth: str) -> None:
    assert equal_expressions(text, truth) is Verdict.EQUAL


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("1/(1+s*1k*1u)", "1000/(s+1000)"), (r"\frac{1}{1+s(1\,\text{k}\Omega)(1\,\mu\text{F})}", "1000/(s+1000)"),
        (r"1/(1+s(2\,\Omega)C)", "1/(1+2*s*C)"), ("1/(1+10k*s*100n)", "1/(1+s/1000)"),
    ],
)  # fmt: skip
def test_values_with_prefixes_or_units_are_unreadable_and_not_wrong(text: str, truth: str) -> None:
    assert equal_expressions(text, truth) is Verdict.UNREADABLE


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        (r"20\ln(A)", r"20\log_{10}(A)"), (r"5\log(A)", r"5\log_{10}(A)"), (r"1/j\omega C", "C/(j*w)"),
        (r"1\over 1+sRC", "1+s*R*C"), ("-R_2/R_1 as A", "-R2/R1*A"),
    ],
)  # fmt: skip
def test_other_formulas_stay_different(text: str, truth: str) -> None:
    assert equal_expressions(text, truth) is not Verdict.EQUAL
