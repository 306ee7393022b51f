"""How much dropout does the adapter get, at which depth? A table in the log, a picture in TensorBoard."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from circuitvlm.core.contract import Model
from circuitvlm.report.figure import COLOURS, LINES
from circuitvlm.training.module import Module
from circuitvlm.training.parameter_groups import component_of

log = logging.getLogger(__name__)

PER_LINE = 6
"""Entries in a line of the table: a profile that differs at each of 32 blocks still is a small one."""

LOOKS = tuple(zip(COLOURS, ("o", "s", "^", "D"), LINES, strict=False))
"""Colour, marker and line of each stack, told apart by everyone."""


class DropoutProfile(Callback):
    """Tells at the start what the net's adapter layers really have, not what the config says; rank 0 alone."""

    infrastructure: ClassVar[bool] = True

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(pl_module, Module):
            return
        assert pl_module.net is not None, "configure_model() comes first"
        found = dropouts(pl_module.net.weights)
        if not any(found.values()):
            log.info("the adapter has no dropout")
            return
        stacks, outside = stacks_of(found, pl_module.model), outside_of(found, pl_module.model)
        for stack in stacks:
            log.info("%s", table(stack))
        if outside:
            amounts = ", ".join(f"{p:.3g}" for p in sorted(set(outside.values())))
            log.info("dropout of the adapter outside of the blocks: %s, in %d modules", amounts, len(outside))
        for logger in trainer.loggers:
            if stacks and isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("dropout/profile", picture(stacks), 0, dataformats="HWC")


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


def dropouts(net: nn.Module) -> dict[str, float]:
    """Full name -> p of every nn.Dropout in a layer of an adapter that is trained; not those of the layers it wraps.

    An adapter layer without one stands there under its own name, with 0: silent layers belong to the profile.
    """
    found: dict[str, float] = {}
    for name, layer in net.named_modules():
        if not isinstance(layer, BaseTunerLayer):
            continue
        if any(p.requires_grad and _is_own(inner) for inner, p in layer.named_parameters()):
            inside = {
                f"{name}.{inner}": module.p
                for inner, module in layer.named_modules()
                if isinstance(module, nn.Dropout) and _is_own(inner)
            }
            found |= inside or {name: 0.0}
    return found


def _is_own(name: str) -> bool:
    """Whether what has this name in an adapter layer is the adapter's, not that of the layer that it wraps (PEFT)."""
    return not name.startswith("base_layer.")


def stacks_of(found: Mapping[str, float], model: Model) -> list[Stack]:
    """The stacks of the model's blocks that hold any of these modules, in the order in which the model names them."""
    stacks = []
    for path in model.blocks:
        pairs = {(_block(name, path), p) for name, p in found.items() if _block(name, path)}
        if pairs:
            stacks.append(Stack(name=component_of(path, model), pairs=sorted(pairs)))
    return stacks


def outside_of(found: Mapping[str, float], model: Model) -> dict[str, float]:
    """Those of these modules that lie in none of the model's blocks: they have no depth."""
    return {name: p for name, p in found.items() if not any(_block(name, path) for path in model.blocks)}


def _block(name: str, path: str) -> int:
    """The number, from 1, of the block of the stack `path` in which a module lies; 0 where it lies in none."""
    plain = name.removeprefix("base_model.model.")  # PEFT's wrapping
    number = plain.removeprefix(f"{path}.").partition(".")[0]
    return int(number) + 1 if plain.startswith(f"{path}.") and number.isdecimal() else 0


def table(stack: Stack) -> str:
    """Which blocks have which probability, three digits of it; neighbours that have the same in one entry."""
    runs: list[tuple[int, int, str]] = []
    for block, p in _by_block(stack.pairs):
        if runs and runs[-1][1:] == (block - 1, p):
            runs[-1] = (runs[-1][0], block, p)
        else:
            runs.append((block, block, p))
    spelled = [(str(a) if a == b else f"{a}-{b}", p) for a, b, p in runs]
    left, right = (max(len(cell) for cell in column) for column in zip(*spelled, strict=True))
    entries = [f"{blocks:>{left}}  {p:<{right}}" for blocks, p in spelled]
    lines = ["   |  ".join(entries[k : k + PER_LINE]) for k in range(0, len(entries), PER_LINE)]
    return "\n".join([f"dropout of the adapter, {stack.title}", *(f"  {line.rstrip()}" for line in lines)])


def _by_block(pairs: Iterable[tuple[int, float]]) -> list[tuple[int, str]]:
    """Block -> its probabilities, spelled."""
    found: dict[int, list[str]] = {}
    for block, p in pairs:
        found.setdefault(block, []).append(f"{p:.3g}")
    return [(block, ", ".join(dict.fromkeys(texts))) for block, texts in found.items()]


def picture(stacks: Sequence[Stack]) -> np.ndarray:
    """One picture (H, W, 3) of uint8: probability over depth, a line for each stack."""
    figure = Figure(figsize=(7, 4), dpi=100, layout="constrained")
    axes = figure.subplots()
    for k, stack in enumerate(stacks):
        colour, marker, line = LOOKS[k % len(LOOKS)]
        blocks, values = zip(*stack.pairs, strict=True)
        over = len(stacks) - 1 - k  # how many are drawn over this one, which is to be seen around them
        axes.plot(
            blocks,
            values,
            line,
            color=colour,
            linewidth=1.5 + 2 * over,
            label=stack.title,
            marker=marker,
            markersize=5 + 3 * over,
            markerfacecolor="none",
        )
    axes.set_ylim(0, 1.25 * max(p for stack in stacks for _, p in stack.pairs) or 1)  # room for the legend
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set(xlabel="block, from the input on", ylabel="probability", title="dropout of the adapter over depth")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", frameon=False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
