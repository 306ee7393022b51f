"""Are Alpaca's and LLaVA's files read as dialogues, and what is none of them counted?"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from circuitvlm.core.record import Example
from circuitvlm.data._reading.files import DataFileError
from circuitvlm.data.instructions import Instructions
from circuitvlm.task.instruct import Instruct

FIXTURE = Path(__file__).parents[1] / "fixtures" / "instructions"
SPLITS = {"train": {"share": 0.7}, "validation": {"share": 0.3}}


def source(root: Path = FIXTURE, **changed: Any) -> Instructions:
    said: dict[str, Any] = {
        "files": ["alpaca_data.json", "llava_instruct.json"],
        "images": "images",
        "turns": "every",
        "splits": SPLITS,
        "on_unusable": "count",
    }
    return Instructions(root=str(root), **said | changed)


def found(one: Instructions) -> dict[str, Example]:
    return {example.id: example for split in one.splits() for example in one.examples(split)}


def written(folder: Path, rows: list[Any], *, lines: bool = False) -> Instructions:
    text = "\n".join(map(json.dumps, rows)) + "\n" if lines else json.dumps(rows)
    (folder / "rows.json").write_text(text)
    return source(folder, files=["rows.json"])


def says(*texts: str, image: str | None = None, who: tuple[str, ...] = ("human", "gpt")) -> dict[str, Any]:
    turns = [{"from": who[place % len(who)], "value": text} for place, text in enumerate(texts)]
    return {"conversations": turns} | ({"image": image} if image else {})


def test_both_formats_become_questions_with_answers() -> None:
    one = source()
    every = found(one)
    assert one.unusable == Counter({"no answer": 1, "no image": 1})
    assert every["alpaca_data-1"].facts["question"] == "Spell the word 'anchor' backwards."
    assert every["alpaca_data-7"].facts["question"] == "How many letters has this word?\n\ngarden"
    assert every["alpaca_data-7"].facts["answer"] == "It has 6."
    assert every["llava_instruct-1"].facts["question"] == "Good morning."
    assert every["llava_instruct-1"].images == ()
    second = every["llava_instruct-2.2"]
    assert second.facts["question"] == "How many are there?"
    assert second.facts["history"] == (
        ("user", "What is this?"),
        ("assistant", "A row of resistors on a wire."),
    )
    assert second.images[0].path == FIXTURE / "images" / "row1.png"


def test_a_conversation_gives_every_answer_or_the_last() -> None:
    every, last = found(source()), found(source(turns="last"))
    assert {"llava_instruct-2.1", "llava_instruct-2.2"} <= set(every)
    assert last["llava_instruct-2"].facts == every["llava_instruct-2.2"].facts
    assert len(every) == len(last) + 3


def test_what_shares_an_image_or_a_question_lies_in_one_split(tmp_path: Path) -> None:
    shutil.copytree(FIXTURE / "images", tmp_path / "images")
    rows = [says(f"Question {k}?", "Yes.", image=f"row{k % 5 + 1}.png") for k in range(40)]
    rows += [{"instruction": f"Say {k % 7}.", "input": "", "output": f"{k}"} for k in range(40)]
    one = written(tmp_path, rows)
    images: dict[str, set[object]] = {}
    for split in one.splits():
        examples = one.examples(split)
        assert len(examples) > 0
        images[split] = {e.images[0].path if e.images else e.facts["question"] for e in examples}
    assert not images["train"] & images["validation"]


def test_one_object_a_line_is_a_list(tmp_path: Path) -> None:
    rows = [says("One?", "1"), {"instruction": "Two?", "output": "2"}]
    assert found(written(tmp_path, rows)) == found(written(tmp_path, rows, lines=True))


USED = [
    (says("Be brief.", "Hi.", "Hello.", who=("system", "user", "assistant")), 1),
    (says("Hi.", "Hello.", "Unanswered?"), 1),
    (says("Hi.", "Hello.", "And?", "Yes.", who=("user", "assistant")), 2),
]


@pytest.mark.parametrize(("row", "count"), USED)
def test_turns_are_read_by_who_speaks(tmp_path: Path, row: Any, count: int) -> None:
    assert len(found(written(tmp_path, [row]))) == count


UNUSABLE = [
    ("text", "neither instruction nor conversations"),
    ({}, "neither instruction nor conversations"),
    ({"instruction": "Why?", "output": " "}, "no answer"),
    ({"instruction": "", "output": "Yes."}, "no question"),
    ({"instruction": 3, "output": "Yes."}, "turn that is no text"),
    ({"conversations": "none"}, "conversations are no list of turns"),
    ({"conversations": []}, "no conversation"),
    (says("Hi."), "no conversation"),
    (says("Hi.", "Ho.", "He.", who=("human", "human", "gpt")), "turns do not alternate"),
    (says("Hi.", "Ho.", who=("gpt", "human")), "turns do not alternate"),
    (says("Hi.", "Ho.", who=("human", "bard")), "turn of nobody known"),
    (says("<image>", "Ho."), "no question"),
    (says("Hi.", ""), "no answer"),
    (says("Hi.", "Ho.", image="../../secret.png"), "path leads out of the folder"),
    (says("Hi.", "Ho.", image="gone.png"), "no image"),
    (says("Hi.", "Ho.", image="drawing.svg"), "unreadable image"),
    ({**says("Hi.", "Ho."), "image": ["a.png", "b.png"]}, "several images"),
]


@pytest.mark.parametrize(("row", "reason"), UNUSABLE)
def test_what_cannot_be_used_is_counted_or_an_error(tmp_path: Path, row: Any, reason: str) -> None:
    one = written(tmp_path, [says("One?", "1"), row])
    assert list(found(one)) == ["rows-1"]
    assert one.unusable == Counter({reason: 1})
    with pytest.raises(DataFileError, match=rf"1 conversations cannot be used: rows-2 \({reason}\)"):
        source(tmp_path, files=["rows.json"], on_unusable="stop").examples("train")


def test_broken_and_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('[{"instruction": ')
    with pytest.raises(DataFileError, match=r"rows\.json: no JSON from byte"):
        source(tmp_path, files=["rows.json"]).examples("train")
    with pytest.raises(DataFileError, match=r"there is no file .*other\.json"):
        source(tmp_path, files=["other.json"]).examples("train")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"turns": "first"}, "wanted every or last"),
        ({"on_unusable": "skip"}, "wanted count or stop"),
        ({"files": []}, "wanted one or more"),
        ({"files": ["a/x.json", "b/x.json"]}, "of different names"),
    ],
)
def test_settings_that_are_none_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        source(**changed)


# ------------------------------------------------------------------------------------------------------ how it is asked


def test_what_was_said_before_is_asked_again_with_the_image_first() -> None:
    every = found(source())
    asked = Instruct(prompt="{question}", metrics={}).ask(every["llava_instruct-2.2"])
    assert [(turn.role, turn.text, len(turn.images)) for turn in asked.prompt] == [
        ("user", "What is this?", 1),
        ("assistant", "A row of resistors on a wire.", 0),
        ("user", "How many are there?", 0),
    ]
    assert asked.reply == "There are 1."
    plain = Instruct(prompt="Please: {question}", metrics={}).ask(every["alpaca_data-1"])
    assert [turn.text for turn in plain.prompt] == ["Please: Spell the word 'anchor' backwards."]


def test_a_system_turn_stays_before_the_image() -> None:
    facts = {"kind": "instruction", "question": "What?", "answer": "That.", "history": (("system", "Be brief."),)}
    image = found(source())["llava_instruct-2.1"].images
    asked = Instruct(prompt="{question}", metrics={}).ask(Example(id="x", images=image, facts=facts))
    assert [(turn.role, len(turn.images)) for turn in asked.prompt] == [("system", 0), ("user", 1)]
    odd = Example(id="x", facts={**facts, "history": (("robot", "Beep."),)})
    with pytest.raises(ValueError, match="wanted pairs of role and text"):
        Instruct(prompt="{question}", metrics={}).ask(odd)
