"""What does the ground truth of one CORD receipt say? Its parse, as text, or why it cannot be used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from circuitvlm.data._reading.files import UnusableError

MAX_CHARACTERS = 20_000_000
"""Of a ground truth with all its boxes; a receipt of 300 items has about a million."""

MAX_DEPTH = 20
_GROUPED = ("menu", "void_menu")


def answer(row: Mapping[str, Any]) -> str:
    """The compact JSON of a row's parse: of `gt_parse`, of `ground_truth` (JSON or its text), or of the row itself.

    A release without `gt_parse` has its lines only: the parse is put together of them (`from_lines`). Raises
    UnusableError.
    """
    stated = row.get("ground_truth", row)
    if isinstance(stated, str):
        stated = _json(stated, name="ground truth")
    if not isinstance(stated, Mapping):
        raise UnusableError("ground truth is no object")
    parse = stated.get("gt_parse")
    if isinstance(parse, str):
        parse = _json(parse, name="gt_parse")
    if parse is None and isinstance(stated.get("valid_line"), list):
        parse = from_lines(stated["valid_line"])
    if not isinstance(parse, dict):
        raise UnusableError("no gt_parse" if parse is None else "gt_parse is no object")
    if not parse:
        raise UnusableError("gt_parse is empty")
    _check_depth(parse)
    try:
        text = json.dumps(parse, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise UnusableError("gt_parse holds a number that is none") from error
    return text.encode("utf-8", errors="replace").decode()  # half of a surrogate pair is no character


def from_lines(lines: list[Any]) -> dict[str, Any]:
    """The parse of a receipt of the release of 2019, which states labelled lines only (github.com/clovaai/cord).

    A line's text is that of its words that are no keys; lines of a menu belong together by `group_id`. Those of what is
    bought with an item (menu.sub_nm, ..) come under "sub" without their prefix; where a field comes again, the next
    such thing begins. Any other field that comes twice becomes a list.
    """
    parse: dict[str, Any] = {}
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for line in lines:
        if not isinstance(line, Mapping) or not isinstance(line.get("words"), list):
            raise UnusableError("line without words")
        above, _, field = str(line.get("category", "")).partition(".")
        words = (word for word in line["words"] if isinstance(word, Mapping) and not word.get("is_key"))
        text = " ".join(str(word.get("text", "")) for word in words).strip()
        if not field or not text:
            continue
        place = parse.setdefault(above, {})
        if above in _GROUPED:
            key = (above, str(line.get("group_id")))
            if key not in groups:
                groups[key] = {}
                parse[above] = [*place, groups[key]] if place else [groups[key]]
            place = groups[key]
        if field.startswith("sub_") and above == "menu":
            _add_sub(place, field.removeprefix("sub_"), text)
        else:
            _add(place, field, text)
    for group in groups.values():
        group.update({field: _one(said) for field, said in group.items() if field == "sub"})
    return {above: _one(said) for above, said in parse.items()}


def _one(said: Any) -> Any:
    """The element of a list of one, as the parse has it."""
    return said[0] if isinstance(said, list) and len(said) == 1 else said


def _add_sub(item: dict[str, Any], field: str, text: str) -> None:
    subs = item.setdefault("sub", [{}])
    if field in subs[-1]:
        subs.append({})
    subs[-1][field] = text


def _add(place: dict[str, Any], field: str, text: str) -> None:
    before = place.get(field)
    place[field] = text if before is None else [*(before if isinstance(before, list) else [before]), text]


def _json(text: str, *, name: str) -> Any:
    if len(text) > MAX_CHARACTERS:
        raise UnusableError(f"{name} too large")
    try:
        return json.loads(text)
    except (RecursionError, ValueError) as error:  # a JSONDecodeError is a ValueError
        raise UnusableError(f"{name} is no JSON") from error


def _check_depth(parse: Any) -> None:
    """Raises UnusableError for what is nested too deeply to be a receipt."""
    level, depth = [parse], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise UnusableError("gt_parse nested too deeply")
        inner = [list(one.values()) if isinstance(one, dict) else one for one in level if isinstance(one, (dict, list))]
        level = [child for children in inner for child in children]
