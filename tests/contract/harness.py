"""Provide pictures and dialogues for the contract tests, and the plain ways from them to batches and losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from circuitvlm.core.record import Dialogue, Picture, Turn
from circuitvlm.core.tensor import Batch, Encoded
from tests.contract import parts

SIZES = ((112, 84), (90, 130), (56, 56), (112, 112))
"""Width and height of the pictures: different, so that rows have different lengths and grids; one must be resized."""


class Harness:
    """A folder with pictures, and dialogues about them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.learnt: dict[Path, dict[str, Tensor]] = {}
        """Model folder -> the weights of a net that has learnt these dialogues."""

        self.pictures = [_picture(folder / f"{k}.png", seed=k, size=size) for k, size in enumerate(SIZES)]

    @property
    def dialogues(self) -> list[Dialogue]:
        """One image, none, two in one turn, and two over several turns; long, short and empty replies."""
        one, two, three, four = self.pictures
        again = (
            Turn(role="system", text="Answer briefly."),
            Turn(role="user", text="What is this?", images=(three,)),
            Turn(role="assistant", text="A resistor."),
            Turn(role="user", text="And this?", images=(two,)),
        )
        return [
            self.ask("one", "Netlist?", (one,), reply="R1 1 2 10k\nC1 2 0 1u"),
            self.ask("none", "How much is 2 + 2? Think about it step by step, please.", (), reply="4"),
            self.ask("two", "Which differs?", (four, three), reply="H = R1/(R1 + R2), 3 Ω"),
            Dialogue(id="turns", task="probe", prompt=again, reply="A capacitor of 22 µF, and more of the same."),
            self.ask("empty", "Say nothing.", (two,), reply=""),
        ]

    def ask(self, name: str, text: str, images: tuple[Picture, ...], *, reply: str) -> Dialogue:
        turn = Turn(role="user", text=text, images=images)
        return Dialogue(id=name, task="probe", prompt=(turn,), reply=reply)

    def samples(self, model: Any, *, reply: bool = True) -> list[Encoded]:
        codec = model.codec()
        return [codec.encode(dialogue, reply=reply) for dialogue in self.dialogues]


def _picture(path: Path, *, seed: int, size: tuple[int, int]) -> Picture:
    """A white picture with a few black lines."""
    image = Image.new("RGB", size, "white")
    ink = ImageDraw.Draw(image)
    for k in range(6):
        x, y = (37 * (k + 1) * (seed + 2)) % size[0], (53 * (k + 2) * (seed + 1)) % size[1]
        ink.line((x, y, (x + 40) % size[0], (y + 11 * k) % size[1]), fill="black", width=2)
    image.save(path)
    return Picture(path)


def smoke_test_model(name: str, cache: Path) -> Any:
    """The small untrained form of a model that a YAML describes."""
    return parts.build("model", name, cache=cache).smoke_test_model()


def build_net(model: Any, *, seed: int = 0) -> nn.Module:
    """The model's net in float32, the same for the same seed, not training."""
    torch.manual_seed(seed)
    net: nn.Module = model.build(dtype=torch.float32, quantization=None)
    return net.eval()


# -------------------------------------------------------------------------------------- batches, without a collator


def single_batch(sample: Encoded) -> Batch:
    """A batch of one sample: every way of sharing a row is compared with it."""
    return Batch(
        ids=(sample.id,),
        tasks=(sample.task,),
        tokens_BT=sample.tokens_T[None],
        labels_BT=sample.labels_T[None],
        modality_BT=sample.modality_T[None],
        image_BT=sample.image_T[None],
        segment_BT=torch.zeros_like(sample.tokens_T)[None],
        positions_RBT=sample.positions_RT[:, None],
        mask=torch.ones(1, len(sample), dtype=torch.bool),
        vision=dict(sample.vision),
        choices=(sample.choices,) if sample.choices else (),
    )


def padded_batch(samples: Sequence[Encoded], *, pad: int, side: str) -> Batch:
    """One row for each sample, padded on one side."""
    width = max(map(len, samples))

    def pad_tensor(tensor: Tensor, fill: int) -> Tensor:
        space = (width - tensor.shape[-1], 0) if side == "left" else (0, width - tensor.shape[-1])
        return nn.functional.pad(tensor, space, value=fill)

    rows = [single_batch(sample) for sample in samples]
    keys = dict.fromkeys(key for row in rows for key in row.vision)
    return Batch(
        ids=tuple(sample.id for sample in samples),
        tasks=tuple(sample.task for sample in samples),
        tokens_BT=torch.cat([pad_tensor(row.tokens_BT, pad) for row in rows]),
        labels_BT=torch.cat([pad_tensor(row.labels_BT, -100) for row in rows]),
        modality_BT=torch.cat([pad_tensor(row.modality_BT, 0) for row in rows]),
        image_BT=torch.cat([pad_tensor(row.image_BT, -1) for row in rows]),
        segment_BT=torch.cat([pad_tensor(row.segment_BT + k, -1) for k, row in enumerate(rows)]),
        positions_RBT=torch.cat([pad_tensor(row.positions_RBT, 0) for row in rows], dim=1),
        mask=torch.cat([pad_tensor(row.mask.long(), 0) for row in rows]).bool(),
        vision={key: torch.cat([row.vision[key] for row in rows if key in row.vision]) for key in keys},
        choices=tuple(s.choices for s in samples) if any(s.choices for s in samples) else (),
    )


# ---------------------------------------------------------------------------------------------------------- the losses


def logits(model: Any, net: nn.Module, batch: Batch) -> Tensor:
    result: Tensor = model.answer_logits(net, model.image_features(net, batch), batch)
    return result


def losses(model: Any, net: nn.Module, batch: Batch) -> Tensor:
    """The summed loss of each segment of a batch."""
    loss_N = cross_entropy(logits(model, net, batch).float(), batch.labels_N, reduction="none")
    return loss_N.new_zeros(len(batch)).index_add(0, batch.segment_N, loss_N)


def train(net: nn.Module, loss: Callable[[], Tensor], *, steps: int, lr: float = 2e-3) -> None:
    """AdamW steps on all parameters that require gradients."""
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=lr, weight_decay=0.0)
    net.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    net.eval()


def append_tokens(sample: Encoded, tokens: Sequence[int]) -> Encoded:
    """A prompt with a reply appended token by token, as the generation appends it."""
    reply_T = torch.tensor(tokens)
    positions_T = int(sample.positions_RT.max()) + 1 + torch.arange(len(tokens))
    return replace(
        sample,
        tokens_T=torch.cat([sample.tokens_T, reply_T]),
        labels_T=torch.cat([sample.labels_T, reply_T]),
        modality_T=torch.cat([sample.modality_T, torch.zeros_like(reply_T)]),
        image_T=torch.cat([sample.image_T, torch.full_like(reply_T, -1)]),
        positions_RT=torch.cat([sample.positions_RT, positions_T.expand(len(sample.positions_RT), -1)], dim=1),
    )
