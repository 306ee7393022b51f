"""Read YAML and JSON files of a folder that somebody else may have written, within bounds of bytes, nodes and depth."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

MAX_YAML_BYTES, MAX_YAML_NODES, MAX_YAML_DEPTH = 1_000_000, 20_000, 40
MAX_JSON_BYTES = 1_000_000_000
"""The scores of a large evaluation hold every reply."""

_REFERENCE = re.compile(r"(\\*)\$\{")
T = TypeVar("T")


class FolderError(ValueError):
    """A folder or a file in it that must not be used, with the reason."""


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file that `escape` and OmegaConf have written.

    Raises FolderError for a file that is no mapping, for one beyond the bounds, and for one with a reference: an alias
    or anchor, a tag, or an interpolation `${..}`, which would read environment variables.
    """
    text = _read_text(path, limit=MAX_YAML_BYTES)
    try:
        _check_events(text, path)
        content: Any = OmegaConf.to_container(OmegaConf.create(text))
    except (yaml.YAMLError, OmegaConfBaseException, RecursionError, ValueError) as error:
        if isinstance(error, FolderError):
            raise
        raise _error(path, "a YAML file of settings", " ".join(str(error).split())[:200]) from error
    return {str(key): _unescape(value, path=path, key=str(key)) for key, value in content.items()}


def escape(value: Any) -> Any:
    """Escape each `${` of the texts in a plain value (LaTeX in a prompt), which OmegaConf would read as a reference.

    The grammar of OmegaConf 2.3 reads a backslash before `${` as an escape too, so these are doubled.
    """
    if isinstance(value, Mapping):
        return {key: escape(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [escape(inner) for inner in value]
    return _REFERENCE.sub(r"\1\1\\${", value) if isinstance(value, str) else value


def _unescape(value: Any, *, path: Path, key: str) -> Any:
    """The value before `escape`. Raises FolderError for a text with a reference, and for a missing value."""
    if isinstance(value, dict):
        return {name: _unescape(inner, path=path, key=f"{key}.{name}") for name, inner in value.items()}
    if isinstance(value, list):
        return [_unescape(inner, path=path, key=f"{key}[{index}]") for index, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    if value == MISSING or any(len(match[1]) % 2 == 0 for match in _REFERENCE.finditer(value)):
        raise _error(path, "values without references ${..}", f"{key}={value[:200]!r}")
    return _REFERENCE.sub(lambda match: match[1][: len(match[1]) // 2] + "${", value)


def read_json(path: Path, kind: type[T]) -> T:
    """The JSON value of this kind (dict or list) in a file. Raises FolderError."""
    text = _read_text(path, limit=MAX_JSON_BYTES)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _error(path, "JSON", str(error)[:200]) from error
    if not isinstance(content, kind):
        raise _error(path, f"JSON of the kind {kind.__name__}", type(content).__name__)
    return content


def _read_text(path: Path, *, limit: int) -> str:
    """The text of a file in UTF-8. Raises FolderError for a larger or unreadable file."""
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
        if len(raw) > limit:
            raise _error(path, f"at most {limit:,} bytes", f"{path.stat().st_size:,} bytes")
        return raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _error(path, "a file of text in UTF-8", str(error)) from error


def _check_events(text: str, path: Path) -> None:
    """Refuse aliases, anchors, tags, and too many or too deeply nested nodes, before anything is built."""
    depth = node_count = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.NodeEvent):
            node_count += 1
            if node_count == 1 and not isinstance(event, yaml.MappingStartEvent):
                raise _error(path, "a mapping of settings", f"{text.strip()[:80]!r}")
            tag = getattr(event, "tag", None)
            if event.anchor is not None or tag is not None:
                line = event.start_mark.line + 1
                content = f"the tag {tag}" if tag is not None else f"the alias or anchor {event.anchor!r}"
                raise _error(path, "settings without anchors, aliases and tags", f"{content} in line {line}")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_YAML_DEPTH or node_count > MAX_YAML_NODES:
            limits = f"at most {MAX_YAML_NODES:,} values, nested at most {MAX_YAML_DEPTH} deep"
            raise _error(path, limits, f"more in line {event.start_mark.line + 1}")
    if not node_count:
        raise _error(path, "a mapping of settings", "an empty file")


def _error(path: Path, expected: str, actual: str) -> FolderError:
    return FolderError(f"{path}: expected {expected}, got {actual}; restore this file, or use another folder")
