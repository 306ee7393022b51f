"""How many circuits per second are made with image, netlist, transfer function and eight questions?

Run as `python benchmarks/questions.py`. Two worker processes, nothing cached, 448 x 336 pixels with the marks of the
questions, 4 to 10 components, circuits on a grid with names and with numbers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, fields
from typing import Literal, get_args

import numpy as np
from _figures import Estimate, estimate, ground, seconds, table, within
from rich.console import Console

from circuitvlm.circuit import draw, netlist
from circuitvlm.circuit.generate import grid, question
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.solve.numeric import SingularCircuitError
from circuitvlm.circuit.solve.symbolic import TooLargeError, transfer_function
from circuitvlm.runtime import worker

Form = Literal["symbolic", "numeric"]
FORMS: tuple[Form, ...] = get_args(Form)
WORKERS, CHUNK, CHUNKS = 2, 4, 40
WARM = 5
EXPECTED = 60
"""Circuits a second that two workers should make."""

KINDS = ("measurement", "transfer_function", "impedance", "perception", "choice")
COUNT = 8
COMPONENTS = (4, 10)


@dataclass(frozen=True)
class Steps:
    """Seconds of each step for one circuit."""

    circuit: float
    questions: float
    transfer_function: float
    image: float

    @property
    def total(self) -> float:
        return float(sum(astuple(self)))


@dataclass(frozen=True)
class Speed:
    """Circuits of one form: how many a second, and each one's steps."""

    form: Form
    rate: Estimate
    steps: tuple[Steps, ...]

    def share(self, step: str) -> float:
        return float(sum(getattr(s, step) for s in self.steps) / sum(s.total for s in self.steps))


def one(form: Form, index: int) -> Steps:
    """Makes circuit number `index` with all that belongs to it."""
    at = [time.perf_counter()]
    made = grid.item([3, FORMS.index(form)], index, components=COMPONENTS, form=form)
    netlist.format(made.circuit, renumber=form == "numeric")
    at.append(time.perf_counter())
    rng = np.random.default_rng(np.random.SeedSequence([3, FORMS.index(form), index, 7]))
    asked = question.questions(made.circuit, rng, kinds=KINDS, count=COUNT)
    at.append(time.perf_counter())
    _write_transfer(made.circuit)
    at.append(time.perf_counter())
    marks = [a.mark for a in asked if a.mark is not None]
    draw.image(made.circuit, made.placement, style="circuitsense", width=448, height=336, seed=index, marks=marks)
    at.append(time.perf_counter())
    return Steps(*np.diff(at).tolist())


def _write_transfer(circuit: Circuit) -> None:
    """From the first source to the first passive; a few circuits have none, or none that is written down."""
    source = next(d for d in circuit.devices if d.kind in "VI" and d.value != 0)
    output = next(d for d in circuit.devices if d.kind in "RCL")
    try:
        len(transfer_function(circuit, source=source.name, output=output.name).text)
    except (SingularCircuitError, TooLargeError):
        return


def chunk(form: Form, number: int) -> list[Steps]:
    return [one(form, index) for index in range(number * CHUNK, (number + 1) * CHUNK)]


def speeds(*, chunks: int = CHUNKS, warm: int = WARM) -> list[Speed]:
    """Both forms, after a warm-up of both workers."""
    with worker.pool(WORKERS) as pool:
        return [_speed(pool, form, chunks=chunks, warm=warm) for form in FORMS]


def _speed(pool: ProcessPoolExecutor, form: Form, *, chunks: int, warm: int) -> Speed:
    """The interval is that of the mean time a circuit, by a bootstrap over circuits."""
    list(pool.map(chunk, [form] * WORKERS * warm, range(10_000, 10_000 + WORKERS * warm)))
    began = time.perf_counter()
    steps = tuple(s for part in pool.map(chunk, [form] * chunks, range(chunks)) for s in part)
    rate = len(steps) / (time.perf_counter() - began)
    mean = estimate([s.total for s in steps], statistic=np.mean)
    interval = Estimate(rate, rate * mean.value / mean.high, rate * mean.value / mean.low)
    return Speed(form=form, rate=interval, steps=steps)


def section(found: Sequence[Speed]) -> str:
    """Markdown: the rates, and where the time goes."""
    names = [field.name for field in fields(Steps)]
    rows = [
        [
            speed.form,
            str(len(speed.steps)),
            within(speed.rate, lambda value: f"{value:.1f}"),
            *(
                f"{within(estimate([getattr(s, name) for s in speed.steps]), seconds)}, {speed.share(name):.0%}"
                for name in names
            ),
        ]
        for speed in found
    ]
    head = ["values", "circuits", "a second", *(name.replace("_", " ") for name in names)]
    return "\n\n".join([table(head, rows), *map(_verdict, found)])


def _verdict(speed: Speed) -> str:
    """Whether the expectation holds; where it fails, which step is to blame."""
    name = f"Circuits with {'names' if speed.form == 'symbolic' else 'numbers'}"
    if speed.rate.value >= EXPECTED:
        return f"{name}: {speed.rate.value:.0f} a second; at least {EXPECTED} were expected."
    worst = max((field.name for field in fields(Steps)), key=speed.share)
    totals = sorted((s.total for s in speed.steps), reverse=True)
    slow = sum(totals[: max(1, len(totals) // 10)]) / sum(totals)
    return (
        f"{name}: {speed.rate.value:.0f} a second, fewer than the {EXPECTED} that were expected. "
        f"{REASONS[worst].format(share=f'{speed.share(worst):.0%}')} "
        f"The slowest tenth of the circuits takes {slow:.0%} of the time."
    )


REASONS = {
    "circuit": "{share} of the time goes into finding a solvable circuit.",
    "questions": (
        "{share} of the time goes into the questions: a circuit is solved once for each source, "
        "but each transfer function is reduced and factored alone, those that turn out too long included."
    ),
    "transfer_function": "{share} of the time goes into the transfer function, which is reduced and factored exactly.",
    "image": (
        "{share} of the time goes into the image: most of it into resvg, whose PNG is then read and written once more."
    ),
}


def main() -> None:
    console = Console(soft_wrap=True)
    console.print(ground(), markup=False, highlight=False)
    console.print(section(speeds()), markup=False, highlight=False)


if __name__ == "__main__":
    main()
