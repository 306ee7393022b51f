"""Are generated questions right, no two sets alike, and all groups filled? Told by other means than the maker's."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from circuitvlm.circuit import netlist
from circuitvlm.data.science_circuits import ScienceCircuits, facts
from circuitvlm.data.science_circuits.problem import LANGUAGE, NATURAL, SOCIAL, Problem, Template, problem
from circuitvlm.data.science_circuits.writer import TEMPLATES, Settings, drawing, problems_of, share_of
from circuitvlm.data.scienceqa import ScienceQA

SETTINGS = Settings(seed=0, side=88, styles=("american",), templates="exam", counts={"train": 600, "test": 300})
ALL = [template for templates in TEMPLATES.values() for template in dict.fromkeys(templates)]
LETTERS = {part.letter: part.name for part in facts.PARTS}


def made(name: str, *, count: int = 60) -> Iterator[Problem]:
    """Problems of one template."""
    template = next(each for each in ALL if each.name == name)
    return (problem(template, Random(seed)) for seed in range(count))


def source(cache: Path, **changed: object) -> ScienceCircuits:
    splits = {"train": {"count": 40, "pids": "train"}, "test": {"count": 20, "pids": "test"}}
    said = {"seed": 0, "templates": "exam", "side": 88, "styles": ["american"], "workers": 0, "splits": splits}
    return ScienceCircuits(cache=str(cache), **{**said, **changed})  # type: ignore[arg-type]  # as a YAML gives them


def number(text: str) -> int:
    """The first whole number of a text."""
    found = re.search(r"\d+", text)
    assert found, text
    return int(found[0])


def numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]


def value(text: str) -> float:
    """ "33 mV" in volts."""
    digits, unit = text.split()
    return float(digits) * {"m": 1e-3, "k": 1e3, "M": 1e6}.get(unit[:-1], 1.0)


# --------------------------------------------------------------------------------------------------- one right choice


@pytest.mark.parametrize("template", ALL, ids=lambda template: template.name)
def test_a_problem_has_two_to_five_different_choices_one_of_them_right(template: Template) -> None:
    places: Counter[int] = Counter()
    for seed in range(80):
        one = problem(template, Random(seed))
        assert 2 <= len(one.choices) == len(set(one.choices)) <= 5
        assert one.choices[one.answer] == one.draft.right
        assert one.draft.right not in one.choices[: one.answer] + one.choices[one.answer + 1 :]
        assert bool(one.draft.deck) == bool(one.draft.caption)
        places[one.answer] += 1
    assert places[0] < 60, "the right choice stands in every place"
    assert places[1] > 10


@pytest.mark.parametrize(("name", "right"), [("ohms_law", lambda a, b: a * b), ("series_total", lambda a, b: a + b)])
def test_numbers_of_a_hint_give_the_answer(name: str, right: Callable[..., int]) -> None:
    for one in made(name):
        assert right(*numbers(one.draft.hint)) == number(one.draft.right)


@pytest.mark.parametrize(
    ("name", "right"),
    [("batteries", lambda a, b: a + b), ("charge", lambda a, b: a * b), ("parallel_total", lambda a: a // 2)],
)
def test_numbers_of_a_question_give_the_answer(name: str, right: Callable[..., int]) -> None:
    for one in made(name):
        assert right(*numbers(one.draft.question)) == number(one.draft.right)


@pytest.mark.parametrize("name", ["largest_resistance", "ranked_quantity"])
def test_the_largest_is_the_largest_and_the_smallest_the_smallest(name: str) -> None:
    for one in made(name):
        found = sorted(one.choices, key=value)
        assert one.draft.right == (found[-1] if "largest" in one.draft.question else found[0])
        assert len({value(text) for text in one.choices}) == len(one.choices)


@pytest.mark.parametrize("name", ["first_in_dictionary", "last_in_dictionary", "latest_year"])
def test_order_is_the_order_of_texts(name: str) -> None:
    for one in made(name):
        found = sorted(one.choices)
        assert one.draft.right == (found[0] if re.search("first|earliest", one.draft.question) else found[-1])


def test_what_happened_first_did() -> None:
    years = {event.deed: event.year for event in facts.EVENTS}
    for one in made("earliest"):
        assert years[one.draft.right] == min(years[deed] for deed in one.choices)


def test_the_later_of_two_has_the_later_year_in_the_hint() -> None:
    for one in made("later_of_two"):
        told = {person: int(year) for year, person in re.findall(r"(\d{4}): (.+?)\.(?= \d|$)", one.draft.hint)}
        assert one.draft.right == max(told, key=lambda person: told[person])


def test_only_one_word_is_spelled_as_a_word() -> None:
    for one in made("spelled_correctly"):
        assert [word in facts.WORDS for word in one.choices].count(True) == 1
        assert one.draft.right in facts.WORDS
    for one in made("mistake"):
        assert [word not in facts.WORDS for word in one.choices].count(True) == 1


def test_nobody_of_the_wrong_people_was_born_there() -> None:
    for one in made("countryman"):
        country = one.draft.question.removeprefix("Who came from ").removesuffix("?")
        assert [facts.BORN[person] == country for person in one.choices].count(True) == 1


def test_facts_have_one_answer_each() -> None:
    assert len({event.year for event in facts.EVENTS}) == len(facts.EVENTS)
    for column in ("name", "sign", "quantity", "person"):
        assert len({getattr(unit, column) for unit in facts.UNITS}) == len(facts.UNITS)
    assert not set(facts.NOUNS) & set(facts.VERBS)
    assert not set(facts.CONDUCTORS) & set(facts.INSULATORS)
    assert len(set(facts.ABBREVIATIONS.values())) == len(facts.ABBREVIATIONS)


# ----------------------------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize("template", [t for t in ALL if problem(t, Random(0)).draft.deck], ids=lambda t: t.name)
def test_a_caption_says_what_the_deck_has(template: Template) -> None:
    for seed in range(40):
        draft = problem(template, Random(seed)).draft
        devices = netlist.parse(draft.deck).devices
        for letter, name in LETTERS.items():
            count = sum(device.kind == letter for device in devices)
            said = re.findall(rf"(an?|two|three) {name}s?\b", draft.caption)
            assert sum({"two": 2, "three": 3}.get(word, 1) for word in said) == count, (draft.deck, draft.caption)
        parallel = len(devices) > 1 and len({frozenset(device.nodes) for device in devices}) == 1
        assert ("in parallel" in draft.caption) == parallel
        assert ("in series" in draft.caption) == (len(devices) > 1 and not parallel)


def test_answers_about_a_picture_follow_from_its_deck() -> None:
    for one in made("total_of_pair"):
        ohms = number(one.draft.hint)
        wanted = ohms // 2 if "in parallel" in one.draft.caption else 2 * ohms
        assert number(one.draft.right) == wanted
    for one in made("absent"):
        names = [LETTERS[device.kind] for device in netlist.parse(one.draft.deck).devices]
        assert [choice not in names for choice in one.choices].count(True) == 1
    for one in made("is_there"):
        asked = re.sub(r"Do you see an? |\?", "", one.draft.question)
        assert (one.draft.right == "yes") == any(
            LETTERS[d.kind] == asked for d in netlist.parse(one.draft.deck).devices
        )


def test_a_drawing_is_a_legible_square() -> None:
    png = drawing("R1 1 2 12\nC1 2 0 22n", side=88, styles=("american",), seed="0")
    assert Image.open(io.BytesIO(png)).size == (88, 88)
    with pytest.raises(ValueError, match="state a larger side"):
        drawing("V1 1 0 9\nR1 1 0 12k\nC2 1 0 82n\nL1 1 0 82m", side=40, styles=("american",), seed="0")


# --------------------------------------------------------------------------------------------------------------- sets


def test_no_problem_is_in_two_sets_of_any_seed() -> None:
    train, test = (
        {one.key for seed in (0, 1) for one in problems_of(replace(SETTINGS, seed=seed), name)}
        for name in ("train", "test")
    )
    assert not train & test
    first = problems_of(SETTINGS, "test")
    assert len({one.key for one in first}) == len(first) == 300
    assert {share_of(one) for one in first} == {"test"}


@pytest.mark.parametrize("templates", ["exam", "quiz"])
def test_every_group_is_well_filled(templates: str) -> None:
    found = problems_of(replace(SETTINGS, templates=templates), "test")
    groups = {
        **{
            subject: [one for one in found if one.template.subject == subject]
            for subject in (NATURAL, SOCIAL, LANGUAGE)
        },
        "TXT": [one for one in found if one.draft.hint],
        "IMG": [one for one in found if one.draft.deck],
        "NO": [one for one in found if not one.draft.hint and not one.draft.deck],
        "G1-6": [one for one in found if one.grade <= 6],
        "G7-12": [one for one in found if one.grade > 6],
    }
    assert all(len(several) >= 0.15 * len(found) for several in groups.values()), {k: len(v) for k, v in groups.items()}
    assert {one.grade for one in found} == set(range(1, 13))


@pytest.mark.parametrize("template", [*TEMPLATES["quiz"], *TEMPLATES["quiz_primer"]], ids=lambda t: t.name)
def test_a_quiz_has_the_same_choices_in_the_same_order_each_time(template: Template) -> None:
    assert len({problem(template, Random(seed)).choices for seed in range(40)}) == 1


def test_answers_of_a_quiz_without_pictures_are_so() -> None:
    """Each told by another way than the maker's."""
    for one in made("which_is_less"):
        first, second = (_with_prefix(text) for text in re.findall(r"\d+ [mkM]?[VAW]", one.draft.question))
        assert first != second
        assert one.draft.right == ("the second" if first > second else "the first")
    for one in made("more_than_each"):
        first, second = numbers(one.draft.question)
        total = first + second if "series" in one.draft.question else first * second / (first + second)
        assert one.draft.right == ("more" if total > max(first, second) else "less")
    for one in made("article"):
        assert one.draft.right == ("an" if re.search(" before [aeiou]", one.draft.question) else "a")
    for one in made("last_of_two"):
        words = re.findall("Which of (.+) and (.+) is", one.draft.question)[0]
        assert one.draft.right == ("the first" if sorted(words)[1] == words[0] else "the second")
    for one in made("earlier_year"):
        first, second = numbers(one.draft.question)
        assert one.draft.right == ("the first" if min(first, second) == first else "the second")
    for one in made("century_of"):
        year, ends = number(one.draft.question), {"eighteenth": 1800, "nineteenth": 1900, "twentieth": 2000}
        assert one.draft.right == f"in the {next(name for name, end in ends.items() if year <= end)} century"
    for one in made("half_of_century"):
        assert one.draft.right == f"in the {'second' if 51 <= number(one.draft.hint[-3:]) <= 99 else 'first'} half"
    for one in made("subject_or_object"):
        asked = re.findall("Is the (.+) the subject", one.draft.question)[0]
        assert one.draft.right == ("subject" if one.draft.hint.startswith(f"The {asked} ") else "object")
    for one in made("both_nouns"):
        assert one.draft.right == ("no" if set(one.draft.hint.split(", ")) & set(facts.VERBS) else "yes")
    for one in made("conducts"):
        of = re.findall("of (.+) conduct", one.draft.question)[0]
        assert one.draft.right == ("yes" if of in facts.CONDUCTORS else "no")


def _with_prefix(text: str) -> float:
    """ "33 mV" and "33 V" in volts."""
    digits, unit = text.split()
    return float(digits) * {"m": 1e-3, "k": 1e3, "M": 1e6, "": 1.0}[unit[:-1]]


def test_a_quiz_and_its_primer_ask_in_other_ways() -> None:
    exam, primer = ({template.name for template in TEMPLATES[name]} for name in ("quiz", "quiz_primer"))
    assert not exam & primer
    asked = [
        {one.draft.question for one in problems_of(replace(SETTINGS, templates=name), "train")}
        for name in ("quiz", "quiz_primer")
    ]
    assert not asked[0] & asked[1]


# --------------------------------------------------------------------------------------------------------- the source


def test_the_folder_is_scienceqas_own_layout(tmp_path: Path) -> None:
    ours = source(tmp_path).examples("test")
    (home,) = tmp_path.iterdir()
    assert {path.name for path in home.iterdir()} == {"problems.json", "pid_splits.json", "captions.json", "images"}
    reader = ScienceQA(
        root=str(home), revision="", splits={"x": {"pids": "test"}}, on_missing_image="stop", on_unusable="stop",
        cache=str(tmp_path),
    )  # fmt: skip
    assert list(reader.examples("x")) == list(ours)
    rows = json.loads((home / "problems.json").read_text())
    shown = [pid for pid, row in rows.items() if row["image"]]
    assert all((home / "images" / rows[pid]["split"] / pid / "image.png").is_file() for pid in shown)
    assert set(json.loads((home / "captions.json").read_text())["captions"]) == set(shown)


def test_one_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    def content(folder: str, **changed: object) -> dict[str, bytes]:
        source(tmp_path / folder, **changed).examples("train")
        (home,) = (tmp_path / folder).iterdir()
        return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}

    first = content("a")
    assert content("b") == first
    assert content("c", seed=1)["problems.json"] != first["problems.json"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"templates": "exams"}, "Did you mean 'exam'"),
        ({"styles": ["amercan"]}, "amercan"),
        ({"styles": []}, "styles is empty"),
        ({"splits": {"train": {"count": 3, "pids": "minitrain"}}}, "wanted a count"),
        ({"splits": {"a": {"count": 3, "pids": "val"}, "b": {"count": 3, "pids": "val"}}}, "same pids"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(changed: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        source(tmp_path, **changed)


def test_more_problems_than_there_are_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    template = next(t for t in ALL if t.name == "kind_of_word")
    monkeypatch.setattr("circuitvlm.data.science_circuits.writer.TEMPLATES", {"exam": (template,)})
    monkeypatch.setattr("circuitvlm.data.science_circuits.writer.ROUNDS", 2)
    with pytest.raises(ValueError, match="ask for fewer"):
        problems_of(replace(SETTINGS, counts={"train": 300}), "train")
