"""What are the trained weights, whole, and how do they go into a PEFT folder and out of it?"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from peft import PeftModel
from peft.utils import ModulesToSaveWrapper, get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict
from torch import Tensor, nn

from circuitvlm.core.sharded import trained
from circuitvlm.runtime.progress import rank


class PeftFolder:
    """What adapters that PEFT attaches share: their folder is plain PEFT.

    `settings` names the arguments that decide which weights there are, for the error of a folder with others.
    """

    settings: ClassVar[str]

    def save(self, net: nn.Module, folder: Path) -> None:
        """All ranks call it, to give their parts; rank 0 writes."""
        assert isinstance(net, PeftModel), "attach() comes before save()"
        # Copies: PEFT asks for a state_dict on the way, at which FSDP2 takes back the memory of what it has gathered.
        weights = {name: tensor.clone() for name, tensor in trained(net).items()}
        if rank() == 0:
            net.save_pretrained(str(folder), state_dict=weights, save_embedding_layers=False)

    def load(self, net: nn.Module, folder: Path) -> None:
        """Strictly: raises ValueError with every tensor that the folder lacks or that the net has no place for."""
        assert isinstance(net, PeftModel), "attach() comes before load()"
        tensors = load_peft_weights(str(folder), device="cpu")
        here = get_peft_model_state_dict(net, state_dict=dict(net.named_parameters()), save_embedding_layers=False)
        lost, odd = sorted(set(here) - set(tensors)), sorted(set(tensors) - set(here))
        cut = [name for name, tensor in tensors.items() if name in here and tensor.shape != here[name].shape]
        if lost or odd or cut:
            raise ValueError(
                f"{folder}: not this adapter; missing {lost[:5]} ({len(lost)}), unexpected {odd[:5]} ({len(odd)}), of "
                f"another shape {cut[:5]} ({len(cut)}). Are {self.settings} those it was trained with?"
            )
        set_peft_model_state_dict(net, tensors)


def train_beside(net: nn.Module) -> None:
    """Let components that are trained whole beside an adapter be float32, in a net of whatever arithmetic.

    The updates of a bfloat16 weight would be lost to rounding; PEFT copies such components as they are.
    """
    for wrapper in net.modules():
        if isinstance(wrapper, ModulesToSaveWrapper):
            dtype = next(wrapper.original_module.parameters()).dtype
            for copy in wrapper.modules_to_save.values():
                if dtype != torch.float32:
                    copy.to(torch.promote_types(dtype, torch.float32))
                    _translate(copy, dtype)


def _translate(module: nn.Module, dtype: torch.dtype) -> None:
    """Take inputs of `dtype` and give outputs of it, whatever the module's own is."""
    own = next(module.parameters()).dtype

    def enter(module: nn.Module, args: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(a.to(own) if isinstance(a, Tensor) and a.is_floating_point() else a for a in args)

    def leave(module: nn.Module, args: tuple[object, ...], made: Tensor) -> Tensor:
        return made.to(dtype)

    module.register_forward_pre_hook(enter)
    module.register_forward_hook(leave)
