"""Does conf/ mirror src/, does every YAML compose and pass the check, and is every experiment on record?

Each rule is a function over folders that returns its complaints, so that each is also shown a broken copy.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from circuitvlm.runtime.config.allow_list import DOORS, EXTRAS, exported_names
from circuitvlm.runtime.config.check import ConfigError, check, check_evaluation
from circuitvlm.runtime.config.compose import compose
from tests.contract.rooms import targets

ROOT = Path(__file__).parents[2]
CONF, SRC, GOLDEN, RECORDS = ROOT / "conf", ROOT / "src/circuitvlm", ROOT / "tests/golden", ROOT / "experiments"
BORROWED = ("trainer", "optimizer", "quantization", "logger", "callback", "hydra")  # targets in libraries too


def _renew() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_renew", GOLDEN / "renew.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


renew = _renew()


def groups(conf: Path) -> list[str]:
    return sorted(path.name for path in conf.iterdir() if path.is_dir())


def choices(conf: Path, group: str) -> list[str]:
    folder = conf / group
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))


def doors(src: Path, room: str) -> list[str]:
    """The modules of a room that are doors: those without an underscore, and sub-packages that export a name."""
    folder = src / "/".join(DOORS[room].split(".")[1:])
    modules = [path.stem for path in folder.glob("*.py")]
    packages = [init.parent.name for init in folder.glob("*/__init__.py") if exported_names(init.read_text())]
    return sorted(name for name in (*modules, *packages) if not name.startswith("_"))


def composed(conf: Path, overrides: list[str]) -> DictConfig:
    """What these overrides become; of the house's own conf once for all rules: to compose is what takes long here."""
    return _house(*overrides) if conf == CONF else compose(overrides, config_dir=conf)


@cache
def _house(*overrides: str) -> DictConfig:
    return compose(overrides, config_dir=CONF)


# the rules ------------------------------------------------------------------------------------------------------------


def folder_complaints(conf: Path, src: Path) -> list[str]:
    """Rule 1: the folders of conf are the rooms with doors, the borrowed ones and `experiment`."""
    wanted = {room for room in DOORS if room not in BORROWED and doors(src, room)} | {"experiment"}
    allowed = {*DOORS, *BORROWED, "experiment"}
    there = set(groups(conf))
    return [f"conf/{name} is no room" for name in sorted(there - allowed)] + [
        f"conf/{name} is missing" for name in sorted(wanted - there)
    ]


def unchosen_files(conf: Path, src: Path) -> list[str]:
    """Rule 2, from src: every door can be chosen by at least one YAML."""
    complaints = []
    for room, package in DOORS.items():
        built = [target for name in choices(conf, room) for target in targets(conf / room / f"{name}.yaml")]
        for file in doors(src, room):
            if not any(target.startswith(f"{package}.{file}.") for target in built):
                complaints.append(f"{package}.{file} has no YAML in conf/{room}")
    return complaints


def misnamed_yamls(conf: Path, src: Path) -> list[str]:
    """Rule 2, from conf: a YAML of a room with doors is called <file>[_variant] and builds from that file."""
    complaints = []
    for room, package in DOORS.items():
        for name in choices(conf, room):
            built = targets(conf / room / f"{name}.yaml")
            ours = [target for target in built if target.startswith("circuitvlm.")]
            if room in BORROWED and not ours and built:
                continue  # a library's callback is called as one likes
            fitting = [file for file in doors(src, room) if re.fullmatch(f"{file}(_.*)?", name)]
            file = max(fitting, key=len, default="?")
            if not built or any(not target.startswith(f"{package}.{file}.") for target in built):
                complaints.append(f"conf/{room}/{name}.yaml: wanted a target in {package}.{file}, came {built}")
    return complaints


def meddling(conf: Path) -> list[str]:
    """Only the two entry points may speak to Hydra: it builds its own targets (callbacks, launchers) unchecked.

    An experiment may say what `-m` sweeps over by default, which is text.
    """
    paths = [path for path in sorted(conf.rglob("*.yaml")) if path.parent not in (conf, conf / "hydra")]
    return [str(path.relative_to(conf)) for path in paths if _meddles(path)]


def _meddles(path: Path) -> bool:
    text = path.read_text()
    if re.search(r"(?m)^# @package hydra|^ *(- )?(override )?/?hydra[./@]", text):
        return True
    said = OmegaConf.to_container(OmegaConf.load(path))
    swept = said.get("hydra", {}) if isinstance(said, dict) else {}
    params = swept.get("sweeper", {}).get("params", {}) if path.parent.name == "experiment" else {}
    plain = all(isinstance(value, str) for value in params.values())
    return bool(swept) and not (plain and swept == {"sweeper": {"params": params}})


def composition_faults(conf: Path, overrides: list[str]) -> list[str]:
    """Rule 3: what stands between these overrides and a run."""
    try:
        check(composed(conf, overrides))
    except ConfigError as error:
        return error.faults
    except (HydraException, OmegaConfBaseException) as error:
        return [f"{overrides}: {error}"]
    return []


def choosing(conf: Path, group: str, name: str) -> list[str]:
    """The overrides that choose one YAML; a metric is chosen inside a task."""
    if group in ("data", "task"):  # an experiment's own would stand beside it
        return ["~experiment", f"{group}={name}"]
    if group != "metric":
        return [f"{group}={name}"]
    task = next(iter(composed(conf, []).tasks))
    return [f"+metric@tasks.{task}.metrics.probe={name}"]


def golden_complaints(conf: Path, golden: Path) -> list[str]:
    """Rule 3: every experiment resolves to what is on record, and no record is left without an experiment."""
    names = renew.experiments(conf)
    left = sorted(path.relative_to(golden).with_suffix("").as_posix() for path in golden.rglob("*.yaml"))
    complaints = [f"tests/golden/{name}.yaml has no experiment: make golden" for name in left if name not in names]
    for name in names:
        path = golden / f"{name}.yaml"
        if not path.is_file():
            complaints.append(f"tests/golden/{name}.yaml is missing: make golden")
        elif path.read_text(encoding="utf-8") != renew.resolved(composed(conf, [f"experiment={name}"])):
            complaints.append(f"tests/golden/{name}.yaml differs: look at what moved, then make golden")
    return complaints


def unrecorded(conf: Path, records: Path) -> list[str]:
    """Rule 4: every experiment has its lab record."""
    return [name for name in renew.experiments(conf) if not (records / f"{name}.md").is_file()]


# the house keeps them -------------------------------------------------------------------------------------------------

CHOICES = [(group, name) for group in groups(CONF) if group != "hydra" for name in choices(CONF, group)]


def test_the_folders_of_conf_are_rooms() -> None:
    assert folder_complaints(CONF, SRC) == []


def test_every_door_has_a_yaml() -> None:
    assert unchosen_files(CONF, SRC) == []


def test_every_yaml_is_called_after_what_it_builds() -> None:
    assert misnamed_yamls(CONF, SRC) == []


def test_no_part_of_conf_meddles_with_hydra() -> None:
    assert meddling(CONF) == []


def test_the_default_composes_and_passes() -> None:
    assert composition_faults(CONF, []) == []
    check_evaluation(compose(config_name="eval", config_dir=CONF))


@pytest.mark.parametrize(("group", "name"), CHOICES, ids=[f"{group}={name}" for group, name in CHOICES])
def test_every_yaml_composes_and_passes(group: str, name: str) -> None:
    if group == "logger" and name in EXTRAS.values() and importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is an extra, and not installed here")
    plain = ["quantization=none"] if group == "trainer" else []  # the default's weights, in 4 bits, cannot be split
    assert composition_faults(CONF, [*choosing(CONF, group, name), *plain]) == []


def test_every_experiment_is_golden() -> None:
    assert golden_complaints(CONF, GOLDEN) == []


def test_every_experiment_has_its_record() -> None:
    assert unrecorded(CONF, RECORDS) == []


# and we would notice if it did not ------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(CONF, tmp_path / "conf")
    shutil.copytree(SRC, tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_a_folder_that_is_no_room_is_noticed(copy: Path) -> None:
    (copy / "conf/helpers").mkdir()
    shutil.rmtree(copy / "conf/schedule")
    found = folder_complaints(copy / "conf", copy / "src")
    assert "conf/helpers is no room" in found
    assert "conf/schedule is missing" in found


def test_a_door_without_a_yaml_is_noticed(copy: Path) -> None:
    (copy / "src/schedule/brandnew.py").touch()
    (copy / "src/schedule/_private.py").touch()
    (copy / "src/training/callback/brandnew.py").touch()
    found = unchosen_files(copy / "conf", copy / "src")
    assert "circuitvlm.schedule.brandnew has no YAML in conf/schedule" in found
    assert "circuitvlm.training.callback.brandnew has no YAML in conf/callback" in found
    assert not any("_private" in complaint for complaint in found)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("schedule/brandnew.yaml", "_target_: circuitvlm.schedule.cosine.Cosine"),
        ("schedule/cosine_variant.yaml", "_target_: circuitvlm.schedule.constant.Constant"),
        ("schedule/cosine_variant.yaml", "_target_: torch.optim.lr_scheduler.CosineAnnealingLR"),
        ("schedule/cosine_variant.yaml", "warmup: 3"),
        ("schedule/cosinevariant.yaml", "_target_: circuitvlm.schedule.cosine.Cosine"),
        ("schedule/cosine_variant.yaml", "defaults:\n  - constant\nwarmup: 3"),
        ("callback/brandnew.yaml", "brandnew:\n  _target_: circuitvlm.training.callback.other.Other"),
        ("callback/brandnew.yaml", "count: 3"),
    ],
)
def test_a_yaml_under_a_wrong_name_is_noticed(file: str, text: str, copy: Path) -> None:
    (copy / "conf" / file).write_text(text)
    assert any(file in complaint for complaint in misnamed_yamls(copy / "conf", copy / "src"))


def test_meddling_with_hydra_is_noticed(copy: Path) -> None:
    text = "# @package _global_\nname: probe\nhydra:\n  callbacks:\n    x:\n      _target_: os.system\n"
    (copy / "conf/experiment").mkdir(exist_ok=True)
    (copy / "conf/experiment/probe.yaml").write_text(text)
    assert "experiment/probe.yaml" in meddling(copy / "conf")


def test_a_variant_may_build_upon_its_sibling(copy: Path) -> None:
    (copy / "conf/schedule/cosine_variant.yaml").write_text("defaults:\n  - cosine\n")
    assert not any("cosine_variant" in complaint for complaint in misnamed_yamls(copy / "conf", copy / "src"))


def test_a_yaml_that_does_not_compose_or_pass_is_noticed(copy: Path) -> None:
    conf = copy / "conf"
    (conf / "optimizer/wrong.yaml").write_text("_target_: torch.optim.AdamW\n_partial_: true\nlearning_rate: 0.1\n")
    (conf / "optimizer/worse.yaml").write_text("defaults:\n  - nowhere\n")
    (conf / "optimizer/worst.yaml").write_text("_target_: os.system\ncommand: 'true'\n")
    assert any("no such argument" in fault for fault in composition_faults(conf, ["optimizer=wrong"]))
    assert any("nowhere" in fault for fault in composition_faults(conf, ["optimizer=worse"]))
    assert any("allow-list" in fault for fault in composition_faults(conf, ["optimizer=worst"]))


def test_a_moved_default_is_noticed(copy: Path) -> None:
    conf, golden = copy / "conf", copy / "golden"
    shutil.rmtree(conf / "experiment")  # one is enough
    (conf / "experiment").mkdir()
    (conf / "experiment/probe.yaml").write_text("# @package _global_\nname: probe\n")
    assert "tests/golden/probe.yaml is missing: make golden" in golden_complaints(conf, golden)
    assert "probe" in renew.renew(conf, golden)
    assert golden_complaints(conf, golden) == []
    assert renew.renew(conf, golden) == []
    with (conf / "train.yaml").open("a") as file:
        file.write("\n")
    text = (conf / "train.yaml").read_text()
    (conf / "train.yaml").write_text(re.sub(r"(?m)^seed: \d+", "seed: 12345", text))
    assert any("probe.yaml differs" in complaint for complaint in golden_complaints(conf, golden))
    (conf / "experiment/probe.yaml").unlink()
    assert any("probe.yaml has no experiment" in complaint for complaint in golden_complaints(conf, golden))
    assert "probe" in renew.renew(conf, golden)


def test_an_experiment_without_a_record_is_noticed(copy: Path) -> None:
    (copy / "conf/experiment/probe.yaml").write_text("# @package _global_\nname: probe\n")
    assert "probe" in unrecorded(copy / "conf", RECORDS)
