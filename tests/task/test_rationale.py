"""Are ScienceQA's problems worded as its formats say, and their answers read and scored?"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from circuitvlm.core.record import Example, Picture
from circuitvlm.metric.chosen import Chosen, ChosenOrGuessed
from circuitvlm.task._scienceqa_prompt import PROMPTS, REPLIES
from circuitvlm.task.choice import ScienceChoice
from circuitvlm.task.rationale import Rationale

FACTS: dict[str, Any] = {
    "kind": "choice",
    "question": "Which is a metal?",
    "options": ["iron", "salt", "{wood}"],
    "answer": "A",
    "hint": "Metals shine.",
    "lecture": "First line.\nSecond line.",
    "solution": "Iron shines.",
    "caption": "a nail",
}
IMAGE = Picture(Path("nail.png"))


def example(**changed: Any) -> Example:
    facts = {name: value for name, value in (FACTS | changed).items() if value is not None}
    return Example(id="7", task="rationale", images=(IMAGE,), facts=facts, tags={"pid": "7"})


def rationale(format: str = "QCM-ALE", **changed: Any) -> Rationale:
    said: dict[str, Any] = {"cue": "Response:", "captions": False, "lavin_compat": False, "reading": "official"}
    return Rationale(format=format, metrics={}, **said | changed)


def choice(order: str = "QCM", **changed: Any) -> ScienceChoice:
    said: dict[str, Any] = {"cue": "Answer:", "captions": False, "lavin_compat": False, "reading": "letter"}
    return ScienceChoice(order=order, metrics={}, **said | changed)


Q, C, M = "Question: Which is a metal?\n", "Context: Metals shine.\n", "Options: (A) iron (B) salt (C) {wood}\n"
L, E = "First line.\nSecond line.", "Iron shines."

ASKED = {
    "QCM": Q + C + M,
    "CQM": C + Q + M,
    "QCML": f"{Q}{C}{M}BECAUSE: {L}\n",
    "QCME": f"{Q}{C}{M}BECAUSE: {E}\n",
    "QCMLE": f"{Q}{C}{M}BECAUSE: {L} {E}\n",
    "QCLM": f"{Q}{C}BECAUSE: {L}\n{M}",
    "QCEM": f"{Q}{C}BECAUSE: {E}\n{M}",
    "QCLEM": f"{Q}{C}BECAUSE: {L} {E}\n{M}",
}
SAID = {
    "A": "The answer is A.",
    "AL": f"The answer is A. BECAUSE: {L}",
    "AE": f"The answer is A. BECAUSE: {E}",
    "ALE": f"The answer is A. BECAUSE: {L} {E}",
    "AEL": f"The answer is A. BECAUSE: {E} {L}",
    "LA": f"{L} The answer is A.",
    "EA": f"{E} The answer is A.",
    "LEA": f"{L} {E} The answer is A.",
    "ELA": f"{E} {L} The answer is A.",
}


@pytest.mark.parametrize(("asked", "said"), product(PROMPTS, REPLIES))
def test_each_format_is_worded_by_its_letters(asked: str, said: str) -> None:
    made = rationale(f"{asked}-{said}").ask(example())
    (turn,) = made.prompt
    assert turn.text == ASKED[asked] + "Response:"
    assert turn.images == (IMAGE,)
    assert made.reply == SAID[said]
    assert rationale(f"{asked}-{said}").read(made.reply) == "A"


def test_the_original_swaps_two_formats_and_writes_newlines_as_two_signs() -> None:
    written = L.replace("\n", "\\n")
    assert rationale("QCM-AL", lavin_compat=True).ask(example()).reply == f"The answer is A. BECAUSE: {E}"
    assert rationale("QCM-AE", lavin_compat=True).ask(example()).reply == f"The answer is A. BECAUSE: {written}"
    assert rationale("QCM-ALE", lavin_compat=True).ask(example()).reply == f"The answer is A. BECAUSE: {written} {E}"
    asked = rationale("QCML-A", lavin_compat=True).ask(example(hint="one\ntwo")).prompt[0].text
    assert asked == f"{Q}Context: one\ntwo\n{M}BECAUSE: {written}\nResponse:"


@pytest.mark.parametrize(
    ("captions", "changed", "context"),
    [
        (False, {}, "Metals shine."),
        (True, {}, "Metals shine. a nail"),
        (False, {"hint": ""}, "N/A"),
        (True, {"hint": ""}, "a nail"),
        (True, {"hint": "", "caption": ""}, "N/A"),
    ],
)
def test_the_context_is_the_hint_and_where_wanted_the_caption(
    captions: bool, changed: dict[str, str], context: str
) -> None:
    assert f"\nContext: {context}\n" in choice(captions=captions).ask(example(**changed)).prompt[0].text


def test_captions_that_nobody_has_are_told() -> None:
    with pytest.raises(ValueError, match=r"example '7'.*captions\.json"):
        rationale(captions=True).ask(example(caption=None))


@pytest.mark.parametrize(
    ("changed", "reply"),
    [
        ({"lecture": ""}, f"The answer is A. BECAUSE: {E}"),
        ({"solution": ""}, f"The answer is A. BECAUSE: {L}"),
        ({"lecture": "", "solution": ""}, "The answer is A."),
    ],
)
def test_what_is_missing_leaves_no_hole(changed: dict[str, str], reply: str) -> None:
    assert rationale().ask(example(**changed)).reply == reply


@pytest.mark.parametrize(
    ("reading", "text", "letter"),
    [
        ("official", "The answer is B. BECAUSE: A magnet", "B"),
        ("official", "B", None),
        ("official", "The answer is B. The answer is C.", None),
        ("first", "The answer is B. The answer is C.", "B"),
        ("first", "B", None),
        ("letter", "B", "B"),
        ("letter", "(C) since D is wrong", "C"),
        ("letter", "A because it shines", "A"),
        ("letter", "A magnet attracts B.", "B"),
        ("letter", "BECAUSE nothing", None),
        ("likelihood", "The answer is C.", "C"),
    ],
)
def test_answers_are_read_as_stated(reading: str, text: str, letter: str | None) -> None:
    assert rationale(reading=reading).read(text) == letter


def test_the_likeliest_answer_is_one_of_the_options() -> None:
    asked = rationale(reading="likelihood").ask(example())
    assert asked.choices == ("The answer is A.", "The answer is B.", "The answer is C.")
    assert choice(reading="likelihood").ask(example()).choices == ("A", "B", "C")


def test_a_letter_alone_is_a_choice() -> None:
    made = choice("CQM").ask(example())
    assert (made.prompt[0].text, made.reply, made.choices) == (f"{C}{Q}{M}Answer:", "A", ())


@pytest.mark.parametrize("format", ["QCM", "QMC-A", "QCM-ALEE", "", "-", "qcm-a"])
def test_an_unknown_format_is_refused(format: str) -> None:
    with pytest.raises(ValueError, match="QCLEM"):
        rationale(format)


@pytest.mark.parametrize("reading", ["official", "first"])
def test_what_comes_last_may_be_searched_for(reading: str) -> None:
    assert rationale("QCM-LEA", reading=reading).read(SAID["LEA"]) == "A"


@pytest.mark.parametrize("reading", ["letter", "likelihood"])
def test_what_comes_last_is_not_read_first(reading: str) -> None:
    with pytest.raises(ValueError, match="needs a format with the answer first"):
        rationale("QCM-LEA", reading=reading)


@pytest.mark.parametrize("answer", ["D", "", "AB", None, 0])
def test_an_answer_that_is_no_option_is_refused(answer: object) -> None:
    with pytest.raises(ValueError, match="expected one letter of 'ABC'"):
        rationale().ask(example(answer=answer))


def test_only_problems_with_a_hint_fit() -> None:
    assert rationale().fits(example(hint=""))
    assert not rationale().fits(example(hint=None))
    assert not choice().fits(example(kind="measurement"))


# ----------------------------------------------------------------------------------------- what a reply is worth


def test_a_reply_that_chooses_nothing_is_worth_what_the_policy_says() -> None:
    truth = rationale().truth(example())
    wrong, expected = Chosen(), ChosenOrGuessed(guess="expected")
    for said in (None, "", "D", "AB", 3):
        assert wrong.score(said, truth).value == 0
        assert expected.score(said, truth).value == 1 / 3
    for metric in (wrong, expected, ChosenOrGuessed(guess="random")):
        assert metric.score("A", truth).value == 1
        assert metric.score("B", truth).value == 0


def test_a_guess_belongs_to_the_question_and_is_right_as_often_as_it_should_be() -> None:
    metric = ChosenOrGuessed(guess="random")
    truths = [{"answer": "B", "options": 4, "pid": str(pid)} for pid in range(2000)]
    values = [metric.score(None, truth).value for truth in truths]
    assert values == [metric.score(None, truth).value for truth in truths]
    assert 0.22 < sum(values) / len(values) < 0.28


def test_another_guess_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 'expected' or 'random'"):
        ChosenOrGuessed(guess="lucky")  # type: ignore[arg-type]  # what a YAML may state
