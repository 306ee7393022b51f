"""Where from? Questions about digits in words alone, of our own making, which teach a small LLM to name a digit."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from circuitvlm.core.record import Example
from circuitvlm.data._reading.chunks import Lazy
from circuitvlm.data.circuitsense import share_of, shares_of

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ASKED = ("What digit is this?", "Which digit is this?", "What is this number?", "What number is this?", "Which digit?")
"""What is asked about what stands before it; where an LLM has eyes, that is a picture."""

_NOISE = "abcdefghijklmnopqrstuvwxyz.,;:-+*/()#"
_SPENT = 1000
"""Draws for one question until it falls into the wanted split."""


@dataclass(frozen=True, slots=True)
class Said:
    """A question and the digit that answers it."""

    question: str
    digit: int


class DigitWords:
    """Questions without pictures, all of which are answered by `answer`, with a digit for `{label}`.

    `kinds` (of KINDS) are drawn equally often. Each of `splits` states its `count` and its `share` of all questions,
    together 1: a question lies in one split, by its own hash, and may come there more than once, since few of some
    kinds exist.

    Facts: `kind` (instruction), `question`, `answer`, `history` (none). Tags: kind, and `about`, the kind of question.
    """

    def __init__(
        self, *, seed: int, answer: str, kinds: Sequence[str], splits: Mapping[str, Mapping[str, float]]
    ) -> None:
        if odd := [kind for kind in kinds if kind not in KINDS]:
            raise ValueError(f"digit_words: no kind {odd[0]!r}; there are {', '.join(KINDS)}")
        if not kinds or "{label}" not in answer:
            raise ValueError(f"digit_words: kinds={list(kinds)}, answer={answer!r}; wanted a kind, and {{label}}")
        self.seed, self.answer, self.kinds = seed, answer, tuple(kinds)
        self.counts = {name: _count(name, stated) for name, stated in splits.items()}
        rest = {name: {k: v for k, v in stated.items() if k != "count"} for name, stated in splits.items()}
        self.shares = shares_of(rest, source="digit_words")

    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the configuration."""
        return tuple(self.shares)

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of a split, each of which is made when it is asked for."""
        if split not in self.shares:
            raise ValueError(f"digit_words: no split {split!r}; there are {', '.join(self.shares)}")
        return Asked(self, split)

    def said(self, split: str, place: int) -> tuple[str, Said]:
        """The kind of a question and the question; a kind of which the split has none gives way to another."""
        rng = random.Random(f"{self.seed} {split} {place}")
        for _ in range(_SPENT):
            kind = rng.choice(self.kinds)
            made = KINDS[kind](rng)
            if share_of(made.question, self.shares) == split:
                return kind, made
        raise ValueError(f"digit_words: {_SPENT} draws gave no question of {split!r}; give it a larger share")


class Asked(Lazy):
    """The examples of one split."""

    def __init__(self, source: DigitWords, split: str) -> None:
        self.source, self.split = source, split

    def __len__(self) -> int:
        return self.source.counts[self.split]

    def one(self, place: int) -> Example:
        about, said = self.source.said(self.split, place)
        facts = {
            "kind": "instruction",
            "question": said.question,
            "answer": self.source.answer.replace("{label}", str(said.digit)),
            "history": (),
        }
        return Example(id=f"{self.split}-{place:06d}", facts=facts, tags={"kind": "instruction", "about": about})


def _count(name: str, stated: Mapping[str, object]) -> int:
    count = stated.get("count")
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"digit_words: split {name!r} has count {count!r}, wanted 1 or more")
    return count


def _named(digit: int, rng: random.Random) -> str:
    """A digit as figure or as word."""
    return rng.choice((str(digit), WORDS[digit]))


def _shown(rng: random.Random) -> Said:
    """The digit itself, in some words, before the question."""
    digit = rng.randrange(10)
    before = rng.choice(("", "It says ", "Here is ", "Digit ", "The number ", "I see "))
    return Said(before + _named(digit, rng) + rng.choice(("", " ", ". ", ": ")) + rng.choice(ASKED), digit)


def _hidden(rng: random.Random) -> Said:
    """The only figure among other signs."""
    digit = rng.randrange(10)
    signs = rng.choices(_NOISE, k=rng.randint(2, 11))
    signs.insert(rng.randint(0, len(signs)), str(digit))
    return Said("".join(signs) + rng.choice(ASKED), digit)


def _frequent(rng: random.Random) -> Said:
    """The most frequent of several figures, by one at least."""
    digit = rng.randrange(10)
    others = [d for d in range(10) if d != digit]
    most = rng.randint(2, 4)
    figures = [digit] * most
    for other in rng.sample(others, k=rng.randint(1, 4)):
        figures += [other] * rng.randint(1, most - 1)
    rng.shuffle(figures)
    return Said("".join(map(str, figures)) + rng.choice(ASKED), digit)


def _which(rng: random.Random) -> Said:
    digit = rng.randrange(10)
    asked = rng.choice(("Which digit is {}?", "What digit is {}?", "Write {} as a digit.", "How is {} written?"))
    return Said(asked.format(WORDS[digit]), digit)


def _neighbour(rng: random.Random) -> Said:
    digit, step = rng.randrange(10), rng.choice((-1, 1))
    from_ = digit - step
    if not 0 <= from_ <= 10:
        step, from_ = -step, digit + step
    name = "ten" if from_ == 10 else _named(from_, rng)
    asked = ("What comes after {}?", "Which digit follows {}?") if step > 0 else ("What comes before {}?",)
    return Said(rng.choice(asked).format(name), digit)


def _sum(rng: random.Random) -> Said:
    digit = rng.randrange(10)
    first = rng.randrange(10)
    sign, second = ("+", digit - first) if first <= digit else ("-", first - digit)
    asked = rng.choice(("{} {} {}", "What is {} {} {}?", "{} {} {} = ?"))
    return Said(asked.format(_named(first, rng), sign, _named(second, rng)), digit)


def _larger(rng: random.Random) -> Said:
    one, other = rng.sample(range(10), k=2)
    larger = rng.random() < 0.5
    asked = rng.choice(("Which is {}, {} or {}?", "The {} of {} and {}?"))
    said = asked.format("larger" if larger else "smaller", _named(one, rng), _named(other, rng))
    return Said(said, max(one, other) if larger else min(one, other))


KINDS: Mapping[str, Callable[[random.Random], Said]] = {
    "shown": _shown,
    "hidden": _hidden,
    "frequent": _frequent,
    "which": _which,
    "neighbour": _neighbour,
    "sum": _sum,
    "larger": _larger,
}
