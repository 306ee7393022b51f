"""Which model is meant? A run's folder, an adapter's, a checkpoint's, or a name on the hub, loaded to be asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from peft import LoraConfig, PeftConfig, get_peft_model
from torch import nn
from transformers import BitsAndBytesConfig

from circuitvlm.adapter.lora import Lora
from circuitvlm.collate.padded import Padded
from circuitvlm.core.record import Example
from circuitvlm.model.qwen2_vl import Qwen2VL
from circuitvlm.runtime.folder import CONFIG
from circuitvlm.serving.respond import ANY, Respondent, best_device
from circuitvlm.task.netlist import Netlist
from circuitvlm.training.assemble import Run, trained_run
from circuitvlm.training.net import Net

T = TypeVar("T")

PROMPT = "Write the SPICE netlist of this circuit, one device per line."
"""Asked of a model that does not say what it was trained with: the prompt of conf/task/netlist.yaml."""

NOTE = "circuitvlm.json"
"""In an exported folder: the prompt that the model was trained with, and its bounds."""

USUAL: dict[str, Any] = {"prompt": PROMPT, "max_new_tokens": 256, "max_tokens": 1024}
"""Of a model without a note. 1,024 tokens are an image of some 600,000 pixels and a question."""

FAMILY = "qwen2_vl"
"""The `model_type` of the checkpoints that can be asked."""

NF4: dict[str, Any] = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
"""As conf/quantization/nf4.yaml, but for what it computes in."""


class ModelError(ValueError):
    """A model or an adapter that is not there or cannot be used; the message says what to do."""


class Unasked:
    """The source of a run that is asked at the shell, which needs no data set: one example, never looked at."""

    def splits(self) -> tuple[str, ...]:
        return ("validation",)

    def examples(self, split: str) -> Sequence[Example]:
        return (Example(id="unasked", facts={"netlist": ANY}),)


def load(
    model: str, *, adapter: str | None = None, max_new_tokens: int | None = None, four_bit: bool = False
) -> Respondent:
    """The model that is meant, with its weights.

    `model` is a run's folder, an adapter's, a checkpoint's, or a name on the hub. `adapter` is a run's folder or an
    adapter's, ours or any LoRA that PEFT has written: on `model`, or on the base that it names where that is "".
    Raises ModelError where there is none, other ValueErrors where one cannot be built.
    """
    if adapter is None and (is_run(Path(model)) or (Path(model) / "adapter_config.json").is_file()):
        model, adapter = "", model
    if adapter is None:
        return _checkpoint(model, adapter=None, max_new_tokens=max_new_tokens, four_bit=four_bit)
    folder = Path(adapter)
    if is_run(folder):
        return _trained(folder, model=model, max_new_tokens=max_new_tokens, four_bit=four_bit)
    base = model or str(_peft(folder).base_model_name_or_path or "")
    if not base:
        raise ModelError(f"{adapter} does not say which model it belongs to; give --model too")
    return _checkpoint(base, adapter=folder, max_new_tokens=max_new_tokens, four_bit=four_bit)


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run of ours, or of a run's adapter."""
    return any((inner / CONFIG).is_file() for inner in (folder, folder / "adapter"))


def netlist_task(run: Run) -> Netlist:
    """The run's own netlist task, or the usual one where it was trained for something else."""
    return next((t for t in run.tasks.values() if isinstance(t, Netlist)), Netlist(prompt=PROMPT, metrics={}))


def without_data(run: Run) -> None:
    """Let a run build its model where its data are not."""
    run.tasks = {"netlist": netlist_task(run)}
    run.sources = {"unasked": Unasked()}


def note_of(run: Run) -> dict[str, Any]:
    """What an exported folder says of the run: how it is asked."""
    return {
        "prompt": netlist_task(run).prompt,
        "max_new_tokens": run.cfg["max_new_tokens"],
        "max_tokens": run.cfg["model"]["max_tokens"],
    }


def advised(work: Callable[[], T], *, weights: str) -> T:
    """What `work` gives; where a checkpoint is missing, the error says what to type at this command."""
    try:
        return work()
    except FileNotFoundError as error:
        first = str(error).partition("\n")[0].removeprefix("model.weights: ")
        name = weights if "Hugging Face cache" in first else "OWNER/NAME"
        raise ModelError(
            f"{first}\nGive the folder of a checkpoint: --model FOLDER. Where there is a network, "
            f"`hf download {name} --local-dir FOLDER` fetches one."
        ) from error


def _trained(folder: Path, *, model: str, max_new_tokens: int | None, four_bit: bool) -> Respondent:
    """A run of ours: its config says all."""
    changes: dict[str, Any] = {"model": {"weights": model}} if model else {}
    if max_new_tokens is not None:
        changes["max_new_tokens"] = max_new_tokens
    if four_bit:
        target = {"_target_": "transformers.BitsAndBytesConfig", "load_in_8bit": False}
        changes["quantization"] = {**target, **NF4, "bnb_4bit_compute_dtype": _computed_in()}
    run = trained_run(folder, changes=changes)
    without_data(run)
    advised(run.model.codec, weights=str(run.cfg["model"].get("weights")))
    run.module.configure_model()
    assert run.module.net is not None, "configure_model() builds the net"
    return Respondent(
        run.module.net,
        codec=run.data.codec,
        collate=run.data.collate,
        task=netlist_task(run),
        precision=run.cfg["precision"],
        max_new_tokens=run.cfg["max_new_tokens"],
    )


def _checkpoint(weights: str, *, adapter: Path | None, max_new_tokens: int | None, four_bit: bool) -> Respondent:
    """A checkpoint in Hugging Face format, asked as its note says, with an adapter that plain PEFT has written."""
    spec = Qwen2VL(
        weights=weights,
        shape=None,
        attention="sdpa",
        gradient_checkpointing=False,
        min_pixels=None,
        max_pixels=None,
        max_tokens=USUAL["max_tokens"],
        cache="",
    )
    folder = advised(lambda: spec.folder, weights=weights)
    family = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    if family != FAMILY:
        raise ModelError(f"{weights}: a model of the family {family!r}; those of {FAMILY!r} can be asked")
    note = _note(folder)
    spec.max_tokens = note["max_tokens"]
    quantization = BitsAndBytesConfig(**NF4, bnb_4bit_compute_dtype=_computed_in()) if four_bit else None
    dtype = torch.float32 if best_device().type == "cpu" else torch.bfloat16
    net = spec.build(dtype=dtype, quantization=quantization)
    return Respondent(
        Net(spec, net if adapter is None else _with_lora(net, adapter)),
        codec=spec.codec(),
        collate=Padded(),
        task=Netlist(prompt=note["prompt"], metrics={}),
        precision="32-true",
        max_new_tokens=max_new_tokens or note["max_new_tokens"],
    )


def _note(folder: Path) -> dict[str, Any]:
    """How the model of an exported folder is asked; what is usual, where nothing is said."""
    path = folder / NOTE
    said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    note = {**USUAL, **said} if isinstance(said, dict) else {}
    odd = [key for key, usual in USUAL.items() if type(note.get(key)) is not type(usual) or not note[key]]
    if odd or set(note) != set(USUAL):
        raise ModelError(f"{path}: wanted a JSON object with {', '.join(USUAL)}; came {str(said)[:200]}")
    return note


def _peft(folder: Path) -> PeftConfig:
    """The configuration of a folder that PEFT has written."""
    if not (folder / "adapter_config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"{folder} is no adapter: wanted a run's folder ({CONFIG}), or adapter_config.json and *.safetensors"
        )
    config = PeftConfig.from_pretrained(str(folder))
    if not isinstance(config, LoraConfig):
        raise ModelError(f"{folder}: an adapter of the kind {config.peft_type}; wanted LoRA")
    return config


def _with_lora(net: nn.Module, folder: Path) -> nn.Module:
    """The net with the LoRA of a folder; a tensor too many or too few is an error, where PEFT would go on."""
    config: Any = _peft(folder)
    config.inference_mode = True
    adapted: nn.Module = get_peft_model(net, config)
    Lora(rank=config.r, alpha=config.lora_alpha, targets={}, rslora=config.use_rslora).load(adapted, folder)
    return adapted


def _computed_in() -> str:
    return "float32" if best_device().type == "cpu" else "bfloat16"
