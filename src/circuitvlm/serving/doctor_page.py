"""How does a person read what a look at a run has found?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from circuitvlm.serving import show

if TYPE_CHECKING:
    from circuitvlm.training.doctor import Diagnosis
    from circuitvlm.training.doctor_memory import Estimate
    from circuitvlm.training.doctor_text import Shown

LONG = 1200
"""Characters of a text, of which the middle is left out where it has more."""


def page(made: Diagnosis, settings: dict[str, Any]) -> None:
    """Samples, tables, findings and the verdict, on standard output."""
    standin = ", on its small stand-in" if settings["standin"] else ""
    typer.echo(f"{settings['name']}{standin}, {settings['precision']}, micro_batch={settings['micro_batch']}")
    for sample in made.shown:
        typer.echo("\n" + "\n".join(_sample(sample)))
    if made.shares:
        _heading("weights")
        rows = [
            [s.component, "trained" if s.trained else "frozen", s.kind, f"{s.count:,}", size(s.bytes)]
            for s in made.shares
        ]
        show.table(["component", "state", "kind", "weights", "bytes"], rows)
    if made.estimates:
        _memory(made)
    if made.step is not None:
        _heading("one step over these samples")
        typer.echo("\n".join(_step(made, settings)))
    _heading("findings")
    show.table(["check", "result", "what"], [[f.about, f.level.value, safe(f.said)] for f in made.findings])
    faults = len(made.faults)
    verdict = f"not fit: {faults} fault{'s' * (faults != 1)}" if faults else "fit to be started"
    typer.echo(f"\nverdict: {verdict}")


def _heading(words: str) -> None:
    typer.echo(f"\n{words}")


def _sample(sample: Shown) -> Iterator[str]:
    yield f"{sample.id} (task {sample.task}, {sample.tokens} tokens, {sample.taught_tokens} of them in the loss)"
    yield f"  prompt:      {safe(_middle(sample.prompt))}"
    yield f"  in the loss: {safe(_middle(sample.taught))}"


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
    if settings["steps"] is not None and not settings["standin"]:
        steps, batch = settings["steps"], settings["global_batch"]
        yield f"  {steps} steps of {batch} samples: about {number(steps * batch / rate / 3600)} h on one such device"


def size(count: float) -> str:
    """Bytes with a decimal unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{number(count)} {unit}"
        count /= 1000
    return f"{number(count)} TB"


def number(value: float) -> str:
    """Three digits, or all of a longer whole number; never an exponent of ten."""
    return f"{value:.3g}" if 1e-4 <= value < 999.5 or not value else f"{value:,.0f}"


def safe(text: str) -> str:
    """The text in one line, without the control characters that a data set may hold for a terminal."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _middle(text: str) -> str:
    return text if len(text) <= LONG else f"{text[: LONG // 2]} [..] {text[-LONG // 2 :]}"
