"""Test that Alpaca's and LLaVA's files are read as dialogues, and that unusable rows are counted."""

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


def source(root: Path = FIXTURE, **changes: Any) -> Instructions:
    settings: dict[str, Any] = {
        "files": ["alpaca_data.json", "llava_instruct.json"],
        "images": "images",
        "turns": "every",
        "splits": SPLITS,
        "on_unusable": "count",
    }
    return Instructions(root=str(root), **settings | changes)


def read_all(instructions: Instructions) -> dict[str, Example]:
    return {example.id: example for split in instructions.splits() for example in instructions.examples(split)}


def write_rows(folder: Path, rows: list[Any], *, lines: bool = False) -> Instructions:
    text = "\n".join(map(json.dumps, rows)) + "\n" if lines else json.dumps(rows)
    (folder / "rows.json").write_text(text)
    return source(folder, files=["rows.json"])


def says(*texts: str, image: str | None = None, speakers: tuple[str, ...] = ("human", "gpt")) -> dict[str, Any]:
    turns = [{"from": speakers[index % len(speakers)], "value": text} for index, text in enumerate(texts)]
    return {"conversations": turns} | ({"image": image} if image else {})


def test_both_formats_become_questions_with_answers() -> None:
    instructions = source()
    every = read_all(instructions)
    assert instructions.unusable == Counter({"no answer": 1, "no image": 1})
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
    every, last = read_all(source()), read_all(source(turns="last"))
    assert {"llava_instruct-2.1", "llava_instruct-2.2"} <= set(every)
    assert last["llava_instruct-2"].facts == every["llava_instruct-2.2"].facts
    assert len(every) == len(last) + 3


def test_what_shares_an_image_or_a_question_lies_in_one_split(tmp_path: Path) -> None:
    shutil.copytree(FIXTURE / "images", tmp_path / "images")
    rows = [says(f"Question {k}?", "Yes.", image=f"row{k % 5 + 1}.png") for k in range(40)]
    rows += [{"instruction": f"Say {k % 7}.", "input": "", "output": f"{k}"} for k in range(40)]
    instructions = write_rows(tmp_path, rows)
    images: dict[str, set[object]] = {}
    for split in instructions.splits():
        examples = instructions.examples(split)
        assert len(examples) > 0
        images[split] = {e.images[0].path if e.images else e.facts["question"] for e in examples}
    assert not images["train"] & images["validation"]


def test_one_object_a_line_is_a_list(tmp_path: Path) -> None:
    rows = [says("One?", "1"), {"instruction": "Two?", "output": "2"}]
    assert read_all(write_rows(tmp_path, rows)) == read_all(write_rows(tmp_path, rows, lines=True))


USED = [
    (says("Be brief.", "Hi.", "Hello.", speakers=("system", "user", "assistant")), 1),
    (says("Hi.", "Hello.", "Unanswered?"), 1),
    (says("Hi.", "Hello.", "And?", "Yes.", speakers=("user", "assistant")), 2),
]


@pytest.mark.parametrize(("row", "count"), USED)
def test_turns_are_read_by_who_speaks(tmp_path: Path, row: Any, count: int) -> None:
    assert len(read_all(write_rows(tmp_path, [row]))) == count


UNUSABLE = [
    ("text", "neither instruction nor conversations"),
    ({}, "neither instruction nor conversations"),
    ({"instruction": "Why?", "output": " "}, "no answer"),
    ({"instruction": "", "output": "Yes."}, "no question"),
    ({"instruction": 3, "output": "Yes."}, "turn that is not a text"),
    ({"conversations": "none"}, "conversations are not a list of turns"),
    ({"conversations": []}, "no conversation"),
    (says("Hi."), "no conversation"),
    (says("Hi.", "Ho.", "He.", speakers=("human", "human", "gpt")), "turns do not alternate"),
    (says("Hi.", "Ho.", speakers=("gpt", "human")), "turns do not alternate"),
    (says("Hi.", "Ho.", speakers=("human", "bard")), "turn of an unknown speaker"),
    (says("<image>", "Ho."), "no question"),
    (says("Hi.", ""), "no answer"),
    (says("Hi.", "Ho.", image="../../secret.png"), "path leads out of the folder"),
    (says("Hi.", "Ho.", image="gone.png"), "no image"),
    (says("Hi.", "Ho.", image="drawing.svg"), "unreadable image"),
    ({**says("Hi.", "Ho."), "image": ["a.png", "b.png"]}, "several images"),
]


@pytest.mark.parametrize(("row", "reason"), UNUSABLE)
def test_what_cannot_be_used_is_counted_or_an_error(tmp_path: Path, row: Any, reason: str) -> None:
    instructions = write_rows(tmp_path, [says("One?", "1"), row])
    assert list(read_all(instructions)) == ["rows-1"]
    assert instructions.unusable == Counter({reason: 1})
    with pytest.raises(DataFileError, match=rf"1 cannot be used \({reason}: 1, first rows-2, got .*\)"):
        source(tmp_path, files=["rows.json"], on_unusable="stop").examples("train")


def test_broken_and_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('[{"instruction": ')
    with pytest.raises(DataFileError, match=r"rows\.json: invalid JSON from byte"):
        source(tmp_path, files=["rows.json"]).examples("train")
    with pytest.raises(DataFileError, match=r"other\.json: expected a file of JSON"):
        source(tmp_path, files=["other.json"]).examples("train")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"turns": "first"}, "turns: expected every or last, got 'first'"),
        ({"on_unusable": "skip"}, "expected count or stop"),
        ({"files": []}, "expected one or more"),
        ({"files": ["a/x.json", "b/x.json"]}, "of different names"),
    ],
)
def test_settings_that_are_none_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        source(**changes)


# ------------------------------------------------------------------------------------------------------ how it is asked


def test_what_was_said_before_is_asked_again_with_the_image_first() -> None:
    every = read_all(source())
    dialogue = Instruct(prompt="{question}", metrics={}).ask(every["llava_instruct-2.2"])
    assert [(turn.role, turn.text, len(turn.images)) for turn in dialogue.prompt] == [
        ("user", "What is this?", 1),
        ("assistant", "A row of resistors on a wire.", 0),
        ("user", "How many are there?", 0),
    ]
    assert dialogue.reply == "There are 1."
    plain = Instruct(prompt="Please: {question}", metrics={}).ask(every["alpaca_data-1"])
    assert [turn.text for turn in plain.prompt] == ["Please: Spell the word 'anchor' backwards."]


def test_a_system_turn_stays_before_the_image() -> None:
    facts = {"kind": "instruction", "question": "What?", "answer": "That.", "history": (("system", "Be brief."),)}
    image = read_all(source())["llava_instruct-2.1"].images
    dialogue = Instruct(prompt="{question}", metrics={}).ask(Example(id="x", images=image, facts=facts))
    assert [(turn.role, len(turn.images)) for turn in dialogue.prompt] == [("system", 0), ("user", 1)]
    odd = Example(id="x", facts={**facts, "history": (("robot", "Beep."),)})
    with pytest.raises(ValueError, match="expected pairs of role and text"):
        Instruct(prompt="{question}", metrics={}).ask(odd)
