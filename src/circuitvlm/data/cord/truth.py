"""Read the parse of a receipt from CORD's ground truth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from circuitvlm.data._reading.files import UnusableError

MAX_CHARACTERS = 20_000_000
"""The bound of a ground truth with all its boxes; a receipt of 300 items has about a million characters."""

MAX_DEPTH = 20
_GROUPED_FIELDS = ("menu", "void_menu")


def parse_answer(row: Mapping[str, Any]) -> str:
    """The compact JSON of a row's parse: of `gt_parse`, of `ground_truth` (JSON or its text), or of the row itself.

    A release without `gt_parse` has labelled lines only, from which `parse_lines` builds it. Raises UnusableError.
    """
    truth = row.get("ground_truth", row)
    if isinstance(truth, str):
        truth = _load_json(truth, name="ground truth")
    if not isinstance(truth, Mapping):
        raise UnusableError("ground truth is not an object", truth)
    parse = truth.get("gt_parse")
    if isinstance(parse, str):
        parse = _load_json(parse, name="gt_parse")
    if parse is None and isinstance(truth.get("valid_line"), list):
        parse = parse_lines(truth["valid_line"])
    if not isinstance(parse, dict):
        raise UnusableError("no gt_parse" if parse is None else "gt_parse is not an object", parse)
    if not parse:
        raise UnusableError("gt_parse is empty", truth)
    _check_depth(parse)
    try:
        text = json.dumps(parse, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise UnusableError("gt_parse holds a number that is not finite", error) from error
    return text.encode("utf-8", errors="replace").decode()  # half of a surrogate pair cannot be encoded


def parse_lines(lines: list[Any]) -> dict[str, Any]:
    """The parse of a receipt of the release of 2019, which has labelled lines only (github.com/clovaai/cord).

    The text of a line is that of its words that are not keys; lines of a menu with the same `group_id` are one item.
    The fields of an item's additions (menu.sub_nm, ..) go under "sub" without their prefix; a field that is there
    already starts the next addition. Any other field with several texts becomes a list. Raises UnusableError.
    """
    parse: dict[str, Any] = {}
    items: dict[tuple[str, str], dict[str, Any]] = {}
    for line in lines:
        if not isinstance(line, Mapping) or not isinstance(line.get("words"), list):
            raise UnusableError("line without words", line)
        section, _, field = str(line.get("category", "")).partition(".")
        words = (word for word in line["words"] if isinstance(word, Mapping) and not word.get("is_key"))
        text = " ".join(str(word.get("text", "")) for word in words).strip()
        if not field or not text:
            continue
        fields = parse.setdefault(section, {})
        if section in _GROUPED_FIELDS:
            key = (section, str(line.get("group_id")))
            if key not in items:
                items[key] = {}
                parse[section] = [*fields, items[key]]
            fields = items[key]
        if field.startswith("sub_") and section == "menu":
            _add_sub(fields, field.removeprefix("sub_"), text)
        else:
            _add(fields, field, text)
    for item in items.values():
        if "sub" in item:
            item["sub"] = _unwrap(item["sub"])
    return {section: _unwrap(content) for section, content in parse.items()}


def _unwrap(value: Any) -> Any:
    """The element of a list of one, as in CORD's own parses; other values as they are."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _add_sub(item: dict[str, Any], field: str, text: str) -> None:
    subs = item.setdefault("sub", [{}])
    if field in subs[-1]:
        subs.append({})
    subs[-1][field] = text


def _add(fields: dict[str, Any], field: str, text: str) -> None:
    texts = fields.get(field)
    fields[field] = text if texts is None else [*(texts if isinstance(texts, list) else [texts]), text]


def _load_json(text: str, *, name: str) -> Any:
    if len(text) > MAX_CHARACTERS:
        raise UnusableError(f"{name} too large", f"{len(text):,} characters")
    try:
        return json.loads(text)
    except (RecursionError, ValueError) as error:  # a JSONDecodeError is a ValueError
        raise UnusableError(f"{name} is not JSON", text) from error


def _check_depth(parse: Any) -> None:
    """Raise UnusableError if the parse is nested more deeply than MAX_DEPTH."""
    level, depth = [parse], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise UnusableError("gt_parse nested too deeply", f"{depth} levels or more")
        containers = [list(value.values()) if isinstance(value, dict) else value for value in level]
        level = [child for children in containers if isinstance(children, list) for child in children]
