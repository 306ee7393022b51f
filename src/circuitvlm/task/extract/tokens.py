"""Write fields as Donut's tokens, and read them from a reply.

`<s_menu><s_nm>Tea</s_nm><s_price>1</s_price><sep/><s_nm>Rice</s_nm></s_menu>` (arXiv 2111.15664): a key is a pair of
tags, the items of a list are joined by `<sep/>`. The form is lossy, as Donut's: see `normalise`. A text that looks like
a tag is escaped as in XML (`&lt;s_`), and nothing else is: `B & C < D` stays as it is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from circuitvlm.task.extract.reply import MAX_CHARACTERS, MAX_DEPTH, ReadObject

_TAG = re.compile(r"<s_(?P<open>[^<>]++)>|</s_(?P<close>[^<>]++)>|(?P<sep><sep/>)")
_LIKE_A_TAG = re.compile(r"&(?=(?:amp;)*+lt;)|<(?=/?s_|sep/>)")
_ESCAPE = re.compile(r"&amp;(?=(?:amp;)*+lt;)|&lt;")
_REPLACEMENTS = {"&": "&amp;", "<": "&lt;", "&amp;": "&", "&lt;": "<"}


@dataclass(slots=True)
class _OpenTag:
    """A tag that is not closed yet: its key, the items before the last `<sep/>`, and the content after it."""

    key: str
    items: list[Any] = field(default_factory=list)
    fields: dict[str, Any] | None = None
    text: list[str] = field(default_factory=list)

    def finish(self) -> bool:
        """Add the last item; return whether it was only fields or only text."""
        text = _ESCAPE.sub(_replace_mark, "".join(self.text)).strip()
        self.items.append(text if self.fields is None else self.fields)
        plain = self.fields is None or not text
        self.fields, self.text = None, []
        return plain

    def value(self) -> Any:
        return self.items[0] if len(self.items) == 1 else self.items


def write(fields: dict[str, Any]) -> str:
    """Write the tags of an object. Raises ValueError for an empty object, and for keys with < or >."""
    if not fields:
        raise ValueError(f"tokens: expected an object with at least one field, got {fields!r}")
    parts = []
    for key, value in fields.items():
        if not key or set(key) & set("<>"):
            raise ValueError(f"tokens: expected a key without < and >, got {key!r}")
        content = "<sep/>".join(
            write(item) if isinstance(item, dict) else _LIKE_A_TAG.sub(_replace_mark, item) for item in _items(value)
        )
        parts.append(f"<s_{key}>{content}</s_{key}>")
    return "".join(parts)


def normalise(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields as they are read back: the form cannot keep all differences.

    A list of one item becomes the item, nested lists are flattened, empty values become "", numbers become their texts,
    and texts lose the white space around them.
    """
    read_fields = {}
    for key, value in fields.items():
        items = [normalise(item) if isinstance(item, dict) else item for item in _items(value)]
        read_fields[key] = items[0] if len(items) == 1 else items
    return read_fields


def read(text: str, *, repair: bool) -> ReadObject | None:
    """Read the fields between tags, and ignore the text outside them. Return None where there are none.

    Also None where tags are not closed in order. Where the text ends early, `repair` closes them, without the text that
    was cut off. A reply that is cut between two fields of the outermost object looks whole. Of a key that comes twice
    in an item the last counts, as in Donut.
    """
    text = text[:MAX_CHARACTERS].strip()
    stack, position, plain = [_OpenTag("")], 0, True
    for tag in _TAG.finditer(text):
        top = stack[-1]
        top.text.append(text[position : tag.start()])
        position = tag.end()
        if tag["open"]:
            top.fields = {} if top.fields is None else top.fields
            stack.append(_OpenTag(tag["open"]))
            if len(stack) > MAX_DEPTH:
                return None
        elif len(stack) == 1 or tag["close"] not in (None, top.key):
            return None
        else:
            plain &= top.finish()
            if tag["close"]:
                _close(stack)
    stack[-1].text.append(text[position:])
    return _whole(stack, repair=repair, plain=plain)


def _close(stack: list[_OpenTag]) -> None:
    """Close the innermost tag and add its value to the tag around it."""
    tag = stack.pop()
    fields = stack[-1].fields
    assert fields is not None, "a tag was opened in it"
    fields[tag.key] = tag.value()


def _whole(stack: list[_OpenTag], *, repair: bool, plain: bool) -> ReadObject | None:
    """The outermost object; with `repair`, the tags in it are closed."""
    is_cut = len(stack) > 1
    if is_cut and not repair:
        return None
    while len(stack) > 1:
        if stack[-1].fields:
            plain &= stack[-1].finish()
        if stack[-1].items:
            _close(stack)
        else:
            stack.pop()
    fields = stack[0].fields
    plain &= stack[0].finish()
    return ReadObject(fields, mended="repaired" if is_cut else "" if plain else "found") if fields else None


def _items(value: Any) -> list[Any]:
    """The objects and texts that are joined by `<sep/>`; at least one."""
    if isinstance(value, list):
        return [item for inner in value for item in _items(inner)] or [""]
    if isinstance(value, dict):
        return [value or ""]
    return [value.strip() if isinstance(value, str) else "" if value is None else json.dumps(value)]


def _replace_mark(match: re.Match[str]) -> str:
    return _REPLACEMENTS[match[0]]
