"""Does every number read and write as SPICE users mean it?"""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvlm.circuit.quantity import format_engineering, parse_spice

settings.register_profile("stable", derandomize=True, deadline=None)
settings.load_profile("stable")

READ = {
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
WRITTEN = {
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


@pytest.mark.parametrize("text", READ)
def test_reads(text: str) -> None:
    assert parse_spice(text) == pytest.approx(READ[text], rel=1e-15)


@pytest.mark.parametrize("text", [*GARBAGE, "9" * 1000, "1" + "k" * 100, "(" * 100])
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a number|out of range"):
        parse_spice(text)


@pytest.mark.parametrize("value", WRITTEN)
def test_writes(value: float) -> None:
    assert format_engineering(value) == WRITTEN[value]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e201, 1e-201])
def test_refuses_to_write(value: float) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
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
