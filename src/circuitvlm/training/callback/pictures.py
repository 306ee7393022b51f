"""Show validation images with expected and generated replies in TensorBoard."""

from __future__ import annotations

from textwrap import fill
from typing import Any, ClassVar

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure

from circuitvlm.core.record import Example, Reply
from circuitvlm.training.module import Module

_LINE = 40
"""Characters in a line of a question without an image."""


class Pictures(Callback):
    """Shows the first `count` items of each validation: image, expected reply and generated reply.

    The generated reply has a green frame if every metric is at its best, else a red one.
    """

    infrastructure: ClassVar[bool] = True

    def __init__(self, *, count: int) -> None:
        self.count = count
        self.replies: list[Reply] = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if isinstance(outputs, list):
            self.replies += outputs[: self.count - len(self.replies)]

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        replies, self.replies = self.replies, []
        if not replies or not isinstance(pl_module, Module):
            return
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
                logger.experiment.add_figure("validate/replies", draw_replies(pl_module, replies), trainer.global_step)


def draw_replies(module: Module, replies: list[Reply]) -> Figure:
    """A figure with a row for each reply."""
    figure = Figure(figsize=(9, 2.1 * len(replies)), dpi=100, layout="constrained")
    for row, (axes, reply) in enumerate(zip(figure.subplots(len(replies), 3, squeeze=False), replies, strict=True)):
        example = module.validation_examples[reply.id]
        dialogue = module.tasks[reply.task].ask(example)
        texts = [(axes[1], "expected", dialogue.reply), (axes[2], "generated", reply.text[:400])]
        if example.images:
            axes[0].imshow(example.images[0].open())
        else:
            question = fill(dialogue.prompt[-1].text[:400], _LINE, replace_whitespace=False)
            texts.append((axes[0], "question", question))
        for ax, title, text in texts:
            ax.text(
                0.02, 0.96, text, va="top", family="monospace", fontsize=9, transform=ax.transAxes, parse_math=False
            )
            ax.set_title(title if row == 0 else "", fontsize=9)
        for spine in axes[2].spines.values():
            spine.set_color("tab:green" if is_right(module, example, reply) else "tab:red")
            spine.set_linewidth(2)
        for ax in axes:
            ax.set_xticks([])
            ax.set_yticks([])
        axes[0].set_ylabel(reply.id.rsplit("/", 1)[-1], fontsize=8, parse_math=False)
    return figure


def is_right(module: Module, example: Example, reply: Reply) -> bool:
    """True where every metric of the task gives the reply its best score."""
    task = module.tasks[reply.task]
    answer, truth = task.read(reply.text), task.truth(example)
    return all(metric.score(answer, truth).value >= 1.0 for metric in task.metrics.values())
