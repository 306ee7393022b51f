"""Check the reader of parameters in source text, and that a fault in a part of this project is told without torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Optional

import pytest

from circuitvlm.runtime.config.allow_list import TargetError
from circuitvlm.runtime.config.signature import imported_parameters, source_parameters
from circuitvlm.runtime.config.source import find_definition

ROOT = Path(__file__).parents[2]
CODE = """
from __future__ import annotations
import abc
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Optional, TypeVar

import numpy as np
from circuitvlm.schedule.cyclical import End
if TYPE_CHECKING:
    from nowhere import Unknown

T = TypeVar("T")
Side = Literal["left", "right"]

class Plain: ...

class Base(ABC):
    exempt = {}
    def __init__(self, rank: int, /, alpha: float = 1.0, *, side: Side, **others: Any) -> None: ...

class Derived(Base, Generic[T]):
    def method(self) -> None: ...

Tree = dict[str, "Tree"]

@dataclass(kw_only=True)
class Fields:
    names: Sequence[str]
    limits: dict[str, list[int]] = field(default_factory=dict)
    number: Optional[int] = None
    hidden: int = field(init=False, default=3)
    table: ClassVar[dict[str, int]] = {}

@dataclass
class MoreFields(Fields):
    end: End
    array: np.ndarray

class Foreign(np.ndarray): ...

def function(
    step: "int", *steps: int, pair: tuple[int, str] | None = None, part: Unknown | None = None, tree: Tree = {}
): ...
"""


@pytest.fixture
def module(packages: Path) -> str:
    (packages / "data" / "variety.py").write_text(CODE)
    return "circuitvlm.data.variety"


@pytest.mark.parametrize("name", ["Plain", "Base", "Derived", "Fields", "MoreFields", "function"])
def test_the_source_tells_names_kinds_and_defaults(name: str, module: str) -> None:
    from_source = source_parameters(f"{module}.{name}", "data")
    assert from_source is not None
    shapes = [
        {key: (p.kind, p.default is p.empty) for key, p in parameters.items()}
        for parameters in (from_source, imported_parameters(f"{module}.{name}", "data"))
    ]
    assert shapes[0] == shapes[1]


def test_annotations_are_evaluated_as_far_as_the_source_tells(module: str) -> None:
    hints: dict[str, Any] = {}
    for name in ("Base", "MoreFields", "function"):
        parameters = source_parameters(f"{module}.{name}", "data")
        assert parameters is not None
        hints |= {key: p.annotation for key, p in parameters.items()}
    assert hints["alpha"] is float
    assert hints["step"] is int
    assert hints["side"] == Literal["left", "right"], "an alias"
    assert hints["end"] == Literal["peak", "trough"], "an alias of another module"
    assert hints["names"] == Sequence[str]
    assert hints["limits"] == dict[str, list[int]]
    assert hints["number"] == Optional[int]  # noqa: UP045 - the old spelling is understood too
    assert hints["pair"] == tuple[int, str] | None
    assert hints["array"] is Any, "a type of a library"
    assert hints["part"] == Any | None, "a type that only type checkers import"
    assert not isinstance(hints["names"], Mapping)


def test_a_constructor_of_a_library_is_unknown(module: str) -> None:
    assert source_parameters(f"{module}.Foreign", "data") is None
    assert source_parameters("torch.optim.AdamW", "optimizer") is None


def test_a_target_that_is_not_allowed_is_refused(module: str) -> None:
    for target in ("os.system", f"{module}.Nothing", f"{module}.np", f"{module}.Side", "circuitvlm.data.nowhere.X"):
        with pytest.raises(TargetError):
            source_parameters(target, "data")


def test_definitions_are_followed_through_imports() -> None:
    definition = find_definition("circuitvlm.model.llava", "Llava")
    assert definition is not None
    assert definition.module == "circuitvlm.model.llava.spec"
    assert find_definition("circuitvlm.model.llava", "Nothing") is None
    assert find_definition("circuitvlm.nowhere", "Nothing") is None


def run(arguments: list[str], *, entry: str = "train") -> subprocess.CompletedProcess[str]:
    """Run an entry point, which ends with status 9 if it has imported torch."""
    code = f"""
import runpy, sys
sys.argv = ["{entry}.py", *{arguments!r}]
try:
    runpy.run_path("{entry}.py", run_name="__main__")
except SystemExit as ending:
    raise SystemExit(9 if "torch" in sys.modules else ending.code)
raise SystemExit(9 if "torch" in sys.modules else 0)
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["sed=1"], ["sed: no such key. Did you mean 'seed'?"]),
        (["adapter.rnak=1"], ["adapter.rnak: no such key. Did you mean 'rank'?"]),
        (
            ["+adapter.rnak=1", "model.max_tokens=many", "+optimizr.lr=1", "+trainer.max_steps=3"],
            [
                "the config has 4 faults",
                "adapter.rnak: Lora has no such argument. Did you mean 'rank'?",
                "model.max_tokens: expected int, got 'many' (str)",
                "optimizr: no such key. Did you mean 'optimizer'?",
                "trainer.max_steps: the program sets this argument of Trainer",
            ],
        ),
    ],
)
def test_faults_in_parts_of_this_project_are_told_without_torch(arguments: list[str], messages: list[str]) -> None:
    process = run(["experiment=tiny_circuits", *arguments])
    assert process.returncode == 2, process.stderr
    assert [message for message in messages if message not in process.stderr] == [], process.stderr


def test_a_wrong_key_of_an_evaluation_is_told_without_torch() -> None:
    process = run(["split=test"], entry="eval")
    assert process.returncode == 2, process.stderr
    assert "split: no such key. Did you mean 'splits'?" in process.stderr
