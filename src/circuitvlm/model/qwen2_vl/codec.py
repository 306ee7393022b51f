"""Convert dialogues to the tokens of a Qwen2-VL and back.

Shape suffixes: T tokens of a dialogue, R = 3 axes of multimodal RoPE (arXiv 2409.12191).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from circuitvlm.core.record import Dialogue
from circuitvlm.core.tensor import IMAGE
from circuitvlm.model.base.codec import Prompt
from circuitvlm.model.base.image_token_codec import ImageTokenCodec


class Qwen2VLCodec(ImageTokenCodec):
    """Dialogue <-> tokens, by the checkpoint's own chat template, tokenizer and image processor.

    It needs no torchvision: images go through the processor's PIL form, which gives the same tensors.
    Images are shrunk where their prompt and `reply_tokens`, which are kept for the reply, would have more than
    `max_tokens`. So their size does not depend on the reply.
    """

    def __init__(
        self, *, folder: Path, min_pixels: int | None, max_pixels: int | None, max_tokens: int, reply_tokens: int
    ) -> None:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if tokenizer.chat_template is None:
            raise ValueError(
                f"{folder}: expected a tokenizer with a chat template, got {tokenizer.chat_template!r}; give an "
                "instruction-tuned checkpoint"
            )
        super().__init__(tokenizer, AutoConfig.from_pretrained(folder, local_files_only=True), max_tokens=max_tokens)
        self.reply_tokens = reply_tokens
        bounds = {"min_pixels": min_pixels, "max_pixels": max_pixels}
        changes = {name: value for name, value in bounds.items() if value is not None}
        self.image_processor = Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True, **changes)
        smallest, largest = (self.image_processor.size[edge] for edge in ("shortest_edge", "longest_edge"))
        if not 0 < smallest <= largest:
            raise ValueError(
                f"model.min_pixels: expected a number of pixels from 1 to model.max_pixels={largest}, got {smallest}; "
                f"where one is null, it is that of {folder / 'preprocessor_config.json'}"
            )

    def _encode_prompt(self, dialogue: Dialogue) -> Prompt:
        prompt = self._tokenize(self._prompt_text(dialogue))
        pictures = self._open_pictures(dialogue)
        max_added = self.max_tokens - len(prompt) - self.reply_tokens
        vision, counts, is_shrunk = self._encode_pictures(pictures, max_added=max_added, name=dialogue.id)
        return Prompt(*self._repeat_image_tokens(prompt, counts), vision, shrunk_images=len(counts) * is_shrunk)

    def _end_token(self) -> int:
        return int(self.tokenizer.convert_tokens_to_ids("<|im_end|>"))

    def _break_control_words(self, text: str) -> str:
        """The text with every beginning of a control token broken up, of a known token or not."""
        return text.replace("<|", "<\N{ZERO WIDTH SPACE}|")

    def _encode_pictures(
        self, pictures: list[Image.Image], *, max_added: int, name: str
    ) -> tuple[dict[str, Tensor], list[int], bool]:
        """The processor's tensors, the number of tokens of each picture, and whether the pictures were shrunk.

        The prompt has one token for each picture already, and at most `max_added` are added. Raises ValueError where
        the smallest pictures do not fit.
        """
        if not pictures:
            return {}, [], False
        size = dict(self.image_processor.size)
        while True:
            tensors = self.image_processor(images=pictures, return_tensors="pt", size=size)
            counts = (tensors["image_grid_thw"].prod(-1) // self.image_processor.merge_size**2).tolist()
            if sum(counts) - len(counts) <= max_added:
                vision = {key: tensors[key] for key in ("pixel_values", "image_grid_thw")}
                return vision, counts, size != dict(self.image_processor.size)
            largest = max(counts) * (self.image_processor.patch_size * self.image_processor.merge_size) ** 2
            if size["longest_edge"] <= size["shortest_edge"] or max_added <= 0:
                raise ValueError(
                    f"dialogue {name!r}: expected at most model.max_tokens={self.max_tokens}, got {sum(counts)} image "
                    f"tokens, its text, and model.reply_tokens={self.reply_tokens} for the reply; raise "
                    "model.max_tokens, or lower model.reply_tokens or model.min_pixels"
                )
            # below both: a thin strip is rounded up to a whole patch, so its area may stay above any bound
            size["longest_edge"] = max(size["shortest_edge"], min(size["longest_edge"], largest) * 3 // 4)

    def _positions(self, modality_T: Tensor, vision: Mapping[str, Tensor]) -> Tensor:
        """(3, T): temporal, height and width position of each token (arXiv 2409.12191, section 2.1).

        Text advances all three by one. An image's tokens keep the temporal position and count rows and columns from
        there, and the text after it goes on after the larger of its sides.
        """
        merge = self.image_processor.merge_size
        grids = vision["image_grid_thw"].tolist() if vision else []
        positions_RT = torch.empty(3, len(modality_T), dtype=torch.long)
        position, index = 0, 0
        for frames, patch_rows, patch_columns in grids:
            rows, columns = patch_rows // merge, patch_columns // merge
            first = index + int((modality_T[index:] == IMAGE).nonzero()[0])
            positions_RT[:, index:first] = torch.arange(position, position + first - index)
            position += first - index
            axes = (torch.arange(frames), torch.arange(rows), torch.arange(columns))
            mesh = torch.stack(torch.meshgrid(*axes, indexing="ij")).reshape(3, -1)
            index = first + mesh.shape[1]
            positions_RT[:, first:index] = mesh + position
            position += max(rows, columns)
        positions_RT[:, index:] = torch.arange(position, position + len(modality_T) - index)
        return positions_RT
