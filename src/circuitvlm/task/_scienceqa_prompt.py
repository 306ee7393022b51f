"""Write a ScienceQA problem as a prompt and a reply, in a format such as QCM-ALE.

The formats are those of github.com/lupantech/ScienceQA (models/base_prompt.py): question Q, context C, options M,
lecture L, explanation (solution) E, answer A.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from circuitvlm.core.record import Example
from circuitvlm.task._options import LETTERS, options_of

PROMPTS: Mapping[str, tuple[str, ...]] = {
    "QCM": ("Q", "C", "M"),
    "CQM": ("C", "Q", "M"),
    "QCML": ("Q", "C", "M", "L"),
    "QCME": ("Q", "C", "M", "E"),
    "QCMLE": ("Q", "C", "M", "LE"),
    "QCLM": ("Q", "C", "L", "M"),
    "QCEM": ("Q", "C", "E", "M"),
    "QCLEM": ("Q", "C", "LE", "M"),
}
"""The lines of each prompt."""

REPLIES = ("A", "AL", "AE", "ALE", "AEL", "LA", "EA", "LEA", "ELA")
ANSWER = "The answer is {}."
WHY = "BECAUSE:"
_LAVIN_REPLIES = {"AL": "AE", "AE": "AL"}
_LINES = {
    "Q": "Question: {Q}",
    "C": "Context: {C}",
    "M": "Options: {M}",
    "L": f"{WHY} {{L}}",
    "E": f"{WHY} {{E}}",
    "LE": f"{WHY} {{L}} {{E}}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFormat:
    """A format and its spelling.

    `cue` ends the prompt ("Response:" in LaVIN, "Answer:" in ScienceQA's own). `captions` adds the image's caption to
    the context. `lavin_compat` writes as the original code does: AL gives the explanation and AE the lecture, and a
    newline in either is a backslash and an n.
    """

    prompt: str
    reply: str
    cue: str
    captions: bool
    lavin_compat: bool

    @property
    def answers_first(self) -> bool:
        return self.reply.startswith("A")

    def ask(self, example: Example) -> str:
        """The prompt. Raises ValueError for an example that lacks a fact."""
        texts = self._texts(example)
        return _single_spaced("\n".join([*(_LINES[line].format(**texts) for line in PROMPTS[self.prompt]), self.cue]))

    def say(self, example: Example) -> str:
        """The expected reply."""
        texts = self._texts(example)
        order = _LAVIN_REPLIES.get(self.reply, self.reply) if self.lavin_compat else self.reply
        lead_letters, _, reason_letters = order.partition("A")
        reasons = [WHY, *(texts[letter] for letter in reason_letters)] if reason_letters else []
        words = [*(texts[letter] for letter in lead_letters), ANSWER.format(answer_of(example)), *reasons]
        return _single_spaced(" ".join(words)).removesuffix(WHY).rstrip()

    def _texts(self, example: Example) -> dict[str, str]:
        options = zip(LETTERS, options_of(example), strict=False)
        reasons = {letter: _fact(example, name) for letter, name in (("L", "lecture"), ("E", "solution"))}
        if self.lavin_compat:
            reasons = {letter: text.replace("\n", "\\n") for letter, text in reasons.items()}
        context = [_fact(example, "hint"), *([_fact(example, "caption")] if self.captions else [])]
        return {
            "Q": _fact(example, "question"),
            "C": " ".join(context).strip() or "N/A",
            "M": " ".join(f"({letter}) {text}" for letter, text in options),
            **reasons,
        }


def parse_format(format: str, *, cue: str, captions: bool, lavin_compat: bool) -> PromptFormat:
    """Parse a format such as "QCM-ALE". Raises ValueError for an unknown prompt or reply."""
    prompt, _, reply = format.partition("-")
    if prompt not in PROMPTS or reply not in REPLIES:
        raise ValueError(
            f"format: expected PROMPT-REPLY, PROMPT one of {', '.join(PROMPTS)}, REPLY one of {', '.join(REPLIES)}, "
            f"got {format!r}"
        )
    return PromptFormat(prompt=prompt, reply=reply, cue=cue, captions=captions, lavin_compat=lavin_compat)


def fits(example: Example) -> bool:
    """True for a choice that states a hint, even an empty one: a problem of ScienceQA."""
    return example.facts.get("kind") == "choice" and "hint" in example.facts


def answer_of(example: Example) -> str:
    """The letter of the answer. Raises ValueError where it names no option."""
    answer, count = example.facts.get("answer"), len(options_of(example))
    if not isinstance(answer, str) or len(answer) != 1 or answer not in LETTERS[:count]:
        raise ValueError(f"example {example.id!r}: answer: expected one letter of {LETTERS[:count]!r}, got {answer!r}")
    return answer


def truth_of(example: Example) -> dict[str, object]:
    """What the metric `chosen` compares a letter with: the answer, the number of options and the question's id."""
    pid = example.tags.get("pid", example.id)
    return {"answer": answer_of(example), "options": len(options_of(example)), "pid": pid}


def _fact(example: Example, name: str) -> str:
    value = example.facts.get(name)
    if not isinstance(value, str):
        hint = " (is there a captions.json?)" if name == "caption" else ""
        raise ValueError(f"example {example.id!r}: expected facts[{name!r}]{hint}, got only {sorted(example.facts)}")
    return value


def _single_spaced(text: str) -> str:
    """Replace two spaces, which an empty lecture leaves, by one."""
    return text.replace("  ", " ").strip()
