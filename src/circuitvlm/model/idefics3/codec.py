"""How does a dialogue become an Idefics3's tokens, and back? By the checkpoint's own template, tokenizer, processor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor
from transformers import AutoConfig, AutoImageProcessor

from circuitvlm.core.record import Dialogue
from circuitvlm.core.tensor import Encoded
from circuitvlm.model.base.codec import OwnWords
from circuitvlm.model.base.loading import chat_template, tokenizer

IMAGE, AROUND, WHOLE = "<image>", "<fake_token_around_image>", "<global-img>"
"""Words of every checkpoint of the family, which transformers' Idefics3Processor has in its code."""

Grid = tuple[int, int]
"""Rows and columns of the tiles that a picture is cut into; 0 and 0 where it is seen as a whole alone."""


class Idefics3Codec(OwnWords):
    """Dialogue <-> tokens, by the checkpoint's own chat template, tokenizer and image processor.

    It needs no torchvision: images go through the processor's PIL form. A picture is brought to `longest_edge` pixels
    and, where it is to be `split`, cut into square tiles, which the tower sees one by one, and then the whole in one
    more (arXiv 2408.12637). The template writes one image token for each picture. In its place stand, as
    in transformers' Idefics3Processor, the tiles' tokens, each tile's behind words that say where it lies.
    """

    otherwise: ClassVar[str] = "lower model.longest_edge, or leave this dialogue out"

    def __init__(self, *, folder: Path, split: bool | None, longest_edge: int | None, max_tokens: int) -> None:
        words = tokenizer(folder, chat=False)
        words.chat_template = chat_template(folder, words, like="HuggingFaceTB/SmolVLM-256M-Instruct")
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        super().__init__(words, vocabulary=config.text_config.vocab_size, max_tokens=max_tokens)
        self.image_token: int = config.image_token_id
        named = words.convert_ids_to_tokens(self.image_token)
        if named != IMAGE or not {IMAGE, AROUND} <= self.control:
            raise ValueError(
                f"{folder}: wanted {IMAGE} and {AROUND} among its tokenizer's control tokens, and {IMAGE} as token "
                f"{self.image_token} of config.json, which is {named!r}"
            )
        side, patch = config.vision_config.image_size, config.vision_config.patch_size
        self.places = (side // patch // config.scale_factor) ** 2
        self.images = images(folder, split=split, longest_edge=longest_edge, side=side)
        self.lead = self._lead()

    def encode(self, dialogue: Dialogue, *, reply: bool) -> Encoded:
        """Tokens of the prompt and, with `reply`, of the wanted reply and its end token, which alone are labelled.

        Raises ValueError, with the dialogue's id, where it does not fit `max_tokens`: a picture's size says how many
        tokens it has, and nothing is ever cut.
        """
        vision, grids = self._see(dialogue)
        tokens = self._prompt_tokens(dialogue, grids)
        owners = iter([k for k, grid in enumerate(grids) for _ in range(self.places * tiles(grid))])
        image = [next(owners) if token == self.image_token else -1 for token in tokens]
        return self._encoded(dialogue, tokens, image=image, vision=vision, reply=reply)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of a reply's tokens, up to its end token, without the space that the template leads it in with."""
        return super().decode(tokens).removeprefix(self.lead)

    def folded(self, sample: Encoded) -> list[int]:
        """The tokens with one for each picture, as the template wrote them before the tiles took its place."""
        tokens, around = sample.tokens_T.tolist(), self.tokenizer.convert_tokens_to_ids(AROUND)
        kept: list[int] = []
        behind = 0
        for k in range(int(sample.image_T.max()) + 1):
            places = (sample.image_T == k).nonzero().flatten().tolist()
            kept += [*tokens[behind : tokens.index(around, behind)], self.image_token]
            behind = places[-1] + 2  # the last image token, and the word behind it
        return kept + tokens[behind:]

    def _message(self, role: str, text: str, *, images: int = 0) -> dict[str, Any]:
        return {"role": role, "content": [*({"type": "image"} for _ in range(images)), {"type": "text", "text": text}]}

    def _lead(self) -> str:
        """The space, if any, that the template writes between the name of who replies and a reply that is known.

        The prompt for a reply ends without it (`Assistant:`), so that it is part of the first word that is replied.
        """
        mark = "\ue000"
        turns = [self._message("user", "?"), self._message("assistant", mark)]
        asked, known = (self._templated(some, name="?") for some in (turns[:1], turns))
        lead = known.partition(mark)[0].removeprefix(asked)
        return "" if lead.strip() else lead

    def _answer(self, text: str) -> list[int]:
        return [*self._tokens(self.lead + self._harmless(text)), self.end]

    def _prompt_tokens(self, dialogue: Dialogue, grids: list[Grid]) -> list[int]:
        turns = [self._message(t.role, self._harmless(t.text), images=len(t.images)) for t in dialogue.prompt]
        text = self._templated(turns, name=dialogue.id)
        before, *behind = text.split(IMAGE)
        if len(behind) != len(grids):
            raise ValueError(
                f"dialogue {dialogue.id!r}: the checkpoint's template writes {len(behind)} image tokens for "
                f"{len(grids)} images; does it leave out the images of some turns?"
            )
        whole = before + "".join(self._written(grid) + words for grid, words in zip(grids, behind, strict=True))
        begins = bool(self.tokenizer.bos_token) and whole.startswith(str(self.tokenizer.bos_token))
        ids: list[int] = self.tokenizer(whole, add_special_tokens=not begins)["input_ids"]
        return ids

    def _written(self, grid: Grid) -> str:
        """What stands for a picture: row by row its tiles, a line for each row, and the whole behind them."""
        seen = IMAGE * self.places
        rows, columns = grid
        lines = ("".join(f"{AROUND}<row_{r + 1}_col_{c + 1}>{seen}" for c in range(columns)) for r in range(rows))
        parts = "".join(f"{line}\n" for line in lines)
        return f"{parts}\n{AROUND}{WHOLE}{seen}{AROUND}" if parts else f"{AROUND}{WHOLE}{seen}{AROUND}"

    def _see(self, dialogue: Dialogue) -> tuple[dict[str, Tensor], list[Grid]]:
        """The tiles of all pictures one after the other, and how each picture was cut.

        All tiles are squares of one size, so the processor's mask of their pixels says nothing and is left out.
        """
        pictures = self._pictures(dialogue)
        if not pictures:
            return {}, []
        made = self.images(images=pictures, return_tensors="pt", return_row_col_info=True)
        return {"pixel_values": made["pixel_values"][0]}, list(zip(made["rows"][0], made["cols"][0], strict=True))


def tiles(grid: Grid) -> int:
    """How many squares the tower sees of a picture: its parts, and the whole."""
    return grid[0] * grid[1] + 1


def images(folder: Path, *, split: bool | None, longest_edge: int | None, side: int) -> Any:
    """The checkpoint's image processor in its PIL form, which needs no torchvision.

    split, longest_edge: as the folder says where they are None. Raises ValueError where the tiles would not have the
    tower's `side`, in pixels.
    """
    if longest_edge is not None and longest_edge < 1:
        raise ValueError(f"model.longest_edge: came {longest_edge}, wanted 1 or more pixels, such as {2 * side}")
    changed: dict[str, Any] = {} if split is None else {"do_image_splitting": split}
    if longest_edge is not None:
        changed |= {"do_resize": True, "size": {"longest_edge": longest_edge}}
    made = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True, **changed)
    tile = made.max_image_size["longest_edge"]
    if tile != side:
        raise ValueError(
            f"{folder}: its preprocessor_config.json makes tiles of {tile} x {tile} pixels, its tower wants "
            f"{side} x {side}"
        )
    return made
