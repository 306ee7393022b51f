"""State how a checkpoint is asked that says nothing but its family: prompts, bounds and specification.

The values are those of conf/task and conf/model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from circuitvlm.core.contract import Task
from circuitvlm.model.idefics3 import Idefics3
from circuitvlm.model.llava import Llava, LlavaNext
from circuitvlm.model.qwen2_vl import Qwen2VL
from circuitvlm.task.digit import Digit
from circuitvlm.task.extract import FORMS, Extract
from circuitvlm.task.netlist import Netlist

PROMPTS: Mapping[str, str] = {
    "netlist": "Write the SPICE netlist of this circuit, one device per line.",
    "extract": "Extract the fields of this document as JSON.",
    "extract_tokens": "Extract the fields of this document.",
    "digit": "What digit is this?",
}
"""The tasks of a model that does not say what it was trained for."""

MAX_TOKENS: Mapping[str, int] = {"qwen2_vl": 1024, "llava": 4096, "llava_next": 4096, "idefics3": 8192, "smolvlm": 8192}
"""By `model_type`. A Qwen2-VL's image is scaled down to fit: 1,024 are about 600,000 pixels and a question. The images
of the others are not: 4,096 are the positions of a LLaVA's LLM, and 8,192 those of the LLM of a small SmolVLM."""

REPLY_TOKENS = 256
"""The tokens that a Qwen2-VL keeps for its reply; the image is shrunk to fit the others."""

RESIZE: Mapping[str, str] = {**dict.fromkeys(MAX_TOKENS, "own"), "llava": "pad"}
"""By `model_type`: how an image is brought to the size of the vision tower, where a folder does not state it."""


def default_tasks(prompts: Mapping[str, str] = PROMPTS) -> dict[str, Task]:
    """The tasks of PROMPTS, with these prompts."""
    return {
        "netlist": Netlist(prompt=prompts["netlist"], metrics={}),
        "extract": Extract(prompt=prompts["extract"], form="json", repair=False, metrics={}),
        "extract_tokens": Extract(prompt=prompts["extract_tokens"], form="tokens", repair=False, metrics={}),
        "digit": Digit(prompt=prompts["digit"], answer="The digit is {label}.", reading="first", metrics={}),
    }


def default_name(task: Netlist | Extract | Digit) -> str:
    """The name in PROMPTS of a task."""
    if isinstance(task, Extract):
        return "extract_tokens" if task.form is FORMS["tokens"] else "extract"
    return task.kind


def specification(
    family: str, weights: str, *, max_tokens: int, reply_tokens: int, resize: Any
) -> Qwen2VL | Llava | Idefics3:
    """The specification of a checkpoint of this `model_type`, which is one of MAX_TOKENS."""
    common: dict[str, Any] = {
        "weights": weights,
        "shape": None,
        "attention": "sdpa",
        "gradient_checkpointing": False,
        "max_tokens": max_tokens,
        "cache": "",
    }
    if family == "qwen2_vl":
        return Qwen2VL(min_pixels=None, max_pixels=None, reply_tokens=reply_tokens, **common)
    if family in ("idefics3", "smolvlm"):
        return Idefics3(split=None, longest_edge=None, **common)
    return (LlavaNext if family == "llava_next" else Llava)(resize=resize, **common)
