"""Check that the parameters of each part of conf/, as its source text tells them, are those that an import finds."""

from __future__ import annotations

from typing import Any

import pytest

from circuitvlm.runtime.config.allow_list import PART_PACKAGES
from circuitvlm.runtime.config.signature import Parameters, imported_parameters, source_parameters
from tests.contract import parts

TARGETS = sorted(
    {
        (group, target)
        for group in PART_PACKAGES
        for name in parts.names(group)
        for target in parts.targets(parts.CONF / group / f"{name}.yaml")
        if target.startswith("circuitvlm.")
    }
)
LIBRARY_CONSTRUCTORS = {"circuitvlm.training.callback.dropout_profile.DropoutProfile"}
"""Parts without an `__init__` of their own, whose base class belongs to a library."""


def without_annotations(parameters: Parameters) -> list[tuple[str, Any, bool]]:
    return [(name, p.kind, p.default is p.empty) for name, p in parameters.items()]


def test_every_group_has_parts() -> None:
    assert {group for group, _ in TARGETS} == set(PART_PACKAGES)


@pytest.mark.parametrize(("group", "target"), TARGETS, ids=[target for _, target in TARGETS])
def test_source_and_import_tell_the_same_parameters(group: str, target: str) -> None:
    from_source, from_import = source_parameters(target, group), imported_parameters(target, group)
    assert (from_source is None) == (target in LIBRARY_CONSTRUCTORS)
    if from_source is None:
        return
    assert without_annotations(from_source) == without_annotations(from_import)
    for name, parameter in from_source.items():
        expected = from_import[name].annotation
        assert parameter.annotation == expected or "typing.Any" in str(parameter.annotation), name
