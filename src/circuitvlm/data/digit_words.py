"""Generate questions about digits in words alone, which teach a small LLM to name a digit."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from circuitvlm.core.record import Example
from circuitvlm.data._reading.lazy import LazyExamples
from circuitvlm.data._reading.settings import check_choice
from circuitvlm.data._reading.source import SplitSource
from circuitvlm.data._reading.splits import read_shares, split_by_share

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
QUESTIONS = (
    "What digit is this?",
    "Which digit is this?",
    "What is this number?",
    "What number is this?",
    "Which digit?",
)
"""Questions about the text before them; a model with vision is asked the same about an image."""

_NOISE = "abcdefghijklmnopqrstuvwxyz.,;:-+*/()#"
_MAX_DRAWS = 1000
"""The number of draws for a question of the right split."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the digit that answers it."""

    text: str
    digit: int


class DigitWords(SplitSource):
    """Questions without images. Their answer is `answer` with a digit in place of `{label}`.

    `kinds` (of KINDS) are drawn equally often. Each of `splits` has its `count`, and its `share` of all questions; the
    shares sum to 1. The hash of a question decides its split. A split may repeat a question, since some kinds have few.

    Facts: `kind` (instruction), `question`, `answer`, `history` (none). Tags: kind, and `about`, the kind of question.
    """

    def __init__(
        self, *, seed: int, answer: str, kinds: Sequence[str], splits: Mapping[str, Mapping[str, float]]
    ) -> None:
        for kind in kinds:
            check_choice("digit_words.kinds", kind, KINDS)
        if not kinds:
            raise ValueError(f"digit_words.kinds: expected one or more of {', '.join(KINDS)}, got {list(kinds)}")
        if "{label}" not in answer:
            raise ValueError(f"digit_words.answer: expected a text with {{label}}, got {answer!r}")
        self.seed, self.answer, self.kinds = seed, answer, tuple(kinds)
        self.counts = {name: _read_count(name, settings) for name, settings in splits.items()}
        self._splits = read_shares(
            {name: {k: v for k, v in settings.items() if k != "count"} for name, settings in splits.items()},
            source="digit_words",
        )

    def _read_split(self, split: str) -> Sequence[Example]:
        """The examples of a split, each of which is generated on access."""
        return LazyExamples(range(self.counts[split]), partial(self._make_example, split))

    def _make_example(self, split: str, index: int) -> Example:
        kind, question = self._draw(split, index)
        return Example(
            id=f"{split}-{index:06d}",
            facts={
                "kind": "instruction",
                "question": question.text,
                "answer": self.answer.replace("{label}", str(question.digit)),
                "history": (),
            },
            tags={"kind": "instruction", "about": kind},
        )

    def _draw(self, split: str, index: int) -> tuple[str, Question]:
        """A question with its kind. Each draw has a new kind, so a kind without questions of this split is passed."""
        rng = random.Random(f"{self.seed} {split} {index}")
        for _ in range(_MAX_DRAWS):
            kind = rng.choice(self.kinds)
            question = KINDS[kind](rng)
            if split_by_share(question.text, self._splits) == split:
                return kind, question
        raise ValueError(
            f"digit_words.splits.{split}.share: expected a question of this split in {_MAX_DRAWS} draws, got none with "
            f"the share {self._splits[split]}; raise it"
        )


def _read_count(name: str, settings: Mapping[str, object]) -> int:
    count = settings.get("count")
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"digit_words.splits.{name}.count: expected 1 or more, got {count!r}")
    return count


def _name_digit(digit: int, rng: random.Random) -> str:
    """A digit as a figure or as a word."""
    return rng.choice((str(digit), WORDS[digit]))


def _ask_shown(rng: random.Random) -> Question:
    """The digit itself before the question, perhaps in a phrase."""
    digit = rng.randrange(10)
    text = rng.choice(("", "It says ", "Here is ", "Digit ", "The number ", "I see ")) + _name_digit(digit, rng)
    return Question(text + rng.choice(("", " ", ". ", ": ")) + rng.choice(QUESTIONS), digit)


def _ask_hidden(rng: random.Random) -> Question:
    """The only figure among other characters."""
    digit = rng.randrange(10)
    characters = rng.choices(_NOISE, k=rng.randint(2, 11))
    characters.insert(rng.randint(0, len(characters)), str(digit))
    return Question("".join(characters) + rng.choice(QUESTIONS), digit)


def _ask_frequent(rng: random.Random) -> Question:
    """The most frequent of several figures, by one at least."""
    digit = rng.randrange(10)
    wrong_digits = [d for d in range(10) if d != digit]
    count = rng.randint(2, 4)
    figures = [digit] * count
    for wrong_digit in rng.sample(wrong_digits, k=rng.randint(1, 4)):
        figures += [wrong_digit] * rng.randint(1, count - 1)
    rng.shuffle(figures)
    return Question("".join(map(str, figures)) + rng.choice(QUESTIONS), digit)


def _ask_word(rng: random.Random) -> Question:
    digit = rng.randrange(10)
    pattern = rng.choice(("Which digit is {}?", "What digit is {}?", "Write {} as a digit.", "How is {} written?"))
    return Question(pattern.format(WORDS[digit]), digit)


def _ask_neighbour(rng: random.Random) -> Question:
    digit, step = rng.randrange(10), rng.choice((-1, 1))
    start = digit - step
    if not 0 <= start <= 10:
        step, start = -step, digit + step
    name = "ten" if start == 10 else _name_digit(start, rng)
    patterns = ("What comes after {}?", "Which digit follows {}?") if step > 0 else ("What comes before {}?",)
    return Question(rng.choice(patterns).format(name), digit)


def _ask_sum(rng: random.Random) -> Question:
    digit = rng.randrange(10)
    first = rng.randrange(10)
    sign, second = ("+", digit - first) if first <= digit else ("-", first - digit)
    pattern = rng.choice(("{} {} {}", "What is {} {} {}?", "{} {} {} = ?"))
    return Question(pattern.format(_name_digit(first, rng), sign, _name_digit(second, rng)), digit)


def _ask_larger(rng: random.Random) -> Question:
    first, second = rng.sample(range(10), k=2)
    word, digit = ("larger", max(first, second)) if rng.random() < 0.5 else ("smaller", min(first, second))
    pattern = rng.choice(("Which is {}, {} or {}?", "The {} of {} and {}?"))
    return Question(pattern.format(word, _name_digit(first, rng), _name_digit(second, rng)), digit)


KINDS: Mapping[str, Callable[[random.Random], Question]] = {
    "shown": _ask_shown,
    "hidden": _ask_hidden,
    "frequent": _ask_frequent,
    "which": _ask_word,
    "neighbour": _ask_neighbour,
    "sum": _ask_sum,
    "larger": _ask_larger,
}
