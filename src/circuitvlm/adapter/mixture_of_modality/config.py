"""Define the adapter_config.json of a mixture-of-modality adapter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from peft import PeftConfig

KIND = "MIXTURE_OF_MODALITY"
"""The `peft_type` of these folders."""


@dataclass(kw_only=True)
class MixtureConfig(PeftConfig):  # type: ignore[misc]  # PEFT is untyped
    """The adapter's adapter_config.json.

    target_modules and seeing_modules are regular expressions on full module names: the wrapped norms, and
    those of them in a vision tower, where every token belongs to an image. class_token: the first token of an image in
    the tower is its class token. r, groups, scale and temperature as in `Mixture`.
    """

    target_modules: str
    seeing_modules: str
    r: int
    groups: int
    scale: float
    temperature: float
    router: Literal["table", "embedding", "none"]
    class_token: bool
    exclude_modules: str | None = None
    modules_to_save: list[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = KIND
