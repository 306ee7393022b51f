"""Check that conf/ mirrors src/, that every YAML file composes and passes, and that every experiment is recorded.

Each rule is a function over folders that returns complaints, so that it can be tested on a broken copy too.
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

from circuitvlm.runtime.config.allow_list import EXTRAS, PART_PACKAGES
from circuitvlm.runtime.config.check import ConfigError, check, check_evaluation
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.config.source import exported_names
from tests.contract.parts import targets

ROOT = Path(__file__).parents[2]
CONF, SRC, GOLDEN, RECORDS = ROOT / "conf", ROOT / "src/circuitvlm", ROOT / "tests/golden", ROOT / "experiments"
LIBRARY_GROUPS = ("trainer", "optimizer", "quantization", "logger", "callback", "hydra")  # targets in libraries too


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


def module_names(src: Path, group: str) -> list[str]:
    """The part modules of a group: its modules without an underscore, and sub-packages that export a name."""
    folder = src / "/".join(PART_PACKAGES[group].split(".")[1:])
    modules = [path.stem for path in folder.glob("*.py")]
    packages = [init.parent.name for init in folder.glob("*/__init__.py") if exported_names(init)]
    return sorted(name for name in (*modules, *packages) if not name.startswith("_"))


def compose_config(conf: Path, overrides: list[str]) -> DictConfig:
    """The composed config; that of the project's own conf/ is composed once for all rules, since it takes long."""
    return _project_config(*overrides) if conf == CONF else compose(overrides, config_dir=conf)


@cache
def _project_config(*overrides: str) -> DictConfig:
    return compose(overrides, config_dir=CONF)


# the rules ------------------------------------------------------------------------------------------------------------


def folder_complaints(conf: Path, src: Path) -> list[str]:
    """Rule 1: the folders of conf are the groups of parts, the groups of library objects, and `experiment`."""
    required = {group for group in PART_PACKAGES if group not in LIBRARY_GROUPS and module_names(src, group)}
    required.add("experiment")
    allowed = {*PART_PACKAGES, *LIBRARY_GROUPS, "experiment"}
    folders = set(groups(conf))
    return [f"conf/{name} is no config group" for name in sorted(folders - allowed)] + [
        f"conf/{name} is missing" for name in sorted(required - folders)
    ]


def unchosen_files(conf: Path, src: Path) -> list[str]:
    """Rule 2, from src: at least one YAML file chooses each part module."""
    complaints = []
    for group, package in PART_PACKAGES.items():
        built = [target for name in choices(conf, group) for target in targets(conf / group / f"{name}.yaml")]
        for file in module_names(src, group):
            if not any(target.startswith(f"{package}.{file}.") for target in built):
                complaints.append(f"{package}.{file} has no YAML in conf/{group}")
    return complaints


def misnamed_yamls(conf: Path, src: Path) -> list[str]:
    """Rule 2, from conf: a YAML file of a group of parts is named <module>[_variant] and builds from that module."""
    complaints = []
    for group, package in PART_PACKAGES.items():
        for name in choices(conf, group):
            built = targets(conf / group / f"{name}.yaml")
            own_targets = [target for target in built if target.startswith("circuitvlm.")]
            if group in LIBRARY_GROUPS and not own_targets and built:
                continue  # the name of a library's callback is free
            matches = [file for file in module_names(src, group) if re.fullmatch(f"{file}(_.*)?", name)]
            file = max(matches, key=len, default="?")
            if not built or any(not target.startswith(f"{package}.{file}.") for target in built):
                complaints.append(f"conf/{group}/{name}.yaml: expected a target in {package}.{file}, got {built}")
    return complaints


def hydra_settings(conf: Path) -> list[str]:
    """Only the two entry points may set keys of Hydra, which builds its targets (callbacks, launchers) unchecked.

    An experiment may set what `-m` sweeps over by default, which is text.
    """
    paths = [path for path in sorted(conf.rglob("*.yaml")) if path.parent not in (conf, conf / "hydra")]
    return [str(path.relative_to(conf)) for path in paths if _sets_hydra(path)]


def _sets_hydra(path: Path) -> bool:
    text = path.read_text()
    if re.search(r"(?m)^# @package hydra|^ *(- )?(override )?/?hydra[./@]", text):
        return True
    content = OmegaConf.to_container(OmegaConf.load(path))
    settings = content.get("hydra", {}) if isinstance(content, dict) else {}
    params = settings.get("sweeper", {}).get("params", {}) if path.parent.name == "experiment" else {}
    plain = all(isinstance(value, str) for value in params.values())
    return bool(settings) and not (plain and settings == {"sweeper": {"params": params}})


def composition_faults(conf: Path, overrides: list[str]) -> list[str]:
    """Rule 3: why these overrides give no run."""
    try:
        check(compose_config(conf, overrides))
    except ConfigError as error:
        return error.faults
    except (HydraException, OmegaConfBaseException) as error:
        return [f"{overrides}: {error}"]
    return []


def choice_overrides(conf: Path, group: str, name: str) -> list[str]:
    """The overrides that choose one YAML; a metric is chosen inside a task."""
    if group in ("data", "task"):  # the experiment's own would be added
        return ["~experiment", f"{group}={name}"]
    if group != "metric":
        return [f"{group}={name}"]
    task = next(iter(compose_config(conf, []).tasks))
    return [f"+metric@tasks.{task}.metrics.probe={name}"]


def golden_complaints(conf: Path, golden: Path) -> list[str]:
    """Rule 3: every experiment resolves to its golden config, and every golden config has an experiment."""
    names = renew.experiments(conf)
    records = sorted(path.relative_to(golden).with_suffix("").as_posix() for path in golden.rglob("*.yaml"))
    complaints = [f"tests/golden/{name}.yaml has no experiment: make golden" for name in records if name not in names]
    for name in names:
        path = golden / f"{name}.yaml"
        if not path.is_file():
            complaints.append(f"tests/golden/{name}.yaml is missing: make golden")
        elif path.read_text(encoding="utf-8") != renew.resolved(compose_config(conf, [f"experiment={name}"])):
            complaints.append(f"tests/golden/{name}.yaml differs: look at what moved, then make golden")
    return complaints


def missing_records(conf: Path, records: Path) -> list[str]:
    """Rule 4: every experiment has its record."""
    return [name for name in renew.experiments(conf) if not (records / f"{name}.md").is_file()]


# the project follows them ---------------------------------------------------------------------------------------------

CHOICES = [(group, name) for group in groups(CONF) if group != "hydra" for name in choices(CONF, group)]


def test_the_folders_of_conf_are_config_groups() -> None:
    assert folder_complaints(CONF, SRC) == []


def test_every_part_module_has_a_yaml() -> None:
    assert unchosen_files(CONF, SRC) == []


def test_every_yaml_is_called_after_what_it_builds() -> None:
    assert misnamed_yamls(CONF, SRC) == []


def test_no_part_of_conf_sets_hydra() -> None:
    assert hydra_settings(CONF) == []


def test_the_default_composes_and_passes() -> None:
    assert composition_faults(CONF, []) == []
    check_evaluation(compose(config_name="eval", config_dir=CONF))


@pytest.mark.parametrize(("group", "name"), CHOICES, ids=[f"{group}={name}" for group, name in CHOICES])
def test_every_yaml_composes_and_passes(group: str, name: str) -> None:
    if group == "logger" and name in EXTRAS.values() and importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is an extra, and not installed here")
    plain = ["quantization=none"] if group == "trainer" else []  # the default's weights, in 4 bits, cannot be split
    assert composition_faults(CONF, [*choice_overrides(CONF, group, name), *plain]) == []


def test_every_experiment_is_golden() -> None:
    assert golden_complaints(CONF, GOLDEN) == []


def test_every_experiment_has_its_record() -> None:
    assert missing_records(CONF, RECORDS) == []


# and each rule notices a broken copy ----------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(CONF, tmp_path / "conf")
    shutil.copytree(SRC, tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_a_folder_that_is_no_config_group_is_noticed(copy: Path) -> None:
    (copy / "conf/helpers").mkdir()
    shutil.rmtree(copy / "conf/schedule")
    complaints = folder_complaints(copy / "conf", copy / "src")
    assert "conf/helpers is no config group" in complaints
    assert "conf/schedule is missing" in complaints


def test_a_part_module_without_a_yaml_is_noticed(copy: Path) -> None:
    (copy / "src/schedule/brandnew.py").touch()
    (copy / "src/schedule/_private.py").touch()
    (copy / "src/training/callback/brandnew.py").touch()
    complaints = unchosen_files(copy / "conf", copy / "src")
    assert "circuitvlm.schedule.brandnew has no YAML in conf/schedule" in complaints
    assert "circuitvlm.training.callback.brandnew has no YAML in conf/callback" in complaints
    assert not any("_private" in complaint for complaint in complaints)


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


def test_a_setting_of_hydra_is_noticed(copy: Path) -> None:
    text = "# @package _global_\nname: probe\nhydra:\n  callbacks:\n    x:\n      _target_: os.system\n"
    (copy / "conf/experiment").mkdir(exist_ok=True)
    (copy / "conf/experiment/probe.yaml").write_text(text)
    assert "experiment/probe.yaml" in hydra_settings(copy / "conf")


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
    assert "probe" in missing_records(copy / "conf", RECORDS)
