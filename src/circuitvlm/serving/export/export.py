"""How does a trained run leave the house? As plain Hugging Face folders that know nothing of adapters.

A Qwen2-VL is one folder. A LaVIN is two, `llm` and `vision`, which `model.weights` and `model.vision` take; what its
run has learned between them, the visual prefix, has no place in either's format and stays with the run. Of an LLM that
was trained behind an encoder that was not, the LLM is written.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from torch import nn
from transformers import CLIPVisionModel

from circuitvlm.circuit import draw, generate, netlist
from circuitvlm.core.contract import Task
from circuitvlm.core.record import Example, Picture
from circuitvlm.core.tensor import Batch
from circuitvlm.model.lavin import Lavin
from circuitvlm.model.projector.network import Encoder
from circuitvlm.runtime.folders.run_folder import read_config
from circuitvlm.serving.export.merge import Drift, dequantized, drift, logits, plain
from circuitvlm.serving.load import NOTE, netlist_task, note_of, without_data
from circuitvlm.training.assemble import Run, trained_run
from circuitvlm.training.batches.collator import Pack
from circuitvlm.training.batches.data_module import Questions
from circuitvlm.training.network import Net

log = logging.getLogger(__name__)

WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
LLM, TOWER = "llm", "vision"
"""The two folders of a LaVIN."""
MODELS = ("config.json", f"{LLM}/config.json", f"{LLM}/tokenizer.json")
"""One of them is in every folder of a model, or of one that has as yet no more than its words."""

QUESTIONS = 4
"""Validation questions on which the written model is compared with the run's."""


class ExportError(ValueError):
    """A run that cannot be written as one plain model, with the reason."""


def export_run(run: Path, out: Path, *, dtype: Literal["bfloat16", "float32"], dequantize: bool = False) -> Drift:
    """Write weights (adapters merged), tokenizer, chat template and image processor of a run or an adapter to `out`.

    Returns how far the written model's logits are from the run's own; a LaVIN's with the run's own prefix. A quantized
    base wants `dequantize`. An older model in `out` is replaced; other files there stay. Raises ExportError where the
    base is quantized, or `out` is some other folder.
    """
    _refuse_strangers(out)
    quantized = _is_quantized(run)
    if quantized and not dequantize:
        raise ExportError(
            f"{run} was trained on a quantized base, into whose few levels its adapter cannot be merged.\n"
            "With --dequantize the base is first given back full numbers: a folder of full size, which says how its "
            "answers differ. Without, use the adapter's folder with the quantized base: --adapter."
        )
    if not (run / "adapter").is_dir() and not any(run.glob("*.safetensors")):
        raise ExportError(f"{run} holds no trained adapter; has the run ended?")
    trained = trained_run(run, changes={})
    batches = _told(trained)
    trained.module.configure_model()
    net, precision = trained.module.net, trained.cfg["precision"]
    assert net is not None, "configure_model() builds the net"
    before = logits(net, batches, precision=precision)
    weights = net.weights
    if quantized:
        del net, weights
        trained.module.net = None  # one of the two at a time
        weights = dequantized(trained.module)
    if dtype == "float32":
        weights.float()  # before merging: an update added to bfloat16 weights is rounded to them
    try:
        model = plain(weights).to(getattr(torch, dtype))
    except NotImplementedError as error:  # an adapter that is no change of the weights
        raise ExportError(f"{run}: {error}") from error
    model.config.dtype = dtype
    after = logits(Net(trained.model, model), batches, precision=precision)
    _write(model, trained, out)
    log.info("exported %s to %s", run, out)
    return drift(before, after)


def _write(model: Any, run: Run, out: Path) -> None:
    """The folder of the model, or the two of a LaVIN, whose parts are taken apart."""
    if isinstance(run.model, Lavin):
        codec, tower = run.model.codec(), _alone(model)
        _fill(out / TOWER, lambda folder: (tower.save_pretrained(folder), codec.images.save_pretrained(folder)))
        _fill(out / LLM, lambda folder: (model.save_pretrained(folder), codec.tokenizer.save_pretrained(folder)))
        return
    if isinstance(getattr(model, "projector", None), Encoder):
        del model.projector  # new weights, which have learned nothing: merge.plain refuses others
        own: Any = run.data.codec
        _fill(out, lambda folder: (model.save_pretrained(folder), own.tokenizer.save_pretrained(folder)))
        return

    def fill(folder: Path) -> None:
        model.save_pretrained(folder)
        run.data.codec.save(folder)
        (folder / NOTE).write_text(json.dumps(note_of(run), indent=2) + "\n", encoding="utf-8")

    _fill(out, fill)


def _alone(llm: Any) -> CLIPVisionModel:
    """A LaVIN's tower, taken out of its LLM with the prefix; the norm behind its last block, which LaVIN has no use
    for, is one that has learned nothing."""
    tower: Any = llm.vision
    del llm.vision, llm.projector
    weight = tower.embeddings.class_embedding
    tower.post_layernorm = nn.LayerNorm(tower.config.hidden_size, device=weight.device, dtype=weight.dtype)
    tower.config.dtype = weight.dtype
    assert isinstance(tower, CLIPVisionModel), "a LaVIN sees with CLIP"
    return tower


def _fill(out: Path, fill: Callable[[Path], object]) -> None:
    """All of the folder beside its place, then into it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    writing = out.with_name(f".{out.name}.writing-{os.getpid()}")
    try:
        writing.mkdir()
        fill(writing)
        _move(writing, out)
    finally:
        shutil.rmtree(writing, ignore_errors=True)


def _told(run: Run) -> list[Batch]:
    """A few of the run's validation questions with their replies, one a batch; without its data, a generated circuit.

    The run is left without its data, which its model does not need.
    """
    found: list[Batch] = []
    try:
        sources, tasks = run.sources, run.tasks
        questions = list(Questions(sources, tasks, "validation", limit=QUESTIONS))
        without_data(run)
        found = _batches(run, questions, tasks)
    except (ValueError, OSError) as error:
        log.info("the run's validation questions are not here: %s", error)
        without_data(run)
    return found or _generated(run)


def _generated(run: Run) -> list[Batch]:
    log.info("the models are compared on a generated circuit")
    made = generate.item(0, 0, components=(3, 5))
    with TemporaryDirectory() as folder:
        path = Path(folder, "circuit.png")
        path.write_bytes(draw.image(made.circuit, made.placement, style="american"))
        facts = {"netlist": netlist.format(made.circuit)}
        example = Example(id="generated", task="netlist", images=(Picture(path),), facts=facts)
        return _batches(run, [example], {"netlist": netlist_task(run)})


def _batches(run: Run, examples: Sequence[Example], tasks: Mapping[str, Task]) -> list[Batch]:
    pack = Pack(tasks, run.data.codec, run.data.collate, told=True, asked=False)
    return [pack([example]) for example in examples]


def _is_quantized(run: Path) -> bool:
    """Told before gigabytes are loaded."""
    return bool(read_config(run)["quantization"])


def _refuse_strangers(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise ExportError(f"{out} is a file; wanted a folder")
    if out.is_dir() and any(out.iterdir()) and not any((out / name).is_file() for name in MODELS):
        raise ExportError(f"{out} is not empty and holds no model (no {', '.join(MODELS)} in it): left alone")


def _move(writing: Path, out: Path) -> None:
    """The new files in the place of the old; old weights go first, since they may have been cut into other files."""
    out.mkdir(exist_ok=True)
    for pattern in WEIGHTS:
        for old in out.glob(pattern):
            old.unlink()
    for file in sorted(writing.iterdir()):
        os.replace(file, out / file.name)
