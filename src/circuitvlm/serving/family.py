"""How is a bare checkpoint asked, which states nothing but its family? As that family's configs have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from circuitvlm.core.contract import Task
from circuitvlm.model.idefics3 import Idefics3
from circuitvlm.model.llava import Llava, LlavaNext
from circuitvlm.model.qwen2_vl import Qwen2VL
from circuitvlm.task.digit import Digit
from circuitvlm.task.extract import FORMS, Extract
from circuitvlm.task.netlist import Netlist

Checkpoint = Qwen2VL | Llava | Idefics3

PROMPTS: Mapping[str, str] = {
    "netlist": "Write the SPICE netlist of this circuit, one device per line.",
    "extract": "Extract the fields of this document as JSON.",
    "extract_tokens": "Extract the fields of this document.",
    "digit": "What digit is this?",
}
"""The tasks that a model can be asked which does not say what it was trained with, as conf/task has them."""

MAX_TOKENS: Mapping[str, int] = {"qwen2_vl": 1024, "llava": 4096, "llava_next": 4096, "idefics3": 8192, "smolvlm": 8192}
"""By `model_type`. A Qwen2-VL's image is shrunk to fit: 1,024 are some 600,000 pixels and a question. A LLaVA's is not:
4,096 are what its LLM can hold. Nor is a SmolVLM's: 8,192 are what the LLM of its small ones can hold."""

RESIZE: Mapping[str, str] = {**dict.fromkeys(MAX_TOKENS, "own"), "llava": "pad"}
"""How a picture is brought to its tower's size, by `model_type`, where a folder does not say otherwise."""


def tasks(prompts: Mapping[str, str] = PROMPTS) -> dict[str, Task]:
    """The tasks of PROMPTS, in these words."""
    make: dict[str, Callable[[str], Task]] = {
        "netlist": lambda prompt: Netlist(prompt=prompt, metrics={}),
        "extract": lambda prompt: Extract(prompt=prompt, form="json", repair=False, metrics={}),
        "extract_tokens": lambda prompt: Extract(prompt=prompt, form="tokens", repair=False, metrics={}),
        "digit": lambda prompt: Digit(prompt=prompt, answer="The digit is {label}.", reading="first", metrics={}),
    }
    return {name: make[name](prompt) for name, prompt in prompts.items()}


def name_of(task: Netlist | Extract | Digit) -> str:
    """Which of PROMPTS a task is."""
    if isinstance(task, Extract):
        return "extract_tokens" if task.form is FORMS["tokens"] else "extract"
    return task.kind


def checkpoint(family: str, weights: str, *, max_tokens: int, resize: Any) -> Checkpoint:
    """The specification of a checkpoint of this `model_type`, one of MAX_TOKENS."""
    usual: dict[str, Any] = {
        "attention": "sdpa",
        "gradient_checkpointing": False,
        "max_tokens": max_tokens,
        "cache": "",
    }
    if family == "qwen2_vl":
        return Qwen2VL(weights=weights, shape=None, min_pixels=None, max_pixels=None, **usual)
    if family in ("idefics3", "smolvlm"):
        return Idefics3(weights=weights, shape=None, split=None, longest_edge=None, **usual)
    kind = LlavaNext if family == "llava_next" else Llava
    return kind(weights=weights, shape=None, resize=resize, **usual)
