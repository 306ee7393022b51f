"""Is a document's object read back as it was written, in both forms, and out of whatever a model says?"""

from __future__ import annotations

import json
import pickle
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvlm.core.record import Example
from circuitvlm.task.extract import Extract, json_text, tokens
from tests.steps import max_calls

Form = Literal["json", "tokens"]
CORD: dict[str, Any] = {
    "menu": {"nm": "-TICKET CP", "num": "901016", "cnt": "2", "price": "60.000", "itemsubtotal": "60.000"},
    "sub_total": {"subtotal_price": "60.000", "discount_price": "-60.000", "tax_price": "5.455"},
    "total": {"total_price": "60.000", "creditcardprice": "60.000", "menuqty_cnt": "2.00"},
}


def task(form: Form = "json", *, repair: bool = False) -> Extract:
    return Extract(prompt="Extract JSON.", form=form, repair=repair, metrics={})


def example(value: Any) -> Example:
    text = value if isinstance(value, str) else json.dumps(value)
    return Example(id="receipt 7", task="extract", facts={"kind": "extract", "answer": text})


# ---------------------------------------------------------------------------------------- what is written is read

odd = st.sampled_from(['"', "\\", "<", "</s_", "<s_nm>", "<sep/>", "&lt;s_", "&amp;lt;", "&", "}", "```", "😀", "\x00"])
texts = st.lists(odd | st.text(max_size=6), max_size=4).map("".join)
leaves = texts | st.sampled_from([":9,000", "1 x", "@28,000"]) | st.none() | st.booleans()
numbers = (
    st.integers() | st.floats() | st.integers(min_value=10**5000, max_value=10**5000 + 9).map(lambda n: float("inf"))
)
keys = st.sampled_from(["menu", "nm", "sub", "price", "total.price", "a b", "ep/"]) | st.text('ab_/:"é', min_size=1)
values = st.recursive(
    leaves | numbers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=25,
)
objects = st.dictionaries(keys, values, min_size=1, max_size=5)


@pytest.mark.parametrize("form", [json_text, tokens])
@given(fields=objects)
@settings(max_examples=150)
def test_what_is_written_is_read_back_but_for_what_the_form_cannot_tell(form: Any, fields: dict[str, Any]) -> None:
    said = form.read(form.write(fields), repair=False)
    assert said == form.normalise(fields)
    assert said is not None
    assert said.mended == ""
    assert form.normalise(said) == said


@pytest.mark.parametrize("form", ["json", "tokens"])
def test_a_receipt_is_its_own_normal_form(form: Form) -> None:
    made = task(form)
    reply = made.ask(example(CORD)).reply
    assert made.read(reply) == made.truth(example(CORD)) == CORD


def test_the_tokens_are_donuts() -> None:
    fields = {"menu": [{"nm": "Tea", "price": "1"}, {"nm": "Rice", "sub": [{"nm": "Egg"}]}], "total": ["1", "2"]}
    assert task("tokens").ask(example(fields)).reply == (
        "<s_menu><s_nm>Tea</s_nm><s_price>1</s_price><sep/>"
        "<s_nm>Rice</s_nm><s_sub><s_nm>Egg</s_nm></s_sub></s_menu><s_total>1<sep/>2</s_total>"
    )
    assert task("tokens").truth(example(fields))["menu"][1] == {"nm": "Rice", "sub": {"nm": "Egg"}}


def test_only_what_looks_like_a_tag_is_escaped() -> None:
    fields = {"nm": "B & C < D &lt; </s_nm>"}
    reply = task("tokens").ask(example(fields)).reply
    assert reply == "<s_nm>B & C < D &amp;lt; &lt;/s_nm></s_nm>"
    assert task("tokens").read(reply) == fields


def test_json_is_compact_and_numbers_are_texts_as_they_are_printed() -> None:
    made = task().ask(example('{ "total": {"price": 60.000, "é": [1e400, 007]} }'.replace("007", "7")))
    assert made.reply == '{"total":{"price":"60.000","é":["1e400","7"]}}'


# ------------------------------------------------------------------------------------------------- what a model may say

SAID_JSON = [
    ('{"a": "1"}', {"a": "1"}, ""),
    (' \n{"a": "1"}\n', {"a": "1"}, ""),
    ('```json\n{"a": "1"}\n```', {"a": "1"}, "found"),
    ('Sure, here is {the} JSON: {"a": "1"}. Anything else?', {"a": "1"}, "found"),
    ('{"a": ["1", "2",], "b": {"c": "3",},}', {"a": ["1", "2"], "b": {"c": "3"}}, "found"),
    ('{"a": "two\nlines"}', {"a": "two\nlines"}, "found"),
    ('{"a": "1"} {"a": "2"}', {"a": "1"}, "found"),
    ('{"a": "1", "a": "2"}', {"a": "2"}, ""),
    ('{"a": 60.000, "b": NaN, "c": -Infinity}', {"a": "60.000", "b": "NaN", "c": "-Infinity"}, ""),
    ('{"a": true, "b": null}', {"a": True, "b": None}, ""),
    ('{"a": 1' + "0" * 6000 + "}", {"a": "1" + "0" * 6000}, ""),
    ('{"a": "say \\"}\\" {"}', {"a": 'say "}" {'}, ""),
    ("{}", {}, ""),
]  # fmt: skip
NO_JSON = [
    "",
    "no",
    "[]",
    '"a"',
    "60",
    '[{"a": "1"}]',
    '{"a": "1"',
    '{"a": {"b": "1"}',
    '{"a": 1 "b": {"c": "2"}}',
    '{"a": x, "b": {"c": "2"}}',
    '{"a": [{"b": "1"], "c": {"d": "1"}}',
    "{'a': '1'}",
    '{"a": "1",, "b": "2"}',
    '{"a": "\\x"}',
    '{"a": 28.000.000}',
    '{"a": ' * 65 + "1" + "}" * 65,
    '{"a": ' * 10_000 + "1" + "}" * 10_000,
    "{" * 10_000,
]


@pytest.mark.parametrize(("text", "fields", "mended"), SAID_JSON)
def test_an_object_is_found_among_other_words(text: str, fields: dict[str, Any], mended: str) -> None:
    said = task().read(text)
    assert said == fields
    assert said is not None
    assert said.mended == mended


@pytest.mark.parametrize("text", NO_JSON)
def test_what_is_no_whole_object_is_unreadable(text: str) -> None:
    assert task().read(text) is None


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('{"menu": [{"nm": "A", "price": "1"}, {"nm": "B", "pri', {"menu": [{"nm": "A", "price": "1"}, {"nm": "B"}]}),
        ('{"menu": [{"nm": "A"}, {"nm": "B', {"menu": [{"nm": "A"}]}),
        ('{"menu": [{"nm": "A"}, {"nm":', {"menu": [{"nm": "A"}]}),
        ('{"menu": {"nm": "A", "cnt": 1', {"menu": {"nm": "A"}}),
        ('{"menu": {"nm": "A", "cnt": 1,', {"menu": {"nm": "A", "cnt": "1"}}),
        ('{"menu": {"nm": "A", "void": tru', {"menu": {"nm": "A"}}),
        ('{"menu": {"nm": "A"', {"menu": {"nm": "A"}}),
        ('{"menu": {"nm": "A\\', None),
        ('{"menu": [', None),
        ("{", None),
        ('{"menu": {"nm": "A" "cnt": "1"', None),
    ],
)
def test_an_object_that_is_cut_off_is_closed_where_that_is_wanted(text: str, fields: dict[str, Any] | None) -> None:
    assert task().read(text) is None
    said = task(repair=True).read(text)
    assert said == fields
    assert said is None or said.mended == "repaired"


SAID_TOKENS = [
    ("<s_a>1</s_a>", {"a": "1"}, ""),
    ("Sure: <s_a> 1 </s_a> .", {"a": "1"}, "found"),
    ("<s_a>x<s_b>1</s_b></s_a>", {"a": {"b": "1"}}, "found"),
    ("<s_a>1</s_a><s_a>2</s_a>", {"a": "2"}, ""),
    ("<s_a></s_a>", {"a": ""}, ""),
    ("<s_a>1<sep/></s_a>", {"a": ["1", ""]}, ""),
    ("<s_a><s_a>1</s_a></s_a>", {"a": {"a": "1"}}, ""),
]
NO_TOKENS = [
    "",
    "no",
    "<sep/>",
    "<s_a>",
    "<s_a>1",
    "1</s_a>",
    "<s_a>1</s_b>",
    "<s_a>1</s_a><sep/><s_a>2</s_a>",
    "<s_a>" * 99 + "</s_a>" * 99,
]


@pytest.mark.parametrize(("text", "fields", "mended"), SAID_TOKENS)
def test_tags_are_read_among_other_words(text: str, fields: dict[str, Any], mended: str) -> None:
    said = task("tokens").read(text)
    assert said == fields
    assert said is not None
    assert said.mended == mended


@pytest.mark.parametrize("text", NO_TOKENS)
def test_tags_that_do_not_close_each_other_are_unreadable(text: str) -> None:
    assert task("tokens").read(text) is None


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("<s_menu><s_nm>A</s_nm><sep/><s_nm>B</s_nm><s_price>1", {"menu": [{"nm": "A"}, {"nm": "B"}]}),
        ("<s_menu><s_nm>A</s_nm><sep/><s_nm>B", {"menu": {"nm": "A"}}),
        ("<s_menu><s_nm>A</s_nm></s_menu><s_total>1<sep/>2", {"menu": {"nm": "A"}, "total": "1"}),
        ("<s_menu><s_nm>A</s_nm><s_pri", {"menu": {"nm": "A"}}),
        ("<s_menu><s_nm>A", None),
    ],
)
def test_tags_that_are_cut_off_are_closed_where_that_is_wanted(text: str, fields: dict[str, Any] | None) -> None:
    assert task("tokens").read(text) is None
    said = task("tokens", repair=True).read(text)
    assert said is None or said.mended == "repaired"
    if text.endswith("pri"):  # the rest of a tag is text, which an object around it does not keep
        assert said is not None
    assert said == fields


@pytest.mark.parametrize("form", ["json", "tokens"])
def test_wherever_a_reply_is_cut_the_repair_says_nothing_new(form: Form) -> None:
    fields = {"menu": [{"nm": "A", "sub": {"nm": "C"}}, {"nm": 'B "', "price": "1"}], "total": {"x": ["1", "2"]}}
    reply = task(form).ask(example(fields)).reply
    leaves = {"A", "C", 'B "', "1", "2"}
    kept = []
    for end in range(len(reply)):
        said = task(form, repair=True).read(reply[:end])
        assert task(form).read(reply[:end]) is None or form == "tokens"
        kept.append(_leaves(said))
        assert set(kept[-1]) <= leaves
    assert [len(k) for k in kept] == sorted(len(k) for k in kept)


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for inner in value for leaf in _leaves(inner)] if isinstance(value, list) else [value] if value else []


ATTACKS = {
    "braces": "{" * 1_000_000,
    "pairs": "{}" * 500_000,
    "far apart": ("{" + " " * 20) * 50_000,
    "deep": '{"a":' * 200_000,
    "open and broken": '{"a":[' * 30 + '"b",' * 50_000,
    "quotes": '{"' + '\\"' * 500_000,
    "wide": '{"a":[' + "{}," * 300_000 + "{}]}",
    "prose": '{"a": "b"' + " words" * 100_000,
    "digits": '{"a":' + "1" * 1_000_000,
    "many objects": '{"a" "b"} ' * 50_000,
    "tags": "<s_a>" * 200_000,
    "tags closed": "<s_a>" * 60 + "<sep/>" * 200_000 + "</s_a>" * 60,
    "half tags": "<s_" * 300_000,
    "escapes": "<s_a>" + "&amp;" * 200_000 + "lt;</s_a>",
    "ampersands": "<s_a>" + "&" * 500_000 + "</s_a>",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_no_reply_takes_more_than_a_bounded_number_of_calls(name: str) -> None:
    for form in ("json", "tokens"):
        for repair in (False, True):
            with max_calls(4_000_000):
                task(form, repair=repair).read(ATTACKS[name])


@pytest.mark.parametrize("form", [json_text, tokens])
@given(
    text=st.lists(odd | st.sampled_from(['{"a":', "<s_a>", "</s_a>", "[", "]", ":", ",", "1", "{"]), max_size=12).map(
        "".join
    )
)
@settings(max_examples=200)
def test_garbage_is_read_without_an_exception(form: Any, text: str) -> None:
    for repair in (False, True):
        said = form.read(text, repair=repair)
        assert said is None or isinstance(said, dict)


# ---------------------------------------------------------------------------------------------------- what is refused


def test_what_was_read_keeps_how_it_was_read() -> None:
    said = task(repair=True).read('{"a": "1"')
    again = pickle.loads(pickle.dumps(said))
    assert (again, again.mended) == ({"a": "1"}, "repaired")


@pytest.mark.parametrize("answer", ["", "no", "[]", '{"a": "1"', "60", "[" * 100_000])
def test_a_truth_that_is_no_object_is_told_by_its_example(answer: str) -> None:
    with pytest.raises(ValueError, match=r"example 'receipt 7'.*answer"):
        task().ask(example(answer))


def test_an_example_of_another_kind_does_not_fit() -> None:
    other = Example(id="q", task="extract", facts={"kind": "open", "answer": "{}"})
    assert task().fits(example(CORD))
    assert not task().fits(other)
    assert not task().fits(Example(id="q", facts={"kind": "extract"}))
    with pytest.raises(ValueError, match=r"example 'q'.*got kind 'open'"):
        task().ask(other)


@pytest.mark.parametrize(
    ("fields", "said"), [({}, "at least one field"), ({"a<": "1"}, "'a<'"), ({"a": [{"": "1"}]}, "''")]
)
def test_what_makes_no_tags_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"example 'receipt 7'.*{said}"):
        task("tokens").ask(example(fields))
    assert task().ask(example(fields)).reply == json.dumps(fields, separators=(",", ":"))


def test_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="form: expected json or tokens, got 'xml'"):
        task("xml")  # type: ignore[arg-type]  # what a YAML may state
