"""How does a dialogue become the tokens of any LLM, and back? By its tokenizer, with places for each image's tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig

from circuitvlm.core.record import Dialogue
from circuitvlm.core.tensor import Encoded
from circuitvlm.model.base.codec import OwnWords
from circuitvlm.model.base.loading import tokenizer


class DialogueCodec(OwnWords):
    """Dialogue <-> tokens, by the LLM's own chat template where it has one and `chat_template` is true; else plainly.

    Plain is LaVIN's layout without its words "Image:" and "Image: N/A": the token that begins a text, the prompt as it
    is, the reply, the token that ends it; turns are joined by a newline. Before the text of the turn that it belongs
    to, each image has `image_tokens` places. `images` is an image processor of transformers.
    """

    def __init__(
        self,
        *,
        folder: Path,
        images: Any,
        chat_template: bool,
        image_tokens: int,
        max_tokens: int,
    ) -> None:
        words = tokenizer(folder, chat=False)
        if not chat_template:
            words.chat_template = None
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        super().__init__(words, vocabulary=config.get_text_config().vocab_size, max_tokens=max_tokens)
        self.images = images
        self.image_tokens = image_tokens

    def encode(self, dialogue: Dialogue, *, reply: bool) -> Encoded:
        """Tokens of the prompt and, with `reply`, of the wanted reply and its end token, which alone are labelled.

        Raises ValueError, with the dialogue's id, where it does not fit `max_tokens`: an image has its number of tokens
        whatever its size, and a text is never cut.
        """
        tokens: list[int] = []
        image: list[int] = []
        for k, piece in enumerate(self._pieces(dialogue)):
            places = self.image_tokens if k else 0
            said = self._tokens(piece)
            if not k and self.tokenizer.chat_template is None and self.tokenizer.bos_token_id is not None:
                said = [self.tokenizer.bos_token_id, *said]
            tokens += [self.pad] * places + said
            image += [k - 1] * places + [-1] * len(said)
        pictures = self._pictures(dialogue)
        vision = dict(self.images(images=pictures, return_tensors="pt")) if pictures else {}
        return self._encoded(dialogue, tokens, image=image, vision=vision, reply=reply)

    def _pieces(self, dialogue: Dialogue) -> list[str]:
        """The prompt's text before the first image, and after each image."""
        texts = [self._harmless(turn.text) for turn in dialogue.prompt]
        mark = "\ue000" * (1 + sum(text.count("\ue000") for text in texts)) + "\ue001"  # longer than any in a text
        marked = [mark * len(turn.images) + text for turn, text in zip(dialogue.prompt, texts, strict=True)]
        if self.tokenizer.chat_template is None:
            return "\n".join(marked).split(mark)
        messages = [self._message(turn.role, text) for turn, text in zip(dialogue.prompt, marked, strict=True)]
        pieces = self._templated(messages, name=dialogue.id).split(mark)
        wanted = sum(len(turn.images) for turn in dialogue.prompt)
        if len(pieces) != wanted + 1:
            raise ValueError(
                f"dialogue {dialogue.id!r}: the LLM's chat template writes {len(pieces) - 1} of {wanted} images, so it "
                "leaves out a turn or repeats one; run with model.chat_template=false"
            )
        return pieces
