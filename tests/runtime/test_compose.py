"""Check that composing works everywhere, leaves no global state, and that Hydra's own help works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose, compose_base, experiment_of
from circuitvlm.runtime.config.schema import register

CONF = Path(__file__).parents[2] / "conf"
APP = """
import sys
from pathlib import Path
import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from circuitvlm.runtime.config.compose import compose_base, experiment_of
from circuitvlm.runtime.config.schema import register
register()
@hydra.main(config_path="conf", config_name="train", version_base="1.3")
def main(cfg):
    outer = GlobalHydra.instance().hydra
    base = compose_base(Path(__file__).parent / "conf", experiment_of(HydraConfig.get().overrides.task))
    assert GlobalHydra.instance().hydra is outer
    print(cfg.name, cfg.seed, base.name, base.seed, Path.cwd())
main()
"""


def run_app(conf: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (conf.parent / "app.py").write_text(APP)
    (conf.parent / "cwd").mkdir(exist_ok=True)
    command = [sys.executable, str(conf.parent / "app.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=conf.parent / "cwd")


def test_an_unknown_key_dies_at_composition(conf: Path) -> None:
    with pytest.raises(Exception, match="Could not override 'sed'"):
        compose(["sed=3"], config_dir=conf)


def test_shares_and_rate_factors_are_said_without_a_plus(conf: Path) -> None:
    """Their keys are the user's own sources and the model's components, which no schema can list."""
    cfg = compose(
        ["mixture_weights={a: 3, b/t: 1}", "mixture_weights.a=2", "lr_multipliers.vision=0.1"], config_dir=conf
    )
    assert (cfg.mixture_weights, cfg.lr_multipliers) == ({"a": 2.0, "b/t": 1.0}, {"vision": 0.1})
    evaluation = compose(["model={weights: there}", "trainer.devices=2"], config_name="eval", config_dir=conf)
    assert (evaluation.model, evaluation.trainer) == ({"weights": "there"}, {"devices": 2})
    assert compose(["baselines={mine: ['seed=1']}"], config_dir=conf).baselines.mine == ["seed=1"]
    with pytest.raises(Exception, match=r"mixture_weights\.a"):
        compose(["mixture_weights.a=much"], config_dir=conf)


def test_an_experiment_changes_what_it_says(conf: Path) -> None:
    cfg = compose(["experiment=first", "seed=3"], config_dir=conf)
    assert (cfg.name, cfg.max_steps, cfg.seed, cfg.adapter.rank) == ("first", 100, 3, 1)
    base = compose_base(conf, "first")
    assert (base.name, base.seed) == ("first", 0)
    assert compose_base(conf, None).name == "unnamed"
    check(cfg)


def test_composing_leaves_no_trace_and_nests(conf: Path) -> None:
    assert not GlobalHydra.instance().is_initialized()
    compose(config_dir=conf)
    assert not GlobalHydra.instance().is_initialized()
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        outer = GlobalHydra.instance().hydra
        compose(["seed=1"], config_dir=conf)
        with pytest.raises(Exception, match="nothing_of_that_name"):
            compose(["model=nothing_of_that_name"], config_dir=conf)
        assert GlobalHydra.instance().hydra is outer
        assert hydra.compose("train").seed == 0


def test_composing_works_inside_an_application_that_writes_nothing(conf: Path) -> None:
    process = run_app(conf, "experiment=first", "seed=3")
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == ["first", "3", "first", "0", str(conf.parent / "cwd")]
    assert list((conf.parent / "cwd").iterdir()) == []


def test_help_works_and_has_no_hole(conf: Path) -> None:
    process = run_app(conf, "--help")
    assert process.returncode == 0, process.stderr
    assert "global_batch_size: 8" in process.stdout
    assert "???" not in process.stdout
    assert "adapter: fake, none" in process.stdout


def test_the_experiment_is_read_from_the_command_line() -> None:
    assert experiment_of(["seed=1", "experiment=a", "x=experiment=b"]) == "a"
    assert experiment_of(["+experiment=a/b"]) == "a/b"
    assert experiment_of(["experiment=null"]) is None
    assert experiment_of([]) is None


def test_registering_twice_is_harmless(conf: Path) -> None:
    register()
    register()
    compose(config_dir=conf)


def test_a_wrong_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected the project's folder conf/"):
        compose(config_dir=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("overrides", "key", "value"),
    [
        (["logger={}"], "logger", {}),
        (["callback={}"], "callback", {}),
        (["baselines={}"], "baselines", {}),
        (["++baselines={}"], "baselines", {}),
        (["mixture_weights={circuits: 1}", "mixture_weights={}"], "mixture_weights", {}),
        (["mixture_weights={}", "mixture_weights={circuits: 1}"], "mixture_weights", {"circuits": 1}),
        (["logger=csv", "logger={}", "logger.csv.name=x"], "logger", {"csv": {"name": "x"}}),
        (["adapter.targets={}", "+adapter.targets.head=all"], "adapter.targets", {"head": "all"}),
        (["optimizer.lr=1", "optimizer={lr: 2}"], "optimizer.lr", 2),
    ],
)
def test_an_empty_mapping_empties_its_section(overrides: list[str], key: str, value: object) -> None:
    assert OmegaConf.select(compose(overrides, config_dir=CONF), key) == value


def test_train_py_empties_a_section_too() -> None:
    """Where Hydra's own application composes the config."""
    words = [sys.executable, "train.py", "data={}"]
    result = subprocess.run(words, cwd=CONF.parent, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "data: expected a part of the group data, got nothing" in result.stdout + result.stderr
