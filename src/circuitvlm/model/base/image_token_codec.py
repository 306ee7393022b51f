"""Encode dialogues by a chat template that writes one image token for each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from circuitvlm.core.record import Dialogue
from circuitvlm.model.base.codec import CheckpointCodec


class ImageTokenCodec(CheckpointCodec):
    """A codec whose chat template writes one image token for each image, which a family then repeats.

    Raises ValueError where the image token of config.json is no control token of the tokenizer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, config: Any, *, max_tokens: int) -> None:
        super().__init__(tokenizer, config, max_tokens=max_tokens)
        self.image_token: int = config.image_token_id
        self.image_word = str(tokenizer.convert_ids_to_tokens(self.image_token))
        if self.image_word not in self.control_words:
            raise ValueError(
                f"{tokenizer.name_or_path}: expected a control token with the image_token_id of config.json, got no "
                f"image token {self.image_token} (it is {self.image_word!r}); take tokenizer and config.json from one "
                "checkpoint"
            )

    def _message(self, role: str, text: str, *, images: int = 0) -> dict[str, Any]:
        return {"role": role, "content": [*({"type": "image"} for _ in range(images)), {"type": "text", "text": text}]}

    def _prompt_text(self, dialogue: Dialogue) -> str:
        """The prompt as the chat template writes it, with one image token for each image; else raises ValueError."""
        turns = [
            self._message(turn.role, self._break_control_words(turn.text), images=len(turn.images))
            for turn in dialogue.prompt
        ]
        text = self._apply_template(turns, name=dialogue.id)
        token_count, image_count = text.count(self.image_word), sum(len(turn.images) for turn in dialogue.prompt)
        if token_count != image_count:
            raise ValueError(
                f"dialogue {dialogue.id!r}: expected one image token for each image, but the checkpoint's template "
                f"writes {token_count} image tokens for {image_count} images; put the images into turns that the "
                "template shows"
            )
        return text

    def _prompt_tokens(self, text: str) -> list[int]:
        """The tokens of a prompt, which begin with the tokenizer's bos_token where it adds one."""
        bos_token = self.tokenizer.bos_token
        has_bos_token = bool(bos_token) and text.startswith(str(bos_token))
        ids: list[int] = self.tokenizer(text, add_special_tokens=not has_bos_token)["input_ids"]
        return ids

    def _repeat_image_tokens(self, prompt: list[int], counts: Sequence[int]) -> tuple[list[int], list[int]]:
        """The prompt with image k's token `counts[k]` times, and the index of the image that each token belongs to."""
        images = iter(enumerate(counts))
        tokens: list[int] = []
        image_index: list[int] = []
        for token in prompt:
            index, count = next(images) if token == self.image_token else (-1, 1)
            tokens += [token] * count
            image_index += [index] * count
        return tokens, image_index
