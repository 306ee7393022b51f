"""Check that replies are read from the disk as they were written, each once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from circuitvlm.core.contract import Codec
from circuitvlm.core.record import Reply
from circuitvlm.core.tensor import Batch
from circuitvlm.training.network import decode_replies
from circuitvlm.training.replies import ReplyWriter, delete_replies, read_replies

END = 0
ODD = ("", " ", "R1 1 2 10k\nC1 2 0 1u", 'a "quoted" \\ text', "tab\tand\r\nreturn", "22 µF, 3 Ω, ∠45°", "\x00\x1f\x7f",
       "next line \x85, line \u2028 and paragraph \u2029, form \x0c feed", "\U0001f600 and \ufffd")  # fmt: skip


def reply(name: str, text: str = "R1") -> Reply:
    return Reply(id=name, task="netlist", text=text)


def written(folder: Path, *replies: Reply, rank: int = 0) -> None:
    with ReplyWriter(folder, rank=rank) as writer:
        writer.write(replies)


@pytest.mark.parametrize("text", ODD)
def test_any_text_comes_back_as_it_was(text: str, tmp_path: Path) -> None:
    written(tmp_path, reply("a", text), reply("b"))
    assert read_replies(tmp_path) == {"a": reply("a", text), "b": reply("b")}


def test_a_row_without_its_end_is_a_cut_reply() -> None:
    """A whole choice that just fits is not cut: nothing may follow it."""
    choices = ((5, 6, END), (5, 6, 7, 8, END))
    batch = SimpleNamespace(ids=("a", "b", "c", "d", "e"), tasks=("t",) * 5, choices=((), (), *[choices] * 3))
    rows = [[1, 2], [1], [5, 6], [5, 7], [5]]
    codec = SimpleNamespace(decode=lambda row: "".join(map(str, row)))
    replies = decode_replies(rows, cast(Batch, batch), codec=cast(Codec, codec), max_new_tokens=2)
    assert [reply.cut for reply in replies] == [True, False, False, True, False]
    assert [reply.text for reply in replies] == ["12", "1", "56", "57", "5"]


def test_a_second_reply_to_the_same_question_is_dropped(tmp_path: Path) -> None:
    with ReplyWriter(tmp_path, rank=0) as writer:
        writer.write([reply("a", "first"), reply("a", "second")])
        writer.write([reply("a", "third"), reply("b")])
    assert len((tmp_path / "replies.0.jsonl").read_text().splitlines()) == 2
    assert read_replies(tmp_path)["a"].text == "first"


def test_a_new_run_does_not_mix_with_the_old(tmp_path: Path) -> None:
    written(tmp_path, reply("a", "old"), reply("b", "old"))
    written(tmp_path, reply("a", "new"))
    assert read_replies(tmp_path) == {"a": reply("a", "new")}


def test_replies_of_all_ranks_are_read_and_the_filler_once(tmp_path: Path) -> None:
    written(tmp_path, reply("a", "rank 0"), reply("b"), rank=0)
    written(tmp_path, reply("c"), reply("a", "the filler"), rank=1)
    found = read_replies(tmp_path)
    assert sorted(found) == ["a", "b", "c"]
    assert found["a"].text == "rank 0"


def test_what_an_earlier_run_said_is_forgotten(tmp_path: Path) -> None:
    written(tmp_path, reply("a"))
    delete_replies(tmp_path)
    assert read_replies(tmp_path) == {}


def test_what_was_written_before_a_kill_is_on_disk(tmp_path: Path) -> None:
    with ReplyWriter(tmp_path / "deep" / "folder", rank=0) as writer:
        writer.write([reply("a")])
        assert read_replies(tmp_path / "deep" / "folder") == {"a": reply("a")}
