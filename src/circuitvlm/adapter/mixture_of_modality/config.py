"""What does the folder of a mixture-of-modality adapter state beside its weights?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from peft import PeftConfig

KIND = "MIXTURE_OF_MODALITY"
"""The `peft_type` of such a folder."""


@dataclass(kw_only=True)
class MixtureConfig(PeftConfig):  # type: ignore[misc]  # PEFT is untyped
    """The adapter's adapter_config.json.

    target_modules and seeing_modules are regular expressions on full module names: the norms that are wrapped, and
    those of them that stand in a vision tower, where every token is of an image. class_token: the tower's first token
    of an image is its class token. r, groups, scale and temperature as in `Mixture`.
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
