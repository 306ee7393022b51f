"""Show the dropout of the adapter over depth: tables in the log, a figure in TensorBoard."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from circuitvlm.core.contract import Model
from circuitvlm.report.drawing import COLOURS, LINES
from circuitvlm.training.module import Module
from circuitvlm.training.parameter_groups import component_of

log = logging.getLogger(__name__)

PER_LINE = 6
"""Entries in a line of the table: a profile that differs at each of 32 blocks fits a few lines."""

STYLES = tuple(zip(COLOURS, ("o", "s", "^", "D"), LINES, strict=False))
"""Colour, marker and line of each stack."""


class DropoutProfile(Callback):
    """Logs the dropout of the net's adapter layers, as they are built, at the start of training on rank 0."""

    infrastructure: ClassVar[bool] = True

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(pl_module, Module):
            return
        dropouts = adapter_dropouts(pl_module.built_net.weights)
        if not any(dropouts.values()):
            log.info("the adapter has no dropout")
            return
        stacks = block_stacks(dropouts, pl_module.model)
        for stack in stacks:
            log.info("%s", table(stack))
        if other_dropouts := dropouts_outside_blocks(dropouts, pl_module.model):
            amounts = ", ".join(f"{p:.3g}" for p in sorted(set(other_dropouts.values())))
            log.info("dropout of the adapter outside of the blocks: %s, in %d modules", amounts, len(other_dropouts))
        for logger in trainer.loggers:
            if stacks and isinstance(logger, TensorBoardLogger):
                logger.experiment.add_figure("dropout/profile", draw_profile(stacks), 0)


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack of blocks by its component's name: (block, p) in order of depth, counted from 1, each pair once.

    A block has several pairs where its modules differ, and none where it has no adapter layer.
    """

    name: str
    pairs: Sequence[tuple[int, float]]

    @property
    def title(self) -> str:
        blocks = len({block for block, _ in self.pairs})
        mean = math.fsum(p for _, p in self.pairs) / len(self.pairs)
        return f"{self.name}: {blocks} block{'s' * (blocks != 1)}, mean {mean:.3g}"


def adapter_dropouts(net: nn.Module) -> dict[str, float]:
    """Full name -> p of every nn.Dropout in a trained adapter layer, without those of the layer that it wraps.

    An adapter layer without dropout has an entry under its own name, with 0, since it belongs to the profile.
    """
    dropouts: dict[str, float] = {}
    for name, layer in net.named_modules():
        if isinstance(layer, BaseTunerLayer) and any(
            p.requires_grad and _is_adapters(inner) for inner, p in layer.named_parameters()
        ):
            of_layer = {
                f"{name}.{inner}": module.p
                for inner, module in layer.named_modules()
                if isinstance(module, nn.Dropout) and _is_adapters(inner)
            }
            dropouts |= of_layer or {name: 0.0}
    return dropouts


def _is_adapters(name: str) -> bool:
    """Whether a name in an adapter layer is of the adapter, and not of the layer that it wraps (PEFT)."""
    return not name.startswith("base_layer.")


def block_stacks(dropouts: Mapping[str, float], model: Model) -> list[Stack]:
    """The stacks of the model's blocks that hold any of these modules, in the model's order."""
    return [
        Stack(name=component_of(path, model), pairs=sorted(pairs))
        for path in model.blocks
        if (pairs := {(_block_number(name, path), p) for name, p in dropouts.items() if _block_number(name, path)})
    ]


def dropouts_outside_blocks(dropouts: Mapping[str, float], model: Model) -> dict[str, float]:
    """The dropouts in none of the model's blocks, which have no depth."""
    return {name: p for name, p in dropouts.items() if not any(_block_number(name, path) for path in model.blocks)}


def _block_number(name: str, path: str) -> int:
    """The number, from 1, of a module's block in the stack `path`; 0 for a module outside of it."""
    plain_name = name.removeprefix("base_model.model.")  # PEFT's wrapper
    number = plain_name.removeprefix(f"{path}.").partition(".")[0]
    return int(number) + 1 if plain_name.startswith(f"{path}.") and number.isdecimal() else 0


def table(stack: Stack) -> str:
    """The probability of each block with three digits; neighbours with the same share an entry."""
    texts: dict[int, dict[str, None]] = {}
    for block, p in stack.pairs:
        texts.setdefault(block, {})[f"{p:.3g}"] = None
    runs: list[tuple[int, int, str]] = []
    for block, values in texts.items():
        text = ", ".join(values)
        if runs and runs[-1][1:] == (block - 1, text):
            runs[-1] = (runs[-1][0], block, text)
        else:
            runs.append((block, block, text))
    cells = [(str(a) if a == b else f"{a}-{b}", text) for a, b, text in runs]
    block_width, text_width = (max(len(cell) for cell in column) for column in zip(*cells, strict=True))
    entries = [f"{blocks:>{block_width}}  {text:<{text_width}}" for blocks, text in cells]
    lines = ["   |  ".join(entries[k : k + PER_LINE]) for k in range(0, len(entries), PER_LINE)]
    return "\n".join([f"dropout of the adapter, {stack.title}", *(f"  {line.rstrip()}" for line in lines)])


def draw_profile(stacks: Sequence[Stack]) -> Figure:
    """A figure of probability over depth, with a line for each stack."""
    figure = Figure(figsize=(7, 4), dpi=100, layout="constrained")
    axes = figure.subplots()
    for k, stack in enumerate(stacks):
        colour, marker, line = STYLES[k % len(STYLES)]
        blocks, values = zip(*stack.pairs, strict=True)
        width = len(stacks) - 1 - k  # wider than the lines that are drawn over it, so that it stays visible
        axes.plot(
            blocks,
            values,
            line,
            color=colour,
            linewidth=1.5 + 2 * width,
            label=stack.title,
            marker=marker,
            markersize=5 + 3 * width,
            markerfacecolor="none",
        )
    axes.set_ylim(0, 1.25 * max(p for stack in stacks for _, p in stack.pairs) or 1)  # space for the legend
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set(xlabel="block, from the input on", ylabel="probability", title="dropout of the adapter over depth")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", frameon=False)
    return figure
