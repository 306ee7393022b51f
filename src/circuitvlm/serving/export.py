"""How does a trained run leave the house? As a plain Hugging Face folder that knows nothing of adapters."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import Any, Literal

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from circuitvlm.runtime.folder import read_config
from circuitvlm.training.assemble import trained_run

log = logging.getLogger(__name__)

WEIGHTS = ("*.safetensors", "*.safetensors.index.json")


class ExportError(ValueError):
    """A run that cannot be written as one plain model, with the reason."""


def export_run(run: Path, out: Path, *, dtype: Literal["bfloat16", "float32"]) -> None:
    """Write weights (adapters merged), tokenizer, chat template and image processor of a run or an adapter to `out`.

    An older model in `out` is replaced; other files there stay. Raises ExportError where the base is quantized or `out`
    is some other folder.
    """
    _refuse_strangers(out)
    _refuse_quantized(run)
    if not (run / "adapter").is_dir() and not any(run.glob("*.safetensors")):
        raise ExportError(f"{run} holds no trained adapter; has the run ended?")
    trained = trained_run(run, changes={})
    trained.module.configure_model()
    assert trained.module.net is not None, "configure_model() builds the net"
    weights = trained.module.net.weights
    if dtype == "float32":
        weights.float()  # before merging: an update added to bfloat16 weights is rounded to them
    model = _plain(weights).to(getattr(torch, dtype))
    model.config.dtype = dtype
    out.parent.mkdir(parents=True, exist_ok=True)
    writing = out.with_name(f".{out.name}.writing-{os.getpid()}")
    try:
        model.save_pretrained(writing)
        trained.data.codec.save(writing)
        _move(writing, out)
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    log.info("exported %s to %s", run, out)


def _plain(weights: Any) -> PreTrainedModel:
    """The Hugging Face model itself, with the adapter's updates merged into it."""
    merged = weights.merge_and_unload() if isinstance(weights, PeftModel) else weights
    assert isinstance(merged, PreTrainedModel), f"a net is a Hugging Face model, came {type(merged)}"
    return merged


def _refuse_quantized(run: Path) -> None:
    """Told before gigabytes are loaded: merging rounds the updates to the base's few levels, which is another model."""
    cfg = read_config(run)
    if cfg["quantization"] and not (cfg["standin"] or cfg["model"].get("shape")):
        raise ExportError(
            f"{run} was trained on a quantized base, into which its adapter cannot be merged faithfully.\n"
            "Use the adapter's folder with the quantized base, or train with quantization=none and export that run."
        )


def _refuse_strangers(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise ExportError(f"{out} is a file; wanted a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / "config.json").is_file():
        raise ExportError(f"{out} is not empty and holds no model (no config.json in it): left alone")


def _move(writing: Path, out: Path) -> None:
    """The new files in the place of the old; old weights go first, since they may have been cut into other files."""
    out.mkdir(exist_ok=True)
    for pattern in WEIGHTS:
        for old in out.glob(pattern):
            old.unlink()
    for file in sorted(writing.iterdir()):
        os.replace(file, out / file.name)
