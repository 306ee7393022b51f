"""Save and load adapters of PEFT as plain PEFT folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch
from peft import PeftModel
from peft.utils import ModulesToSaveWrapper, get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict
from torch import Tensor, nn

from circuitvlm.core.sharded import gather_trained_weights, non_finite_names
from circuitvlm.runtime.progress import rank


def check_weights(
    tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, folder: Path, settings: str
) -> None:
    """Compare names and shapes of a folder's tensors with the expected ones.

    Raises ValueError with the missing, unexpected and misshapen tensors, where `settings` names what decides on them,
    and for tensors with NaN or infinity.
    """
    if names := non_finite_names(tensors):
        raise ValueError(
            f"{folder}: expected finite weights, got NaN or infinity in {len(names)} tensors, such as {names[0]}; use "
            "an older adapter"
        )
    missing, unexpected = sorted(set(expected) - set(tensors)), sorted(set(tensors) - set(expected))
    misshapen = [
        f"{name} {list(tensor.shape)}, expected {list(expected[name].shape)}"
        for name, tensor in tensors.items()
        if name in expected and tensor.shape != expected[name].shape
    ]
    if missing or unexpected or misshapen:
        raise ValueError(
            f"{folder}: expected the weights of this adapter, got {len(missing)} missing {missing[:5]}, "
            f"{len(unexpected)} unexpected {unexpected[:5]}, {len(misshapen)} of another shape {misshapen[:5]}. "
            f"Use the {settings} of its training"
        )


class PeftFolder:
    """Base of adapters that PEFT attaches: their folder is plain PEFT.

    `settings` names the constructor arguments that decide which weights exist, for the error about other ones.
    """

    settings: ClassVar[str]

    def save(self, net: nn.Module, folder: Path) -> None:
        """Save the trained weights. All ranks call it; rank 0 writes."""
        assert isinstance(net, PeftModel), "attach() comes before save()"
        # Copies, since PEFT calls state_dict, after which FSDP2 frees the gathered memory.
        weights = {name: tensor.clone() for name, tensor in gather_trained_weights(net).items()}
        if rank() == 0:
            net.save_pretrained(str(folder), state_dict=weights, save_embedding_layers=False)

    def load(self, net: nn.Module, folder: Path) -> None:
        """Load strictly. Raises ValueError with every missing, unexpected and misshapen tensor."""
        assert isinstance(net, PeftModel), "attach() comes before load()"
        tensors = load_peft_weights(str(folder), device="cpu")
        expected = get_peft_model_state_dict(net, state_dict=dict(net.named_parameters()), save_embedding_layers=False)
        check_weights(tensors, expected, folder=folder, settings=self.settings)
        set_peft_model_state_dict(net, tensors)


def make_modules_to_save_float32(net: nn.Module) -> None:
    """Convert the modules that PEFT trains whole (modules_to_save) to float32, in a net of any dtype.

    Updates of bfloat16 weights would be lost to rounding; PEFT copies the modules in the dtype of the net.
    """
    for wrapper in net.modules():
        if isinstance(wrapper, ModulesToSaveWrapper):
            dtype = next(wrapper.original_module.parameters()).dtype
            for copy in wrapper.modules_to_save.values():
                if dtype != torch.float32:
                    copy.to(torch.promote_types(dtype, torch.float32))
                    _convert_dtypes(copy, dtype)


def _convert_dtypes(module: nn.Module, dtype: torch.dtype) -> None:
    """Convert inputs to the dtype of the module, and its outputs to `dtype`."""
    module_dtype = next(module.parameters()).dtype

    def enter(module: nn.Module, args: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(a.to(module_dtype) if isinstance(a, Tensor) and a.is_floating_point() else a for a in args)

    def leave(module: nn.Module, args: tuple[object, ...], output: Tensor) -> Tensor:
        return output.to(dtype)

    module.register_forward_pre_hook(enter)
    module.register_forward_hook(leave)
