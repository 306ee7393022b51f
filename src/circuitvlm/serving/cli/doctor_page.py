"""How does a person read what a look at a run has found?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from circuitvlm.serving import show

if TYPE_CHECKING:
    from circuitvlm.training.doctor.doctor import Diagnosis
    from circuitvlm.training.doctor.memory import Estimate
    from circuitvlm.training.doctor.text import Shown
    from circuitvlm.training.doctor.weights import Share

LONG = 1200
"""Characters of a text, of which the middle is left out where it has more."""

WORSE = ("good", "note", "warning", "fault")
"""The levels of findings as they are shown: what is wrong stands last, above the verdict."""


def page(made: Diagnosis, settings: dict[str, Any]) -> None:
    """Samples, tables, findings and the verdict, on standard output."""
    standin = ", on its small stand-in" if settings["standin"] else ""
    typer.echo(f"{settings['name']}{standin}, {settings['precision']}, micro_batch={settings['micro_batch']}")
    for sample in made.shown:
        typer.echo("\n" + "\n".join(_sample(sample)))
    if made.shares:
        _heading("weights")
        rows = [[s.component, _state(s), s.kind, f"{s.count:,}", size(s.bytes)] for s in made.shares]
        show.table(["component", "state", "kind", "weights", "bytes"], rows)
        if any(share.spare for share in made.shares):
            typer.echo("  spare: the originals of modules that are trained whole, kept and not used")
    if made.estimates:
        _memory(made)
    if made.step is not None:
        _heading("one step over these samples")
        typer.echo("\n".join(_step(made, settings)))
    _heading("findings")
    for found in sorted(made.findings, key=lambda finding: WORSE.index(finding.level.value)):
        typer.echo(f"  {found.level.value:<8} {found.about}: {safe(found.said)}")
    faults, doubts = len(made.faults), sum(found.level.value == "warning" for found in made.findings)
    verdict = f"not fit: {_counted(faults, 'fault')}" if faults else "fit to be started"
    beside = f", with {_counted(doubts, 'warning')}" if doubts else ""
    typer.echo(f"\nverdict: {verdict}{beside}")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _heading(words: str) -> None:
    typer.echo(f"\n{words}")


def _sample(sample: Shown) -> Iterator[str]:
    yield f"{sample.id} (task {sample.task}, {sample.tokens} tokens, {sample.taught_tokens} of them in the loss)"
    yield f"  prompt:      {safe(_middle(sample.prompt))}"
    yield f"  in the loss: {safe(_middle(sample.taught))}"


def _state(share: Share) -> str:
    return "trained" if share.trained else "spare" if share.spare else "frozen"


def _memory(made: Diagnosis) -> None:
    need = made.need
    assert need is not None, "estimates are made of it"
    _heading("memory of a process, estimated")
    parts = [
        ("weights", "counted", need.weights),
        ("gradients", "counted", need.gradients),
        ("optimizer's states", "measured", need.states),
        ("activations kept for the backward pass of a micro-batch", "measured", need.activations),
        ("largest block", "counted", need.block),
    ]
    typer.echo("  " + "; ".join(f"{name} {size(count)} ({how})" for name, how, count in parts))
    show.table(["strategy", "device", "host"], [_estimate(estimate) for estimate in made.estimates])


def _estimate(estimate: Estimate) -> list[str]:
    return [estimate.strategy, size(estimate.device), size(estimate.host) if estimate.host else "-"]


def _step(made: Diagnosis, settings: dict[str, Any]) -> Iterator[str]:
    step = made.step
    assert step is not None, "the caller has looked"
    rate = step.samples / step.seconds
    yield f"  {number(step.seconds)} s for {step.samples} samples on {step.device}; peak memory {size(step.peak)}"
    yield (
        f"  {number(rate)} samples/s, {number(step.tokens / step.seconds)} tokens/s, "
        f"{number(step.taught_tokens / step.seconds)} answer tokens/s"
    )
    if not settings["standin"]:
        batch = settings["global_batch"]
        lasts = duration(step.steps * batch / rate)
        yield f"  {step.steps:,} steps of {batch} samples: about {lasts} on one such device, without validations"


def size(count: float) -> str:
    """Bytes with a decimal unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{number(count)} {unit}"
        count /= 1000
    return f"{number(count)} TB"


def duration(seconds: float) -> str:
    """Hours, or minutes where it is less than one."""
    return f"{number(seconds / 3600)} h" if seconds >= 3600 else f"{number(seconds / 60)} min"


def number(value: float) -> str:
    """Three digits, or all of a longer whole number; never an exponent of ten."""
    return f"{value:.3g}" if 1e-4 <= value < 999.5 or not value else f"{value:,.0f}"


def safe(text: str) -> str:
    """The text in one line, without the control characters that a data set may hold for a terminal."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _middle(text: str) -> str:
    return text if len(text) <= LONG else f"{text[: LONG // 2]} [..] {text[-LONG // 2 :]}"
