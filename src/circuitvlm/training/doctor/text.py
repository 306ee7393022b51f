"""What does a model read, and what is it taught to say? The words of encoded samples, held against what they should be.

Shape suffixes: T tokens of a sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from transformers import AutoProcessor, AutoTokenizer

from circuitvlm.core.record import Dialogue
from circuitvlm.core.tensor import IGNORE, IMAGE, Batch, Encoded
from circuitvlm.model.base.codec import DAY

LABELS, TEMPLATE, IMAGES = "labels", "template", "image tokens"


class Level(StrEnum):
    """How bad it is: a fault ends in a wrong training or none, a warning may be meant so."""

    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, in a sentence."""

    about: str
    level: Level
    said: str


@runtime_checkable
class Spelled(Protocol):
    """A codec that shows its tokenizer and the token that ends a reply, as those of all our families do."""

    tokenizer: Any
    end: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A training sample in all its forms: asked, as it is trained on, and as its prompt alone."""

    dialogue: Dialogue
    told: Encoded
    bare: Encoded


@dataclass(frozen=True, slots=True)
class Shown:
    """A sample as a person reads it; `taught` are the tokens in the loss, whatever the reply should be."""

    id: str
    task: str
    prompt: str
    taught: str
    tokens: int
    taught_tokens: int


def shown(sample: Encoded, codec: Spelled) -> Shown:
    """Both sides of a sample, decoded with every control token; the tokens of an image are a count."""
    taught_T = sample.labels_T != IGNORE
    return Shown(
        id=sample.id,
        task=sample.task,
        prompt=_spelled(sample, ~taught_T, codec),
        taught=_spelled(sample, taught_T, codec),
        tokens=len(sample),
        taught_tokens=int(taught_T.sum()),
    )


def _spelled(sample: Encoded, chosen_T: Tensor, codec: Spelled) -> str:
    tokens, images = sample.tokens_T[chosen_T].tolist(), sample.image_T[chosen_T].tolist()
    parts = []
    for image, run in groupby(zip(images, tokens, strict=True), key=lambda pair: pair[0]):
        ids = [token for _, token in run]
        parts.append(f"[image: {len(ids)} token{'s' * (len(ids) > 1)}]" if image >= 0 else _decoded(ids, codec))
    return "".join(parts)


def _decoded(tokens: Sequence[int], codec: Spelled) -> str:
    return str(codec.tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False))


# -------------------------------------------------------------------------------------------------------------- labels


def labels(sample: Sample, codec: Any) -> Iterator[Finding]:
    """The loss is to hold the reply and the token that ends it: all of that, and nothing else.

    The prompt is told from the reply by encoding the dialogue a second time without its reply.
    """
    told, name = sample.told, sample.told.id
    words_T, taught_T = told.tokens_T[told.modality_T != IMAGE], told.labels_T[told.modality_T != IMAGE]
    prompt_T = sample.bare.tokens_T[sample.bare.modality_T != IMAGE]
    cut = len(prompt_T)

    def fault(said: str) -> Finding:
        return Finding(LABELS, Level.FAULT, f"{name}: {said}")

    if len(words_T) <= cut or not torch.equal(words_T[:cut], prompt_T):
        yield fault("with its reply the dialogue has another prompt than without, or no reply behind it")
        return
    if stray := int((told.labels_T[told.modality_T == IMAGE] != IGNORE).sum()):
        yield fault(f"{stray} image tokens are in the loss")
    if (early_T := taught_T[:cut] != IGNORE).any():
        yield fault(
            f"the prompt is in the loss: {int(early_T.sum())} of its tokens, {_some(words_T[:cut], early_T, codec)}"
        )
    if (left_T := taught_T[cut:] == IGNORE).any():
        yield fault(f"of its reply is not in the loss: {_some(words_T[cut:], left_T, codec)}")
    said_T = taught_T != IGNORE
    if not torch.equal(taught_T[said_T], words_T[said_T]):
        yield fault("some labels are other tokens than those that stand there")
    if isinstance(codec, Spelled) and int(words_T[-1]) != codec.end:
        yield fault(f"its reply does not end with the end token {_decoded([codec.end], codec)!r}")
    back = codec.decode(words_T[cut:].tolist())
    if back != sample.dialogue.reply:
        yield Finding(
            LABELS, Level.WARNING, f"{name}: its reply {_short(sample.dialogue.reply)} reads back as {_short(back)}"
        )


def _some(tokens_T: Tensor, where_T: Tensor, codec: Any) -> str:
    ids = tokens_T[where_T].tolist()
    return _short(_decoded(ids, codec) if isinstance(codec, Spelled) else codec.decode(ids))


def _short(text: str, *, most: int = 60) -> str:
    return repr(text if len(text) <= most else f"{text[:most]}..")


def collated(samples: Sequence[Encoded], batch: Batch) -> Iterator[Finding]:
    """A batch is to teach of each sample what the sample teaches alone."""
    for segment, sample in enumerate(samples):
        kept = batch.labels_BT[(batch.segment_BT == segment) & (batch.labels_BT != IGNORE)]
        if not torch.equal(kept, sample.labels_T[sample.labels_T != IGNORE]):
            yield Finding(LABELS, Level.FAULT, f"{sample.id}: in a batch it has other labels than alone (collate)")


# ------------------------------------------------------------------------------------------------------------ template


def template(samples: Sequence[Sample], codec: Any, folder: Path | None) -> Finding:
    """Are the prompts those of the stock processor in the weights' folder, token by token?

    Each image counts as one place: how many tokens it has is another check. A family whose template knows no images is
    asked without them. Texts with control tokens in them, which our codecs break up on purpose, are left out.
    """
    if not isinstance(codec, Spelled) or folder is None:
        return Finding(TEMPLATE, Level.NOTE, "not compared: this family shows no tokenizer or no folder")
    if codec.tokenizer.chat_template is None:
        return Finding(TEMPLATE, Level.NOTE, "not compared: the prompts are plain text, by no chat template")
    stock = _stock(folder)
    if stock.chat_template is None:
        return Finding(TEMPLATE, Level.NOTE, f"not compared: {folder} has no chat template of its own")
    fit = [sample for sample in samples if not _forged(sample.dialogue, codec)]
    for sample in fit:
        ours, theirs = _prompts(sample, codec, stock)
        if ours != theirs:
            return Finding(TEMPLATE, Level.FAULT, f"{sample.dialogue.id}: {_differing(ours, theirs, codec)}")
    left = len(samples) - len(fit)
    beside = f"; {left} with control tokens in their text were left out" if left else ""
    kind = type(stock).__name__ if hasattr(stock, "image_processor") else "tokenizer"
    level = Level.GOOD if fit else Level.NOTE
    return Finding(TEMPLATE, level, f"{len(fit)} prompts are those of the stock {kind} in {folder}{beside}")


def _stock(folder: Path) -> Any:
    """The processor that transformers itself makes of a folder, or where that needs torchvision, the tokenizer."""
    try:
        return AutoProcessor.from_pretrained(folder, local_files_only=True)
    except ImportError:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _prompts(sample: Sample, codec: Any, stock: Any) -> tuple[list[int], list[int]]:
    """The prompt's tokens by our codec and by the stock processor, each image as one token."""
    turns = sample.dialogue.prompt
    tokenizer = getattr(stock, "tokenizer", stock)
    knows_images = hasattr(codec, "image_token")
    if knows_images:
        encoded = sample.bare
        content: list[Any] = [
            [*({"type": "image"} for _ in turn.images), {"type": "text", "text": turn.text}] for turn in turns
        ]
    else:
        encoded = codec.encode(
            replace(sample.dialogue, prompt=tuple(replace(t, images=()) for t in turns)), reply=False
        )
        content = [turn.text for turn in turns]
    messages = [{"role": turn.role, "content": said} for turn, said in zip(turns, content, strict=True)]
    dated = {} if knows_images else {"date_string": DAY}  # a processor would take it for a word about images
    text = str(stock.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **dated))
    begins = bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)
    theirs: list[int] = tokenizer(text, add_special_tokens=knows_images and not begins)["input_ids"]
    fold = getattr(codec, "folded", _folded)  # a family of its own where an image has words too
    return fold(encoded), theirs


def _folded(sample: Encoded) -> list[int]:
    """The tokens, each image as its first one."""
    before_T = torch.cat([torch.full((1,), -1), sample.image_T[:-1]])
    kept_T = (sample.image_T < 0) | (sample.image_T != before_T)
    kept: list[int] = sample.tokens_T[kept_T].tolist()
    return kept


def _forged(dialogue: Dialogue, codec: Spelled) -> bool:
    control = {token.content for token in codec.tokenizer.added_tokens_decoder.values()}
    control = {word for word in control if len(word.strip()) > 1} | {"<|"}
    return any(word in turn.text for turn in dialogue.prompt for word in control)


def _differing(ours: Sequence[int], theirs: Sequence[int], codec: Spelled) -> str:
    place = next(k for k, (a, b) in enumerate(zip_longest(ours, theirs)) if a != b)
    here, there = (_decoded(side[place : place + 8], codec) or "its end" for side in (ours, theirs))
    before = _decoded(ours[max(0, place - 8) : place], codec)
    return f"token {place} of the prompt differs: behind {before!r} is {here!r}, by the stock template {there!r}"
