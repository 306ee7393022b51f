"""Test that generated school questions are right, that sets are disjoint, and that all groups are filled."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from circuitvlm.circuit import netlist
from circuitvlm.data.science_circuits import ScienceCircuits, facts
from circuitvlm.data.science_circuits.problem import LANGUAGE, NATURAL, SOCIAL, Problem, Template, draw_problem
from circuitvlm.data.science_circuits.writer import TEMPLATES, Settings, draw_netlist, find_set, generate_problems
from circuitvlm.data.scienceqa import ScienceQA

SETTINGS = Settings(seed=0, side=88, styles=("american",), templates="quiz", counts={"train": 600, "test": 300})
ALL = [template for templates in TEMPLATES.values() for template in dict.fromkeys(templates)]
NAMES = {component.letter: component.name for component in facts.COMPONENTS}


def draw_problems(name: str, *, count: int = 60) -> Iterator[Problem]:
    """Problems of one template."""
    template = next(template for template in ALL if template.name == name)
    return (draw_problem(template, Random(seed)) for seed in range(count))


def source(cache: Path, **changes: object) -> ScienceCircuits:
    splits = {"train": {"count": 40, "pids": "train"}, "test": {"count": 20, "pids": "test"}}
    settings = {
        "seed": 0, "templates": "quiz", "side": 88, "styles": ["american"], "num_workers": 0, "splits": splits,
    }  # fmt: skip
    return ScienceCircuits(cache=str(cache), **{**settings, **changes})  # type: ignore[arg-type]  # as from a YAML file


def number(text: str) -> int:
    """The first whole number of a text."""
    return numbers(text)[0]


def numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]


def value(text: str) -> float:
    """ "33 mV" or "33 V" in volts."""
    digits, unit = text.split()
    return float(digits) * {"m": 1e-3, "k": 1e3, "M": 1e6, "": 1.0}[unit[:-1]]


# ------------------------------------------------------------------------------------------------------------- choices


@pytest.mark.parametrize("template", ALL, ids=lambda template: template.name)
def test_a_problem_has_two_to_five_different_choices_one_of_them_right(template: Template) -> None:
    answers: Counter[str] = Counter()
    for seed in range(80):
        draft = draw_problem(template, Random(seed)).draft
        assert 2 <= len(draft.choices) == len(set(draft.choices)) <= 5
        assert draft.answer in draft.choices
        assert bool(draft.netlist) == bool(draft.caption)
        answers[draft.answer] += 1
    assert answers[draft.choices[0]] < 60, "the right choice is nearly always the first one"
    assert answers[draft.choices[1]] > 10


@pytest.mark.parametrize("template", ALL, ids=lambda template: template.name)
def test_a_template_has_the_same_choices_in_the_same_order_each_time(template: Template) -> None:
    assert len({tuple(draw_problem(template, Random(seed)).draft.choices) for seed in range(40)}) == 1


def test_facts_have_one_answer_each() -> None:
    for column in ("letter", "name", "unit", "scientist"):
        assert len({getattr(component, column) for component in facts.COMPONENTS}) == len(facts.COMPONENTS)
    assert not set(facts.NOUNS) & set(facts.VERBS)
    assert not set(facts.CONDUCTORS) & set(facts.INSULATORS)


# ------------------------------------------------------------------------------------------------------------ pictures


@pytest.mark.parametrize("template", [t for t in ALL if draw_problem(t, Random(0)).draft.netlist], ids=lambda t: t.name)
def test_a_caption_describes_the_netlist(template: Template) -> None:
    for seed in range(40):
        draft = draw_problem(template, Random(seed)).draft
        devices = netlist.parse(draft.netlist).devices
        for letter, name in NAMES.items():
            count = sum(device.kind == letter for device in devices)
            words = re.findall(rf"(an?|two|three) {name}s?\b", draft.caption)
            assert sum({"two": 2, "three": 3}.get(word, 1) for word in words) == count, (draft.netlist, draft.caption)
        parallel = len(devices) > 1 and len({frozenset(device.nodes) for device in devices}) == 1
        assert ("in parallel" in draft.caption) == parallel
        assert ("in series" in draft.caption) == (len(devices) > 1 and not parallel)


def test_answers_about_a_picture_follow_from_its_netlist() -> None:
    """Every answer is computed from the netlist again."""
    columns = {
        "component_shown": "name",
        "unit_of_shown": "unit",
        "honoured_by_shown": "scientist",
        "letter_of_shown": "letter",
    }
    components = {component.letter: component for component in facts.COMPONENTS}
    for name, column in columns.items():
        for problem in draw_problems(name):
            (device,) = netlist.parse(problem.draft.netlist).devices
            assert problem.draft.answer == getattr(components[device.kind], column)
    for problem in draw_problems("how_many"):
        assert problem.draft.answer == ("one", "two", "three")[len(netlist.parse(problem.draft.netlist).devices) - 1]
    for problem in draw_problems("series_or_parallel"):
        first, second = netlist.parse(problem.draft.netlist).devices
        assert problem.draft.answer == ("in parallel" if set(first.nodes) == set(second.nodes) else "in series")
    for problem in draw_problems("beside"):
        name = re.findall("together with the (.+)\\?", problem.draft.question)[0]
        devices = netlist.parse(problem.draft.netlist).devices
        assert {NAMES[device.kind] for device in devices} == {name, problem.draft.answer}
    for problem in draw_problems("is_there"):
        name = re.sub(r"Do you see an? |\?", "", problem.draft.question)
        devices = netlist.parse(problem.draft.netlist).devices
        assert (problem.draft.answer == "yes") == any(NAMES[device.kind] == name for device in devices)


def test_a_drawing_is_a_legible_square() -> None:
    png = draw_netlist("R1 1 2 12\nC1 2 0 22n", side=88, styles=("american",), seed="0")
    assert Image.open(io.BytesIO(png)).size == (88, 88)
    with pytest.raises(ValueError, match=r"side: expected a side at which .* is legible, got 40"):
        draw_netlist("V1 1 0 9\nR1 1 0 12k\nC2 1 0 82n\nL1 1 0 82m", side=40, styles=("american",), seed="0")


# ---------------------------------------------------------------------------------------------------------------- text


def test_answers_without_a_picture_follow_from_the_question() -> None:
    """Every answer is computed in another way than by the template."""
    for problem in draw_problems("current_changes"):
        grows = re.search("resistance is made smaller|voltage is made larger|in parallel", problem.draft.hint)
        assert problem.draft.answer == ("It grows." if grows else "It becomes less.")
    for problem in draw_problems("which_is_less"):
        first, second = (value(text) for text in re.findall(r"\d+ [mkM]?[VAW]", problem.draft.question))
        assert first != second
        assert problem.draft.answer == ("the second" if first > second else "the first")
    for problem in draw_problems("more_than_each"):
        first, second = numbers(problem.draft.question)
        total = first + second if "series" in problem.draft.question else first * second / (first + second)
        assert problem.draft.answer == ("more" if total > max(first, second) else "less")
    for problem in draw_problems("article"):
        assert problem.draft.answer == ("an" if re.search(" before [aeiou]", problem.draft.question) else "a")
    for problem in draw_problems("last_of_two"):
        words = re.findall("Which of (.+) and (.+) is", problem.draft.question)[0]
        assert problem.draft.answer == ("the first" if sorted(words)[1] == words[0] else "the second")
    for problem in draw_problems("earlier_year"):
        first, second = numbers(problem.draft.question)
        assert problem.draft.answer == ("the first" if min(first, second) == first else "the second")
    for problem in draw_problems("century_of"):
        year, ends = number(problem.draft.question), {"eighteenth": 1800, "nineteenth": 1900, "twentieth": 2000}
        assert problem.draft.answer == f"in the {next(name for name, end in ends.items() if year <= end)} century"
    for problem in draw_problems("half_of_century"):
        half = "second" if 51 <= number(problem.draft.hint[-3:]) <= 99 else "first"
        assert problem.draft.answer == f"in the {half} half"
    for problem in draw_problems("subject_or_object"):
        word = re.findall("Is the (.+) the subject", problem.draft.question)[0]
        assert problem.draft.answer == ("subject" if problem.draft.hint.startswith(f"The {word} ") else "object")
    for problem in draw_problems("both_nouns"):
        assert problem.draft.answer == ("no" if set(problem.draft.hint.split(", ")) & set(facts.VERBS) else "yes")
    for problem in draw_problems("conducts"):
        material = re.findall("of (.+) conduct", problem.draft.question)[0]
        assert problem.draft.answer == ("yes" if material in facts.CONDUCTORS else "no")


# ---------------------------------------------------------------------------------------------------------------- sets


def test_no_problem_is_in_two_sets_of_any_seed() -> None:
    train, test = (
        {problem.key for seed in (0, 1) for problem in generate_problems(replace(SETTINGS, seed=seed), name)}
        for name in ("train", "test")
    )
    assert not train & test
    problems = generate_problems(SETTINGS, "test")
    assert len({problem.key for problem in problems}) == len(problems) == 300
    assert {find_set(problem) for problem in problems} == {"test"}


def test_every_group_is_well_filled() -> None:
    problems = generate_problems(SETTINGS, "test")
    groups = {
        **{
            subject: [problem for problem in problems if problem.template.subject == subject]
            for subject in (NATURAL, SOCIAL, LANGUAGE)
        },
        "TXT": [problem for problem in problems if problem.draft.hint],
        "IMG": [problem for problem in problems if problem.draft.netlist],
        "NO": [problem for problem in problems if not problem.draft.hint and not problem.draft.netlist],
        "G1-6": [problem for problem in problems if problem.grade <= 6],
        "G7-12": [problem for problem in problems if problem.grade > 6],
    }
    sizes = {name: len(group) for name, group in groups.items()}
    assert all(size >= 0.15 * len(problems) for size in sizes.values()), sizes
    assert {problem.grade for problem in problems} == set(range(1, 13))


def test_the_quiz_and_its_primer_have_no_question_in_common() -> None:
    quiz, primer = ({template.name for template in TEMPLATES[name]} for name in ("quiz", "quiz_primer"))
    assert not quiz & primer
    questions = [
        {problem.draft.question for problem in generate_problems(replace(SETTINGS, templates=name), "train")}
        for name in ("quiz", "quiz_primer")
    ]
    assert not questions[0] & questions[1]


def test_more_problems_than_there_are_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    template = next(t for t in ALL if t.name == "conducts")
    monkeypatch.setattr("circuitvlm.data.science_circuits.writer.TEMPLATES", {"quiz": (template,)})
    monkeypatch.setattr("circuitvlm.data.science_circuits.writer.ROUNDS", 2)
    with pytest.raises(ValueError, match=r"expected 300 problems of train, got \d+; lower `count`"):
        generate_problems(replace(SETTINGS, counts={"train": 300}), "train")


# ---------------------------------------------------------------------------------------------------------- the source


def test_the_folder_has_scienceqas_layout(tmp_path: Path) -> None:
    examples = source(tmp_path).examples("test")
    (home,) = tmp_path.iterdir()
    assert {path.name for path in home.iterdir()} == {"problems.json", "pid_splits.json", "captions.json", "images"}
    reader = ScienceQA(
        root=str(home), revision="", splits={"x": {"pids": "test"}}, on_missing_image="stop", on_unusable="stop",
        cache=str(tmp_path),
    )  # fmt: skip
    assert list(reader.examples("x")) == list(examples)
    rows = json.loads((home / "problems.json").read_text())
    pids = [pid for pid, row in rows.items() if row["image"]]
    assert all((home / "images" / rows[pid]["split"] / pid / "image.png").is_file() for pid in pids)
    assert set(json.loads((home / "captions.json").read_text())["captions"]) == set(pids)


def test_a_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    def content(folder: str, **changes: object) -> dict[str, bytes]:
        source(tmp_path / folder, **changes).examples("train")
        (home,) = (tmp_path / folder).iterdir()
        return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}

    first = content("a")
    assert content("b") == first
    assert content("c", seed=1)["problems.json"] != first["problems.json"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"templates": "quizz"}, "Did you mean 'quiz'"),
        ({"styles": ["amercan"]}, "amercan"),
        ({"styles": []}, "styles: expected at least one"),
        ({"splits": {"train": {"count": 3, "pids": "minitrain"}}}, "splits.train: expected count: 1 or more"),
        ({"splits": {"a": {"count": 3, "pids": "val"}, "b": {"count": 3, "pids": "val"}}}, "different pids"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        source(tmp_path, **changes)
