"""Check that a study searches its space, survives a kill at any moment, and records each trial's result."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from circuitvlm.runtime import entry
from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.runtime.entry import ReportedError
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.lock import FolderLockedError
from circuitvlm.runtime.folders.outcome import PRUNED_FILE, read_outcome, record_validation
from circuitvlm.training.sweep import trial
from circuitvlm.training.sweep.space import Choice, NumberRange, Settings, search_space
from circuitvlm.training.sweep.sweep import Grid, Tuner, check_results
from circuitvlm.training.sweep.trial import StoppedError, TrialError

pytest.importorskip("optuna")
from circuitvlm.training.callback.pruning import PrunedTrial, Pruning
from circuitvlm.training.sweep.journal import JOURNAL
from circuitvlm.training.sweep.search import Study

TOLD: dict[str, Any] = {
    "metric": "validate/loss",
    "direction": "minimize",
    "n_trials": 6,
    "seed": 0,
    "startup": 2,
    "prune_after": 2,
    "prune_from": 0,
    "parallel": 1,
}
SPACE = ("rate=tag(log, interval(1e-5, 1e-1))", "kind=a,b")


def parsed(*words: str) -> list[Override]:
    return OverridesParser.create().parse_overrides(list(words))


def study(
    root: Path, *, space: tuple[str, ...] = SPACE, rate: float = 0.0, overwrite: bool = False, **told: Any
) -> Study:
    fixed = OmegaConf.create({"name": "x", "runs": str(root), "depth": 2, "rate": rate, "overwrite": overwrite})
    return Study(fixed, space=parsed(*space), settings=Settings(**{**TOLD, **told}))


def trained(root: Path, found: Study, number: int) -> Path:
    """The folder of a trial that came to its end: its loss is the rate's distance to 1e-3 in magnitude."""
    words = dict(word.split("=", 1) for word in found.overrides(number) if not word.startswith("hydra."))
    where = root / "x" / f"trial-{words['rate']}-{words['kind']}"
    where.mkdir(parents=True, exist_ok=True)
    record_validation(where, 1, {"validate/loss": abs(math.log10(float(words["rate"])) + 3)})
    return where


def values(found: Study) -> list[tuple[float, str]]:
    return [(each.params["rate"], each.params["kind"]) for each in found.study.trials]


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("a=x,y", Choice(words=("x", "y"))),
        ("a=null,'b c'", Choice(words=("null", "'b c'"))),
        ("a=range(1,8)", NumberRange(low=1, high=7, step=1, log=False)),
        ("a=range(1,9,3)", NumberRange(low=1, high=7, step=3, log=False)),
        ("a=tag(log,range(1,65))", NumberRange(low=1, high=64, step=None, log=True)),
        ("a=interval(0,1)", NumberRange(low=0.0, high=1.0, step=None, log=False)),
        ("a=tag(log,interval(1e-5,1e-3))", NumberRange(low=1e-5, high=1e-3, step=None, log=True)),
        ("a=int(interval(1,9))", NumberRange(low=1, high=8, step=1, log=False)),
    ],
)
def test_ranges_are_hydras_own(word: str, wanted: object) -> None:
    (found,) = search_space(parsed(word)).values()
    assert found == wanted
    assert isinstance(found, Choice) or found.is_integer == isinstance(wanted.low, int)  # type: ignore[attr-defined]  # a Span


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("a=tag(log,interval(0,1))", "more than 0"),
        ("a=interval(2,1)", "lower end first"),
        ("a=tag(magnitude,interval(1,2))", "no tag but log, got magnitude"),
        ("a=tag(log,choice(x,y))", "got words"),
        ("a=range(4,1)", "got an empty one"),
    ],
)
def test_a_range_without_sense_is_refused(word: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        search_space(parsed(word))
    with pytest.raises(ConfigError, match="expected a range, such as"):
        search_space([])


def test_all_faults_of_the_settings_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"(?s)direction.*minimize.*n_trials.*0.*parallel.*-1.*n_jobs"):
        Settings(**{**TOLD, "direction": "minimise", "n_trials": 0, "parallel": -1})


def test_a_study_ends_after_its_trials_and_goes_on_when_more_are_wanted(tmp_path: Path) -> None:
    with study(tmp_path) as found:
        while asked := found.ask():
            (number,) = asked
            found.tell(number, trained(tmp_path, found, number))
        assert len(found.results()) == 6
        assert len({each[0] for each in values(found)}) == 6
        best = found.study.best_value
    with study(tmp_path, n_trials=8) as more:
        assert more.ask() == [6]
        assert more.study.best_value == best


def test_a_fresh_study_begins_anew(tmp_path: Path) -> None:
    with study(tmp_path, n_trials=1) as found:
        found.tell(found.ask()[0], TrialError("out of memory"))
        assert found.ask() == []
    with study(tmp_path, n_trials=1, overwrite=True) as again:
        assert again.folder == found.folder
        assert again.ask() == [0]


def test_another_question_is_another_study(tmp_path: Path) -> None:
    same = study(tmp_path, n_trials=50, parallel=4, prune_after=None).folder
    assert same == study(tmp_path).folder
    others = [
        study(tmp_path, direction="maximize"),
        study(tmp_path, space=(*SPACE, "c=1,2")),
        study(tmp_path, space=("rate=tag(log, interval(1e-5, 1e-2))", "kind=a,b")),
        study(tmp_path, rate=1.0),
    ]
    assert len({same, *(each.folder for each in others)}) == 5


def test_two_sweeps_do_not_share_a_study(tmp_path: Path) -> None:
    with study(tmp_path), pytest.raises(FolderLockedError), study(tmp_path):
        pass


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.training.test_search import study, trained
root = Path(sys.argv[1])
with study(root) as found:
    while asked := found.ask():
        (number,) = asked
        where = trained(root, found, number)
        if number == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        found.tell(number, where)
"""


def test_a_killed_study_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    with study(tmp_path / "whole") as whole:
        while asked := whole.ask():
            whole.tell(asked[0], trained(tmp_path / "whole", whole, asked[0]))
        wanted = values(whole)
    words = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), "3", str(Path(__file__).parents[2])]
    assert subprocess.run(words, timeout=300, check=False).returncode == -signal.SIGKILL
    with study(tmp_path / "killed") as again:
        assert again.ask() == [3], "the interrupted trial comes first, under its number"
        again.tell(3, trained(tmp_path / "killed", again, 3))
        while asked := again.ask():
            again.tell(asked[0], trained(tmp_path / "killed", again, asked[0]))
        assert values(again) == wanted


def test_a_damaged_line_costs_one_event_and_not_the_study(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with study(tmp_path) as found:
        (number,) = found.ask()
        found.tell(number, trained(tmp_path, found, number))
        found.ask()
    with (found.folder / JOURNAL).open("ab") as file:
        file.write(b'{"op_code": 6, "work')
    with study(tmp_path) as again:
        assert again.ask() == [1]
        again.tell(1, trained(tmp_path, again, 1))
        assert len(again.study.trials) == 2
    assert "1 of" in caplog.text


def test_what_became_of_a_trial_is_written_down(tmp_path: Path) -> None:
    with study(tmp_path, parallel=4, n_trials=4) as found:
        assert found.ask() == [0, 1, 2, 3]
        found.tell(0, trained(tmp_path, found, 0))
        found.tell(1, TrialError("x: out of memory"))
        stopped = trained(tmp_path, found, 2)
        folders.write_atomic(stopped / PRUNED_FILE, "trial 2\n")
        found.tell(2, stopped)
        empty = tmp_path / "x" / "empty"
        empty.mkdir()
        record_validation(empty, 1, {"validate/lss": 1.0})
        found.tell(3, empty)
        assert [each.state.name for each in found.study.trials] == ["COMPLETE", "FAIL", "PRUNED", "FAIL"]
        said = [str(each) for each in found.results() if isinstance(each, TrialError)]
    assert said[0] == "trial 1: x: out of memory"
    assert "validate/lss" in said[1]
    assert "Did you mean" in said[1]


def test_a_trial_that_was_drawn_but_not_begun_has_the_values_that_it_would_have_had(tmp_path: Path) -> None:
    with study(tmp_path / "whole") as whole:
        whole.ask()
        wanted = values(whole)
    with study(tmp_path / "killed") as killed:
        killed.study.ask()  # the kill comes before its values are drawn
    with study(tmp_path / "killed") as again:
        assert again.ask() == [0]
        assert values(again) == wanted


def test_a_trial_that_was_asked_to_stop_waits_for_the_next_start(tmp_path: Path) -> None:
    with study(tmp_path, n_trials=2) as found:
        assert found.ask() == [0]
        found.tell(0, StoppedError("0: it was asked to stop"))
        assert found.ask() == [1], "the sweep goes on with the others, and does not start it again at once"
        found.tell(1, trained(tmp_path, found, 1))
        assert found.ask() == []
        with pytest.raises(
            ReportedError, match=r"(?s)1 of 2 trials finished, 1 not finished \(the same command.*0: it was asked"
        ):
            check_results(found.results(), retry_note="-")
    with study(tmp_path, n_trials=2) as again:
        assert again.ask() == [0]


def test_a_trial_that_was_pruned_and_trained_to_its_end_later_is_a_finished_one(tmp_path: Path) -> None:
    with study(tmp_path, n_trials=1) as found:
        found.ask()
        where = trained(tmp_path, found, 0)
        (where / PRUNED_FILE).write_text("trial 7 of another study: step 1: hopeless\n")
        folders.finish(where, {})
        found.tell(0, where)
        assert found.study.trials[0].state.name == "COMPLETE"
        assert check_results(found.results(), retry_note="-") == [where]


def trainer(folder: Path, loss: float, *, step: int = 10) -> Any:
    return SimpleNamespace(
        callback_metrics={"validate/loss": loss},
        sanity_checking=False,
        is_global_zero=True,
        global_step=step,
        default_root_dir=str(folder),
        strategy=SimpleNamespace(broadcast=lambda said: said),
    )


def test_a_trial_worse_than_the_median_is_pruned_and_its_folder_says_so(tmp_path: Path) -> None:
    with study(tmp_path) as found:
        told = {"folder": str(found.folder), "metric": "validate/loss", "prune_after": 2, "prune_from": 5}
        for loss in (1.0, 2.0):
            (number,) = found.ask()
            where = trained(tmp_path, found, number)
            Pruning(trial=number, **told).on_validation_end(trainer(where, loss), SimpleNamespace())  # type: ignore[arg-type]  # it looks at the trainer alone
            found.tell(number, where)
        (number,) = found.ask()
        where = trained(tmp_path, found, number)
        asking = Pruning(trial=number, **told)
        asking.on_validation_end(trainer(where, 9.0, step=4), SimpleNamespace())  # type: ignore[arg-type]  # before prune_from
        assert read_outcome(where).state == "not finished"
        with pytest.raises(PrunedTrial) as ended:
            asking.on_validation_end(trainer(where, 9.0), SimpleNamespace())  # type: ignore[arg-type]  # as above
        assert ended.value.code == 0
        assert read_outcome(where).state == "pruned"
        assert "step 10: validate/loss 9" in read_outcome(where).reason
        assert trial.was_pruned(where, {"folder": str(found.folder), "trial": number})
        assert not trial.was_pruned(where, {"folder": str(found.folder), "trial": number + 1})


class Launcher:
    """In the place of Hydra's: each job's trial is made at once, and those of kind b, or bug, fail."""

    errors: ClassVar[dict[str, Exception]] = {"b": TrialError("b: it broke"), "bug": OSError("no space left")}

    def __init__(self, root: Path) -> None:
        self.root = root
        self.jobs: list[list[str]] = []

    def launch(self, jobs: list[list[str]], initial_job_idx: int) -> list[JobReturn]:
        self.jobs += jobs
        return [self._run(dict(word.split("=", 1) for word in job)) for job in jobs]

    def _run(self, words: dict[str, str]) -> JobReturn:
        made = JobReturn(overrides=[])
        if words["kind"] in self.errors:
            made.status, made.return_value = JobStatus.FAILED, self.errors[words["kind"]]
            return made
        where = self.root / f"{words['rate']}-{words['kind']}"
        where.mkdir(parents=True, exist_ok=True)
        record_validation(where, 1, {"validate/loss": float(words["rate"])})
        made.status, made.return_value = JobStatus.COMPLETED, where
        return made


def ready(sweeper: Any, root: Path) -> Any:
    """A sweeper as Hydra would have set it up."""
    hydra = {"launcher": {"n_jobs": 2}}
    sweeper.config = OmegaConf.create({"name": "x", "runs": str(root), "trainer": {"devices": 1}, "hydra": hydra})
    sweeper.hydra_context = SimpleNamespace(config_loader=SimpleNamespace(load_sweep_config=lambda **given: None))
    sweeper.launcher = Launcher(root)
    return sweeper


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_a_grid_runs_every_combination_and_tells_of_all_that_failed(tmp_path: Path) -> None:
    grid = ready(Grid(max_batch_size=3, params={"rate": "1,2", "kind": "a,c"}), tmp_path)
    with pytest.raises(ReportedError, match=r"(?s)2 of 4 trials finished, 2 failed \(the .*b: it broke.*b: it broke"):
        grid.sweep(["kind=a,b", "depth=3"])
    assert sorted(grid.launcher.jobs) == sorted([[f"rate={r}", f"kind={k}", "depth=3"] for r in "12" for k in "ab"])
    grid = ready(Grid(max_batch_size=1, params=None), tmp_path)
    with pytest.raises(ReportedError, match=r"1 of 2 .*failed(?s:.*)OSError: no space left"):
        grid.sweep(["kind=bug,a", "rate=1"])
    grid = ready(Grid(max_batch_size=None, params=None), tmp_path)
    assert grid.sweep(["kind=a", "rate=range(1,4)"]) == [tmp_path / f"{rate}-a" for rate in (1, 2, 3)]


def test_a_launcher_that_loses_a_job_ends_no_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Launcher.launch

    def lost(self: Launcher, jobs: list[list[str]], initial_job_idx: int) -> list[JobReturn]:
        if initial_job_idx == 0:
            raise RuntimeError("job 7 was killed\nits log: ..")
        return whole(self, jobs, initial_job_idx)

    monkeypatch.setattr(Launcher, "launch", lost)
    grid = ready(Grid(max_batch_size=2, params=None), tmp_path)
    with pytest.raises(ReportedError) as told:
        grid.sweep(["kind=a", "rate=1,2,3,4"])
    assert "2 of 4 trials finished, 2 not finished (the same command resumes them)" in str(told.value)
    assert str(told.value).count("RuntimeError: job 7 was killed)") == 2
    tuner = ready(Tuner(params=None, folder=None, trial=None, **{**TOLD, "n_trials": 3}), tmp_path)
    with pytest.raises(ReportedError, match="2 of 3 trials finished, 1 not finished"):
        tuner.sweep(["kind=a", "rate=interval(1,2)"])
    monkeypatch.setattr(Launcher, "launch", whole)
    again = ready(Tuner(params=None, folder=None, trial=None, **{**TOLD, "n_trials": 3}), tmp_path)
    assert len(again.sweep(["kind=a", "rate=interval(1,2)"])) == 3
    assert len(again.launcher.jobs) == 1, "what was lost goes on, under its number"


def test_an_interrupted_sweep_says_what_the_same_command_does_and_ends_by_the_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[object] = []

    def interrupted(self: Launcher, jobs: list[list[str]], initial_job_idx: int) -> list[JobReturn]:
        raise KeyboardInterrupt

    def end(number: int) -> None:
        told.append(number)
        raise SystemExit

    monkeypatch.setattr(Launcher, "launch", interrupted)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setattr(signal, "signal", lambda *words: told.append(words))
    monkeypatch.setattr(signal, "raise_signal", end)
    with pytest.raises(SystemExit):
        entry.run(lambda: ready(Grid(max_batch_size=None, params=None), tmp_path).sweep(["kind=a", "rate=1"]))
    assert told == [(signal.SIGINT, signal.SIG_DFL), signal.SIGINT]
    assert "the same command resumes" in capsys.readouterr().err


def test_a_tuner_goes_on_after_a_trial_that_fails_and_trains_twins_once(tmp_path: Path) -> None:
    told = {**TOLD, "n_trials": 8, "parallel": 2}
    tuner = ready(Tuner(params={"kind": "a,b"}, folder=None, trial=None, **told), tmp_path)
    with pytest.raises(ReportedError, match=r"\d of 8 trials finished, \d failed \(the study continues"):
        tuner.sweep(["rate=1,2"])
    (journal,) = (tmp_path / "x").glob("sweep-*/sweep.json")
    assert json.loads(journal.read_text())["metric"] == "validate/loss"
    assert len(tuner.launcher.jobs) <= 8
    again = ready(Tuner(params={"kind": "a,b"}, folder=None, trial=None, **told), tmp_path)
    with pytest.raises(ReportedError, match="of 8 trials"):
        again.sweep(["rate=1,2"])
    assert again.launcher.jobs == [], "a study that is done asks for nothing more"
