"""Check which questions a run asks, and with which images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from circuitvlm.core.record import Example, Picture
from circuitvlm.training.batches.fingerprint import fingerprint
from circuitvlm.training.batches.task_dataset import TaskDataset


class Source:
    """Examples whose one image has the name of the example."""

    def __init__(self, name: str, count: int) -> None:
        self.rows = [
            Example(id=f"{name}{k}", images=(Picture(Path(f"{name}{k}.png")),), facts={"n": k}, tags={})
            for k in range(count)
        ]

    def splits(self) -> tuple[str, ...]:
        return ("test",)

    def examples(self, split: str) -> Sequence[Example]:
        return self.rows


class Any:
    """A task that asks about every example."""

    def fits(self, example: Example) -> bool:
        return True


class Odd(Any):
    def fits(self, example: Example) -> bool:
        return bool(example.facts["n"] % 2)


def asked(*, limit: int | None = None, shuffle_images: bool) -> list[Example]:
    sources = {"a": Source("a", 5), "b": Source("b", 3)}
    return list(TaskDataset(sources, {"t": Any()}, "test", limit=limit, shuffle_images=shuffle_images))


@pytest.mark.parametrize("limit", [None, 6])
def test_shuffled_images_are_another_examples_of_the_same_source_each_once(limit: int | None) -> None:
    plain, shuffled = asked(limit=limit, shuffle_images=False), asked(limit=limit, shuffle_images=True)
    assert [(e.id, e.facts, e.task) for e in shuffled] == [(e.id, e.facts, e.task) for e in plain]
    assert all(e.images[0].path.stem == e.id.split("/")[1] for e in plain)
    assert not any(e.images[0].path.stem == e.id.split("/")[1] for e in shuffled)
    assert all(e.images[0].path.stem[0] == e.id[0] for e in shuffled)
    assert len({e.images for e in shuffled}) == len(shuffled)


def test_one_example_alone_cannot_be_shuffled() -> None:
    with pytest.raises(ValueError, match="got none among 1 examples of its source"):
        TaskDataset({"a": Source("a", 1)}, {"t": Any()}, "test", limit=None, shuffle_images=True)


def test_several_questions_of_one_picture_all_get_another_picture() -> None:
    class Shared(Source):
        def examples(self, split: str) -> list[Example]:
            made = list(super().examples(split))
            shown = [made[k // 3].images if k % 4 else () for k in range(len(made))]
            return [replace(example, images=images) for example, images in zip(made, shown, strict=True)]

    plain, shuffled = (
        list(TaskDataset({"a": Shared("a", 9)}, {"t": Any()}, "test", limit=None, shuffle_images=turn))
        for turn in (False, True)
    )
    assert all(bool(old.images) == bool(new.images) for old, new in zip(plain, shuffled, strict=True))
    assert not any(old.images and old.images == new.images for old, new in zip(plain, shuffled, strict=True))


def test_each_task_asks_about_the_examples_that_fit_it(caplog: pytest.LogCaptureFixture) -> None:
    sources = {"a": Source("a", 4)}
    both = TaskDataset(sources, {"all": Any(), "odd": Odd()}, "test", limit=None)
    assert [e.id for e in both] == ["a0#all", "a1#all", "a1#odd", "a2#all", "a3#all", "a3#odd"]
    with caplog.at_level("INFO"):
        few = TaskDataset(sources, {"odd": Odd()}, "test", limit=1)
    assert [e.id for e in few] == ["a1"]
    assert "no task asks about 2 no kind" in caplog.text


def test_tasks_without_any_example_are_refused() -> None:
    class Never(Any):
        def fits(self, example: Example) -> bool:
            return False

    with pytest.raises(ValueError, match=r"expected examples that fit a task \(t\), got 3 no kind"):
        TaskDataset({"a": Source("a", 3)}, {"t": Never()}, "test", limit=None)


def two_sources(limit: int | None) -> TaskDataset:
    return TaskDataset({"a": Source("a", 5), "b": Source("b", 3)}, {"all": Any(), "odd": Odd()}, "test", limit=limit)


def test_the_first_few_questions_are_of_every_source_and_say_which() -> None:
    few = list(two_sources(4))
    assert [example.tags["source"] for example in few] == ["a", "b", "a", "b"]
    whole = [example.id for example in two_sources(None)]
    assert {example.id for example in few} <= set(whole)
    assert sorted(example.id for example in two_sources(99)) == sorted(whole), "a wide limit loses nothing"


def test_questions_are_found_by_source_and_by_source_and_task() -> None:
    questions = two_sources(None)
    plain, odd, rest = questions.indices_by_name(["a", "b/odd", "b"]).values()
    assert [questions[k].tags["source"] for k in plain] == ["a"] * 7
    assert [(questions[k].tags["source"], questions[k].task) for k in odd] == [("b", "odd")]
    assert [(questions[k].tags["source"], questions[k].task) for k in rest] == [("b", "all")] * 3
    with pytest.raises(ValueError, match="expected b or b/all, got only"):
        questions.indices_by_name(["a", "b/odd"])


def test_other_examples_have_another_fingerprint_and_the_same_ones_elsewhere_the_same(tmp_path: Path) -> None:
    def example(folder: str, *, content: bytes = b"123", n: object = 1, tag: str = "x") -> Example:
        path = tmp_path / folder / "a.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return Example(id="a", images=(Picture(path),), facts={"n": n, "from": path}, tags={"t": tag})

    one = fingerprint([example("here")])
    assert fingerprint([example("there")]) == one
    assert fingerprint([example("here", n={3, 1, 2})]) == fingerprint([example("here", n={2, 3, 1})])
    assert fingerprint([example("here", n=2)]) != one
    assert fingerprint([example("here", tag="y")]) != one
    assert fingerprint([example("here", content=b"1234")]) != one
    assert fingerprint([example("here"), example("there")])["examples"] == 2
    missing = replace(example("here"), images=(Picture(tmp_path / "gone.png"),))
    assert fingerprint([missing]) != one, "a missing image is for whoever opens it"
