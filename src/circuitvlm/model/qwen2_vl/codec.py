"""How does a dialogue become a Qwen2-VL's tokens, and back? By the checkpoint's own template, tokenizer, processor.

Shape suffixes: T tokens of a dialogue, R = 3 axes of multimodal RoPE (arXiv 2409.12191).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from transformers import Qwen2VLConfig

from circuitvlm.core.record import Dialogue
from circuitvlm.core.tensor import IGNORE, IMAGE, TEXT, Encoded
from circuitvlm.model.base.codec import Words
from circuitvlm.model.base.loading import image_processor, tokenizer


class Qwen2VLCodec(Words):
    """Dialogue <-> tokens, by the checkpoint's own chat template, tokenizer and image processor.

    It needs no torchvision: images go through the processor's PIL form, which gives the stock processor's tensors.
    """

    def __init__(self, *, folder: Path, min_pixels: int | None, max_pixels: int | None, max_tokens: int) -> None:
        self.folder = folder
        self.max_tokens = max_tokens
        self.tokenizer = tokenizer(folder)
        self.images = image_processor(folder, min_pixels=min_pixels, max_pixels=max_pixels)
        config = Qwen2VLConfig.from_pretrained(folder)
        self.image_token: int = config.image_token_id
        self.end = self.tokenizer.convert_tokens_to_ids("<|im_end|>")
        self.pad: int = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.end

    def encode(self, dialogue: Dialogue, *, reply: bool) -> Encoded:
        """Tokens of the prompt and, with `reply`, of the wanted reply and its end token, which alone are labelled.

        Raises ValueError, with the dialogue's id, where it does not fit `max_tokens` even with the smallest image.
        """
        prompt = self._prompt_tokens(dialogue)
        answer = [*self._plain_tokens(dialogue.reply), self.end] if reply else []
        room = self.max_tokens - len(prompt) - len(answer)
        vision, counts = self._see(dialogue, room=room)
        tokens = torch.tensor([*self._expand(prompt, counts), *answer])
        if len(tokens) > self.max_tokens:
            raise ValueError(
                f"dialogue {dialogue.id!r}: its text alone has {len(tokens)} tokens, wanted at most model.max_tokens="
                f"{self.max_tokens}; raise it, or leave this dialogue out"
            )
        labels = tokens.clone()
        labels[: len(tokens) - len(answer)] = IGNORE
        modality = torch.where(tokens == self.image_token, IMAGE, TEXT)
        modality[len(tokens) - len(answer) :] = TEXT
        return Encoded(
            id=dialogue.id,
            task=dialogue.task,
            tokens_T=tokens,
            labels_T=labels,
            modality_T=modality,
            image_T=_image_index(modality, counts),
            positions_RT=_positions(modality, vision.get("image_grid_thw"), merge=self.images.merge_size),
            vision=vision,
            choices=tuple((*self._plain_tokens(choice), self.end) for choice in dialogue.choices),
        )

    def _prompt_tokens(self, dialogue: Dialogue) -> list[int]:
        messages = [
            {
                "role": turn.role,
                "content": [
                    *({"type": "image"} for _ in turn.images),
                    {"type": "text", "text": self._harmless(turn.text)},
                ],
            }
            for turn in dialogue.prompt
        ]
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _plain_tokens(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(self._harmless(text), add_special_tokens=False)["input_ids"]
        return ids

    def _harmless(self, text: str) -> str:
        """The text with control tokens broken up, so that a dataset's words cannot forge a turn or an image."""
        return text.replace("<|", "<\N{ZERO WIDTH SPACE}|") if "<|" in text else text

    def _see(self, dialogue: Dialogue, *, room: int) -> tuple[dict[str, Tensor], list[int]]:
        pictures = [picture.open() for turn in dialogue.prompt for picture in turn.images]
        if not pictures:
            return {}, []
        size = dict(self.images.size)
        while True:
            try:
                made = self.images(images=pictures, return_tensors="pt", size=size)
            except ValueError as error:  # a strip 200 times longer than wide, which the family refuses
                raise ValueError(f"dialogue {dialogue.id!r}: {error}") from error
            counts = (made["image_grid_thw"].prod(-1) // self.images.merge_size**2).tolist()
            if sum(counts) - len(counts) <= room:
                return {"pixel_values": made["pixel_values"], "image_grid_thw": made["image_grid_thw"]}, counts
            largest = max(counts) * (self.images.patch_size * self.images.merge_size) ** 2
            if size["longest_edge"] <= size["shortest_edge"] or room <= 0:
                raise ValueError(
                    f"dialogue {dialogue.id!r}: {sum(counts)} image tokens and its text do not fit model.max_tokens="
                    f"{self.max_tokens}; raise it, or lower model.min_pixels"
                )
            # below both: a thin strip is rounded up to a whole patch, so its area may stay above any bound
            size["longest_edge"] = max(size["shortest_edge"], min(size["longest_edge"], largest) * 3 // 4)

    def _expand(self, prompt: list[int], counts: list[int]) -> list[int]:
        """The prompt with each image's one placeholder repeated as often as the image has tokens."""
        assert prompt.count(self.image_token) == len(counts), "the chat template writes one placeholder per image"
        numbers = iter(counts)
        return [token for t in prompt for token in ([t] * next(numbers) if t == self.image_token else [t])]


def _image_index(modality_T: Tensor, counts: list[int]) -> Tensor:
    image_T = torch.full_like(modality_T, -1)
    if counts:
        image_T[modality_T == IMAGE] = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return image_T


def _positions(modality_T: Tensor, grid: Tensor | None, *, merge: int) -> Tensor:
    """(3, T): temporal, height and width position of each token (arXiv 2409.12191, section 2.1).

    Text advances all three by one; an image's tokens keep the place's time and count rows and columns from there, and
    the text after it goes on behind the larger of its sides.
    """
    total = modality_T.numel()
    positions_RT = torch.empty(3, total, dtype=torch.long)
    place, at = 0, 0
    grids = [] if grid is None else [(int(t), int(h) // merge, int(w) // merge) for t, h, w in grid.tolist()]
    for frames, rows, columns in grids:
        first = at + int((modality_T[at:] == IMAGE).nonzero()[0])
        positions_RT[:, at:first] = torch.arange(place, place + first - at)
        place += first - at
        axes = (torch.arange(frames), torch.arange(rows), torch.arange(columns))
        mesh = torch.stack(torch.meshgrid(*axes, indexing="ij")).reshape(3, -1)
        at = first + mesh.shape[1]
        positions_RT[:, first:at] = mesh + place
        place += max(rows, columns)
    positions_RT[:, at:] = torch.arange(place, place + total - at)
    return positions_RT
