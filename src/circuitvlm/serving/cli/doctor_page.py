"""Print the diagnosis of a run: samples, weights, memory, one step, findings and a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from circuitvlm.serving import display
from circuitvlm.serving.text import echo, escape

if TYPE_CHECKING:
    from circuitvlm.training.doctor.doctor import Diagnosis, Step
    from circuitvlm.training.doctor.memory import Need
    from circuitvlm.training.doctor.text import SampleText
    from circuitvlm.training.doctor.weights import Share

MAX_CHARACTERS = 1200
"""Characters of a sample's text that are printed; the middle of a longer one is left out."""

LEVELS = ("good", "note", "warning", "fault")
"""The levels of findings in the order in which they are printed: the worst are last, above the verdict."""


def print_page(diagnosis: Diagnosis, settings: dict[str, Any]) -> None:
    """Print the diagnosis for a person on standard output."""
    smoke_test = ", smoke test on a small model" if settings["smoke_test"] else ""
    echo(f"{settings['name']}{smoke_test}, {settings['precision']}, micro_batch_size={settings['micro_batch_size']}")
    for sample in diagnosis.samples:
        echo(f"\n{_sample_text(sample)}")
    if diagnosis.shares:
        echo("\nweights")
        rows = [[s.component, _state(s), s.number_format, f"{s.count:,}", size_text(s.bytes)] for s in diagnosis.shares]
        display.print_table(["component", "state", "format", "weights", "bytes"], rows)
        if any(share.is_spare for share in diagnosis.shares):
            echo("  spare: the unused originals of modules that are trained whole")
    if diagnosis.need is not None:
        echo(f"\nmemory of a process, estimated\n  {_memory_line(diagnosis.need)}")
        estimates = [
            [e.strategy, size_text(e.device), size_text(e.host) if e.host else "-"] for e in diagnosis.estimates
        ]
        display.print_table(["strategy", "device", "host"], estimates)
    if diagnosis.step is not None:
        echo("\n" + "\n".join(("one step over these samples", *_step_lines(diagnosis.step, settings))))
    echo("\nfindings")
    for result in sorted(diagnosis.findings, key=lambda result: LEVELS.index(result.level.value)):
        echo(f"  {result.level.value:<8} {result.check}: {escape(result.message)}")
    faults = len(diagnosis.faults)
    warning_count = sum(result.level.value == "warning" for result in diagnosis.findings)
    verdict = f"not ready: {_count_text(faults, 'fault')}" if faults else "ready to start"
    warnings = f", with {_count_text(warning_count, 'warning')}" if warning_count else ""
    echo(f"\nverdict: {verdict}{warnings}")


def _count_text(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _sample_text(sample: SampleText) -> str:
    return (
        f"{sample.id} (task {sample.task}, {sample.tokens} tokens, {sample.target_tokens} of them in the loss)\n"
        f"  prompt:      {escape(_shorten(sample.prompt))}\n"
        f"  in the loss: {escape(_shorten(sample.target))}"
    )


def _state(share: Share) -> str:
    return "trained" if share.is_trained else "spare" if share.is_spare else "frozen"


def _memory_line(need: Need) -> str:
    """What the memory consists of, and whether each part is counted or measured."""
    parts = [
        ("weights", "counted", need.weights),
        ("gradients", "counted", need.gradients),
        ("states of the optimizer", "measured", need.states),
        ("activations kept for the backward pass of a micro-batch", "measured", need.activations),
        ("largest block", "counted", need.block),
    ]
    return "; ".join(f"{name} {size_text(count)} ({method})" for name, method, count in parts)


def _step_lines(step: Step, settings: dict[str, Any]) -> Iterator[str]:
    rate = step.samples / step.seconds
    peak = size_text(step.peak)
    yield f"  {number_text(step.seconds)} s for {step.samples} samples on {step.device}; peak memory {peak}"
    yield (
        f"  {number_text(rate)} samples/s, {number_text(step.tokens / step.seconds)} tokens/s, "
        f"{number_text(step.target_tokens / step.seconds)} answer tokens/s"
    )
    if not settings["smoke_test"]:
        batch = settings["global_batch_size"]
        duration = duration_text(step.steps * batch / rate)
        yield f"  {step.steps:,} steps of {batch} samples: about {duration} on one such device, without validations"


def size_text(count: float) -> str:
    """Bytes with a decimal unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{number_text(count)} {unit}"
        count /= 1000
    return f"{number_text(count)} TB"


def duration_text(seconds: float) -> str:
    """Hours, or minutes if it is less than one hour."""
    return f"{number_text(seconds / 3600)} h" if seconds >= 3600 else f"{number_text(seconds / 60)} min"


def number_text(value: float) -> str:
    """Three digits, or all digits of a longer whole number; never an exponent of ten."""
    return f"{value:.3g}" if 1e-4 <= value < 999.5 or not value else f"{value:,.0f}"


def _shorten(text: str) -> str:
    half = MAX_CHARACTERS // 2
    return text if len(text) <= MAX_CHARACTERS else f"{text[:half]} [..] {text[-half:]}"
