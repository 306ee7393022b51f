"""What does a sweep's page say? Its best trial, a table of all of them, and two pictures."""

from __future__ import annotations

from circuitvlm.report.page import Page
from circuitvlm.report.sweep import figure
from circuitvlm.report.sweep.results import ORDER, Sweep, Trial
from circuitvlm.report.table import NOTHING, plain, row

MARKS = {"finished": "finished", "pruned": "**pruned**", "failed": "**failed**", "not finished": "*not finished*"}


def page_of_sweep(sweep: Sweep, *, title: str) -> Page:
    """The page of a sweep: how many trials ended how, the best, the table of all, why some failed, and the pictures."""
    parts = [f"# {plain(title)}", _counts(sweep), "## Trials", _table(sweep)]
    if reasons := _reasons(sweep):
        parts += ["## Why some did not finish", reasons]
    pictures = {}
    if sweep.keys:
        pictures["parallel.png"] = figure.parallel(sweep)
        parts += ["## All trials", "![A line for each trial over all that was swept](parallel.png)"]
    if (made := figure.importance(sweep)) is not None:
        pictures["importance.png"] = made
        noise = f"Of the {len(sweep.finished)} finished trials alone: from few, the shares are noise."
        parts += ["## What decided", noise, "![The share of each key in the variance of the metric](importance.png)"]
    return Page(title, "\n\n".join(parts) + "\n", pictures)


def _counts(sweep: Sweep) -> str:
    states = [trial.outcome.state for trial in sweep.trials]
    said = ", ".join(f"{states.count(state)} {state}" for state in ORDER if state in states)
    lines = [f"{len(states)} trials: {said}."]
    if sweep.finished:
        best = sweep.finished[0]
        values = ", ".join(f"{key}={value}" for key, value in best.values.items()) or "nothing was swept"
        lines.append(f"The best by {plain(sweep.metric)} ({best.value:.6g}): **{plain(values)}**, in `{best.folder}`.")
    else:
        lines.append(f"None finished that was told of {plain(sweep.metric)}.")
    return "\n".join(lines)


def _table(sweep: Sweep) -> str:
    head = [*(plain(key) for key in sweep.keys), plain(sweep.metric), "state", "folder"]
    lines = [row(head), row(["---"] * len(head))]
    for trial in sweep.trials:
        values = [plain(trial.values[key]) for key in sweep.keys]
        lines.append(row([*values, _value(trial), MARKS[trial.outcome.state], f"`{trial.folder.name}`"]))
    return "\n".join(lines)


def _value(trial: Trial) -> str:
    """The metric; of a trial that did not come to its end, at which step that was."""
    if trial.value is None:
        return NOTHING
    stopped = f" at step {trial.step}" if trial.step is not None and trial.outcome.state != "finished" else ""
    return f"{trial.value:.6g}{stopped}"


def _reasons(sweep: Sweep) -> str:
    told = [trial for trial in sweep.trials if trial.outcome.state != "finished"]
    return "\n".join(
        f"- `{trial.folder}`: {trial.outcome.state}{': ' * bool(trial.outcome.why)}{plain(trial.outcome.why)}"
        for trial in told
    )
