"""Measure how many circuits per second are generated with image, netlist, transfer function and eight questions.

Run as `python benchmarks/questions.py`. There are two worker processes and no cache. Circuits lie on a grid, have names
or numbers as values and 4 to 10 components; images have 448 x 336 pixels and the marks of the questions.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, fields
from typing import Literal, get_args

import numpy as np
from _figures import Estimate, environment_line, estimate, format_estimate, seconds, table
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
EXPECTED_RATE = 60
"""Circuits per second that two workers should generate."""

KINDS = ("measurement", "transfer_function", "impedance", "perception", "choice")
COUNT = 8
COMPONENTS = (4, 10)


@dataclass(frozen=True)
class Steps:
    """The seconds of each step for one circuit."""

    circuit: float
    questions: float
    transfer_function: float
    image: float

    @property
    def total(self) -> float:
        return float(sum(astuple(self)))


@dataclass(frozen=True)
class Speed:
    """Circuits of one form: how many per second, and the steps of each."""

    form: Form
    rate: Estimate
    steps: tuple[Steps, ...]

    def share(self, step: str) -> float:
        return float(sum(getattr(s, step) for s in self.steps) / sum(s.total for s in self.steps))


def generate_circuit(form: Form, index: int) -> Steps:
    """Generate the circuit with this index, and all that belongs to it."""
    times = [time.perf_counter()]
    item = grid.item([3, FORMS.index(form)], index, components=COMPONENTS, form=form)
    netlist.format(item.circuit, renumber=form == "numeric")
    times.append(time.perf_counter())
    rng = np.random.default_rng(np.random.SeedSequence([3, FORMS.index(form), index, 7]))
    questions = question.questions(item.circuit, rng, kinds=KINDS, count=COUNT)
    times.append(time.perf_counter())
    _write_transfer(item.circuit)
    times.append(time.perf_counter())
    marks = [question.mark for question in questions if question.mark is not None]
    draw.image(item.circuit, item.placement, style="circuitsense", width=448, height=336, seed=index, marks=marks)
    times.append(time.perf_counter())
    return Steps(*np.diff(times).tolist())


def _write_transfer(circuit: Circuit) -> None:
    """Write the transfer function from the first source to the first passive device, where there is one."""
    source = next(d for d in circuit.devices if d.kind in "VI" and d.value != 0)
    output = next(d for d in circuit.devices if d.kind in "RCL")
    try:
        len(transfer_function(circuit, source=source.name, output=output.name).text)
    except (SingularCircuitError, TooLargeError):
        return


def chunk(form: Form, number: int) -> list[Steps]:
    return [generate_circuit(form, index) for index in range(number * CHUNK, (number + 1) * CHUNK)]


def measure(*, chunks: int = CHUNKS, warm: int = WARM) -> list[Speed]:
    """The speeds of both forms, after a warm-up of both workers."""
    with worker.pool(WORKERS) as pool:
        return [_speed(pool, form, chunks=chunks, warm=warm) for form in FORMS]


def _speed(pool: ProcessPoolExecutor, form: Form, *, chunks: int, warm: int) -> Speed:
    """The speed of one form. Its interval is that of the mean time per circuit, from a bootstrap over circuits."""
    list(pool.map(chunk, [form] * WORKERS * warm, range(10_000, 10_000 + WORKERS * warm)))
    start = time.perf_counter()
    steps = tuple(s for part in pool.map(chunk, [form] * chunks, range(chunks)) for s in part)
    rate = len(steps) / (time.perf_counter() - start)
    mean = estimate([s.total for s in steps], statistic=np.mean)
    interval = Estimate(rate, rate * mean.value / mean.high, rate * mean.value / mean.low)
    return Speed(form=form, rate=interval, steps=steps)


def section(speeds: Sequence[Speed]) -> str:
    """Markdown with the rates and the share of each step."""
    names = [field.name for field in fields(Steps)]
    rows = [
        [
            speed.form,
            str(len(speed.steps)),
            format_estimate(speed.rate, lambda value: f"{value:.1f}"),
            *(
                f"{format_estimate(estimate([getattr(s, n) for s in speed.steps]), seconds)}, {speed.share(n):.0%}"
                for n in names
            ),
        ]
        for speed in speeds
    ]
    head = ["values", "circuits", "a second", *(name.replace("_", " ") for name in names)]
    return "\n\n".join([table(head, rows), *map(_verdict, speeds)])


def _verdict(speed: Speed) -> str:
    """Whether the expected rate is reached; if not, the step that takes most time."""
    name = f"Circuits with {'names' if speed.form == 'symbolic' else 'numbers'}"
    if speed.rate.value >= EXPECTED_RATE:
        return f"{name}: {speed.rate.value:.0f} a second; at least {EXPECTED_RATE} were expected."
    worst = max((field.name for field in fields(Steps)), key=speed.share)
    totals = sorted((s.total for s in speed.steps), reverse=True)
    slow = sum(totals[: max(1, len(totals) // 10)]) / sum(totals)
    return (
        f"{name}: {speed.rate.value:.0f} a second, fewer than the {EXPECTED_RATE} that were expected. "
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
    console.print(environment_line(), markup=False, highlight=False)
    console.print(section(measure()), markup=False, highlight=False)


if __name__ == "__main__":
    main()
