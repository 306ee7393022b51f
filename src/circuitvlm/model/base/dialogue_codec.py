"""Encode dialogues for a language model without image tokens of its own, with places for each image's features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer

from circuitvlm.core.record import Dialogue
from circuitvlm.model.base.codec import CheckpointCodec, Prompt


class DialogueCodec(CheckpointCodec):
    """Dialogue <-> tokens, by the LLM's own chat template where it has one and `chat_template` is true; else plainly.

    The plain layout is LaVIN's without its words "Image:" and "Image: N/A": the bos_token, the prompt as it is, the
    reply and the end token. Turns are joined by a newline. `image_tokens` places for each image precede the text of its
    turn. `image_processor` is an image processor of transformers.
    """

    def __init__(
        self,
        *,
        folder: Path,
        image_processor: Any,
        chat_template: bool,
        image_tokens: int,
        max_tokens: int,
    ) -> None:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if not chat_template:
            tokenizer.chat_template = None
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        super().__init__(tokenizer, config, max_tokens=max_tokens)
        self.image_processor = image_processor
        self.image_tokens = image_tokens

    def _message(self, role: str, text: str, *, images: int = 0) -> dict[str, Any]:
        return {"role": role, "content": text}

    def _encode_prompt(self, dialogue: Dialogue) -> Prompt:
        """An image has the same number of tokens whatever its size."""
        tokens: list[int] = []
        image_index: list[int] = []
        for k, text in enumerate(self._split_at_images(dialogue)):
            places = self.image_tokens if k else 0
            text_tokens = self._tokenize(text)
            if not k and self.tokenizer.chat_template is None and self.tokenizer.bos_token_id is not None:
                text_tokens = [self.tokenizer.bos_token_id, *text_tokens]
            tokens += [self.pad] * places + text_tokens
            image_index += [k - 1] * places + [-1] * len(text_tokens)
        pictures = self._open_pictures(dialogue)
        vision = dict(self.image_processor(images=pictures, return_tensors="pt")) if pictures else {}
        return Prompt(tokens, image_index, vision)

    def _split_at_images(self, dialogue: Dialogue) -> list[str]:
        """The prompt's text before the first image, and after each image."""
        texts = [self._break_control_words(turn.text) for turn in dialogue.prompt]
        # longer than any such sequence in a text
        mark = "\ue000" * (1 + sum(text.count("\ue000") for text in texts)) + "\ue001"
        marked_texts = [mark * len(turn.images) + text for turn, text in zip(dialogue.prompt, texts, strict=True)]
        if self.tokenizer.chat_template is None:
            return "\n".join(marked_texts).split(mark)
        messages = [self._message(turn.role, text) for turn, text in zip(dialogue.prompt, marked_texts, strict=True)]
        pieces = self._apply_template(messages, name=dialogue.id).split(mark)
        image_count = sum(len(turn.images) for turn in dialogue.prompt)
        if len(pieces) != image_count + 1:
            raise ValueError(
                f"dialogue {dialogue.id!r}: expected each image once, but the LLM's chat template writes "
                f"{len(pieces) - 1} of {image_count} images, so it leaves out a turn or repeats one; run with "
                "model.chat_template=false"
            )
        return pieces
