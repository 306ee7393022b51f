"""Is this run fit to be started? Its samples, weights, gradients, memory and speed, looked at before the first hour.

Each check is a small function of its own (doctor_text, doctor_weights, doctor_memory); here they are held in a row.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from circuitvlm.core.record import Example, PictureError
from circuitvlm.core.tensor import Batch
from circuitvlm.model.base.generation import plain
from circuitvlm.runtime.config.allow_list import TARGET
from circuitvlm.training.assemble import DTYPES, Run
from circuitvlm.training.batches.data_module import TRAIN, Questions
from circuitvlm.training.doctor import memory, text, weights
from circuitvlm.training.doctor.text import Finding, Level, Sample
from circuitvlm.training.peak_memory import forget_peak, peak

STEP = "step"
FIXTURES = Path("tests/fixtures")
LOOK = 1e-3
"""The learning rate of the steps: large enough that weights which begin at zero are seen to have left it."""


@dataclass(frozen=True, slots=True)
class Step:
    """What an optimizer step over the samples looked at took on this machine, after one to warm up.

    `peak` is in bytes: of the GPU's memory in this step, or of this process since it began. `steps` are those of the
    whole run.
    """

    device: str
    seconds: float
    samples: int
    tokens: int
    taught_tokens: int
    peak: int
    steps: int


@dataclass
class Diagnosis:
    """All that was found, as far as the run came."""

    shown: list[text.Shown] = field(default_factory=list)
    shares: list[weights.Share] = field(default_factory=list)
    need: memory.Need | None = None
    estimates: list[memory.Estimate] = field(default_factory=list)
    step: Step | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def faults(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.level is Level.FAULT]

    def add(self, findings: Iterator[Finding], *, about: str, good: str) -> None:
        """These findings, or where there are none, that all is well."""
        found = list(findings)
        self.findings += found or [Finding(about, Level.GOOD, good)]


def missing(run: Run) -> list[str]:
    """What of the weights and the data is not on this machine, and how each is provided, a stand-in of it too."""
    lost = []
    try:
        run.model.codec()
    except FileNotFoundError as error:
        lost.append(str(error))
        if "standin=true" not in lost[0]:
            lost.append("standin=true looks at this recipe on its small stand-in, without its weights.")
    try:
        Questions(run.sources, run.tasks, TRAIN, limit=None)
    except (FileNotFoundError, ValueError) as error:
        lost += [str(error), *_samples_of(run.cfg["data"])]
    return lost


def _samples_of(sources: Mapping[str, Any]) -> Iterator[str]:
    """The words that put the small copies of the tests in the place of data sets, where they lie here."""
    for key, source in sources.items():
        small = FIXTURES / str(source.get(TARGET)).split(".")[-2]
        if "root" in source and small.is_dir():
            yield f"data.{key}.root={small} looks at this recipe with the few items that its tests use."


def examine(run: Run, *, show: int, ranks: int) -> Diagnosis:
    """Every check on training samples, a whole micro-batch of them and at least `show`, and one optimizer step over
    them; memory for `ranks` devices. The first `show` are there to be read.

    No run folder is written, and the run's own random numbers are not used. Checks that a fault makes impossible are
    left out. Raises FileNotFoundError where weights or data are missing.
    """
    made = Diagnosis()
    count = max(show, int(run.cfg["micro_batch"]))
    samples = list(encoded(run, spread(run.data.questions(TRAIN), count=count), made))
    if not samples:
        if not made.faults:
            made.findings.append(Finding("samples", Level.FAULT, "no image of those looked at can be read"))
        return made
    _read(run, samples, made, show=show)
    if run.cfg["trainer"]["accelerator"] in ("gpu", "cuda") and not torch.cuda.is_available():
        said = (
            "trainer.accelerator=gpu, and here is none: looked at on the CPU. The run itself wants a GPU or trainer=cpu"
        )
        made.findings.append(Finding("trainer", Level.WARNING, said))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            run.module.configure_model()
            optimizer = run.module.configure_optimizers()["optimizer"]
        except ValueError as error:
            made.findings.append(Finding(weights.WEIGHTS, Level.FAULT, str(error)))
            return made
        _weigh(run, samples, optimizer, made)
        _learn(run, samples, optimizer, made, ranks=ranks)
    return made


def spread(questions: Questions, *, count: int) -> list[Example]:
    """The first question of each task about each source, with an image and without, then others evenly over all;
    `count` in all or one of each."""
    kinds: dict[tuple[int, int, bool], int] = {}
    for index, (part, place, task) in enumerate(questions.asked):
        kinds.setdefault((part, task, bool(questions.parts[part][place].images)), index)
    even = [k * len(questions) // count for k in range(count)]
    chosen = list(dict.fromkeys([*kinds.values(), *even]))[: max(count, len(kinds))]
    return [questions[index] for index in chosen]


def encoded(run: Run, examples: Sequence[Example], made: Diagnosis) -> Iterator[Sample]:
    """The examples as the run's own tasks and codec encode them; one that they refuse is a fault, and one whose image
    cannot be read a warning where the run leaves some out."""
    codec = run.data.codec
    for example in examples:
        try:
            dialogue = run.tasks[example.task].ask(example)
            yield Sample(dialogue, codec.encode(dialogue, reply=True), codec.encode(dialogue, reply=False))
        except ValueError as error:
            left = isinstance(error, PictureError) and run.cfg["bad_images"]
            made.findings.append(Finding("samples", Level.WARNING if left else Level.FAULT, str(error)))


def _read(run: Run, samples: Sequence[Sample], made: Diagnosis, *, show: int) -> None:
    """What is asked and taught."""
    codec = run.data.codec
    if isinstance(codec, text.Spelled):
        made.shown += [text.shown(sample.told, codec) for sample in samples[:show]]
    found = [finding for sample in samples for finding in text.labels(sample, codec)]
    told = [sample.told for sample in samples]
    batch = run.data.collate(told, pad=codec.pad, side="right")
    made.add(
        iter([*found, *text.collated(told, batch)]),
        about=text.LABELS,
        good=f"of {len(samples)} samples the loss holds the reply and its end token, and nothing else",
    )
    made.findings.append(text.template(samples, codec, getattr(run.model, "folder", None)))


def _weigh(run: Run, samples: Sequence[Sample], optimizer: Any, made: Diagnosis) -> None:
    """What is held, trained and seen."""
    net, device = run.module.net, _device(run)
    assert net is not None, "configure_model() came first"
    run.module.to(device)
    made.shares = weights.census(net, run.model)
    optimized = [p for group in optimizer.param_groups for p in group["params"]]
    trained = sum(share.count for share in made.shares if share.trained)
    total = sum(share.count for share in made.shares if not share.spare)
    made.add(
        weights.weights(net, made.shares, optimized),
        about=weights.WEIGHTS,
        good=f"{trained:,} of {total:,} are trained ({100 * trained / total:.3g} %), all by the optimizer",
    )
    found: list[Finding] = []
    for sample in samples:
        batch = run.data.collate([sample.told], pad=run.data.codec.pad, side="right").to(device)
        wanted = sum(len(turn.images) for turn in sample.dialogue.prompt)
        found += weights.images(run.model, net.weights, batch, wanted=wanted)
    made.add(iter(found), about=text.IMAGES, good=f"in {len(samples)} samples as many as there are features of images")


def _learn(run: Run, samples: Sequence[Sample], optimizer: Any, made: Diagnosis, *, ranks: int) -> None:
    """Two optimizer steps over the samples: what has a gradient, what is kept, how long the second one takes."""
    net, device, size = run.module.net, _device(run), run.cfg["micro_batch"]
    assert net is not None, "configure_model() came first"
    told = [sample.told for sample in samples]
    cut = [told[k : k + size] for k in range(0, len(told), size)]
    batches = [run.data.collate(each, pad=run.data.codec.pad, side="right").to(device) for each in cut]
    for group in optimizer.param_groups:
        group["lr"] = LOOK
    activations = 0
    for batch in batches:
        with memory.kept_for_backward(net) as kept:
            loss = _loss(run, batch)
        if not torch.isfinite(loss):
            said = f"the loss is {loss.detach().item()} on {', '.join(batch.ids)}"
            made.findings.append(Finding(STEP, Level.FAULT, said))
            return
        if not loss.requires_grad:
            said = f"the loss on {', '.join(batch.ids)} comes of no trained weight, so nothing can be learned from it"
            made.findings.append(Finding(weights.GRADIENTS, Level.FAULT, said))
            return
        torch.autograd.backward(loss)
        activations = max(activations, kept.bytes)
    looks = [weights.gradients(net)]
    optimizer.step()
    optimizer.zero_grad()
    made.step = _timed(run, batches, optimizer, device=device)
    looks.append(weights.gradients(net))
    trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
    pictured = any(turn.images for sample in samples for turn in sample.dialogue.prompt)
    made.findings += weights.learning(
        looks, model=run.model, trained=trained, pictured=pictured, precision=run.cfg["precision"]
    )
    made.need = memory.Need(
        weights=sum(share.bytes for share in made.shares),
        gradients=sum(map(weights.stored, trained.values())),
        states=weights.states(optimizer),
        activations=activations,
        block=memory.largest_block(plain(net.weights), run.model),
    )
    made.estimates = memory.estimates(made.need, ranks=ranks)
    if device.type == "cuda":
        room = torch.cuda.get_device_properties(device).total_memory
        made.findings.append(memory.fitting(made.estimates, room=room))


def _loss(run: Run, batch: Batch) -> torch.Tensor:
    """The mean loss of a micro-batch in the run's own precision."""
    net, precision = run.module.net, run.cfg["precision"]
    assert net is not None, "configure_model() came first"
    kind = batch.tokens_BT.device.type
    with torch.autocast(kind, dtype=DTYPES[precision], enabled=precision != "32-true"):
        return run.module.objective.tally(net(batch), batch).mean


def _timed(run: Run, batches: Sequence[Batch], optimizer: Any, *, device: torch.device) -> Step:
    """One optimizer step over the batches; its gradients stay."""
    forget_peak(device)
    _finished(device)
    began = time.perf_counter()
    for batch in batches:
        torch.autograd.backward(_loss(run, batch))
    optimizer.step()
    _finished(device)
    on_gpu = device.type == "cuda"
    return Step(
        device=torch.cuda.get_device_name(device) if on_gpu else f"CPU, torch threads: {torch.get_num_threads()}",
        seconds=time.perf_counter() - began,
        samples=sum(len(batch) for batch in batches),
        tokens=sum(int((batch.segment_BT >= 0).sum()) for batch in batches),
        taught_tokens=sum(batch.labels_N.numel() for batch in batches),
        peak=peak(device),
        steps=run.steps,
    )


def _finished(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _device(run: Run) -> torch.device:
    """The first of the devices that the run's trainer would take, as far as it is here."""
    wants_gpu = run.cfg["trainer"]["accelerator"] in ("gpu", "cuda", "auto")
    return torch.device("cuda", 0) if wants_gpu and torch.cuda.is_available() else torch.device("cpu")
