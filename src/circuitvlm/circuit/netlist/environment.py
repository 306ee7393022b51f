"""Apply what cards and further words say about a device's value: models, multipliers and temperature."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from circuitvlm.circuit.netlist.parameter import assignments
from circuitvlm.circuit.netlist.value import is_number
from circuitvlm.circuit.quantity import parse_spice

NOMINAL = 27.0
"""SPICE's temperature, in degrees Celsius, for which values are stated and at which a circuit is."""

_MODEL_TYPES = {"r": "R", "res": "R", "resistor": "R", "c": "C", "cap": "C", "capacitor": "C", "l": "L", "ind": "L"}
_FACTOR_KEYS = {
    **dict.fromkeys("RCL", frozenset({"m", "scale", "tc", "tc1", "tc2", "temp", "dtemp"})),
    **dict.fromkeys("IGF", frozenset({"m"})),
}
"""The words `key=number` of each kind that change its value (ngspice manual, sections 3.3.1, 3.3.5 and 3.3.9)."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the cards of a netlist say about the values of its devices.

    parameters: by name in lower case. models: of R, C and L, the coefficients by name in lower case. temperature and
    nominal: of the circuit, and of the stated values, in degrees Celsius.
    """

    parameters: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    temperature: float = NOMINAL
    nominal: float = NOMINAL

    def split_factor(self, kind: str, words: Sequence[str]) -> tuple[list[str], float]:
        """The words after the nodes without those that are applied, and the factor on the value by those.

        Coefficients of the temperature remain where they change nothing.
        """
        keys = _FACTOR_KEYS.get(kind, frozenset())
        if not keys or not words:
            return list(words), 1.0
        model = next((word for word in words if kind in "RCL" and word.lower() in self.models), None)
        remaining = [word for word in words if word is not model]
        numbers = {name: parse_spice(value) for name, value in self.models.get((model or "").lower(), {}).items()}
        used_words = []
        for i, word in enumerate(remaining):
            key, _, value = word.partition("=")
            if key.lower() in keys and is_number(value):
                used_words.append(word)
                numbers[{"tc": "tc1"}.get(key.lower(), key.lower())] = parse_spice(value)
                if key.lower() == "tc" and i + 1 < len(remaining) and is_number(remaining[i + 1]):
                    used_words.append(remaining[i + 1])
                    numbers["tc2"] = parse_spice(remaining[i + 1])
        factor = self._factor(kind, numbers)
        if factor == 1 and not numbers.keys() & {"m", "scale"}:
            return remaining, 1.0
        return [word for word in remaining if not any(word is used for used in used_words)], factor

    def _factor(self, kind: str, numbers: Mapping[str, float]) -> float:
        """The product of the multipliers and of the polynomial in the temperature's difference."""
        count = numbers.get("m", 1.0)
        if count <= 0:
            raise ValueError(f"expected a multiplier m above 0, got {count:g}")
        scale = numbers.get("scale", 1.0) * (count if kind in "CIGF" else 1 / count)
        difference = numbers.get("temp", self.temperature + numbers.get("dtemp", 0.0)) - self.nominal
        return scale * (1 + numbers.get("tc1", 0.0) * difference + numbers.get("tc2", 0.0) * difference**2)


def read_model(words: Sequence[str]) -> tuple[str, Mapping[str, str]] | None:
    """The name in lower case and the coefficients of `.model RMOD R(tc1=1m)`; None for another kind of model."""
    if len(words) < 3:
        return None
    name, text = words[1], " ".join(words[2:])
    model_type, *values = re.split(r"[\s(),]+", text)
    if model_type.lower() not in _MODEL_TYPES:
        return None
    coefficients = {key: value for key, value in assignments(values).items() if key in ("tc1", "tc2")}
    return name.lower(), {key: value for key, value in coefficients.items() if is_number(value)}
