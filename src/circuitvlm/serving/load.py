"""Load a model to ask: a run's folder, an adapter's, a checkpoint's, or a name on the Hugging Face hub."""

from __future__ import annotations

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
from circuitvlm.model.base.checkpoint_folder import locate, model_type
from circuitvlm.runtime.folders.run_folder import CONFIG_FILE
from circuitvlm.runtime.folders.saved_file import read_json
from circuitvlm.serving import family as families
from circuitvlm.serving.predictor import Predictor, best_device
from circuitvlm.serving.user_example import NETLIST_PLACEHOLDER
from circuitvlm.task.digit import Digit
from circuitvlm.task.extract import Extract
from circuitvlm.task.netlist import Netlist
from circuitvlm.training.assemble import Run, trained_run
from circuitvlm.training.network import Net

T = TypeVar("T")

SETTINGS_FILE = "circuitvlm.json"
"""In an exported folder: the task that the model was trained for, its prompt, and its bounds."""

MAX_NEW_TOKENS = 256
"""The bound of a model without a settings file."""

RESIZES = ("own", "pad", "square")
"""The values of `resize` in a settings file: how an image is brought to the size of the vision tower."""

NF4: dict[str, Any] = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
"""As conf/quantization/nf4.yaml, but for the dtype of the computation."""


class ModelError(ValueError):
    """A model or an adapter that is missing or cannot be used; the message says what to do."""


class PlaceholderSource:
    """The source of a run that is asked by a user and needs no data set: one example, which is not read."""

    def splits(self) -> tuple[str, ...]:
        return ("validation",)

    def examples(self, split: str) -> Sequence[Example]:
        return (Example(id="placeholder", facts={"netlist": NETLIST_PLACEHOLDER}),)


def load(
    model: str, *, adapter: str | None = None, max_new_tokens: int | None = None, four_bit: bool = False
) -> Predictor:
    """Load a model with its weights.

    `model` is a run's folder, an adapter's, a checkpoint's, or a name on the hub. `adapter` is a run's folder, or that
    of an adapter of ours or of any LoRA that PEFT wrote. It is attached to `model`, or if that is "" to the base that
    the adapter names. Raises ModelError where one is missing, other ValueErrors where a model cannot be built.
    """
    if adapter is None and (is_run(Path(model)) or (Path(model) / "adapter_config.json").is_file()):
        model, adapter = "", model
    if adapter is None:
        return _load_checkpoint(model, adapter=None, max_new_tokens=max_new_tokens, four_bit=four_bit)
    folder = Path(adapter)
    if is_run(folder):
        return _load_run(folder, model=model, max_new_tokens=max_new_tokens, four_bit=four_bit)
    base = model or str(_read_lora_config(folder).base_model_name_or_path or "")
    if not base:
        raise ModelError(f"{adapter}: expected an adapter_config.json that names a base model, got none; give --model")
    return _load_checkpoint(base, adapter=folder, max_new_tokens=max_new_tokens, four_bit=four_bit)


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run of ours, or of a run's adapter."""
    return any((inner / CONFIG_FILE).is_file() for inner in (folder, folder / "adapter"))


def netlist_task(run: Run) -> Netlist:
    """The netlist task of the run, or the default one if the run was trained for other tasks."""
    run_tasks = (task for task in run.tasks.values() if isinstance(task, Netlist))
    return next(run_tasks, Netlist(prompt=families.PROMPTS["netlist"], metrics={}))


def remove_data(run: Run) -> None:
    """Replace the sources of a run, so that its model can be built without its data sets."""
    run.sources = {"placeholder": PlaceholderSource()}


def export_settings(run: Run) -> dict[str, Any]:
    """The content of the settings file of an exported run: how the model is asked."""
    tasks = (task for kind in (Netlist, Extract, Digit) for task in run.tasks.values() if isinstance(task, kind))
    task = next(tasks, netlist_task(run))
    optional_settings = {key: getattr(run.model, key, None) for key in ("resize", "reply_tokens")}
    return {
        "task": families.default_name(task),
        "prompt": task.prompt,
        "max_new_tokens": run.cfg["max_new_tokens"],
        "max_tokens": run.cfg["model"]["max_tokens"],
        **{key: value for key, value in optional_settings.items() if value is not None},
    }


def _with_advice(function: Callable[[], T], *, weights: str) -> T:
    """The result of the function; the error of a missing checkpoint says which option to give."""
    try:
        return function()
    except FileNotFoundError as error:
        first_line = str(error).partition("\n")[0]
        if not first_line.startswith("model.weights: "):  # a folder that no option of the command names
            raise ModelError(
                f"{error}\nThe run's adapter/config.yaml names this folder. You may change it there."
            ) from error
        name = weights if "Hugging Face cache" in first_line else "OWNER/NAME"
        raise ModelError(
            f"{first_line.removeprefix('model.weights: ')}\nGive the folder of a checkpoint: --model FOLDER. With a "
            f"network connection, `hf download {name} --local-dir FOLDER` downloads one."
        ) from error


def _load_run(folder: Path, *, model: str, max_new_tokens: int | None, four_bit: bool) -> Predictor:
    """A run of ours, built from its config."""
    changes: dict[str, Any] = {"model": {"weights": model}} if model else {}
    if max_new_tokens is not None:
        changes["max_new_tokens"] = max_new_tokens
    if four_bit:
        changes["quantization"] = {
            "_target_": "transformers.BitsAndBytesConfig",
            "load_in_8bit": False,
            **NF4,
            "bnb_4bit_compute_dtype": str(_compute_dtype()).removeprefix("torch."),
        }
    run = trained_run(folder, changes=changes)
    remove_data(run)
    _with_advice(run.model.codec, weights=str(run.cfg["model"].get("weights")))
    run.module.configure_model()
    circuit_task, names = netlist_task(run), list(run.tasks)
    default_names = (name for name, task in run.tasks.items() if task is circuit_task)
    return Predictor(
        run.module.built_net,
        codec=run.data.codec,
        collate=run.data.collate,
        tasks=run.tasks,
        default_task=next(default_names, names[0] if len(names) == 1 else None),
        netlist_task=circuit_task,
        precision=run.cfg["precision"],
        max_new_tokens=run.cfg["max_new_tokens"],
    )


def _load_checkpoint(weights: str, *, adapter: Path | None, max_new_tokens: int | None, four_bit: bool) -> Predictor:
    """A checkpoint in Hugging Face format, asked as its settings file states, with an adapter that PEFT wrote."""
    folder = _with_advice(lambda: locate(weights), weights=weights)
    family = _read_family(folder, weights=weights)
    settings = _read_settings(folder, family=family)
    bounds = {key: settings[key] for key in ("max_tokens", "reply_tokens", "resize")}
    model = families.specification(family, str(folder), **bounds)
    tasks = families.default_tasks({**families.PROMPTS, settings["task"]: settings["prompt"]})
    circuit_task = tasks["netlist"]
    assert isinstance(circuit_task, Netlist), "the task of this name is one"
    quantization = BitsAndBytesConfig(**NF4, bnb_4bit_compute_dtype=_compute_dtype()) if four_bit else None
    net = model.build(dtype=_compute_dtype(), quantization=quantization)
    return Predictor(
        Net(model, net if adapter is None else _attach_lora(net, adapter)),
        codec=model.codec(),
        collate=Padded(),
        tasks=tasks,
        default_task=settings["task"],
        netlist_task=circuit_task,
        precision="32-true",
        max_new_tokens=max_new_tokens or settings["max_new_tokens"],
    )


def _read_family(folder: Path, *, weights: str) -> str:
    """The `model_type` of a checkpoint. Raises ModelError for a family that cannot be asked without a run."""
    family = model_type(folder)
    if family not in families.MAX_TOKENS:
        raise ModelError(
            f"{weights}: expected a model_type of {', '.join(families.MAX_TOKENS)}, got {family!r}. For an LLM with a "
            "vision encoder of ours, give the folder of its run"
        )
    return str(family)


def _read_settings(folder: Path, *, family: str) -> dict[str, Any]:
    """The settings of an exported folder, with the defaults of its family for what it does not state."""
    path = folder / SETTINGS_FILE
    stated_settings = read_json(path, dict) if path.is_file() else {}
    defaults: dict[str, Any] = {
        "task": "netlist",
        "max_new_tokens": MAX_NEW_TOKENS,
        "max_tokens": families.MAX_TOKENS[family],
        "reply_tokens": families.REPLY_TOKENS,
        "resize": families.RESIZE[family],
    }
    settings = {**defaults, **stated_settings} if isinstance(stated_settings, dict) else {}
    settings.setdefault("prompt", families.PROMPTS.get(str(settings.get("task")), ""))
    types = {key: type(value) for key, value in defaults.items()} | {"prompt": str}
    if (
        {key: type(value) for key, value in settings.items()} != types
        or not all(settings.values())
        or settings["task"] not in families.PROMPTS
        or settings["resize"] not in RESIZES
    ):
        raise ModelError(
            f"{path}: expected a JSON object with {', '.join(types)}, task of {', '.join(families.PROMPTS)}, and "
            f"resize of {', '.join(RESIZES)}, got {str(stated_settings)[:200]}"
        )
    return settings


def _read_lora_config(folder: Path) -> LoraConfig:
    """The configuration of an adapter that PEFT wrote. Raises ModelError where it is missing or not LoRA's."""
    if not (folder / "adapter_config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"{folder}: expected a run's folder ({CONFIG_FILE}), or adapter_config.json and *.safetensors, got neither"
        )
    config = PeftConfig.from_pretrained(str(folder))
    if not isinstance(config, LoraConfig):
        raise ModelError(f"{folder}: expected a LoRA adapter, got {config.peft_type}")
    return config


def _attach_lora(net: nn.Module, folder: Path) -> nn.Module:
    """The net with the LoRA of a folder. A missing or additional tensor is an error, which PEFT would ignore."""
    config: Any = _read_lora_config(folder)
    config.inference_mode = True
    peft_model: nn.Module = get_peft_model(net, config)
    Lora(rank=config.r, alpha=config.lora_alpha, targets={}, rslora=config.use_rslora).load(peft_model, folder)
    return peft_model


def _compute_dtype() -> torch.dtype:
    return torch.float32 if best_device().type == "cpu" else torch.bfloat16
