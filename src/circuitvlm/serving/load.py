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
from circuitvlm.core.contract import Task
from circuitvlm.core.record import Example
from circuitvlm.model.base.loading import locate
from circuitvlm.runtime.folders.run_folder import CONFIG
from circuitvlm.serving import family as families
from circuitvlm.serving.respond import Respondent, best_device
from circuitvlm.serving.unlabelled import ANY
from circuitvlm.task.digit import Digit
from circuitvlm.task.extract import Extract
from circuitvlm.task.netlist import Netlist
from circuitvlm.training.assemble import Run, trained_run
from circuitvlm.training.network import Net

T = TypeVar("T")

NOTE = "circuitvlm.json"
"""In an exported folder: the task that the model was trained for, its prompt, and its bounds."""

MAX_NEW_TOKENS = 256
"""Of a model without a note."""

RESIZES = ("own", "pad", "square")
"""What a note may say of how pictures are brought to the tower's size."""

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
    own = (task for task in run.tasks.values() if isinstance(task, Netlist))
    return next(own, Netlist(prompt=families.PROMPTS["netlist"], metrics={}))


def without_data(run: Run) -> None:
    """Let a run build its model where its data are not."""
    run.sources = {"unasked": Unasked()}


def note_of(run: Run) -> dict[str, Any]:
    """What an exported folder says of the run: how it is asked."""
    known = (task for kind in (Netlist, Extract, Digit) for task in run.tasks.values() if isinstance(task, kind))
    task = next(known, netlist_task(run))
    resize = getattr(run.model, "resize", None)
    return {
        "task": families.name_of(task),
        "prompt": task.prompt,
        "max_new_tokens": run.cfg["max_new_tokens"],
        "max_tokens": run.cfg["model"]["max_tokens"],
        **({} if resize is None else {"resize": resize}),
    }


def advised(work: Callable[[], T], *, weights: str) -> T:
    """What `work` gives; where a checkpoint is missing, the error says what to type at this command."""
    try:
        return work()
    except FileNotFoundError as error:
        first = str(error).partition("\n")[0]
        if not first.startswith("model.weights: "):  # a part that no option names
            raise ModelError(
                f"{error}\nA run's adapter/config.yaml says which it takes; it may be changed there."
            ) from error
        name = weights if "Hugging Face cache" in first else "OWNER/NAME"
        raise ModelError(
            f"{first.removeprefix('model.weights: ')}\nGive the folder of a checkpoint: --model FOLDER. Where there is "
            f"a network, `hf download {name} --local-dir FOLDER` fetches one."
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
    circuit, names = netlist_task(run), list(run.tasks)
    own = (name for name, task in run.tasks.items() if task is circuit)
    return Respondent(
        run.module.net,
        codec=run.data.codec,
        collate=run.data.collate,
        tasks=run.tasks,
        main=next(own, names[0] if len(names) == 1 else None),
        circuit=circuit,
        precision=run.cfg["precision"],
        max_new_tokens=run.cfg["max_new_tokens"],
    )


def _checkpoint(weights: str, *, adapter: Path | None, max_new_tokens: int | None, four_bit: bool) -> Respondent:
    """A checkpoint in Hugging Face format, asked as its note says, with an adapter that plain PEFT has written."""
    folder = advised(lambda: locate(weights), weights=weights)
    family = _family(folder, weights=weights)
    note = _note(folder, family=family)
    spec = families.checkpoint(family, str(folder), max_tokens=note["max_tokens"], resize=note["resize"])
    tasks: dict[str, Task] = families.tasks({**families.PROMPTS, note["task"]: note["prompt"]})
    circuit = tasks["netlist"]
    assert isinstance(circuit, Netlist), "the task of this name is one"
    quantization = BitsAndBytesConfig(**NF4, bnb_4bit_compute_dtype=_computed_in()) if four_bit else None
    dtype = torch.float32 if best_device().type == "cpu" else torch.bfloat16
    net = spec.build(dtype=dtype, quantization=quantization)
    return Respondent(
        Net(spec, net if adapter is None else _with_lora(net, adapter)),
        codec=spec.codec(),
        collate=Padded(),
        tasks=tasks,
        main=note["task"],
        circuit=circuit,
        precision="32-true",
        max_new_tokens=max_new_tokens or note["max_new_tokens"],
    )


def _family(folder: Path, *, weights: str) -> str:
    """The `model_type` of a checkpoint. Raises ModelError for one that cannot be asked by itself."""
    family = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    if family not in families.MAX_TOKENS:
        raise ModelError(
            f"{weights}: a model of the family {family!r}; those of {', '.join(families.MAX_TOKENS)} can be asked by "
            "themselves. An LLM that sees by a part of ours is asked by its run's folder."
        )
    return str(family)


def _note(folder: Path, *, family: str) -> dict[str, Any]:
    """How the model of an exported folder is asked; what is usual, where nothing is said."""
    path = folder / NOTE
    said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    usual: dict[str, Any] = {
        "task": "netlist",
        "max_new_tokens": MAX_NEW_TOKENS,
        "max_tokens": families.MAX_TOKENS[family],
        "resize": families.RESIZE[family],
    }
    note = {**usual, **said} if isinstance(said, dict) else {}
    note.setdefault("prompt", families.PROMPTS.get(str(note.get("task")), ""))
    usual["prompt"] = ""
    odd = [key for key, value in usual.items() if type(note.get(key)) is not type(value) or not note[key]]
    if odd or set(note) != set(usual) or note["task"] not in families.PROMPTS or note["resize"] not in RESIZES:
        raise ModelError(
            f"{path}: wanted a JSON object with {', '.join(usual)}, a task of {', '.join(families.PROMPTS)}, and of "
            f"{', '.join(RESIZES)}; came {str(said)[:200]}"
        )
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
