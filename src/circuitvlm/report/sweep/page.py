"""Write the page of a sweep: its best trial, a table of all trials, and two pictures."""

from __future__ import annotations

from circuitvlm.report.page import Page, make_page
from circuitvlm.report.study import outcome_text
from circuitvlm.report.sweep import figure
from circuitvlm.report.sweep.results import STATES, Sweep, Trial
from circuitvlm.report.table import NO_VALUE, code, cut_table, escape, table
from circuitvlm.runtime.folders.outcome import Outcome

MARKS = {"finished": "finished", "pruned": "**pruned**", "failed": "**failed**", "not finished": "*not finished*"}


def sweep_page(sweep: Sweep, *, title: str) -> Page:
    """The page of a sweep: the number of trials by state, the best, the table of all, reasons, and pictures."""
    parts = [_summary(sweep), "## Trials", _trial_table(sweep)]
    if early_trials := [trial for trial in sweep.trials if trial.outcome != Outcome("finished")]:
        reasons = (f"- {code(str(trial.folder))}: {escape(outcome_text(trial.outcome))}" for trial in early_trials)
        parts += ["## Why trials ended before their last step", "\n".join(reasons)]
    parts += cut_table({trial.folder.name: trial.grades for trial in sweep.trials})
    pictures = {}
    if sweep.keys:
        pictures["parallel.png"] = figure.draw_parallel(sweep)
        parts += ["## All trials", "![A line for each trial across all keys of the sweep](parallel.png)"]
    if (picture := figure.draw_importance(sweep)) is not None:
        pictures["importance.png"] = picture
        note = f"Computed from the {len(sweep.finished_trials)} finished trials. With few trials the shares are noise."
        description = "The share of each key in the variance of the metric"
        parts += ["## Importance of each key", note, f"![{description}](importance.png)"]
    return make_page(title, parts, pictures)


def _summary(sweep: Sweep) -> str:
    states = [trial.outcome.state for trial in sweep.trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in STATES if state in states)
    if not sweep.finished_trials:
        return f"{len(states)} trials: {counts}.\nNo finished trial has a value of {escape(sweep.metric)}."
    best = sweep.finished_trials[0]
    values = ", ".join(f"{key}={value}" for key, value in best.values.items()) or "no key differs between the trials"
    return (
        f"{len(states)} trials: {counts}.\n"
        f"The best by {escape(sweep.metric)} ({best.value:.6g}): **{escape(values)}**, in {code(str(best.folder))}."
    )


def _trial_table(sweep: Sweep) -> str:
    rows = (
        [
            *(escape(trial.values[key]) for key in sweep.keys),
            _value(trial),
            MARKS[trial.outcome.state],
            code(trial.folder.name),
        ]
        for trial in sweep.trials
    )
    return table([*map(escape, sweep.keys), escape(sweep.metric), "state", "folder"], rows)


def _value(trial: Trial) -> str:
    """The metric; for a trial that did not finish, also the step of its last validation."""
    if trial.value is None:
        return NO_VALUE
    step = f" at step {trial.step}" if trial.step is not None and trial.outcome.state != "finished" else ""
    return f"{trial.value:.6g}{step}"
