"""Check what a model reads and what it is trained to reply, in encoded samples.

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
from circuitvlm.model.base.chat_template import ChatTemplateError, plain_tokens, render
from circuitvlm.model.base.codec import TEMPLATE_DATE

LABELS, TEMPLATE, IMAGES = "labels", "template", "image tokens"


class Level(StrEnum):
    """The severity of a finding: a fault makes the training wrong or impossible, a warning may be intended."""

    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, with a sentence."""

    check: str
    level: Level
    message: str


@runtime_checkable
class TokenizerCodec(Protocol):
    """A codec with its tokenizer and the token that ends a reply, as all our families have."""

    tokenizer: Any
    end: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A training sample as a dialogue, with tokens as it is trained on, and as its prompt alone."""

    dialogue: Dialogue
    tokens: Encoded
    prompt_tokens: Encoded


@dataclass(frozen=True, slots=True)
class SampleText:
    """A sample as text: the tokens outside of the loss, and those in the loss (`target`)."""

    id: str
    task: str
    prompt: str
    target: str
    tokens: int
    target_tokens: int


def sample_text(sample: Encoded, codec: TokenizerCodec) -> SampleText:
    """Decode a sample with every control token; the tokens of an image are a count."""
    target_T = sample.labels_T != IGNORE
    return SampleText(
        id=sample.id,
        task=sample.task,
        prompt=_text(sample, ~target_T, codec),
        target=_text(sample, target_T, codec),
        tokens=len(sample),
        target_tokens=int(target_T.sum()),
    )


def _text(sample: Encoded, mask_T: Tensor, codec: TokenizerCodec) -> str:
    tokens, images = sample.tokens_T[mask_T].tolist(), sample.image_T[mask_T].tolist()
    parts = []
    for image, pairs in groupby(zip(images, tokens, strict=True), key=lambda pair: pair[0]):
        ids = [token for _, token in pairs]
        parts.append(f"[image: {len(ids)} token{'s' * (len(ids) > 1)}]" if image >= 0 else _decode(ids, codec))
    return "".join(parts)


def _decode(tokens: Sequence[int], codec: TokenizerCodec) -> str:
    return str(codec.tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False))


# -------------------------------------------------------------------------------------------------------------- labels


def check_labels(sample: Sample, codec: Any) -> Iterator[Finding]:
    """Check that the loss holds the reply and the token that ends it, and nothing else.

    The reply starts where the tokens of the dialogue without its reply end.
    """
    reply_sample, prompt = sample.tokens, sample.prompt_tokens
    is_text_T = reply_sample.modality_T != IMAGE
    tokens_T, labels_T = reply_sample.tokens_T[is_text_T], reply_sample.labels_T[is_text_T]
    prompt_T = prompt.tokens_T[prompt.modality_T != IMAGE]
    cut = len(prompt_T)

    def fault(message: str) -> Finding:
        return Finding(LABELS, Level.FAULT, f"{reply_sample.id}: {message}")

    if len(tokens_T) <= cut or not torch.equal(tokens_T[:cut], prompt_T):
        yield fault("the dialogue with its reply has another prompt than without it, or no reply after the prompt")
        return
    if image_labels := int((reply_sample.labels_T[~is_text_T] != IGNORE).sum()):
        yield fault(f"{image_labels} image tokens are in the loss")
    if (prompt_labels_T := labels_T[:cut] != IGNORE).any():
        text = _decode_subset(tokens_T[:cut], prompt_labels_T, codec)
        yield fault(f"the prompt is in the loss: {int(prompt_labels_T.sum())} of its tokens, {text}")
    if (unlabelled_T := labels_T[cut:] == IGNORE).any():
        yield fault(f"a part of the reply is not in the loss: {_decode_subset(tokens_T[cut:], unlabelled_T, codec)}")
    target_T = labels_T != IGNORE
    if not torch.equal(labels_T[target_T], tokens_T[target_T]):
        yield fault("some labels differ from the tokens at their positions")
    if isinstance(codec, TokenizerCodec) and int(tokens_T[-1]) != codec.end:
        yield fault(f"the reply does not end with the end token {_decode([codec.end], codec)!r}")
    text = codec.decode(tokens_T[cut:].tolist())
    if text != sample.dialogue.reply:
        message = f"{reply_sample.id}: the reply {_shorten(sample.dialogue.reply)} decodes as {_shorten(text)}"
        yield Finding(LABELS, Level.WARNING, message)


def _decode_subset(tokens_T: Tensor, mask_T: Tensor, codec: Any) -> str:
    ids = tokens_T[mask_T].tolist()
    return _shorten(_decode(ids, codec) if isinstance(codec, TokenizerCodec) else codec.decode(ids))


def _shorten(text: str, *, length: int = 60) -> str:
    return repr(text if len(text) <= length else f"{text[:length]}..")


def check_collate(samples: Sequence[Encoded], batch: Batch) -> Iterator[Finding]:
    """Check that each sample has the same labels in a batch as alone."""
    for segment, sample in enumerate(samples):
        labels = batch.labels_BT[(batch.segment_BT == segment) & (batch.labels_BT != IGNORE)]
        if not torch.equal(labels, sample.labels_T[sample.labels_T != IGNORE]):
            yield Finding(LABELS, Level.FAULT, f"{sample.id}: its labels in a batch differ from those alone (collate)")


# ------------------------------------------------------------------------------------------------------------ template


def check_template(samples: Sequence[Sample], codec: Any, folder: Path | None) -> Finding:
    """Compare the prompts, token by token, with those of the stock processor in the weights' folder.

    Each image counts as one token: its number of tokens is another check. A family whose template has no images is
    compared without them. Texts with control tokens, which our codecs break up on purpose, are left out.
    """
    if not isinstance(codec, TokenizerCodec) or folder is None:
        return Finding(TEMPLATE, Level.NOTE, "not compared: this family shows no tokenizer or no folder")
    if codec.tokenizer.chat_template is None:
        return Finding(TEMPLATE, Level.NOTE, "not compared: the prompts are plain text, without a chat template")
    stock = _stock_processor(folder)
    if stock.chat_template is None:
        return Finding(TEMPLATE, Level.NOTE, f"not compared: {folder} has no chat template of its own")
    comparable = [sample for sample in samples if not _has_control_tokens(sample.dialogue, codec)]
    for sample in comparable:
        try:
            tokens, stock_tokens = _prompt_tokens(sample, codec, stock)
        except ChatTemplateError as error:
            message = (
                f"{sample.dialogue.id}: expected a chat template in {folder} that accepts the dialogue, got {error}"
            )
            return Finding(TEMPLATE, Level.FAULT, message)
        if tokens != stock_tokens:
            difference = _describe_difference(tokens, stock_tokens, codec)
            return Finding(TEMPLATE, Level.FAULT, f"{sample.dialogue.id}: {difference}")
    skip_count = len(samples) - len(comparable)
    note = f"; {skip_count} with control tokens in their text were left out" if skip_count else ""
    kind = type(stock).__name__ if hasattr(stock, "image_processor") else "tokenizer"
    level = Level.GOOD if comparable else Level.NOTE
    return Finding(TEMPLATE, level, f"{len(comparable)} prompts are those of the stock {kind} in {folder}{note}")


def _stock_processor(folder: Path) -> Any:
    """The processor that transformers itself makes of a folder, or where that needs torchvision, the tokenizer."""
    try:
        return AutoProcessor.from_pretrained(folder, local_files_only=True)
    except ImportError:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _prompt_tokens(sample: Sample, codec: Any, stock: Any) -> tuple[list[int], list[int]]:
    """The prompt's tokens by our codec and by the stock processor, each image as one token."""
    turns = sample.dialogue.prompt
    tokenizer = getattr(stock, "tokenizer", stock)
    knows_images = hasattr(codec, "image_token")
    if knows_images:
        prompt = sample.prompt_tokens
        contents: list[Any] = [
            [*({"type": "image"} for _ in turn.images), {"type": "text", "text": turn.text}] for turn in turns
        ]
    else:
        text_turns = tuple(replace(turn, images=()) for turn in turns)
        prompt = codec.encode(replace(sample.dialogue, prompt=text_turns), reply=False)
        contents = [turn.text for turn in turns]
    messages = [{"role": turn.role, "content": content} for turn, content in zip(turns, contents, strict=True)]
    date = {} if knows_images else {"date_string": TEMPLATE_DATE}  # a processor has another use for it
    # The stock template has no bound, and may be another than the codec's; this raises where it goes beyond ours.
    render(
        stock.chat_template,
        messages,
        add_generation_prompt=True,
        **plain_tokens(tokenizer.special_tokens_map),
        **date,
    )
    text = str(stock.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **date))
    has_bos = bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)
    stock_tokens: list[int] = tokenizer(text, add_special_tokens=knows_images and not has_bos)["input_ids"]
    fold = getattr(codec, "fold_images", _fold_images)  # a family's own where an image has text tokens too
    return fold(prompt), stock_tokens


def _fold_images(sample: Encoded) -> list[int]:
    """The tokens, with each image as its first token."""
    previous_T = torch.cat([torch.full((1,), -1), sample.image_T[:-1]])
    tokens: list[int] = sample.tokens_T[(sample.image_T < 0) | (sample.image_T != previous_T)].tolist()
    return tokens


def _has_control_tokens(dialogue: Dialogue, codec: TokenizerCodec) -> bool:
    tokens = {token.content for token in codec.tokenizer.added_tokens_decoder.values()}
    texts = {text for text in tokens if len(text.strip()) > 1} | {"<|"}
    return any(text in turn.text for turn in dialogue.prompt for text in texts)


def _describe_difference(tokens: Sequence[int], stock_tokens: Sequence[int], codec: TokenizerCodec) -> str:
    index = next(k for k, (a, b) in enumerate(zip_longest(tokens, stock_tokens)) if a != b)
    text, stock_text = (_decode(side[index : index + 8], codec) or "its end" for side in (tokens, stock_tokens))
    context = _decode(tokens[max(0, index - 8) : index], codec)
    return f"token {index} of the prompt differs: after {context!r} is {text!r}, in the stock template {stock_text!r}"
