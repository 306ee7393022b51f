"""Check that the allow-list accepts the right targets only, and decides before any import."""

from __future__ import annotations

import functools
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from circuitvlm.runtime.config import allow_list

HOSTILE = [
    "os.system",
    "subprocess.run",
    "builtins.eval",
    "torch.hub.load",
    "torch.load",
    "torch.utils.collect_env.run",
    "torch.optim",
    "torch.optim.AdamW.__init__",
    "torch.optim.adamw.AdamW",
    "torch.optim.lr_scheduler.LambdaLR",
    "lightning.Trainer.fit",
    "transformers.AutoModel.from_pretrained",
    "circuitvlm",
    "circuitvlm.data",
    "circuitvlm.data.fake",
    "circuitvlm.data.fake.os",
    "circuitvlm.data.fake.os.system",
    "circuitvlm.data.fake.Fake.__init__",
    "circuitvlm.data.fake.__builtins__",
    "circuitvlm.data.__init__.os",
    "circuitvlm.data.__path__",
    "circuitvlm.model.base.loading.X",
    "circuitvlm.task..os",
    "circuitvlm.task.fake.os",
    "circuitvlm.task.fake.Any",
    "circuitvlm.task.fake.",
    "circuitvlm.task.fake.Fake ",
    "circuitvlm.task.fake.Fake\n",
    "circuitvlm.task.../fake.Fake",
    "circuitvlm.runtime.folders.run_folder.prepare",
    "circuitvlm.training.checkpoint.load",
    "circuitvlm.dataset.fake.Fake",
    "",
    ".",
    "hydra.utils.get_method",
]


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.parametrize("group", allow_list.GROUPS)
def test_a_hostile_target_is_refused_in_every_group(path: str, group: str, packages: Path) -> None:
    with pytest.raises(allow_list.TargetError):
        allow_list.resolve(path, group)


@pytest.mark.parametrize("path", [None, 3, ["os.system"], {"a": 1}])
def test_a_target_is_text(path: Any) -> None:
    with pytest.raises(allow_list.TargetError, match="dotted path in text"):
        allow_list.resolve(path, "data")


def test_every_group_allows_its_own_package_only(packages: Path) -> None:
    paths = {group: f"{package}.fake.{_name(group)}" for group, package in allow_list.PART_PACKAGES.items()}
    for group, path in paths.items():
        assert callable(allow_list.resolve(path, group))
        for other_group in allow_list.GROUPS:
            if other_group != group:
                with pytest.raises(allow_list.TargetError, match=f" of '{group}'"):
                    allow_list.resolve(path, other_group)


def _name(group: str) -> str:
    return {"dropout": "fake", "schedule": "fake", "callback": "Science"}.get(group, "Fake")


@pytest.mark.parametrize(
    ("group", "path"), [(group, path) for group, paths in allow_list.LIBRARY_TARGETS.items() for path in sorted(paths)]
)
def test_every_library_object_on_the_list_exists(group: str, path: str) -> None:
    if path in allow_list.EXTRAS and find_spec(allow_list.EXTRAS[path]) is None:
        pytest.skip(f"{allow_list.EXTRAS[path]} is an extra, and not installed here")
    assert isinstance(allow_list.resolve(path, group), type)


def test_what_is_forbidden_is_not_imported() -> None:
    code = """
import sys
from circuitvlm.runtime.config import allow_list
for path in ["torch.hub.load", "antigravity.webbrowser", "circuitvlm.adapter.nowhere.X",
             "circuitvlm.model.base.loading.X", "this.d", "lightning.Trainer.fit", "lightning.Trainer"]:
    try:
        allow_list.resolve(path, "adapter", "model")
    except allow_list.TargetError:
        continue
    raise SystemExit(f"{path} was let in")
bad = {"torch", "antigravity", "this", "lightning", "transformers", "circuitvlm.model.base.loading"} & set(sys.modules)
raise SystemExit(f"imported: {bad}" if bad else 0)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr


def test_a_private_name_and_an_imported_one_are_refused(packages: Path) -> None:
    (packages / "data" / "trick.py").write_text(
        "from os import system as Open\nfrom pathlib import Path\n_Hidden = Path\nValue = 3\n"
        "class Real:\n    pass\nclass _Private:\n    pass\n"
    )
    for name in ("Open", "Path", "_Hidden", "Value", "_Private"):
        with pytest.raises(allow_list.TargetError):
            allow_list.resolve(f"circuitvlm.data.trick.{name}", "data")
    assert allow_list.resolve("circuitvlm.data.trick.Real", "data").__name__ == "Real"


def test_the_nearest_right_thing_is_named(packages: Path) -> None:
    with pytest.raises(allow_list.TargetError, match="Did you mean 'fake'"):
        allow_list.resolve("circuitvlm.data.fakee.Fake", "data")
    with pytest.raises(allow_list.TargetError, match="Did you mean 'Fake'"):
        allow_list.resolve("circuitvlm.data.fake.Faek", "data")
    with pytest.raises(allow_list.TargetError, match=r"Did you mean .torch[.]optim[.]AdamW"):
        allow_list.resolve("torch.optim.AdmW", "optimizer")


def test_a_file_that_cannot_be_imported_is_told_as_such(packages: Path) -> None:
    (packages / "data" / "broken.py").write_text("import a_library_that_nobody_has\nclass X: ...\n")
    with pytest.raises(allow_list.TargetError, match=r"cannot be imported.*a_library_that_nobody_has"):
        allow_list.resolve("circuitvlm.data.broken.X", "data")


def test_nested_parts_are_built_first(packages: Path) -> None:
    fake = {"_target_": "circuitvlm.data.fake.Fake", "root": "a", "splits": ["x"], "share": 1.0}
    mix = allow_list.instantiate({"_target_": "circuitvlm.data.fake.Mix", "parts": {"one": fake}}, weights=(0.5, 0.5))
    assert mix.parts["one"].root == "a"
    assert mix.weights == (0.5, 0.5)


def test_a_partial_is_called_later(packages: Path) -> None:
    part = allow_list.instantiate({"_target_": "circuitvlm.schedule.fake.fake", "_partial_": True, "warmup": 3})
    assert isinstance(part, functools.partial)
    assert part(5, 10) == 0.5


def test_keyed_sections_give_a_dict_without_what_was_taken_out(packages: Path) -> None:
    writer = {"_target_": "circuitvlm.training.callback.fake.Writer", "every": 3}
    part = allow_list.instantiate({"writer": writer, "gone": None})
    assert list(part) == ["writer"]
    assert part["writer"].every == 3
    with pytest.raises(allow_list.TargetError, match="beside the extra arguments"):
        allow_list.instantiate({"writer": writer}, every=3)


@pytest.mark.parametrize(
    "section",
    [
        {"_target_": "os.system", "command": "true"},
        {"_target_": "circuitvlm.collate.fake.Fake", "multiple": {"_target_": "os.getcwd"}},
        {"_target_": "circuitvlm.collate.fake.Fake", "multiple": [{"deep": {"_target_": "os.getcwd"}}]},
        {"_target_": "circuitvlm.collate.fake.Fake", "multiple": {"_target_": "torch.optim.SGD", "_partial_": True}},
        {"_target_": "circuitvlm.collate.fake.Fake", "multiple": 1, "_args_": [1]},
        {"_target_": "circuitvlm.collate.fake.Fake", "multiple": 1, "_recursive_": False},
        {"_target_": "circuitvlm.collate.fake.Fake", "multiple": 1, "_convert_": "all"},
        {"_target_": "circuitvlm.collate.fake.Fake", "multiple": 1, "_partial_": "true"},
        {"key": {"_target_": "os.getcwd"}},
    ],
)
def test_instantiate_refuses_what_the_list_refuses_at_any_depth(section: dict[str, Any], packages: Path) -> None:
    with pytest.raises(allow_list.TargetError):
        allow_list.instantiate(section)


def test_an_argument_given_twice_is_an_error(packages: Path) -> None:
    with pytest.raises(allow_list.TargetError, match="multiple: the program sets this itself"):
        allow_list.instantiate({"_target_": "circuitvlm.collate.fake.Fake", "multiple": 1}, multiple=2)
