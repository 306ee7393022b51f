"""Test that the definitions of an answer are substituted in its formula."""

from __future__ import annotations

import contextlib
import re

import pytest
import sympy
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from circuitvlm.circuit import netlist
from circuitvlm.circuit.formula.definitions import parse_definition
from circuitvlm.circuit.formula.expression import Expression, ExpressionError, parse
from circuitvlm.circuit.judge import field
from circuitvlm.circuit.judge.budget import Budget
from circuitvlm.circuit.judge.verdict import Verdict, equal_expressions, matches_circuit
from tests.steps import max_calls

LOW_PASS = ("1/(1+s*tau)", "tau=R*C")
INVERTER = ("K/(1+s/wc)", "K=-R2/R1; wc=1/(R2*C)")
RESONANT = ("w0**2/(s**2+w0*s/Q+w0**2)", "w0=1/sqrt(L*C); Q=sqrt(L/C)/R")
DIVIDER = ("ZC/(Z+ZC)", "Z=R+s*L; ZC=1/(s*C)")
TWO = ("Z2/(Z1+Z2)", "Z1=R; Z2=1/(s*C)")
PARALLEL = ("I1*Rp", "Rp=R1*R2/(R1+R2)")
CHAIN = ("1/(1+s*tau)", "tau=Rp*C; Rp=R1*R2/(R1+R2)")

ANSWERS: list[tuple[str, tuple[str, str]]] = [
    # where, with, let
    (r"H(s) = 1/(1 + s\tau), where \tau = RC", LOW_PASS),
    ("H(s) = 1/(1 + s*tau) where tau = R*C", LOW_PASS),
    ("H(s) = 1/(1 + s*tau); tau = RC", LOW_PASS),
    ("H(s) = 1/(1 + s*tau) in which tau = RC.", LOW_PASS),
    ("H(s) = 1/(1+sT), with T = RC", LOW_PASS),
    ("1/(1 + s*tau), where tau = RC", LOW_PASS),
    ("H(s) = 1/(1 + sτ) (where τ = RC)", LOW_PASS),
    (r"$H(s)=\frac{1}{1+s\tau}$ (with $\tau = RC$)", LOW_PASS),
    (r"$$H(s)=\frac{1}{1+s\tau}$$ where $\tau = RC$ is the time constant.", LOW_PASS),
    (r"$$H(s)=\frac{1}{1+s\tau}, \quad \tau = RC$$", LOW_PASS),
    (r"$$H(s)=\frac{1}{1+s\tau}, \qquad \text{where } \tau = RC$$", LOW_PASS),
    (r"\[H(s)=\frac{1}{1+s\tau}\quad\text{with}\quad\tau \equiv RC\]", LOW_PASS),
    (r"\boxed{H(s)=\frac{1}{1+s\tau}}, where $\tau = RC$", LOW_PASS),
    (r"$\boxed{H(s)=\frac{1}{1+s\tau},\ \tau = RC}$", LOW_PASS),
    (r"The time constant is $\tau = RC$. Therefore $H(s) = \frac{1}{1+s\tau}$.", LOW_PASS),
    ("Let τ = RC. Then H(s) = 1/(1+sτ).", LOW_PASS),
    ("Let a = 1/(RC).\n\nFinal answer: H(s) = a/(s+a)", ("a/(s+a)", "a=1/(R*C)")),
    ("τ := RC\nH(s) = 1/(1+sτ)", LOW_PASS),
    ("**H(s) = 1/(1 + s·τ)**\n\n**where** τ = RC", LOW_PASS),
    ("H(s) = 1/(1+sτ)\nτ = RC", LOW_PASS),
    ("H(s) = 1/(1+sτ)\n\nwhere\n\nτ = RC", LOW_PASS),
    (r"$H(s)=\frac{1}{1+s\tau}$, where $\tau$ = $RC$", LOW_PASS),
    (r"H(s) = \frac{1}{1+s\tau},~\tau=RC", LOW_PASS),
    (r"\begin{aligned} H(s) &= \frac{1}{1+s\tau} \\ \tau &= RC \end{aligned}", LOW_PASS),
    (r"\begin{align} \tau &= RC \\ H(s) &= \frac{1}{1+s\tau} \end{align}", LOW_PASS),
    # two and more
    (r"$H(s)=\frac{K}{1+s/\omega_c}$ with $K = -R_2/R_1$ and $\omega_c = \frac{1}{R_2 C}$", INVERTER),
    ("H(s) = K/(1+s/w_c), K = -R2/R1, w_c = 1/(R2*C)", INVERTER),
    ("H(s)=K/(1+s/wc),K=-R2/R1,wc=1/(R2*C)", INVERTER),
    ("H(s) = K/(1+s/ω_c), where ω_c = 1/(R₂C) and K = −R₂/R₁", INVERTER),
    ("H(s) = K/(1 + s/ωc)\n\nwhere:\n- K = -R2/R1\n- ωc = 1/(R2 C)", INVERTER),
    ("H(s) = K/(1 + s/ωc)\n\nwhere:\n* **K** = -R2/R1 is the gain\n* **ωc** = 1/(R2 C) is the cutoff", INVERTER),
    ("1. K = -R2/R1\n2. ω_c = 1/(R2*C)\n\nSo H(s) = K/(1+s/ω_c).", INVERTER),
    (r"With $K=-\frac{R_2}{R_1}$ and $\omega_c=\frac{1}{R_2C}$ we get $H(s)=\frac{K}{1+s/\omega_c}$.", INVERTER),
    (
        r"H(s) = \frac{\omega_0^2}{s^2 + \frac{\omega_0}{Q}s + \omega_0^2}, \quad \omega_0 = 1/\sqrt{LC},"
        r"\ Q = \frac{1}{R}\sqrt{L/C}",
        RESONANT,
    ),
    (
        r"$$H(s)=\frac{\omega_0^2}{s^2+\frac{\omega_0}{Q}s+\omega_0^2}$$ where $\omega_0=\frac{1}{\sqrt{LC}}$ is the"
        r" resonance frequency and $Q=\frac{1}{R}\sqrt{\frac{L}{C}}$ the quality factor.",
        RESONANT,
    ),
    (
        r"$H(s) = \frac{\omega_n^2}{s^2+2\zeta\omega_n s+\omega_n^2}$, $\omega_n^2 = \frac{1}{LC}$, "
        r"$\zeta = \frac{R}{2}\sqrt{\frac{C}{L}}$",
        RESONANT,
    ),
    ("H(s) = w0^2/(s^2 + 2*a*s + w0^2), where a = R/(2L) and w0^2 = 1/(LC)", RESONANT),
    (
        r"H(j\omega) = \frac{1}{1 - (\omega/\omega_0)^2 + j\omega/(Q\omega_0)}, where \omega_0 = 1/\sqrt{LC}"
        r" and Q = \sqrt{L/C}/R",
        RESONANT,
    ),
    ("Let Z = R + sL. Then H(s) = Z_C/(Z + Z_C) with Z_C = 1/(sC)", DIVIDER),
    ("Z = R + sL, Z_C = 1/(sC) => H(s) = Z_C/(Z + Z_C)", DIVIDER),
    (r"$H(s)=\frac{Z_C(s)}{Z(s)+Z_C(s)}$, $Z(s)=R+sL$, $Z_C(s)=\frac{1}{sC}$", DIVIDER),
    ("H = ZC/(Z+ZC), ZC = 1/(sC), Z = R+sL", DIVIDER),
    ("H(s) = Z_2/(Z_1+Z_2)\n\nwhere:\n- Z_1 = R\n- Z_2 = 1/(sC)", TWO),
    ("H(s) = Z_2/(Z_1+Z_2)\nZ_1 = R\nZ_2 = 1/(sC)", TWO),
    ("H(s) = Z2/(Z1+Z2) where Z1 = R;\nZ2 = 1/(sC)", TWO),
    (r"$H(s) = \frac{V_o}{V_i} = \frac{Z_2}{Z_1+Z_2}$ with $Z_1=R$, $Z_2=\frac{1}{sC}$", TWO),
    (r"$H(j\omega) = \frac{Z_2}{Z_1+Z_2}$ with $Z_1=R$, $Z_2=\frac{1}{j\omega C}$", TWO),
    ("V_out = I1*R_p, where R_p = R1||R2", PARALLEL),
    (r"$V_{out} = I_1 R_p$, where $R_p = R_1 \parallel R_2 = \frac{R_1R_2}{R_1+R_2}$", PARALLEL),
    ("V_out = I1*R_p\n\nwhere R_p = R1 || R2 is the parallel combination of R1 and R2.", PARALLEL),
    ("V_out = I1*R_eq, here R_eq = R1*R2/(R1+R2)", PARALLEL),
    ("V_out = I1/G, in which G = G_1 + G_2, G_1 = 1/R1 and G_2 = 1/R2", PARALLEL),
    # chains, in any order
    ("H(s) = 1/(1+sτ), where τ = R_p C and R_p = R1||R2", CHAIN),
    ("H(s) = 1/(1+sτ), where R_p = R1||R2 and τ = R_p C", CHAIN),
    ("R_p = R1||R2\nτ = R_p*C\nH(s) = 1/(1+s*τ)", CHAIN),
    ("H(s) = 1/(1+s/ω_c)\n\nwhere\n\n- ω_c = 1/τ\n- τ = R_p*C\n- R_p = R1||R2", CHAIN),
    (r"H(s) = \frac{\omega_p}{s+\omega_p}, \omega_p = \frac{1}{\tau}, \tau = R_pC, R_p = R_1\|R_2", CHAIN),
    # small signals
    (r"$A_v = -g_m R_{out}$, where $R_{out} = R_D \parallel r_o$", ("-gm*Ro", "Ro=RD*ro/(RD+ro)")),
    ("A_v = -g_m*R_L'*1, where R_L' = R_D || R_L", ("-gm*Rp", "Rp=RD*RL/(RD+RL)")),
    (r"A_v = -\frac{\alpha R_C}{r_e}, with \alpha = \frac{\beta}{\beta+1}", ("-a*RC/re", "a=beta/(beta+1)")),
    (r"$R_{in} = r_\pi + (\beta+1)R_E$, $r_\pi = \beta/g_m$", ("rpi+(beta+1)*RE", "rpi=beta/gm")),
    # s and omega
    (r"$|H| = \left|\frac{1}{1+sRC}\right|$ with $s = j\omega$", ("1/sqrt(1+(w*T)**2)", "T=R*C")),
    (r"$H = \frac{1}{1+j\omega RC}$, $\omega = 2\pi f$", ("1/(1+I*w*R*C)", "w=2*pi*f")),
    (r"$H = \frac{1}{1+s\tau}$, $s = j2\pi f$, $\tau = RC$", ("1/(1+I*w*R*C)", "w=2*pi*f")),
    # numbers
    ("H(s) = K/(1+sτ) with K = 10 and τ = 0.5", ("K/(1+s*tau)", "K=10; tau=1/2")),
    (r"H(s) = \frac{1}{1+s\tau}, \tau = RC = 2\,\text{ms}", ("1/(1+s*tau)", "tau=1/500")),
    ("H(s) = 1/(1+sRC), R = 10 kΩ, C = 1 µF", ("1/(1+s*tau)", "tau=1/100")),
]


def evaluate(expression: Expression, point: field.Point) -> int:
    return field.evaluate(expression, point, Budget(10**6))


def substitute(formula: str, definitions: str) -> sympy.Expr:
    """Return the formula in which SymPy substitutes all definitions; element values are positive."""
    words = set(re.findall(r"[A-Za-z]\w*", f"{formula} {definitions}")) - {"sqrt", "pi", "I"}
    names = {word: sympy.Symbol(word) if word == "s" else sympy.Symbol(word, positive=True) for word in words}
    expression = sympy.sympify(formula, locals=names)
    rows = [row.split("=") for row in definitions.split(";")]
    for _ in rows:
        for name, value in rows:
            expression = expression.subs(names[name.strip()], sympy.sympify(value, locals=names))
    return expression


def format_formula(formula: sympy.Expr) -> str:
    return re.sub(r"\bI\b", "j", str(formula))


@pytest.mark.parametrize(("answer", "truth"), ANSWERS)
def test_an_answer_with_definitions_is_the_formula_that_sympy_makes_of_it(answer: str, truth: tuple[str, str]) -> None:
    plain = format_formula(substitute(*truth))
    assert equal_expressions(answer, plain) is Verdict.EQUAL
    assert equal_expressions(plain, answer) is Verdict.EQUAL


@pytest.mark.parametrize(("answer", "truth"), ANSWERS)
def test_an_answer_differs_from_the_formula_with_another_definition(answer: str, truth: tuple[str, str]) -> None:
    formula, definitions = truth
    right = substitute(formula, definitions)
    rows = [row.split("=") for row in definitions.split(";")]
    for changed_row in range(len(rows)):
        for error in ("-({})", "2*({})", "1/({})"):
            changed_rows = [(name, error.format(v) if i == changed_row else v) for i, (name, v) in enumerate(rows)]
            wrong = substitute(formula, ";".join(f"{name}={value}" for name, value in changed_rows))
            expected_verdict = (
                "equal" if is_equal(wrong, right) else "opposite sign" if is_equal(wrong, -right) else "different"
            )
            assert equal_expressions(answer, format_formula(wrong)).value == expected_verdict


def is_equal(first: sympy.Expr, second: sympy.Expr) -> bool:
    """Whether two formulas have the same value where their symbols are prime numbers."""
    symbols = sorted((first - second).free_symbols, key=str)
    return abs(complex((first - second).subs(dict(zip(symbols, sympy.primerange(3, 99), strict=False))))) < 1e-12


RC = "1/(1+s*R*C)"
WRONG = [
    (r"H(s) = 1/(1 + s\tau), where \tau = R/C", RC, "different"),
    (r"H(s) = 1/(1 + s\tau), where \tau = -RC", RC, "different"),
    (r"H(s) = -1/(1 + s\tau), where \tau = RC", RC, "opposite sign"),
    (r"H(s) = 1/(1 + s\tau), where \tau = 2RC", RC, "different"),
    (r"H(s) = 1/(1 + s\tau), where \tau = 0/0", RC, "different"),
    (r"H(s) = K/(1 + s\tau), where \tau = RC", RC, "different"),
    (r"H(s) = 1/(1 + s\tau), where \tau = RC = 1 ms", "1/(1+s/500)", "different"),
    ("H(s) = 1/(1+sτ), where τ = a and a = 1/(RC)", RC, "different"),
    ("H(s) = 1/(1+sτ), where τ = a and a = τ", RC, "different"),
    ("H(s) = 1/(1+sτ), where τ = \\frac{", RC, "different"),
    ("H(s) = Z_2/(Z_1+Z_2)\n\nwhere:\n- Z_1 = 1/(sC)\n- Z_2 = R", RC, "different"),
    ("H(s) = Z_2/(Z_1+Z_2)\n\nwhere:\n- Z_1 = -R\n- Z_2 = 1/(sC)", RC, "different"),
    (r"$H(s)=\frac{K}{1+s/\omega_c}$ with $K = R_2/R_1$ and $\omega_c = \frac{1}{R_2 C}$", "-R2/(R1*(1+s*R2*C))", None),
    (r"$H(s)=\frac{K}{1+s/\omega_c}$ with $K = -R_2/R_1$ and $\omega_c = R_2 C$", "-R2/(R1*(1+s*R2*C))", "different"),
    ("V_out = I*R_p, where R_p = R1 + R2", "I*R1*R2/(R1+R2)", "different"),
    ("V_out = I*R_p, where R_p = -(R1||R2)", "I*R1*R2/(R1+R2)", "opposite sign"),
    ("Let Z = R - sL. Then H(s) = Z_C/(Z + Z_C) with Z_C = 1/(sC)", "1/(1+s*R*C+s^2*L*C)", "different"),
    (r"$H(s)=\frac{\omega_0^2}{s^2+\omega_0^2}$, $\omega_0^2 = \frac{1}{2LC}$", "1/(1+s^2*L*C)", "different"),
    (r"$H(s)=\frac{\omega_0^2}{s^2+\omega_0^2}$, $\omega_0 = \frac{1}{LC}$", "1/(1+s^2*L*C)", "different"),
    (r"$H = \frac{1}{1+s\tau}$, $s = -j\omega$, $\tau = RC$", r"\frac{1}{1+j\omega RC}", "different"),
]


@pytest.mark.parametrize(("answer", "truth", "expected_verdict"), WRONG)
def test_a_wrong_definition_is_wrong_and_not_unreadable(answer: str, truth: str, expected_verdict: str | None) -> None:
    assert equal_expressions(answer, truth).value == (expected_verdict or "opposite sign")


LADDER = netlist.parse("V1 1 0 V1\nR1 1 2 R1\nC1 2 0 C1")
SERIES = netlist.parse("V1 1 0 V1\nR1 1 2 R1\nL1 2 3 L1\nC1 3 0 C1")
OP_AMP = netlist.parse("V1 1 0 step\nR1 1 2 R1\nR2 2 3 R2\nC1 2 3 C1\nEint1 3 0 0 2 Ad\nR3 3 0 R3")
SECOND_ORDER = r"H(s) = \frac{\omega_0^2}{s^2 + 2\zeta\omega_0 s + \omega_0^2}, \omega_0 = 1/\sqrt{L_1C_1}, \zeta = "


@pytest.mark.parametrize(
    ("answer", "expected_verdict"),
    [
        (r"H(s) = 1/(1 + s\tau), where \tau = R_1C_1", "equal"),
        (r"H(s) = 1/(1 + s\tau), where \tau = R_1/C_1", "different"),
        (r"H(s) = -1/(1 + s\tau), where \tau = R_1C_1", "opposite sign"),
        ("H(s) = 1/(1+s/wc) with wc = 1/(R1*C1)", "equal"),
        ("H(jω) = 1/(1+jω/ω_c), ω_c = 1/(R1 C1)", "equal"),
        ("H = 1/(1+sRC), R = R1, C = C1", "equal"),
        ("H = ZC/(R1+ZC), ZC = 1/(sC1)", "equal"),
        ("H = ZC/(R1+ZC), ZC = sC1", "different"),
        ("H(s) = Z_2/(Z_1+Z_2)\nZ_1 = R_1\nZ_2 = 1/(sC_1)", "equal"),
        ("H(s) = Z_2/(Z_1+Z_2)\nThe impedance of the capacitor is Z_2 = 1/(sC_1). And Z_1 = R_1.", "equal"),
        ("H(s) = R_1/(Z_1+R_1)\nThe answer's part is Z_1 = 1/(1+sR_1C_1)", "different"),
        ("H(s) = V_C/V_1 where V_C = I/(sC_1) and I = V_1/(R_1+1/(sC_1))", "equal"),
        ("H(s) = 1/(1+sτ) where τ = b and b = τ", "different"),
        ("H(s) = 1/(1+s/K), where K = 0", "different"),
    ],
)
def test_a_circuit_judges_the_formula_with_its_definitions(answer: str, expected_verdict: str) -> None:
    assert matches_circuit(answer, LADDER).value == expected_verdict


def test_roots_and_op_amps_are_judged_with_definitions() -> None:
    assert matches_circuit(SECOND_ORDER + r"\frac{R_1}{2}\sqrt{C_1/L_1}", SERIES) is Verdict.EQUAL
    assert matches_circuit(SECOND_ORDER + r"\frac{R_1}{2}\sqrt{L_1/C_1}", SERIES) is Verdict.DIFFERENT
    in_omega = r"H(j\omega) = \frac{1}{1-(\omega/w_0)^2 + j\omega R_1C_1}, w_0 = 1/\sqrt{L_1C_1}"
    assert matches_circuit(in_omega, SERIES) is Verdict.EQUAL
    assert matches_circuit(in_omega.replace("+ j", "- j"), SERIES) is Verdict.DIFFERENT
    op_amp = r"$H(s)=\frac{K}{1+s/\omega_c}$ with $K = -R_2/R_1$ and $\omega_c = \frac{1}{R_2C_1}$"
    assert matches_circuit(op_amp, OP_AMP, "V1", "R3") is Verdict.EQUAL
    assert matches_circuit(op_amp.replace("-R", "R"), OP_AMP, "V1", "R3") is Verdict.OPPOSITE


def test_a_symbol_of_the_circuit_stays_what_it_is() -> None:
    for note in (", where R1 = 1k", ", R_1 = 5 kΩ and C_1 = 2 nF", " with R1 = R2", ", where s = 0", ", let r1 = 2*c1"):
        assert matches_circuit("H(s) = 1/(1+s*R1*C1)" + note, LADDER) is Verdict.EQUAL
    assert parse("1/(1+s*R1), where R1 = 2*C1", ["R1", "C1"]).symbols() == {"s", "R1"}
    assert parse("1/(1+s*R1), where R1 = 2*C1", ["C1"]).symbols() == {"s", "C1"}
    assert equal_expressions("H(s) = 1/(1+sτ), τ = RC", "1/(1+s*tau)") is Verdict.EQUAL
    assert equal_expressions("H(s) = 1/(1+sτ), τ = R/C", "1/(1+s*tau)", ["tau"]) is Verdict.EQUAL
    assert equal_expressions("K/(1+sτ), K = 2, τ = RC", "2/(1+sτ), where τ = CR") is Verdict.EQUAL


@pytest.mark.parametrize(
    "note",
    [
        ", where s is the complex frequency",
        ", where R and C are the resistor and the capacitor.",
        r", where \tau is the time constant",
        ". The time constant is τ = RC.",
        r". The cutoff frequency is $\omega_c = 1/(RC)$",
        ", where $s = \\sigma + j\\omega$ is the complex frequency",
        "\n\nThe pole is at s = -1/(RC)",
        ", valid for R = 2",
    ],
)
def test_what_is_said_behind_a_formula_changes_nothing(note: str) -> None:
    assert equal_expressions("H(s) = 1/(1+sRC)" + note, RC) is Verdict.EQUAL
    assert equal_expressions("H(s) = 1/(1-sRC)" + note, RC) is Verdict.DIFFERENT


def test_without_symbols_a_formula_is_read_as_it_stands() -> None:
    assert parse(r"H(s) = 1/(1 + s\tau), where \tau = RC").symbols() == {"s", "tau"}
    assert parse("H(s) = 1/(1+sτ), s = jω, τ = RC", ["R", "C"]).symbols() == {"s", "R", "C"}


def test_a_definition_is_no_answer_where_a_transfer_function_is_asked() -> None:
    for text in ("H(s) = Z/(Z+R1)\nZ = 1/(sC1)", "H(s) = R1/(R1+Z)\n\nwhere:\n- Z = 1/(1+sR1C1)\n- R = R1"):
        assert matches_circuit(text + "\nZ = 1/(1+sR1C1)", LADDER) is Verdict.DIFFERENT


@pytest.mark.parametrize(
    ("equation", "name", "degree"),
    [
        (r"\tau = RC", "tau", 1),
        ("Z_C(s) = 1/(sC)", "ZC", 1),
        ("ZC = 1/(sC)", "ZC", 1),
        (r"\omega_0^2 = 1/(LC)", "omega0", 2),
        ("K := 3", "K", 1),
        (r"R_{\text{eq}} \approx R_1", "Req", 1),
    ],
)
def test_the_left_side_says_what_is_defined(equation: str, name: str, degree: int) -> None:
    definition = parse_definition(equation)
    assert definition is not None
    assert (definition.name, definition.degree) == (name, degree)


@pytest.mark.parametrize("equation", ["R/C = 2", "a + b = c", "V_o/V_i = 2", "R1", "= 3", "x^-1 = 3", "(a = 1"])
def test_what_has_no_symbol_alone_on_its_left_defines_none(equation: str) -> None:
    assert parse_definition(equation) is None


# ---------------------------------------------------------------------------------------------- circles, sizes and time


def test_definitions_in_a_circle_are_refused_by_name() -> None:
    with pytest.raises(ExpressionError, match="got a circle \\(a -> b -> a\\)"):
        parse("1/(1+s*a), where a = b and b = a", ["R1"])
    with pytest.raises(ExpressionError, match="got a circle \\(a -> a\\)"):
        parse("1/(1+s*a), where a = a*b + 1", ["R1"])
    assert parse("1/(1+s*a), where b = c and c = b", ["R1"]).symbols() == {"s", "a"}


def chain(link: str, count: int, end: str = "R1") -> str:
    links = ", ".join(f"a{i} = " + link.replace("#", f"a{i + 1}") for i in range(count))
    return f"H = a0, where {links}, a{count} = {end}"


@pytest.mark.parametrize(
    "text",
    [
        "x^((((10^64)^64)^64)^64)",
        "x^((" + "10^64*" * 3000 + "1)^2)",
        chain("#*#", 60),
        chain("#^64", 60),
        chain("#^#", 60, "9"),
        chain("1/(1+1/(1-1/(2+#)))", 60),
        chain("sqrt(1+#)", 60),
        chain("exp(#)", 60),
        chain("#+1", 1000),
        chain("(" * 60 + "#" + ")" * 60, 60),
        "H = a, where " + "a = b, b = a, " * 1000,
        "H = K, where " + "K = 2, " * 2500,
        "H = " + "+".join(f"b{i}" for i in range(900)) + ", " + ", ".join(f"b{i}=R1" for i in range(900)),
        "H = " + "a*" * 2000 + "a, where a = " + "b*" * 2000 + "b, b = " + "R1*" * 1000 + "1",
        "H(s) = K\n" + "- K = 2\n" * 2000,
        "H = K (where " + "(where K = (" * 1000,
        "H = K, where " + r"\boxed{K = " * 1500,
        "where $K$ = " * 1500,
        "H = K, where K =" + " = " * 5000 + "1",
        "K=" * 9000 + "1",
        ",K=1" * 4900,
        "H = a0, " + ", ".join(f"a{i}=a{i + 1}" for i in range(10_000)),
        "H = a, where a = " + "b" * 10_000_000,
    ],
)
def test_hostile_definitions_are_bounded_in_time(text: str) -> None:
    with max_calls(20_000_000):
        assert equal_expressions(text, "R1*R2") is not Verdict.EQUAL
        assert matches_circuit(text, LADDER) is not Verdict.EQUAL
    with max_calls(8_000_000), contextlib.suppress(ExpressionError):
        parse(text, ["R1"])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_chain_of_definitions_in_any_order_has_the_value_that_it_has_by_hand(data: st.DataObject) -> None:
    """Every symbol is defined by the next one; the values are calculated one by one from the last."""
    patterns = ["{}*R1+1", "1/(1+{})", "({0})^2-{0}", "{}||R1", "-{}/C1", "s*{}"]
    links = data.draw(st.lists(st.sampled_from(patterns), min_size=1, max_size=8))
    names = [f"k{i}" for i in range(len(links) + 1)]
    equations = [
        f"{name} = {link.format(next_name)}" for name, link, next_name in zip(names, links, names[1:], strict=False)
    ]
    equations = data.draw(st.permutations([*equations, f"{names[-1]} = C1"]))
    separator = data.draw(st.sampled_from([", ", " and ", "; ", "\n- "]))
    text = f"H(s) = 3*k0, where {separator.join(equations)}"
    point = field.random_point(0)
    value = point("C1")
    for link in reversed(links):
        try:
            value = evaluate(parse(link.format("x"), ["x", "R1", "C1"]), field.random_point(0, {"x": value}))
        except ZeroDivisionError:
            reject()
    expression: Expression = parse(text, ["R1", "C1"])
    assert evaluate(expression, point) == 3 * value % field.PRIME
