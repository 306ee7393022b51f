"""Which words does the small LaVIN know? A byte-level BPE of the generated questions, written into llm/ beside this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from circuitvlm.data.science_circuits.writer import Settings, generate_problems

WORDS = 1100
PIECES = r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+"
"""A word, one digit, or signs, each with the space before it."""


def texts() -> Iterator[str]:
    """Questions of the quiz and its primer as they are asked: those that a training may see."""
    settings = Settings(seed=0, side=88, styles=("american",), templates="quiz", counts={"train": 8000})
    for templates in ("quiz", "quiz_primer"):
        for problem in generate_problems(replace(settings, templates=templates), "train"):
            row = problem.row(split="train")
            options = " ".join(f"({mark}) {text}" for mark, text in zip("ABCDE", problem.draft.choices, strict=False))
            yield f"Question: {row['question']}\nContext: {row['hint'] or 'N/A'}\nOptions: {options}\nResponse:"


def main() -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PIECES), behavior="isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=WORDS, special_tokens=["<s>", "</s>"], initial_alphabet=sorted(alphabet), show_progress=False
    )
    tokenizer.train_from_iterator(texts(), trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", clean_up_tokenization_spaces=False
    ).save_pretrained(Path(__file__).parent / "llm")


if __name__ == "__main__":
    main()
