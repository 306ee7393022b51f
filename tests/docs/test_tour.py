"""Run every block of docs/tour.md in the order of the page, and check the names that it mentions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TOUR = ROOT / "docs" / "tour.md"


def python_blocks(text: str) -> list[tuple[int, str]]:
    """The Python blocks of a page, each with the number of its first line."""
    matches = re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S)
    return [(text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in matches]


def test_the_tour_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own that holds only conf/."""
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CIRCUITVLM_CACHE", str(tmp_path / "cache"))
    namespace: dict[str, Any] = {}
    blocks = python_blocks(TOUR.read_text(encoding="utf-8"))
    assert len(blocks) >= 10
    for line, code in blocks:
        # Empty lines before the code let a traceback point at the line of the page.
        exec(compile("\n" * (line - 1) + code, str(TOUR), "exec"), namespace)


def test_the_tour_names_files_and_definitions_that_exist() -> None:
    """Each `folder/file.py: Class.method` is a file of the project that defines the class and the method."""
    pattern = r"`((?:[a-z_0-9]+/)+[a-z_0-9]+\.(?:py|yaml))(?:: (\w+(?:\.\w+)?))?`"
    mentions = re.findall(pattern, TOUR.read_text(encoding="utf-8"))
    assert len(set(mentions)) > 20
    wrong = []
    for name, definition in mentions:
        path = next((p for root in (ROOT, ROOT / "src/circuitvlm") if (p := root / name).is_file()), None)
        text = path.read_text(encoding="utf-8") if path else ""
        words = definition.split(".") if definition else []
        if path is None or not all(re.search(rf"^ *(?:class|def) {word}\b", text, re.M) for word in words):
            wrong.append(f"{name}: {definition}")
    assert wrong == []
