"""Write a trained run as a plain Hugging Face folder, with its adapter merged into the weights.

A Qwen2-VL is one folder. A LaVIN is two, `llm` and `vision`, for `model.weights` and `model.vision`. Its visual prefix
has no place in the format of either and stays with the run. Of an LLM with an untrained encoder, the LLM is written.
"""

from __future__ import annotations

import json
import logging
import os
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
from circuitvlm.runtime.folders.links import refuse_links
from circuitvlm.runtime.folders.run_folder import read_config
from circuitvlm.serving.export.merge import Drift, build_dequantized, compute_logits, measure_drift, merge_adapter
from circuitvlm.serving.load import SETTINGS_FILE, export_settings, netlist_task, remove_data
from circuitvlm.training.assemble import Run, trained_run
from circuitvlm.training.batches.collator import Collator
from circuitvlm.training.batches.task_dataset import TaskDataset
from circuitvlm.training.network import Net

log = logging.getLogger(__name__)

WEIGHT_PATTERNS = ("*.safetensors", "*.safetensors.index.json")
LLM, TOWER = "llm", "vision"
"""The two folders of a LaVIN."""
MODEL_FILES = ("config.json", f"{LLM}/config.json", f"{LLM}/tokenizer.json")
"""A folder of a model has at least one of these; one that is being prepared may have the tokenizer alone."""

QUESTIONS = 4
"""The number of validation questions on which the written model is compared with the run."""


class ExportError(ValueError):
    """A run that cannot be written as a plain model, or a folder that must not be changed."""


def export_run(
    run_folder: Path, target: Path, *, dtype: Literal["bfloat16", "float32"], dequantize: bool = False
) -> Drift:
    """Write the merged weights, tokenizer, chat template and image processor of a run or an adapter to `target`.

    Returns the drift of the written model's logits from the run's own (for a LaVIN, with the prefix of the run). A
    quantized base needs `dequantize`. An older model in `target` is replaced; other files there stay. Raises
    ExportError for a quantized base, for a run without a trained adapter, and for a `target` with other files.
    """
    _check_target(target)
    is_quantized = bool(read_config(run_folder)["quantization"])
    if is_quantized and not dequantize:
        raise ExportError(
            f"{run_folder}: expected a base without quantization, got a quantized base.\n"
            "An adapter cannot be merged into quantized weights. Give --dequantize to dequantize the base first. The "
            "folder then has full size, and the command prints how the answers differ.\n"
            "Or use the adapter's folder with the quantized base: --adapter."
        )
    if not (run_folder / "adapter").is_dir() and not any(run_folder.glob("*.safetensors")):
        raise ExportError(f"{run_folder}: expected a trained adapter, got none; has the run finished?")
    run = trained_run(run_folder, changes={})
    batches = _comparison_batches(run)
    run.module.configure_model()
    precision = run.cfg["precision"]
    logits = compute_logits(run.module.built_net, batches, precision=precision)
    if is_quantized:
        run.module.net = None  # so that memory holds one net at a time
        weights = build_dequantized(run.module)
    else:
        weights = run.module.built_net.weights
    if dtype == "float32":
        weights.float()  # before merging, because an update that is added to bfloat16 weights is rounded
    try:
        model = merge_adapter(weights).to(getattr(torch, dtype))
    except NotImplementedError as error:  # an adapter that does not change the weights
        raise ExportError(f"{run_folder}: {error}") from error
    model.config.dtype = dtype
    merged_logits = compute_logits(Net(run.model, model), batches, precision=precision)
    _write(model, run, target)
    log.info("exported %s to %s", run_folder, target)
    return measure_drift(logits, merged_logits)


def _check_target(target: Path) -> None:
    """Refuse a file, a folder with other files than those of a model, and links out of the folder."""
    is_free = not target.exists() or (target.is_dir() and not any(target.iterdir()))
    if not is_free and not any((target / name).is_file() for name in MODEL_FILES):
        raise ExportError(
            f"{target}: expected a new or empty folder, or one with {' or '.join(MODEL_FILES)}, got other files"
        )
    refuse_links(target)


def _write(model: Any, run: Run, target: Path) -> None:
    """Write the folder of the model, or the two of a LaVIN."""
    codec: Any = run.data.codec
    if isinstance(run.model, Lavin):
        _replace(target / TOWER, _detach_tower(model).save_pretrained, codec.image_processor.save_pretrained)
        _replace(target / LLM, model.save_pretrained, codec.tokenizer.save_pretrained)
    elif isinstance(getattr(model, "projector", None), Encoder):
        del model.projector  # untrained: merge_adapter() refuses a trained one
        _replace(target, model.save_pretrained, codec.tokenizer.save_pretrained)
    else:
        settings = json.dumps(export_settings(run), indent=2) + "\n"
        _replace(
            target,
            model.save_pretrained,
            codec.save,
            lambda folder: (folder / SETTINGS_FILE).write_text(settings, encoding="utf-8"),
        )


def _detach_tower(llm: Any) -> CLIPVisionModel:
    """Take the vision tower of a LaVIN out of its LLM, and remove the prefix.

    A LaVIN does not use the norm after the tower's last block, so a new, untrained one is added.
    """
    tower: Any = llm.vision
    del llm.vision, llm.projector
    weight = tower.embeddings.class_embedding
    tower.post_layernorm = nn.LayerNorm(tower.config.hidden_size, device=weight.device, dtype=weight.dtype)
    tower.config.dtype = weight.dtype
    assert isinstance(tower, CLIPVisionModel), "the tower of a LaVIN is CLIP's"
    return tower


def _replace(target: Path, *writers: Callable[[Path], object]) -> None:
    """Let the writers fill a temporary folder beside `target`, then move its files into it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as name:
        for write in writers:
            write(Path(name))
        target.mkdir(exist_ok=True)
        for pattern in WEIGHT_PATTERNS:  # the old weights may have been split into other files
            for old_file in target.glob(pattern):
                old_file.unlink()
        for file in sorted(Path(name).iterdir()):
            os.replace(file, target / file.name)


def _comparison_batches(run: Run) -> list[Batch]:
    """A few validation questions of the run with their replies, one a batch; without its data, a generated circuit.

    The sources of the run are removed, because its model does not need them.
    """
    try:
        examples = list(TaskDataset(run.sources, run.tasks, "validation", limit=QUESTIONS))
        remove_data(run)
        if batches := _loss_batches(run, examples, run.tasks):
            return batches
    except (ValueError, OSError) as error:
        log.info("the validation questions of the run cannot be read: %s", error)
        remove_data(run)
    log.info("the models are compared on a generated circuit")
    item = generate.item(0, 0, components=(3, 5))
    with TemporaryDirectory() as folder:
        path = Path(folder, "circuit.png")
        path.write_bytes(draw.image(item.circuit, item.placement, style="american"))
        facts = {"netlist": netlist.format(item.circuit)}
        example = Example(id="generated", task="netlist", images=(Picture(path),), facts=facts)
        return _loss_batches(run, [example], {"netlist": netlist_task(run)})


def _loss_batches(run: Run, examples: Sequence[Example], tasks: Mapping[str, Task]) -> list[Batch]:
    collator = Collator(tasks, run.data.codec, run.data.collate)
    return [collator.loss_batch([example]) for example in examples]
