"""Does every block of docs/tour.md run, in the order of the page?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TOUR = ROOT / "docs" / "tour.md"


def blocks(text: str) -> list[tuple[int, str]]:
    """The Python blocks of a page, each with the number of its first line."""
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S)
    return [(text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in found]


def test_the_tour_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own, where conf/ is the only thing there is."""
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CIRCUITVLM_CACHE", str(tmp_path / "cache"))
    space: dict[str, Any] = {}
    found = blocks(TOUR.read_text(encoding="utf-8"))
    assert len(found) >= 10
    for line, code in found:
        # Empty lines before the code let a traceback point at the line of the page.
        exec(compile("\n" * (line - 1) + code, str(TOUR), "exec"), space)


def test_the_tour_names_files_that_exist() -> None:
    named = re.findall(
        r"`((?:[a-z_]+/)+[a-z_0-9]+\.(?:py|yaml))(?:: \w+(?:\.\w+)?)?`", TOUR.read_text(encoding="utf-8")
    )
    assert len(set(named)) > 12
    roots = (ROOT, ROOT / "src" / "circuitvlm")
    assert [name for name in named if not any((root / name).is_file() for root in roots)] == []
