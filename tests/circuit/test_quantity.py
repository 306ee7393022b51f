"""Test the parsing, comparison and formatting of numbers with units."""

import cmath
import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvlm.circuit.quantity import (
    UNITS,
    Quantity,
    QuantityError,
    compare,
    format_engineering,
    format_quantity,
    parse,
    parse_spice,
)
from tests.steps import growth, max_calls

SPICE_NUMBERS = {
    "10": 10,
    "4.7k": 4700,
    "4.7K": 4700,
    "1Meg": 1e6,
    "1MEG": 1e6,
    "1m": 1e-3,
    "1M": 1e-3,
    "1MegOhm": 1e6,
    "2.2u": 2.2e-6,
    "2.2µ": 2.2e-6,
    "2.2μF": 2.2e-6,
    "1uF": 1e-6,
    "10kOhm": 1e4,
    "10kΩ": 1e4,
    "5V": 5,
    "2A": 2,
    "2amps": 2,
    "2a": 2e-18,
    "3mil": 76.2e-6,
    "1T": 1e12,
    "3g": 3e9,
    "7n": 7e-9,
    "9pF": 9e-12,
    "1F": 1e-15,
    "2k2": 2200,
    "4R7": 4.7,
    "0r5": 0.5,
    "1meg5": 1.5e6,
    "10R": 10,
    ".5": 0.5,
    "5.": 5,
    "1e3": 1000,
    "1E-3k": 1,
    "-3": -3,
    "−3": -3,
    "+3": 3,
    " 7 ": 7,
    "0": 0,
    "-0": 0,
    "0e999": 0,
}
GARBAGE_WORDS = "|inf|nan|-inf|abc|k|1e|--1|1..2|1,000|1_000|1e999|1e-999|9**9**9|1/2|²|١|1e99999|R1|{1}|1 2|1e+|NaN"
GARBAGE = GARBAGE_WORDS.split("|")
ENGINEERING_TEXTS = {
    4700: "4.7k",
    10: "10",
    2.2e-6: "2.2u",
    1e6: "1Meg",
    -3.3e-3: "-3.3m",
    0: "0",
    0.5: "500m",
    999999.9: "1Meg",
    999.9999: "1k",
    1e14: "100T",
    1e15: "1e15",
    1e-15: "1f",
    1e-20: "1e-20",
    -2.5e20: "-2.5e20",
    1 / 3: "333.3333m",
    2 / 3: "666.6667m",
    8 / 9: "888.889m",
    1.23456789: "1.234568",
    4.7000001: "4.7",
    123456: "123.456k",
    4.7 * 1000.0000000001: "4.7k",
}


@pytest.mark.parametrize("text", SPICE_NUMBERS)
def test_reads(text: str) -> None:
    assert parse_spice(text) == pytest.approx(SPICE_NUMBERS[text], rel=1e-15)


@pytest.mark.parametrize("text", [*GARBAGE, "9" * 1000, "1" + "k" * 100, "(" * 100])
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a number such as|expected 0 or a magnitude from"):
        parse_spice(text)


@pytest.mark.parametrize("value", ENGINEERING_TEXTS)
def test_writes(value: float) -> None:
    assert format_engineering(value) == ENGINEERING_TEXTS[value]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e201, 1e-201])
def test_refuses_to_write(value: float) -> None:
    with pytest.raises(ValueError, match="value: expected 0 or a magnitude from"):
        format_engineering(value)


@given(st.floats(1e-199, 1e199) | st.floats(1e-16, 1e16) | st.integers(-9999, 9999).map(lambda i: i / 100))
@settings(max_examples=1000)
def test_written_numbers_are_stable_and_near(value: float) -> None:
    text = format_engineering(value)
    again = parse_spice(text)
    assert format_engineering(again) == text
    assert again == pytest.approx(value, rel=9.1e-7)


@given(st.text(max_size=40))
def test_any_text_is_a_finite_number_or_a_value_error(text: str) -> None:
    try:
        value = parse_spice(text)
    except ValueError:
        return
    assert math.isfinite(value)


SINGLE_QUANTITIES = [
    line.partition(" <- ")
    for line in r"""
5 V <- 5 V | 5V | 5. V | 5V. | +5 V | 5.0 volts | 5 volt | 5 Volts | 5 v | 5000 mV | 5000mV | 0.005 kV | 5e3 mV
5 V <- 5 V DC | ~5 V
5 V <- 5 Vrms | 5 V_{rms} | 5 Vpp | 5V_dc | 5-V source | 5 W/A | ５Ｖ | **5 V** | $5$ V | $5\,\mathrm{V}$
5 V <- \(5\ \text{V}\) | `5 V`
5 V <- \[ V = 5~\mathrm{V} \] | \SI{5}{\volt} | \qty{5}{V} | 5 (V) | 5 [V] | *5 V* | {5} V | 5 $\text{V}$ | about 5 V
5 V <- ≈ 5 V | 5 V ± 1% | --5 V
-2.5 V <- -2.5 V | −2.5 V | –2.5 V | —2.5 V | ﹣2.5 V | －2.5 V | - 2.5 V | −2,5 V | $-2.5\,V$ | -\frac{5}{2} V
-2.5 V <- -5/2 V | V=-2.5 V
1000 V <- 1,000 V | 1{,}000 V | 1\,000 V | 1 000 V | 1 kV | 10^3 V | 10^{3} V | 10³ V | 1e3 V | 1E+3 V | 1.0 × 10^3 V
1000 V <- 10**3 V | 0.001 MV
12345.6 V <- 12,345.6 V | 12 345.6 V | 12.345,6 V | 12345,6 V | 12.3456 kV | 12345.6V
1234567 V <- 1,234,567 V | 1 234 567 V | 1.234567 MV
3.3 V <- 3,3 V | 3.3 V | 3V3 | about 3.3 V | 3{,}3 V | 3.30 V | 33/10 V | \frac{33}{10} V
0.125 A <- 0,125 A | 1/8 A | \frac{1}{8} A | \dfrac18 A | .125 A | 125 mA | 125000 µA | 0.5/4 A | (1/8) A | 1/(3+5) A
0.0034 A <- 3.4 mA | 3.4mA | 3.4 milliamps | 3.4 milliamperes | 3.4 milli amps | 3.4×10^{-3} A | 3.4 x 10^-3 A
0.0034 A <- 3.4x10^{-3} A | 3.4 X 10^-3 A
0.0034 A <- 3.4 \times 10^{-3} A | $3.4 \times 10^{-3}$ A | 3.4*10**-3 A | 3.4 · 10⁻³ A | 3.4 \cdot 10^{-3}\,\text{A}
0.0034 A <- 3.4e-3 A | 3.4 e-3 A | 3.4E−3 A
0.0034 A <- 3400 µA | 3400 μA | 3400 uA | 3400 \mu A | $3400\,\mu\text{A}$ | 3400 microamps | \SI{3.4}{\milli\ampere}
0.0034 A <- \qty{3.4}{\mA} | 3.4 ma
0.0034 A <- 3.4 × 10−3 A | 3.4 V/kΩ | 3.4 \textrm{mA} | 3.4~mA | 3.4 m\text{A} | 0,0034 A | 3.4 * 10 ** -3 A
0.0034 A <- 3.4\times10^{-3}~\mathrm{A}
0.001 A <- 10^-3 A | 10^{-3} A | x10^{-3} A | 10⁻³ A | 1e-3 A
10000 Ohm <- 10kΩ | 10 kΩ | 10 kΩ | 10k Ω | 10 k\Omega | 10\,\text{k}\Omega | 10 kohm | 10 kOhms | 10 kiloohms
10000 Ohm <- 10 kilohms | 10 KOhm | 10 kilo-ohms
10000 Ohm <- \SI{10}{\kilo\ohm} | 10k0Ω | 10-kΩ resistor | 10 V/mA | 10^4 \Omega | 10 000 Ω | 10,000 ohms | 10 kiloohm
10000 Ohm <- $10\;\mathrm{k\Omega}$
4.7 Ohm <- 4R7 | 4.7R | 4.7 Ω | 4700 mΩ | 4.7 V/A
2000000 Ohm <- 2 MΩ | 2 megohms | 2 megaohms | 2 MOhm | 2MegOhm | 2 Mohm
0.002 Ohm <- 2 mΩ | 2 milliohms | 2 mohm
2200 None <- 2k2 | 2.2k | 2.2K | 2.2 k | 2200 | 2,200 | 2.2e3
1e6 None <- 1M | 1Meg | 1MEG | 1meg | 1 Meg | 10^6
0.001 None <- 1m | 1 m | 10^{-3} | 1000u | 1000 µ | 1e6n
0.0034 None <- 0.0034 | .0034 | 34/10000 | 3.4 × 10⁻³ | 0.34% of 1 is 0.0034
50 None <- 50% | 50 % | 50 \% | 50 V/V | 50.
0.5 S <- 0.5 S | 0.5 siemens | 0.5 mho | 0.5 ℧ | 0.5 1/Ohm | 0.5 Ω^{-1} | 0.5 Ω⁻¹ | 500 mS | 0.5 A/V | 500 1/kΩ
0.5 S <- 0.5/Ω | 500 kΩ^{-1}
1e-05 F <- 10 µF | 10 microfarads | 10 uF | 10 UF | 10 μF | 1e-5 F | \SI{10}{\micro\farad}
1 F <- 1F | 1 F | 1 farad
1e-15 None <- 1f
1e-11 F <- 10 pF | 10pF | 10 picofarads | 0.01 nF
2 H <- 2 H | 2 henries | 2 henrys | 2 henry | 2000 mH
50 Hz <- 50Hz | 50 hertz | 50 hz | 0.05 kHz | 0.05 KHZ | 0.00005 mhz
0.05 Hz <- 50 mHz
1e-05 s <- 10 µs | 10 us | 10μs | 10 microseconds | 0.01 ms | 10 usec
100 rad/s <- 100rad/s | 100 rad/s | 100 rad/sec | 100 radians per second | 100 radians/second | 0.1 krad/s
100 rad/s <- 100 rad s^{-1} | 100 rad·s⁻¹ | 100 \mathrm{rad/s}
100 rad/s <- 100 rad / s | \SI{100}{\radian\per\second}
314.159265358979 rad/s <- 100π rad/s | 100\pi rad/s | $100\pi\ \text{rad/s}$ | 2π*50 rad/s | 2\pi \cdot 50 rad/s
20 dB <- 20dB | 20 dB | 20 decibels | 20 db
90 deg <- 90° | 90 deg | 90 degrees | 90^\circ | 90^{\circ} | 90º | 90^{o} | \ang{90} | π/2 rad | \pi/2 rad
90 deg <- \frac{\pi}{2} rad | 1570.79632679490 mrad
5000 W <- 5 kW | 5000 watts | 5 kilowatts | 5 kJ/s
5000 VA <- 5 kVA | 5000 volt-amperes | 5000 volt amperes | 5000 V·A | 5000 voltamperes
5000 var <- 5 kvar | 5 kVAR | 5000 VAr | 5000 vars
3e-06 C <- 3 µC | 3 microcoulombs | 3 μC
2 J <- 2 J | 2 joules | 2000 mJ
1.4142135623731 V <- \sqrt{2} V | √2 V | √(2) V | sqrt(2) V | 2/\sqrt{2} V | $\frac{2}{\sqrt{2}}$ V | \sqrt2 V
7.0710678118655 A <- 5\sqrt{2} A | 5√2 A | 5 \sqrt{2} A | 10/\sqrt{2} A | \frac{10}{\sqrt{2}} A | 5*sqrt(2) A
0.75 A <- 3/4 A | \frac{3}{4} A | \tfrac{3}{4}\,\text{A} | $\dfrac{3}{4}$ A | 3 / 4 A | \frac34 A
2.5 A <- 2\frac{1}{2} A | 5/2 A
3+4j None <- 3+4j | 3 + j4 | 3 + 4i | 3 + i4 | 3 + 4 j | j4 + 3 | 4j + 3 | (3+4j) | 3+j*4 | 3 + j 4 | $3 + j4$
3+4j None <- 3 + \mathrm{j}4 | 3+4*j
3-4j V <- (3 - 4i) V | 3 - j4 V | 3−j4 V | (3-4j) V | 3 - 4j V | -j4 + 3 V | (3 - j4)\,\text{V}
3+4j Ohm <- 3 + j4 Ω | (3+4j) Ω | 3+4jΩ | (3 + j4) ohms | 0.003 + j0.004 kΩ | (6+8j)/2 Ω
4j None <- 4j | j4 | j*4 | 4i | j 4
-5.5j Ohm <- -j5.5 Ω | −j5.5 Ω | -5.5j Ω | -j5.5Ω
0.0025-0.0012j A <- (2.5 - j1.2) × 10^{-3} A | 2.5 - j1.2 mA
5+0j V <- 5∠0° V | 5∠0 V
5j V <- 5∠90° V | 5 ∠ 90 deg V | 5 V ∠ 90° | 5∠90 V | 5\angle 90^\circ\,\text{V} | 5 \angle 90^{\circ} V
5j V <- 5\angle{90^\circ}\ V | (5∠90°) V | 5∠(90°) V
5j V <- 5 V at an angle of 90 degrees | 5 at an angle 90° V | 5e^{j90°} V | 5 e^{j\pi/2} V | 5 exp(jπ/2) V | 5∠π/2 V
5j V <- 5∠1.5707963267949 rad V
5j V <- 5 V with a phase of 90° | 5 V and a phase angle of 90° | -5∠-90° V | 5e^(j*90°) V | 5 e^{1.5707963267949j} V
5j V <- 5\angle(90^\circ) V | 5∠90°V
-5j A <- 5∠-90° A | 5∠−90° A | 5000 ∠ -90 deg mA | 5e^{-j90°} A | 5 exp(-j1.5707963267949) A | 5 e^{-i\pi/2} A
-5j A <- 5∠270° A
""".strip().splitlines()
]
SENTENCES = [
    line.partition(" <- ")
    for line in r"""
0.5 A <- ½ A | .5 A | 5 x 10e-2 A
1.5 V <- 1½ V | 1 ½ V | $1\frac{1}{2}$ V
0.0025 A <- I (mA) = 2.5 | I_1 [mA]: 2.5 | I/mA = 2.5 | $I$ (mA) $= 2.5$
3+4j V <- 5 V leading by 53.13010235415598° | 5 V @ 53.13010235415598° | 5 cis 53.13010235415598° V
3-4j V <- 5 V lagging by 53.13010235415598° | 5 V ∠ -53.13010235415598°
0.0034 A <- The current I2 is 3.4 mA | 3.4 mA flows through R2 | approximately 3.4 mA, i.e., 0.0034 A
0.0034 A <- I_{2} = 3.4\,\text{mA} | I₂ = 3.4 mA
0.0034 A <- **Answer:** 3.4 mA | FINAL ANSWER: 3.4 mA | The answer is **3.4 mA**. | <answer>3.4 mA</answer>
0.0034 A <- Answer — 3.4 mA | - **Current**: 3.4 mA
0.0034 A <- I = 3.4 mA (R1 = 10 kΩ) | The current is 3.4 mA since R1 = 5 kΩ | With R1 = 10 kΩ, the current is 3.4 mA
0.0034 A <- I = 3.4 mA for V = 10 V
0.0034 A <- I_{R_1} = \frac{V}{R} = \boxed{3.4\,\text{mA}} | \boxed{I = 3.4\ \mathrm{mA}} with R = 5 Ω
0.0034 A <- so the meter shows 3.4 mA | Current ≈ 3.4 mA.
5 V <- The voltage at node 3 is 5 V | voltage at node 3 = 5 V | v(0) = 5 V at t = 0 | V_{12} = 5 V
5 V <- R1 is 10 kΩ, so 5 V | (a) 5 V | 1) 5 V
5 V <- Step 3: V = 5 V | U = 9 V - 4 V = 5 V | \frac{10\text{ V}}{2} = 5\text{ V}
5 V <- The voltage is 5 V (node 7) | * V_1 = 5 V | # 5 V | 5 V (R_1 = 3 kΩ, with 2 A)
5 V <- V1 = 3 V, V2 = 5 V | I think 2 sources give 5 V | "5 V" | The 741's output is 5 V | $V_{th} = 5\ V$.
5 V <- V = 1 A \cdot 5\,\Omega = 5 V | 10 V * 1/2 = 5 V
5 V <- V = 15/3 V | ratio 1:2, so V = 5 V | is 5 V, see R1 = 2 kΩ in brackets: 5 V | the output equals 5 V | U → 5 V
5 V <- I = 3 mA ⇒ U = 5 V
8 V <- V_out = 12 V × 2/3 = 8 V | V_out = 12 V × (2/3) = 8 V | 12 × 2/3 V
0.005 A <- I = 5 V / 1 kΩ = 5 mA | I3 = I1 + I2, I3 = 5 mA. | I = \frac{5}{1000} = 0.005\ \text{A}
0.005 A <- The current is 5 mA.
-2.5 V <- The voltage U0 is -2.5 V (node 5 is lower) | V_1 = -2.5 V | U = - 2.5 V | U=−2.5 V
-2.5 V <- $V \approx -2.5\,\mathrm{V}$. | is **-2.5 V**
-10 None <- A_v = -R2/R1 = -10 kΩ / 1 kΩ = -10 | The gain is -10. | The gain is -10. A resistor sets it
0.5 None <- V1 = 10 V, V2 = 5 V, gain = V2/V1 = 0.5 | There are 2 loops, and the ratio is 0.5 | {"value": 0.5}
3 None <- 1,2,3 | (1, 2, 3) | i1 = 2, i2 = 3 | 3 resistors | x^2 = 3
""".strip().splitlines()
]
TABLE = [(text, quantity) for quantity, _, texts in [*SINGLE_QUANTITIES, *SENTENCES] for text in texts.split(" | ")]
LINES = {
    "1. Find the current\n2. V = 5 V": "5 V",
    "Answer: 5 V\n\nThe source voltage is 10 V": "5 V",
    "FINAL ANSWER: 0.5\nExplanation: 5 V / 10 V": "0.5 None",
    "**Final Answer**\n\n**5 V**": "5 V",
    "## Answer\n\n$$V = 5\\,\\text{V}$$": "5 V",
    "R = 2 kΩ\n\nI = 2.5 mA\n\n\\boxed{5\\text{ V}}\n\nThis uses R = 2 kΩ.": "5 V",
    "\\begin{aligned} V &= 2 \\cdot 2.5 \\\\ &= 5\\text{ V} \\end{aligned}": "5 V",
    "5. V\n": "5 V",
    "* V = 2 V\r\n* V = 5 V": "5 V",
}
NO_NUMBER = "no number here||   |NaN|inf|-inf|infinity|9**9**9|R1|node 3|Step 2|I_1|0x10|1_000|1e999 V|1e-999 V|1.2.3"
NO_NUMBER += (
    "|3rd|5apples|V|∠|×|=|__import__('os').system('x')|5 V/m|25 °C|25^\\circ C|5 V^2|3 W/m²|e^{j30°}|j|π|-|5**999"
)
NO_NUMBER += "|10^999 V|#7|١ V|1e|(|\\"
HOSTILE = "1|(|10^|-|1,|1 000 |√|(1*|1∠(|frac(|\\frac{|\\frac11|{|_{|\\boxed{|**|* |j |=|answer:|1e^(j|5 V |10-3*|(1+j"
HOSTILE += "|Ω^|node |⁻|\n"


@pytest.mark.parametrize(("text", "value_and_unit"), [*TABLE, *LINES.items()])
def test_a_quantity_is_read_however_it_is_written(text: str, value_and_unit: str) -> None:
    value, unit = value_and_unit.split()
    quantity = parse(text)
    assert quantity.value == pytest.approx(complex(value), rel=1e-12, abs=1e-12 * abs(complex(value)))
    assert isinstance(quantity.value, complex) == ("j" in value)
    assert str(quantity.unit) == unit


NO_SINGLE_VALUE = """
i(t) = 5\\cos(100t-20^\\circ)\\ \\text{A} | v(t) = 10 sin(377 t) V | 3 cos(t) A | i = 2 exp(-t) A | ln(2) V
20\\log_{10}(2) dB | 2.5 V to 3.3 V | 2-3 V | 2.5–3.3 V | between 2 V and 3 V | 5 V or 6 V | 5 to 5 V | I = 2 A to 3 A
from 1 V through 4 V
10 V / 2 Ω | \\frac{10{V}}{100 {m \\ohm}} | 5 V - 3 V | 2 A * 3 Ω
(4 V) / (2 Ω) | V = 5 V + 3 V
2 mV/\\celsius | 2 mV/K | 5 V/s | 3 A/m
"""


@pytest.mark.parametrize(
    "text", [text.strip() for text in NO_SINGLE_VALUE.replace("\n", "|").split("|") if text.strip()]
)
def test_a_text_that_states_no_single_value_is_refused(text: str) -> None:
    """Its last number alone could be right by chance."""
    with pytest.raises(QuantityError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    ["The range is 2 V to 3 V, so V = 5 V", "10 V / 2 Ω = 5 V", "5 V (2 V to 3 V before)", "cos(60°) = 0.5, V = 5 V"],
)
def test_a_conclusion_counts_after_a_range_or_arithmetic(text: str) -> None:
    assert parse(text) == parse("5 V")


@pytest.mark.parametrize("text", NO_NUMBER.split("|"))
def test_a_text_without_a_number_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="expected a number such as"):
        parse(text)


def test_a_text_that_is_too_long_is_refused() -> None:
    assert parse("5 V" + " " * 19_997) == Quantity(5.0, "V")
    with pytest.raises(QuantityError, match="got 20,001 characters"):
        parse("5 V" + " " * 19_998)


EQUAL, WRONG, OTHER_UNIT = (True, True, False), (False, True, False), (True, False, False)
MISSING_UNIT, UNREADABLE = (True, False, True), (False, False, False)
PAIRS = [
    ("5 V", "5 V", EQUAL),
    ("5000 mV", "5 V", EQUAL),
    ("5.05 V", "5 V", EQUAL),
    ("4.95 V", "5 V", EQUAL),
    ("5.051 V", "5 V", WRONG),
    ("-5 V", "5 V", WRONG),
    ("−5 V", "-5 V", EQUAL),
    ("5 mV", "5 V", WRONG),
    ("5 V", "5 A", OTHER_UNIT),
    ("5", "5 V", MISSING_UNIT),
    ("5k", "5 kΩ", MISSING_UNIT),
    ("6", "5 V", (False, False, True)),
    ("5 V", "5", EQUAL),
    ("5", "5", EQUAL),
    ("5 mV", "5", WRONG),
    ("5 mV", "0.005", EQUAL),
    ("0 V", "0 V", EQUAL),
    ("1e-12 V", "0 V", EQUAL),
    ("1e-11 V", "0 V", WRONG),
    ("1e-12 V", "1e-11 V", WRONG),
    ("5∠0° V", "5 V", EQUAL),
    ("5 V", "5∠0° V", EQUAL),
    ("4 + j3 V", "5∠36.87° V", EQUAL),
    ("5∠-36.87° V", "5∠36.87° V", WRONG),
    ("5 V", "5∠36.87° V", WRONG),
    ("100 rad/s", "100 Hz", OTHER_UNIT),
    ("1.5708 rad", "90°", EQUAL),
    ("5 mho", "5 S", EQUAL),
    ("5 1/Ω", "5 ℧", EQUAL),
    ("5 VA", "5 W", OTHER_UNIT),
    ("5 var", "5 VA", OTHER_UNIT),
    ("20 dB", "10", WRONG),
    ("no idea", "5 V", UNREADABLE),
    ("", "5", UNREADABLE),
    ("I = 10 V / 2 kΩ = 5 mA", "0.005 A", EQUAL),
]


@pytest.mark.parametrize(("prediction", "truth", "verdicts"), PAIRS)
def test_number_and_unit_are_judged_apart(prediction: str, truth: str, verdicts: tuple[bool, bool, bool]) -> None:
    comparison = compare(prediction, truth)
    assert (comparison.number, comparison.unit, comparison.missing_unit) == verdicts
    assert comparison.correct == (verdicts[:2] == (True, True))


def test_quantities_are_compared_like_texts_within_the_tolerance_asked_for() -> None:
    assert compare(Quantity(5.4, "V"), "5 V", tolerance=0.1).correct
    assert compare("5.4 V", Quantity(5.0, "V"), tolerance=0.1).correct
    assert not compare("5.4 V", Quantity(5.0, "V"), tolerance=0.07).number
    assert compare("0.1 V", Quantity(0.1, "V"), tolerance=0.0).correct
    assert not compare(Quantity(math.nan, "V"), "5 V").number


@pytest.mark.parametrize("tolerance", [-0.1, math.nan, math.inf])
def test_a_tolerance_that_is_none_is_refused(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance: expected"):
        compare("5 V", "5 V", tolerance=tolerance)


def test_an_unreadable_truth_is_an_error() -> None:
    with pytest.raises(QuantityError, match="got 'unknown'"):
        compare("5 V", "unknown")


QUANTITY_TEXTS = [
    (0.0034, "A", "3.4 mA"),
    (-5.5356, "V", "-5.536 V"),
    (1.2e6, "Ohm", "1.2 MOhm"),
    (999.96, "V", "1 kV"),
    (999.94, "V", "999.9 V"),
    (2.2e-6, "F", "2.2 uF"),
    (0.0, "V", "0 V"),
    (5e20, "Hz", "5e+20 Hz"),
    (12345.6, "rad/s", "1.235e+04 rad/s"),
    (-0.05, "deg", "-0.05 deg"),
    (-3.01, "dB", "-3.01 dB"),
    (cmath.rect(5.32, math.radians(-30.5)), "V", "5.32∠-30.5° V"),
    (cmath.rect(0.01, math.radians(45)), "A", "10∠45° mA"),
    (5 + 0j, "V", "5∠0° V"),
    (5 - 1e-9j, "V", "5∠0° V"),
]


@pytest.mark.parametrize(("value", "unit", "text"), QUANTITY_TEXTS)
def test_a_quantity_is_written_with_four_digits_and_a_prefix(value: complex, unit: str, text: str) -> None:
    assert format_quantity(value, unit) == text


@pytest.mark.parametrize(
    ("value", "unit"), [(5, "v"), (5, ""), (math.nan, "V"), (math.inf, "V"), (1j, "dB"), (1e201, "V")]
)
def test_what_cannot_be_written_is_refused(value: complex, unit: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        format_quantity(value, unit)


MAGNITUDES = st.floats(1e-16, 1e16) | st.floats(1e-190, 1e190) | st.just(0.0)
REALS = st.builds(lambda size, sign: sign * size, MAGNITUDES, st.sampled_from([-1, 1]))


@given(REALS, st.sampled_from(UNITS))
@settings(max_examples=1000)
def test_a_written_quantity_reads_as_itself(value: float, unit: str) -> None:
    quantity = parse(format_quantity(value, unit))
    assert quantity.unit == unit
    assert quantity.value == pytest.approx(value, rel=6e-4)


@given(MAGNITUDES, st.floats(-math.pi, math.pi), st.sampled_from([unit for unit in UNITS if unit not in ("dB", "deg")]))
@settings(max_examples=1000)
def test_a_written_phasor_reads_as_itself(size: float, angle: float, unit: str) -> None:
    value = cmath.rect(size, angle)
    quantity = parse(format_quantity(value, unit))
    assert isinstance(quantity.value, complex)
    assert quantity.unit == unit
    assert abs(quantity.value - value) <= 1e-3 * abs(value)


@given(
    st.floats(1e-9, 1e9), st.sampled_from(["I = {}", "**{}**", "The answer is {}.", "\\boxed{{{}}}", "{} at node 4"])
)
@settings(max_examples=300)
def test_a_quantity_is_found_in_a_sentence(value: float, sentence: str) -> None:
    text = format_quantity(value, "A")
    assert parse(sentence.format(text)) == parse(text)


ANY_PIECES = st.lists(
    st.sampled_from([*HOSTILE.split("|"), ".", "e", "∠", "+", "j", "kΩ", "°", "}", ")", " ", "m", "x10^"])
)


@given(
    st.text(max_size=60) | st.text("0123456789.,+-*/^∠°jeπ√(){}\\_ kmVAΩs=:\n", max_size=40) | ANY_PIECES.map("".join)
)
@settings(max_examples=3000)
def test_any_text_is_a_finite_quantity_or_a_quantity_error_at_once(text: str) -> None:
    with max_calls(20_000), contextlib.suppress(QuantityError):
        quantity = parse(text)
        assert cmath.isfinite(quantity.value)
        assert quantity.unit is None or quantity.unit in UNITS


@pytest.mark.parametrize("piece", HOSTILE.split("|"))
@pytest.mark.parametrize("end", ["", "1"])
def test_hostile_texts_take_linear_time(piece: str, end: str) -> None:
    def parse_pieces(count: int) -> None:
        with contextlib.suppress(QuantityError):
            parse(piece * count + end)

    count = 19_990 // len(piece)
    with max_calls(600 * 19_990):
        parse_pieces(count)
    assert growth(parse_pieces, count // 16) < 9  # 4 where time is linear, 16 where it is quadratic
