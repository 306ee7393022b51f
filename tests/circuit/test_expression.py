"""Test that every notation of a formula is parsed as a person reads it, and that other texts are refused."""

from __future__ import annotations

import contextlib
import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvlm.circuit.formula.expression import MAX_CHARACTERS, Expression, ExpressionError, canonical_name, parse
from circuitvlm.circuit.judge import field
from circuitvlm.circuit.judge.budget import Budget
from tests.steps import growth, max_calls

NOTATIONS = [
    (r"\frac{1}{1+sR_1C_1}", "1/(1+s*R1*C1)"),
    (r"\dfrac{R_2}{R_1+R_2}", "R2/(R1+R2)"),
    (r"\frac{R_{2}}{R_{1}+R_{2}}", "R2/(R1+R2)"),
    (r"\frac12", "1/2"),
    (r"\frac{1}2R", "R/2"),
    (r"H(s)=\frac{V_{out}(s)}{V_{in}(s)}=\frac{R_2}{R_1+R_2}", "R2/(R1+R2)"),
    ("H(s) = V_o/V_i = R2/(R1+R2)", "R2/(R1+R2)"),
    ("|H(jω)| = 1/R", "1/R"),
    ("A_v = −g_m R_C", "-gm*RC"),
    (r"-g_m(R_D \parallel r_o)", "-gm*(RD*ro/(RD+ro))"),
    ("R1 || R2", "R1*R2/(R1+R2)"),
    ("R1 // R2 + R3", "R3 + R1*R2/(R1+R2)"),
    ("R1 ∥ 1/(sC)", "R1/(1+s*R1*C)"),
    (r"R_1 \| R_2", "R1*R2/(R1+R2)"),
    (r"$$H(s)=\dfrac{s C_1 R_1}{1+sC_1R_1}$$", "s*C1*R1/(1+s*C1*R1)"),
    (r"\[ H(s) = \frac{-R_2}{R_1} \cdot \frac{1}{1 + s R_2 C_2} \]", "-R2/(R1*(1+s*R2*C2))"),
    (r"\boxed{\frac{R_2}{R_1+R_2}}", "R2/(R1+R2)"),
    (r"So $x=1$ and finally \boxed{H(s)=2R}.", "2*R"),
    ("The transfer function from V1 to R1 is -R1/(R1 + R2).", "-R1/(R1+R2)"),
    ("H(s) = 1/(s^2*L1*C1 + s*R1*C1 + 1), where R1 is the resistor", "1/(s**2*L1*C1+s*R1*C1+1)"),
    (r"$H(s) = \frac{R_2}{R_1+R_2}$, where $R_1$ is the first resistor.", "R2/(R1+R2)"),
    ("Answer: R2/(R1+R2)", "R2/(R1+R2)"),
    ("**H(s) = R2/(R1+R2)**", "R2/(R1+R2)"),
    ("```\nR2/(R1+R2)\n```", "R2/(R1+R2)"),
    (r"\begin{align} H(s) &= \frac{R_2}{R_1 + R_2} \\ \end{align}", "R2/(R1+R2)"),
    (r"\left[\frac{R_2}{\left(R_1+R_2\right)}\right]", "R2/(R1+R2)"),
    (r"R_{\text{int}} + R_\text{ext} + R_{\mathrm{x}}", "Rint + Rext + Rx"),
    ("R₁/(R₁+R₂)", "R1/(R1+R2)"),
    ("s²LC + sRC + 1", "s**2*L*C + s*R*C + 1"),
    ("s⁻¹", "1/s"),
    ("s^{-1}", "1/s"),
    ("1/sC", "1/(s*C)"),
    ("1/s C", "C/s"),
    ("K/(s+a)(s+b)", "K/((s+a)*(s+b))"),
    ("2(R1)(R2)", "2*R1*R2"),
    ("2^-1", "1/2"),
    ("-s^2", "-(s*s)"),
    ("2**3**2", "512"),
    ("a/b/c", "a/(b*c)"),
    ("a - b - c", "a - (b + c)"),
    ("a × b · c", "a*b*c"),
    ("a*-b", "-a*b"),
    ("10^{-3}R", "0.001*R"),
    (r"5 \times 10^3", "5000"),
    ("1,000 R", "1000*R"),
    ("3.5e-3*R", "0.0035*R"),
    (r"j\omega L", "j*w*L"),
    ("jwL", "j*omega*L"),
    (r"\omega_0 L", "omega0*L"),
    ("V_1(s)*R2/(R1+R2)", "V1*R2/(R1+R2)"),
    ("V1/R1 + I1 = 0", "V1/R1 + I1 - 0"),
    ("((-y_1/C1)/s)*1", "-y1/(C1*s)"),
    (r"\beta R_C / r_\pi", "beta*RC/rpi"),
    (r"R_1 + R_2 \; \Omega", "R1 + R2"),
    ("R1\n/(R1+\nR2)", "R1/(R1+R2)"),
    ("g_mR_D", "gm*RD"),
    ("r_oC", "ro*C"),
    (r"\frac{ V_{o} }{ V_{i} } = - \frac{R_{f}}{R_{in}}", "-Rf/Rin"),
    # names of a result
    ("BW = R/L", "R/L"),
    (r"\mathrm{CMRR} = 2 g_m R_{SS}", "2*gm*RSS"),
    ("VC1/V1 = 1/(1+sR1C1)", "1/(1+s*R1*C1)"),
    ("H(j*omega) = R1/R2", "R1/R2"),
    (r"H(f)=\frac{1}{1+j2\pi fR}", "1/(1+j*2*pi*f*R)"),
    ("|H|^2 = R1/R2", "R1/R2"),
    ("R2/(R1+R2) = V_o/V_i", "R2/(R1+R2)"),
    (r"H(s)=\left.\frac{V_o}{V_i}\right|_{I=0}=\frac{R_2}{R_1}", "R2/R1"),
    ("f_3dB = 1/(2*pi*R)", "1/(2*pi*R)"),
    # signs
    (r"R_1\,R_2\!\cdot\!C", "R1*R2*C"),
    (r"R_1 /\!/ R_2", "R1*R2/(R1+R2)"),
    (r"R_1 \mathbin{\|} R_2", "R1*R2/(R1+R2)"),
    (r"R_1 \mid\mid R_2", "R1*R2/(R1+R2)"),
    ("R1 | R2", "R1*R2/(R1+R2)"),
    ("A_v ~ -g_m", "-gm"),
    (r"A_v \simeq -g_m", "-gm"),
    (r"R_1{\cdot}C", "R1*C"),
    ("½R + R⁄4", "3*R/4"),
    (r"{R_1 R_2 \over R_1+R_2}", "R1*R2/(R1+R2)"),
    ("1.5e-3s+1", "0.0015*s+1"),
    (r"\\frac{R_2}{R_1}", "R2/R1"),
    # subscripts
    ("R^2_1", "R1*R1"),
    (r"\frac { R _ { 1 } } { R _ { 2 } }", "R1/R2"),
    ("gₘ(R_D + rₒ)", "gm*(RD + ro)"),
    ("r_π + rπ", "2*rpi"),
    ("ω0*ωc*β1", "omega0*omegac*beta1"),
    ("s/ωp1", "s/omegap1"),
    (r"\omega_ns", "omegan*s"),
    ("w_0 + w0", "2*omega0"),
    ("sR_LC_L", "s*RL*CL"),
    ("R_LC", "RL*C"),
    ("V_CC - I_CR_C", "VCC - IC*RC"),
    ("gmro", "gm*ro"),
    ("R<sub>1</sub>", "R1"),
    (r"\mathrm{g_m R_D}", "gm*RD"),
    # imaginary units
    ("3 + j4", "3 + 4*j"),
    ("1/(I*C*R*omega + 1)", "1/(1+j*omega*R*C)"),
    (r"1+i\omega RC", "1+j*omega*R*C"),
    # units
    (r"\frac{1}{RC} \text{ rad/s}", "1/(R*C)"),
    (r"-\frac{R_2}{R_1}\ \mathrm{V/V}", "-R2/R1"),
    (r"R_1+R_2\ (\Omega)", "R1+R2"),
    ("tau = RC [s]", "R*C"),
    (r"V_o = I_1 R_1 \text{ V}", "I1*R1"),
    # text around the formula
    (r"H(s)=\frac{1}{R} \tag{1}", "1/R"),
    (r"H(s)=\frac{1}{R} \qquad (1)", "1/R"),
    (r"A_v \approx -\frac{R_C}{R_E} \; (g_m R_E \gg 1)", "-RC/RE"),
    ("A_v ≈ -RC/RE for g_m R_E >> 1", "-R*C/(R*E)"),
    ("A_v = -R1/R2 (inverting)", "-R1/R2"),
    (r"H(s) = \frac{1}{s}, \quad \omega_c = \frac{1}{R}", "1/s"),
    (r"$H(s) = \frac{1}{1+s\tau}$ where $\tau = RC$", "1/(1+s*tau)"),
    (r"$$H(s) = 2R$$" + "\n\nwhere $s = j\\omega$ is the frequency.", "2*R"),
    (r"The answer is $0$, where $s = j\omega$.", "0"),
    ("H(s) = 1/(1+s*R)\n\nThe pole is at s = -1/R.", "1/(1+s*R)"),
    ("$$H(s)=2R$$\nThe gain at DC is 1.", "2*R"),
    ("The current is I = V1/R1. The transfer function is H(s) = R2/R1.", "R2/R1"),
    ("So the transfer function $H(s) = V_o/V_i$ is $R_1$.", "R1"),
    ("Using nodal analysis with V1 as the source, we get V_out/V_in = R2/R1.", "R2/R1"),
    ("The voltage across R1 divided by V1 equals -1", "-1"),
    ("R2/(R1+R2) is the transfer function from V1 to R2.", "R2/(R1+R2)"),
    ("Transfer Function: R2/R1", "R2/R1"),
    ("V_o R_1 = V_i R_2 ⇒ V_o/V_i = R_2/R_1", "R2/R1"),
    ("<think>H = 5</think><answer>R2/R1</answer>", "R2/R1"),
    ("$$\\begin{aligned} V_o &= IR_2 \\\\[4pt] H &= \\frac{R_2}{R_1} \\end{aligned}$$", "R2/R1"),
    ("1. H(s) = R1\n2. H(s) = R2", "R2"),
    ("- R2/R1", "-R2/R1"),
    ("(1) + (R1)", "1 + R1"),
    ("(a) H(s) = R1", "R1"),
    ("H(s) = R2/R1 = constant", "R2/R1"),
    ("-Is*R1", "-Is*R1"),
]


def evaluate(expression: Expression, point: field.Point) -> int:
    return field.evaluate(expression, point, Budget(10**6))


@pytest.mark.parametrize(("text", "plain"), NOTATIONS)
def test_a_spelling_is_read_as_the_plain_formula(text: str, plain: str) -> None:
    words = re.findall(r"[A-Za-z]\w*", plain)  # in the plain spelling every word is one symbol
    for turn in range(3):
        point = field.random_point(turn)
        assert evaluate(parse(text), point) == evaluate(parse(plain, {*words} - {"jw", "j", "w"}), point)


@pytest.mark.parametrize(
    ("text", "symbols", "plain"),
    [
        ("sR1C1", ["R1", "C1"], "s*R1*C1"),
        ("sRC", ["RC"], "s*RC"),
        ("gmro", ["gm", "ro"], "gm*ro"),
        ("r1+R2", ["R1", "R2"], "R1+R2"),
        ("S*c1", ["C1"], "s*C1"),
        ("RINT1", ["Rint1"], "Rint1"),
        ("sRintC", ["Rint", "C"], "s*Rint*C"),
        ("e*j", ["e", "j"], "e*j"),
        ("V1(R1)", ["V1", "R1"], "V1*R1"),
        ("sC_1R_2", ["C1", "R2"], "s*C1*R2"),
        ("V1(s)*R1", ["V1", "R1"], "V1*R1"),
        ("R_LC", ["RLC"], "RLC"),
        ("R_ECs", ["RE", "C"], "RE*C*s"),
        ("gain*R1 is the result", ["gain", "R1"], "gain*R1"),
        ("I*omega", ["I"], "I*omega"),
    ],
)
def test_known_symbols_decide_how_letters_are_cut(text: str, symbols: list[str], plain: str) -> None:
    point = field.random_point(0)
    assert evaluate(parse(text, symbols), point) == evaluate(parse(plain, [*symbols, "s"]), point)


@pytest.mark.parametrize("spelling", ["R1", "R_1", "R_{1}", r"R_{\text{1}}", "R₁", r"R_\mathrm{1}"])
def test_every_spelling_of_a_symbol_is_one_symbol(spelling: str) -> None:
    assert parse(spelling).symbols() == {"R1"}


def test_canonical_takes_off_what_only_typesets() -> None:
    assert [canonical_name(s) for s in (r"R_{\text{int}}", "y_1", "ω_0", "<R1>", "R₁")] == [
        "Rint",
        "y1",
        "omega0",
        "R1",
        "R1",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "I cannot see the circuit",
        "9**9**9",
        "x^65",
        "x^(2^7)",
        "R1 +",
        "(R1",
        "R1)",
        "R1 (",
        "1 2",
        "=",
        "**",
        "^2",
        "__import__('os').system('x')",
        r"\input{/etc/passwd}",
        r"\frac{1}",
        r"\sqrt",
        "R_",
        "5 %",
        "(" * 5000,
        "-" * 300 + "(" * 200,
        "x" + "^x" * 200,
        "[" * 70 + "1" + "]" * 70,
        "1" * 61,
        "R1" * (MAX_CHARACTERS // 2 + 1),
        "\x00",
        "TIMEOUT_OR_ERROR",
        r"\infty",
        "R1 = ",
        "(R1]",
        r"\left( R1",
        "No answer",
        "log_x(y)",
        r"\text{.}",
        r"\sin^{-1}(x)",
        "The gain cannot be found in Step 2.",
        "Therefore",
        "H(s) = inverting",
    ],
)
def test_what_is_no_formula_is_refused_at_once(text: str) -> None:
    with max_calls(300_000), pytest.raises(ExpressionError):
        parse(text)


def test_an_error_says_what_was_wrong() -> None:
    with pytest.raises(ExpressionError, match="expected an exponent of at most 64, got 100"):
        parse("R^100")
    with pytest.raises(ExpressionError, match="expected at most 64 levels of nesting, got 65"):
        parse("(" * 70 + "R" + ")" * 70)
    with pytest.raises(ExpressionError, match="at most 20000 characters, got 40000"):
        parse("R+" * 20_000)


# ------------------------------------------------------------------------------------- what is printed is read the same

NAMES = ("R1", "R2", "C1", "L1", "gm", "s", "Rint")
LATEX = {"R1": "R_{1}", "R2": "R_2", "C1": "C_{1}", "L1": "L_1", "gm": "g_m", "s": "s", "Rint": r"R_{\text{int}}"}


def trees() -> st.SearchStrategy[Expression]:
    leaf = st.sampled_from([Expression("symbol", name=n) for n in NAMES]) | st.integers(1, 99).map(
        lambda n: Expression("number", number=Fraction(n))
    )

    def branches(operand: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        operands = st.lists(operand, min_size=2, max_size=3).map(tuple)
        power = st.tuples(operand, st.integers(1, 3).map(lambda n: Expression("number", number=Fraction(n))))
        single_operand = st.tuples(operand)
        return st.one_of(
            operands.map(lambda a: Expression("+", a)),
            operands.map(lambda a: Expression("*", a)),
            operands.map(lambda a: Expression("||", a)),
            single_operand.map(lambda a: Expression("neg", a)),
            single_operand.map(lambda a: Expression("inv", a)),
            power.map(lambda a: Expression("^", a)),
        )

    return st.recursive(leaf, branches, max_leaves=12)


def plain(node: Expression) -> str:
    if node.op == "symbol":
        return node.name
    if node.op == "number":
        return str(node.number)
    inner = [f"({plain(arg)})" for arg in node.args]
    return {"neg": f"-{inner[0]}", "inv": f"1/{inner[0]}"}.get(node.op) or f" {node.op} ".join(inner)


def latex(node: Expression) -> str:
    if node.op == "symbol":
        return LATEX[node.name]
    if node.op == "number":
        return str(node.number)
    inner = [latex(arg) for arg in node.args]
    if node.op == "neg":
        return rf"-\left({inner[0]}\right)"
    if node.op == "inv":
        return rf"\frac{{1}}{{{inner[0]}}}"
    if node.op == "^":
        return rf"\left({inner[0]}\right)^{{{inner[1]}}}"
    sign = {"+": "+", "*": r" \cdot ", "||": r" \parallel "}[node.op]
    return sign.join(rf"\left({part}\right)" for part in inner)


@settings(max_examples=300, deadline=None)
@given(trees())
def test_a_printed_formula_is_read_back(tree: Expression) -> None:
    point = field.random_point(1)
    try:
        value = evaluate(tree, point)
    except ZeroDivisionError:
        return
    for text in (plain(tree), latex(tree), f"H(s) = {latex(tree)}", f"${latex(tree)}$"):
        assert evaluate(parse(text), point) == value
        assert evaluate(parse(text, NAMES), point) == value


@settings(max_examples=2000, deadline=None)
@given(
    st.text(
        alphabet=st.sampled_from(list(r"R1C2sjwπω+-*/^()[]{}|=_\ .,:;$&'frac2¹₂∥−×e3 parallel text sqrt")), max_size=60
    )
    | st.text(max_size=60)
)
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with max_calls(50_000), contextlib.suppress(ExpressionError):
        parse(text)
        parse(text, NAMES)


@pytest.mark.parametrize(
    ("start", "unit", "end"),
    [
        ("", "+R1", ""),
        ("", "*R", ""),
        ("", "R1||", "R1"),
        ("", "a/", "b"),
        ("", "R_", ""),
        ("", "=", ""),
        ("", "$x", ""),
        ("", "is ", ""),
        ("", "\\frac", ""),
        ("", "\\boxed{", ""),
        ("", "\\[", ""),
        ("x", "\n", "y"),
        ("", "<sub>", ""),
        ("x", ". ", "y"),
        ("x", "~", "y"),
        ("", "R1", ""),
        ("", "(a ", ""),
    ],
)
def test_long_texts_take_time_in_proportion(start: str, unit: str, end: str) -> None:
    def parse_units(count: int) -> None:
        with contextlib.suppress(ExpressionError):
            parse(start + unit * count + end)

    count = 18_000 // len(unit)
    with max_calls(150 * 18_000):
        parse_units(count)
    assert growth(parse_units, count // 16) < 9  # 4 where time is linear, 16 where it is quadratic
