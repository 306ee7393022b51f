"""Convert dialogues to the tokens of an Idefics3 or a SmolVLM and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor
from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer

from circuitvlm.core.record import Dialogue
from circuitvlm.core.tensor import Encoded
from circuitvlm.model.base.checkpoint_folder import read_chat_template
from circuitvlm.model.base.codec import REPLY_MARK, Prompt
from circuitvlm.model.base.image_token_codec import ImageTokenCodec

EXAMPLE = "HuggingFaceTB/SmolVLM-256M-Instruct"

IMAGE_WORD, AROUND_IMAGE, WHOLE_IMAGE = "<image>", "<fake_token_around_image>", "<global-img>"
"""Words of every checkpoint of the family, which transformers' Idefics3Processor has in its code."""

Grid = tuple[int, int]
"""Rows and columns of the tiles of a picture; 0 and 0 for a picture that is not cut into tiles."""


class Idefics3Codec(ImageTokenCodec):
    """Dialogue <-> tokens, by the checkpoint's own chat template, tokenizer and image processor.

    It needs no torchvision: images go through the processor's PIL form. A picture's longer side is resized to
    `longest_edge` pixels. With `split`, the picture is cut into square tiles, which the tower encodes one by one,
    followed by the whole picture in one more tile (arXiv 2408.12637). The tokens of the tiles, each tile's after words
    for its row and column, replace the one image token of the template, as in transformers' Idefics3Processor.
    """

    length_advice: ClassVar[str] = "lower model.longest_edge, or leave this dialogue out"

    def __init__(self, *, folder: Path, split: bool | None, longest_edge: int | None, max_tokens: int) -> None:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        tokenizer.chat_template = read_chat_template(folder, tokenizer, example=EXAMPLE)
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        super().__init__(tokenizer, config, max_tokens=max_tokens)
        if self.image_word != IMAGE_WORD or AROUND_IMAGE not in self.control_words:
            raise ValueError(
                f"{folder}: expected {IMAGE_WORD} and {AROUND_IMAGE} among its tokenizer's control tokens, and "
                f"{IMAGE_WORD} as token {self.image_token} of config.json, got {self.image_word!r}"
            )
        side, patch = config.vision_config.image_size, config.vision_config.patch_size
        self.tokens_per_tile = (side // patch // config.scale_factor) ** 2
        self.image_processor = load_image_processor(folder, split=split, longest_edge=longest_edge, side=side)
        self.reply_prefix = self._reply_prefix()

    @property
    def processor_settings(self) -> Mapping[str, Any]:
        return {"image_seq_len": self.tokens_per_tile}

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of a reply's tokens, up to its end token, without the space that the template writes before it."""
        return super().decode(tokens).removeprefix(self.reply_prefix)

    def fold_images(self, sample: Encoded) -> list[int]:
        """The tokens with one for each picture, as the template writes them before the tiles replace it."""
        tokens, around_token = sample.tokens_T.tolist(), self.tokenizer.convert_tokens_to_ids(AROUND_IMAGE)
        folded_tokens: list[int] = []
        start = 0
        for k in range(int(sample.image_T.max()) + 1):
            places = (sample.image_T == k).nonzero().flatten().tolist()
            folded_tokens += [*tokens[start : tokens.index(around_token, start)], self.image_token]
            start = places[-1] + 2  # the last image token, and the word after it
        return folded_tokens + tokens[start:]

    def _encode_prompt(self, dialogue: Dialogue) -> Prompt:
        """A picture's size determines its number of tokens."""
        vision, grids = self._encode_pictures(dialogue)
        first_text, *texts = self._prompt_text(dialogue).split(IMAGE_WORD)
        pieces = [self._tile_words(grid) + text for grid, text in zip(grids, texts, strict=True)]
        tokens = self._prompt_tokens("".join([first_text, *pieces]))
        token_counts = [self.tokens_per_tile * (rows * columns + 1) for rows, columns in grids]  # 1: the whole picture
        indices = iter([k for k, count in enumerate(token_counts) for _ in range(count)])
        image_index = [next(indices) if token == self.image_token else -1 for token in tokens]
        return Prompt(tokens, image_index, vision)

    def _reply_prefix(self) -> str:
        """The space, if any, that the template writes between the name of the assistant and a reply.

        The prompt for a reply ends without it (`Assistant:`), so that it is part of the reply's first token.
        """
        turns = [self._message("user", "?"), self._message("assistant", REPLY_MARK)]
        prompt, text = (self._apply_template(messages, name="?") for messages in (turns[:1], turns))
        prefix = text.partition(REPLY_MARK)[0].removeprefix(prompt)
        return "" if prefix.strip() else prefix

    def _answer_tokens(self, text: str) -> list[int]:
        return [*self._tokenize(self.reply_prefix + self._break_control_words(text)), self.end]

    def _tile_words(self, grid: Grid) -> str:
        """The text for a picture: its tiles row by row, a line for each row, and the whole picture after them."""
        tile = IMAGE_WORD * self.tokens_per_tile
        rows, columns = grid
        lines = (
            "".join(f"{AROUND_IMAGE}<row_{r + 1}_col_{c + 1}>{tile}" for c in range(columns)) + "\n"
            for r in range(rows)
        )
        separator = "\n" if rows else ""
        return f"{''.join(lines)}{separator}{AROUND_IMAGE}{WHOLE_IMAGE}{tile}{AROUND_IMAGE}"

    def _encode_pictures(self, dialogue: Dialogue) -> tuple[dict[str, Tensor], list[Grid]]:
        """The concatenated tiles of all pictures, and the grid of each picture.

        All tiles are squares of one size, so the processor's mask of their pixels has no information and is left out.
        """
        pictures = self._open_pictures(dialogue)
        if not pictures:
            return {}, []
        tensors = self.image_processor(images=pictures, return_tensors="pt", return_row_col_info=True)
        grids = zip(tensors["rows"][0], tensors["cols"][0], strict=True)
        return {"pixel_values": tensors["pixel_values"][0]}, list(grids)


def load_image_processor(folder: Path, *, split: bool | None, longest_edge: int | None, side: int) -> Any:
    """The checkpoint's image processor in its PIL form, which needs no torchvision.

    split, longest_edge: the folder's own settings where they are None. Raises ValueError where the tiles would not have
    the tower's `side`, in pixels.
    """
    if longest_edge is not None and longest_edge < 1:
        raise ValueError(f"model.longest_edge: expected 1 or more pixels, such as {2 * side}, got {longest_edge!r}")
    changes: dict[str, Any] = {} if split is None else {"do_image_splitting": split}
    if longest_edge is not None:
        changes |= {"do_resize": True, "size": {"longest_edge": longest_edge}}
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True, **changes)
    tile = processor.max_image_size["longest_edge"]
    if tile != side:
        raise ValueError(
            f"{folder}: expected tiles of {side} x {side} pixels, as its vision tower reads them, got {tile} x {tile} "
            "from its preprocessor_config.json; take both files from one checkpoint"
        )
    return processor
