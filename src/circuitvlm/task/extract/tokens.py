"""How are fields written as Donut's tokens, and read out of what a model says?

`<s_menu><s_nm>Tea</s_nm><s_price>1</s_price><sep/><s_nm>Rice</s_nm></s_menu>` (arXiv 2111.15664): a key is a pair of
tags, the items of a list are joined by `<sep/>`. The form is lossy, as Donut's: see `normalise`. A text that looks like
a tag is escaped as in XML (`&lt;s_`), and nothing else is: `B & C < D` stays as it is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from circuitvlm.task.extract.reply import DEEPEST, LONGEST, Said

_TAG = re.compile(r"<s_(?P<open>[^<>]++)>|</s_(?P<close>[^<>]++)>|(?P<sep><sep/>)")
_LIKE_A_TAG = re.compile(r"&(?=(?:amp;)*+lt;)|<(?=/?s_|sep/>)")
_ESCAPED = re.compile(r"&amp;(?=(?:amp;)*+lt;)|&lt;")
_WRITTEN = {"&": "&amp;", "<": "&lt;", "&amp;": "&", "&lt;": "<"}


@dataclass(slots=True)
class _Open:
    """A tag that has not been closed: its key, the items before the last `<sep/>`, and what has come after it."""

    key: str
    items: list[Any] = field(default_factory=list)
    fields: dict[str, Any] | None = None
    text: list[str] = field(default_factory=list)

    def finish(self) -> bool:
        """Take the last item; whether it was fields alone, or text alone."""
        text = _unescape("".join(self.text)).strip()
        self.items.append(text if self.fields is None else self.fields)
        plain = self.fields is None or not text
        self.fields, self.text = None, []
        return plain

    def value(self) -> Any:
        return self.items[0] if len(self.items) == 1 else self.items


def write(fields: dict[str, Any]) -> str:
    """The tags of an object. Raises ValueError for an empty one, and for keys that make no tag."""
    if not fields:
        raise ValueError("an object without fields has no tokens; wanted at least one field")
    parts = []
    for key, value in fields.items():
        if not key or set(key) & set("<>"):
            raise ValueError(f"the key {key!r} makes no tag; wanted one without < and >")
        said = "<sep/>".join(write(i) if isinstance(i, dict) else _escape(i) for i in _items(value))
        parts.append(f"<s_{key}>{said}</s_{key}>")
    return "".join(parts)


def normalise(fields: dict[str, Any]) -> dict[str, Any]:
    """What reading gives of what was written: what the form cannot tell apart is one.

    A list of one becomes its element, a list in a list becomes its elements, what is empty becomes "", numbers become
    their texts, and texts lose the white space around them.
    """
    found = {}
    for key, value in fields.items():
        items = [normalise(item) if isinstance(item, dict) else item for item in _items(value)]
        found[key] = items[0] if len(items) == 1 else items
    return found


def read(text: str, *, repair: bool) -> Said | None:
    """The fields that a text states between tags; what stands outside of them is left out. None where there are none.

    None, too, where tags do not close each other; where the text ends before they do, `repair` closes them without the
    text that was cut off. A reply that is cut between two fields of the outermost object looks whole. Of a key that
    comes twice in an item, the last counts, as with Donut.
    """
    text = text[:LONGEST].strip()
    stack, at, plain = [_Open("")], 0, True
    for tag in _TAG.finditer(text):
        top = stack[-1]
        top.text.append(text[at : tag.start()])
        at = tag.end()
        if tag["open"]:
            top.fields = {} if top.fields is None else top.fields
            stack.append(_Open(tag["open"]))
            if len(stack) > DEEPEST:
                return None
        elif len(stack) == 1 or tag["close"] not in (None, top.key):
            return None
        else:
            plain &= top.finish()
            if tag["close"]:
                _close(stack)
    stack[-1].text.append(text[at:])
    return _whole(stack, repair=repair, plain=plain)


def _close(stack: list[_Open]) -> None:
    """Give what the innermost tag holds to the one around it."""
    done = stack.pop()
    fields = stack[-1].fields
    assert fields is not None, "a tag was opened in it"
    fields[done.key] = done.value()


def _whole(stack: list[_Open], *, repair: bool, plain: bool) -> Said | None:
    """The outermost object, the tags in it closed where that is wanted."""
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
    root = stack[0]
    fields = root.fields
    plain &= root.finish()
    if not fields:
        return None
    return Said(fields, mended="repaired" if is_cut else "" if plain else "found")


def _items(value: Any) -> list[Any]:
    """The objects and texts that are joined by `<sep/>`; at least one."""
    if isinstance(value, list):
        return [item for inner in value for item in _items(inner)] or [""]
    if isinstance(value, dict):
        return [value or ""]
    return [value.strip() if isinstance(value, str) else "" if value is None else json.dumps(value)]


def _escape(text: str) -> str:
    return _LIKE_A_TAG.sub(lambda found: _WRITTEN[found[0]], text)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda found: _WRITTEN[found[0]], text)
