"""Examine a run before it starts: its samples, weights, gradients, memory and speed.

Each check is a function of its own in text.py, weights.py or memory.py; this module calls them in order.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from circuitvlm.core.record import Example, PictureError
from circuitvlm.core.tensor import Batch
from circuitvlm.model.base.language_model import base_model
from circuitvlm.runtime.config.allow_list import TARGET
from circuitvlm.training.assemble import DTYPES, Run
from circuitvlm.training.batches.data_module import TRAIN
from circuitvlm.training.batches.task_dataset import TaskDataset
from circuitvlm.training.doctor import memory, text, weights
from circuitvlm.training.doctor.text import Finding, Level, Sample
from circuitvlm.training.peak_memory import peak_bytes, reset_peak

STEP = "step"
FIXTURES = Path("tests/fixtures")
LEARNING_RATE = 1e-3
"""The rate of the steps: large enough that weights which start at zero visibly leave it."""


@dataclass(frozen=True, slots=True)
class Step:
    """The cost of one optimizer step over the samples on this machine, after one to warm up.

    `peak` is in bytes: of the GPU's memory in this step, or of this process since it started. `steps` are those of the
    whole run.
    """

    device: str
    seconds: float
    samples: int
    tokens: int
    target_tokens: int
    peak: int
    steps: int


@dataclass
class Diagnosis:
    """All results; what a fault has made impossible is missing."""

    samples: list[text.SampleText] = field(default_factory=list)
    shares: list[weights.Share] = field(default_factory=list)
    need: memory.Need | None = None
    estimates: list[memory.Estimate] = field(default_factory=list)
    step: Step | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def faults(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.level is Level.FAULT]

    def add(self, check: str, level: Level, message: str) -> None:
        self.findings.append(Finding(check, level, message))

    def add_all(self, findings: Iterable[Finding], *, check: str, good_message: str) -> None:
        """Add these findings, or if there are none, that the check was good."""
        self.findings += list(findings) or [Finding(check, Level.GOOD, good_message)]


def missing_files(run: Run) -> list[str]:
    """A message for missing weights and for missing data, each with how to get them, or smaller ones for a test."""
    messages = []
    try:
        run.model.codec()
    except FileNotFoundError as error:
        messages.append(str(error))
        if "smoke_test=true" not in messages[0]:
            messages.append("smoke_test=true examines this recipe with a small model, without its weights.")
    try:
        TaskDataset(run.sources, run.tasks, TRAIN, limit=None)
    except (FileNotFoundError, ValueError) as error:
        messages += [str(error), *_fixture_overrides(run.cfg["data"])]
    return messages


def _fixture_overrides(sources: Mapping[str, Any]) -> Iterator[str]:
    """The overrides that replace data sets by the small copies of the tests, where these exist."""
    for key, source in sources.items():
        folder = FIXTURES / str(source.get(TARGET)).split(".")[-2]
        if "root" in source and folder.is_dir():
            yield f"data.{key}.root={folder} examines this recipe with the few items of its tests."


def examine(run: Run, *, show: int, ranks: int) -> Diagnosis:
    """Run every check on training samples, and one optimizer step over them; estimate memory for `ranks` devices.

    The samples are a whole micro-batch and at least `show`; the diagnosis has the text of the first `show`. No run
    folder is written, and the run's own random numbers are not used. Checks that a fault makes impossible are left out.
    Raises FileNotFoundError where weights or data are missing.
    """
    diagnosis = Diagnosis()
    count = max(show, int(run.cfg["micro_batch_size"]))
    samples = list(encode_examples(run, select_examples(run.data.questions(TRAIN), count=count), diagnosis))
    if not samples:
        if not diagnosis.faults:
            diagnosis.add("samples", Level.FAULT, f"none of the images of {count} samples can be read")
        return diagnosis
    _check_texts(run, samples, diagnosis, show=show)
    if run.cfg["trainer"]["accelerator"] in ("gpu", "cuda") and not torch.cuda.is_available():
        diagnosis.add(
            "trainer",
            Level.WARNING,
            "trainer.accelerator=gpu, but no GPU is available: examined on the CPU. The run needs a GPU or trainer=cpu",
        )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            run.module.configure_model()
            optimizer = run.module.configure_optimizers()["optimizer"]
        except ValueError as error:
            diagnosis.add(weights.WEIGHTS, Level.FAULT, str(error))
            return diagnosis
        _check_weights(run, samples, optimizer, diagnosis)
        _check_steps(run, samples, optimizer, diagnosis, ranks=ranks)
    return diagnosis


def select_examples(questions: TaskDataset, *, count: int) -> list[Example]:
    """`count` questions: the first of each source and task, with an image and without, then others at even distances.

    There are more than `count` if there are more such kinds.
    """
    first_by_kind: dict[tuple[int, int, bool], int] = {}
    for index, (source, example, task) in enumerate(questions.questions):
        first_by_kind.setdefault((source, task, bool(questions.examples[source][example].images)), index)
    even = [k * len(questions) // count for k in range(count)]
    indices = list(dict.fromkeys([*first_by_kind.values(), *even]))[: max(count, len(first_by_kind))]
    return [questions[index] for index in indices]


def encode_examples(run: Run, examples: Sequence[Example], diagnosis: Diagnosis) -> Iterator[Sample]:
    """The examples as the run's own tasks and codec encode them.

    An example that they refuse is a fault. One with an unreadable image is a warning where the run allows some.
    """
    codec = run.data.codec
    for example in examples:
        try:
            dialogue = run.tasks[example.task].ask(example)
            yield Sample(dialogue, codec.encode(dialogue, reply=True), codec.encode(dialogue, reply=False))
        except ValueError as error:
            is_allowed = isinstance(error, PictureError) and run.cfg["max_unreadable_images"]
            diagnosis.add("samples", Level.WARNING if is_allowed else Level.FAULT, str(error))


def _check_texts(run: Run, samples: Sequence[Sample], diagnosis: Diagnosis, *, show: int) -> None:
    codec = run.data.codec
    if isinstance(codec, text.TokenizerCodec):
        diagnosis.samples += [text.sample_text(sample.tokens, codec) for sample in samples[:show]]
    findings = [finding for sample in samples for finding in text.check_labels(sample, codec)]
    token_samples = [sample.tokens for sample in samples]
    batch = run.data.collate(token_samples, pad=codec.pad, side="right")
    diagnosis.add_all(
        [*findings, *text.check_collate(token_samples, batch)],
        check=text.LABELS,
        good_message=f"in {len(samples)} samples the loss holds the reply and its end token, and nothing else",
    )
    diagnosis.findings.append(text.check_template(samples, codec, getattr(run.model, "folder", None)))


def _check_weights(run: Run, samples: Sequence[Sample], optimizer: Any, diagnosis: Diagnosis) -> None:
    """Check weights and image tokens."""
    net, device = run.module.built_net, _device(run)
    run.module.to(device)
    diagnosis.shares = weights.weight_shares(net, run.model)
    optimizer_weights = [p for group in optimizer.param_groups for p in group["params"]]
    trained_count = sum(share.count for share in diagnosis.shares if share.is_trained)
    total = sum(share.count for share in diagnosis.shares if not share.is_spare)
    diagnosis.add_all(
        weights.check_weights(net, diagnosis.shares, optimizer_weights),
        check=weights.WEIGHTS,
        good_message=f"{trained_count:,} of {total:,} are trained ({100 * trained_count / total:.3g} %), "
        "all by the optimizer",
    )
    findings: list[Finding] = []
    for sample in samples:
        batch = run.data.collate([sample.tokens], pad=run.data.codec.pad, side="right").to(device)
        images = sum(len(turn.images) for turn in sample.dialogue.prompt)
        findings += weights.check_images(run.model, net.weights, batch, images=images)
    diagnosis.add_all(
        findings, check=text.IMAGES, good_message=f"in {len(samples)} samples their number is that of image features"
    )


def _check_steps(run: Run, samples: Sequence[Sample], optimizer: Any, diagnosis: Diagnosis, *, ranks: int) -> None:
    """Make two optimizer steps over the samples; check their gradients, memory, and the time of the second one."""
    net, device, size = run.module.built_net, _device(run), run.cfg["micro_batch_size"]
    token_samples = [sample.tokens for sample in samples]
    micro_batches = [token_samples[k : k + size] for k in range(0, len(token_samples), size)]
    batches = [run.data.collate(part, pad=run.data.codec.pad, side="right").to(device) for part in micro_batches]
    for group in optimizer.param_groups:
        group["lr"] = LEARNING_RATE
    activations = _first_backward(run, batches, diagnosis)
    if activations is None:
        return
    states = [weights.gradient_state(net)]
    optimizer.step()
    optimizer.zero_grad()
    diagnosis.step = _measure_step(run, batches, optimizer, device=device)
    states.append(weights.gradient_state(net))
    trained_weights = {name: p for name, p in net.named_parameters() if p.requires_grad}
    has_images = any(turn.images for sample in samples for turn in sample.dialogue.prompt)
    diagnosis.findings += weights.check_learning(
        states,
        model=run.model,
        trained_names=trained_weights,
        has_images=has_images,
        precision=run.cfg["precision"],
    )
    diagnosis.need = memory.Need(
        weights=sum(share.bytes for share in diagnosis.shares),
        gradients=sum(map(weights.stored_bytes, trained_weights.values())),
        states=weights.optimizer_bytes(optimizer),
        activations=activations,
        block=memory.largest_block(base_model(net.weights), run.model),
    )
    diagnosis.estimates = memory.estimates(diagnosis.need, ranks=ranks)
    if device.type == "cuda":
        device_bytes = torch.cuda.get_device_properties(device).total_memory
        diagnosis.findings.append(memory.check_memory(diagnosis.estimates, device_bytes=device_bytes))


def _first_backward(run: Run, batches: Sequence[Batch], diagnosis: Diagnosis) -> int | None:
    """The largest bytes of activations of the batches after their backward passes; None after a fault of a loss."""
    activations = 0
    for batch in batches:
        with memory.count_saved_tensors(run.module.built_net) as saved_tensors:
            loss = _loss(run, batch)
        ids = ", ".join(batch.ids)
        if not torch.isfinite(loss):
            diagnosis.add(STEP, Level.FAULT, f"the loss is {loss.detach().item()} on {ids}")
            return None
        if not loss.requires_grad:
            diagnosis.add(weights.GRADIENTS, Level.FAULT, f"the loss on {ids} depends on no trained weight")
            return None
        torch.autograd.backward(loss)
        activations = max(activations, saved_tensors.bytes)
    return activations


def _loss(run: Run, batch: Batch) -> torch.Tensor:
    """The mean loss of a micro-batch in the run's own precision."""
    net, precision = run.module.built_net, run.cfg["precision"]
    with torch.autocast(batch.tokens_BT.device.type, dtype=DTYPES[precision], enabled=precision != "32-true"):
        return run.module.objective.tally(net(batch), batch).mean


def _measure_step(run: Run, batches: Sequence[Batch], optimizer: Any, *, device: torch.device) -> Step:
    """Make one optimizer step over the batches, and keep its gradients."""
    reset_peak(device)
    _synchronize(device)
    start = time.perf_counter()
    for batch in batches:
        torch.autograd.backward(_loss(run, batch))
    optimizer.step()
    _synchronize(device)
    on_gpu = device.type == "cuda"
    return Step(
        device=torch.cuda.get_device_name(device) if on_gpu else f"CPU, torch threads: {torch.get_num_threads()}",
        seconds=time.perf_counter() - start,
        samples=sum(len(batch) for batch in batches),
        tokens=sum(int((batch.segment_BT >= 0).sum()) for batch in batches),
        target_tokens=sum(batch.labels_N.numel() for batch in batches),
        peak=peak_bytes(device),
        steps=run.steps,
    )


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _device(run: Run) -> torch.device:
    """The first device that the run's trainer would use, or the CPU where no GPU is available."""
    wants_gpu = run.cfg["trainer"]["accelerator"] in ("gpu", "cuda", "auto")
    return torch.device("cuda", 0) if wants_gpu and torch.cuda.is_available() else torch.device("cpu")
