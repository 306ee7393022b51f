"""How far apart are two ordered trees? The tree edit distance, with the costs of Donut's evaluation.

K. Zhang and D. Shasha 1989, Simple fast algorithms for the editing distance between trees and related problems (SIAM
Journal on Computing 18). Their recurrence is written for what a mapping of one tree to the other saves over removing
the one and inserting the other. That never falls when a forest grows, so that a row of their table is a running
maximum, and numpy computes the rows of many subtrees at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from circuitvlm.metric._fields.fields import Fields, TooLargeError
from circuitvlm.metric._fields.texts import distances

ROOT, ITEM = "<root>", "<subtree>"

LETTERS = 1_000_000_000
"""Characters of one tree x characters of the other: about a second."""

NODES = 25_000_000
"""Nodes of one tree x nodes of the other: 400 MB. Two receipts of 500 items have two thirds of it."""

CELLS = 200_000_000
"""Cells of the tables: about three seconds. Two receipts of 500 items have half of it."""

ROWS = 300_000
"""Rows that numpy computes, which matters for trees that are deep: about three seconds."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Nodes of one kind, their different labels, and of each node the place of its label among them."""

    nodes: Ints
    labels: Sequence[str]
    label: Ints


@dataclass(slots=True)
class Tree:
    """Nodes in postorder: the label, whether it is a leaf (a text), the first node of the subtree, and the level.

    The subtree of a node that is not its parent's first child is a key tree (with the root's: Zhang and Shasha's
    keyroots). Its level is above those of the key trees inside it.
    """

    labels: list[str] = field(default_factory=list)
    is_leaf: list[bool] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    level: list[int] = field(default_factory=list)

    @staticmethod
    def of(fields: Fields) -> Tree:
        tree = Tree()
        tree._grow(ROOT, fields)
        return tree

    def __len__(self) -> int:
        return len(self.labels)

    def weights(self) -> Ints:
        """What it costs to insert or to remove each node: 1, or the characters of a leaf."""
        return np.array([len(label) if leaf else 1 for label, leaf in zip(self.labels, self.is_leaf, strict=True)])

    def labelled(self, *, leaf: bool) -> Labelled:
        """The leaves, or the inner nodes."""
        nodes = [node for node, is_leaf in enumerate(self.is_leaf) if is_leaf == leaf]
        number: dict[str, int] = {}
        label = [number.setdefault(self.labels[node], len(number)) for node in nodes]
        return Labelled(np.array(nodes, dtype=np.int64), list(number), np.array(label, dtype=np.int64))

    def key_trees(self) -> list[int]:
        """The last nodes of the key trees, in postorder."""
        return sorted({first: node for node, first in enumerate(self.first)}.values())

    def rows(self) -> int:
        """The nodes of all key trees."""
        return sum(node - self.first[node] + 1 for node in self.key_trees())

    def levels(self) -> int:
        return 1 + self.level[-1]

    def _grow(self, label: str, said: Fields | list[Any]) -> int:
        """Add a node after what lies under it; its index."""
        if isinstance(said, dict):
            kids = [self._grow(key, values) for key, values in said.items()]
        else:
            kids = [self._grow(ITEM, one) if isinstance(one, dict) else self._add(one, [], leaf=True) for one in said]
        return self._add(label, kids, leaf=False)

    def _add(self, label: str, kids: Sequence[int], *, leaf: bool) -> int:
        self.first.append(self.first[kids[0]] if kids else len(self))
        self.labels.append(label)
        self.is_leaf.append(leaf)
        self.level.append(max((self.level[kid] + (kid != kids[0]) for kid in kids), default=0))
        return len(self) - 1


@dataclass(frozen=True, slots=True)
class _Columns:
    """The key trees of one level side by side, each with an empty forest before its first node.

    `node`: the last node of a column's forest; `before`: the column of that forest without the subtree of that node.
    `path`: the columns whose forest is a tree. `base` is added to a key tree's columns, and is higher than any value in
    the one to the left, so that a running maximum begins anew.
    """

    node: Ints
    before: Ints
    path: Ints
    base: Ints

    @staticmethod
    def of(tree: Tree, level: int, *, step: int) -> _Columns:
        node: list[int] = []
        before: list[int] = []
        path: list[int] = []
        base: list[int] = []
        for number, last in enumerate(key for key in tree.key_trees() if tree.level[key] == level):
            start, first = len(node), tree.first[last]
            node += [len(tree), *range(first, last + 1)]
            before += [start, *(start + tree.first[n] - first for n in range(first, last + 1))]
            path += [start + n - first + 1 for n in range(first, last + 1) if tree.first[n] == first]
            base += [number * step] * (last - first + 2)
        return _Columns(*(np.array(part) for part in (node, before, path, base)))


def distance(one: Tree, two: Tree) -> int:
    """The least cost of edits that make one tree the other; raises TooLargeError.

    An inner node costs 1 and a leaf as many as it has characters, inserted or removed. Relabelled, an inner node costs
    1, a leaf the Levenshtein distance, and a leaf for an inner node 1 more than its characters.
    """
    if one.rows() * two.levels() > two.rows() * one.levels():
        one, two = two, one
    _refuse_large(one, two)
    whole = int(one.weights().sum() + two.weights().sum())
    kept = _kept(one, two)
    saved = np.zeros((len(one), len(two) + 1), dtype=np.int64)  # the last column is that of no node
    columns = [_Columns.of(two, level, step=whole + 1) for level in range(two.levels())]
    for last in one.key_trees():
        for group in columns:
            _fill(saved, kept, one.first, last, group)
    return whole - int(saved[-1, -2])


def _fill(saved: Ints, kept: Ints, firsts: Sequence[int], last: int, group: _Columns) -> None:
    """Compute what is saved between each tree on the way to the first leaf of a key tree and those of a group."""
    first, path = firsts[last], group.path
    nodes, left = group.node[path], path - 1
    rows = np.empty((last - first + 2, len(group.node)), dtype=np.int64)
    rows[0] = group.base
    for number, node in enumerate(range(first, last + 1)):
        row = rows[firsts[node] - first].take(group.before)
        row += saved[node].take(group.node)
        if firsts[node] == first:
            row[path] = rows[number].take(left) + kept[node].take(nodes)
        np.maximum(row, rows[number], out=row)
        np.maximum.accumulate(row, out=rows[number + 1])
        if firsts[node] == first:
            saved[node, nodes] = rows[number + 1].take(path) - group.base.take(path)


def _kept(one: Tree, two: Tree) -> Ints:
    """(nodes of one, nodes of two): what relabelling saves over removing and inserting; nothing, leaf to inner node."""
    found = np.zeros((len(one), len(two)), dtype=np.int64)
    for leaf, alike in ((False, _same_names), (True, _same_letters)):
        here, there = one.labelled(leaf=leaf), two.labelled(leaf=leaf)
        found[np.ix_(here.nodes, there.nodes)] = alike(here.labels, there.labels)[np.ix_(here.label, there.label)]
    return found


def _same_names(one: Sequence[str], two: Sequence[str]) -> Ints:
    same: npt.NDArray[np.bool_] = np.array(one, dtype=object)[:, None] == np.array(two, dtype=object)
    return 1 + same.astype(np.int64)


def _same_letters(one: Sequence[str], two: Sequence[str]) -> Ints:
    lengths, others = (np.array([len(text) for text in texts], dtype=np.int64) for texts in (one, two))
    return lengths[:, None] + others - distances(one, two)


def _refuse_large(one: Tree, two: Tree) -> None:
    letters = int(np.prod([sum(map(len, tree.labelled(leaf=True).labels)) for tree in (one, two)], dtype=object))
    bounds = {
        "characters x characters": (letters, LETTERS),
        "nodes x nodes": (len(one) * len(two), NODES),
        "cells": (one.rows() * two.rows(), CELLS),
        "rows": (one.rows() * two.levels(), ROWS),
    }
    for name, (found, most) in bounds.items():
        if found > most:
            raise TooLargeError(f"{found:,} {name}, more than {most:,}")
