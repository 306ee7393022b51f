"""Check that names are nouns or verbs: bare participles, pronouns and prepositions say nothing about a value.

The counted names are those that the code of src assigns: functions, classes, parameters, variables and attributes.
A name counts where all of it, without leading underscores, is one word of the lists below.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
LIMIT = 0.02
"""The largest share of bare names among all assigned ones."""

_IRREGULAR_PARTICIPLES = """
beaten begun bent bitten born bought bred broken brought built burnt caught chosen come crept dealt done drawn
driven drunk dug eaten fallen fed felt fled forgotten fought found frozen given gone grown heard held hidden
hung kept known laid lain left lent lost made meant met paid read ridden risen said sat seen sent shaken shot
shown shrunk slept slid sold sought spent spoken spun stood struck stuck stung sung sunk swept swum swung taken
taught thought thrown told torn understood wept woken won worn woven written
"""
IRREGULAR_PARTICIPLES = frozenset(_IRREGULAR_PARTICIPLES.split())
_PRONOUNS = """
all another any anything both each either everything few he her hers him his it its least less many me mine more
most much neither none nothing one ones other others our ours own rest same several she some something such that
their theirs them these they this those us we what whatever which whichever who whom whose you your yours
"""
PRONOUNS = frozenset(_PRONOUNS.split())
_PREPOSITIONS = """
about above across after against ahead along among apart around as aside at before behind below beneath beside
besides between beyond by despite down during for from in inside into near of on onto out outside over past per
since through throughout till to toward towards under until unto up upon via with within without
"""
PREPOSITIONS = frozenset(_PREPOSITIONS.split())
REGULAR_NOUNS = frozenset({"bed", "embed", "feed", "hundred", "need", "red", "seed", "shed", "sled", "speed", "weed"})
_ING_NOUNS = """
bring ceiling drawing embedding encoding ending heading king meaning opening padding ping reading ring rounding
routing setting sibling spacing spelling spring sting string swing thing timing warning wing wording beginning
building pruning smoothing logging sampling wiring
"""
ING_NOUNS = frozenset(_ING_NOUNS.split())
VERBS = frozenset({"read"})
"""Participles which are verbs too: right as the name of a function."""


def is_bare(name: str, *, function: bool) -> bool:
    """True for a name that is a bare participle, pronoun or preposition."""
    word = name.strip("_").lower()
    if function and word in VERBS:
        return False
    if word in IRREGULAR_PARTICIPLES | PRONOUNS | PREPOSITIONS:
        return True
    if not word.isalpha() or word in REGULAR_NOUNS | ING_NOUNS or len(word) < 5:
        return False
    return word.endswith(("ed", "ing"))


def assigned_names(tree: ast.AST) -> Iterator[tuple[str, int, bool]]:
    """Name, line, and whether it is a function's, of all that a module assigns."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, True
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno, False
        elif isinstance(node, ast.ClassDef):
            yield node.name, node.lineno, False
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno, False
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno, False


def bare_names(source: str) -> tuple[list[tuple[str, int]], int]:
    """The bare names of a module with their lines, and the number of all assigned names."""
    names = list(assigned_names(ast.parse(source)))
    return [(name, line) for name, line, function in names if is_bare(name, function=function)], len(names)


def test_few_names_are_bare_participles_pronouns_or_prepositions() -> None:
    bare: list[str] = []
    total = 0
    for path in sorted(SRC.rglob("*.py")):
        found, count = bare_names(path.read_text(encoding="utf-8"))
        bare += [f"{path.relative_to(SRC)}:{line} {name}" for name, line in found]
        total += count
    share = len(bare) / total
    assert share < LIMIT, f"{len(bare)} of {total} names ({share:.1%}) are bare; the first: {', '.join(bare[:40])}"


@pytest.mark.parametrize(
    "source", ["found = 1", "def f(_asked): ...", "class Told: ...", "for each in x: ...", "s.trained = 1"]
)
def test_a_bare_name_is_counted(source: str) -> None:
    assert len(bare_names(source)[0]) == 1


@pytest.mark.parametrize(
    "source", ["def read(): ...", "seed = 1", "padding = 1", "string = 1", "read_count = 1", "matches = 1"]
)
def test_a_noun_or_a_verb_is_not_counted(source: str) -> None:
    assert bare_names(source)[0] == []
