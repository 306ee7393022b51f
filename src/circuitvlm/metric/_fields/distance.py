"""Compute the edit distance of two ordered trees, with the costs of Donut's evaluation.

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

MAX_CHARACTER_PAIRS = 1_000_000_000
"""Largest product of the characters of both trees that is computed, in about a second."""

MAX_NODE_PAIRS = 25_000_000
"""Largest product of the nodes of both trees, which takes 400 MB; two receipts of 500 items need two thirds of it."""

MAX_CELLS = 200_000_000
"""Largest number of table cells, computed in about three seconds; two receipts of 500 items need half of it."""

MAX_ROWS = 300_000
"""Largest number of rows that numpy computes, in about three seconds; it limits deep trees."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelGroup:
    """Nodes of one kind, their distinct labels, and the index of each node's label among these."""

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
    def from_fields(fields: Fields) -> Tree:
        tree = Tree()
        tree._grow(ROOT, fields)
        return tree

    def __len__(self) -> int:
        return len(self.labels)

    def weights(self) -> Ints:
        """What it costs to insert or to remove each node: 1, or the characters of a leaf."""
        return np.array([len(label) if leaf else 1 for label, leaf in zip(self.labels, self.is_leaf, strict=True)])

    def label_group(self, *, leaf: bool) -> LabelGroup:
        """The leaves, or the inner nodes."""
        nodes = [node for node, is_leaf in enumerate(self.is_leaf) if is_leaf == leaf]
        number: dict[str, int] = {}
        label = [number.setdefault(self.labels[node], len(number)) for node in nodes]
        return LabelGroup(np.array(nodes, dtype=np.int64), list(number), np.array(label, dtype=np.int64))

    def key_trees(self) -> list[int]:
        """The last nodes of the key trees, in postorder."""
        return sorted({first: node for node, first in enumerate(self.first)}.values())

    def count_rows(self) -> int:
        """The number of nodes in all key trees."""
        return sum(node - self.first[node] + 1 for node in self.key_trees())

    def count_levels(self) -> int:
        """The number of nesting levels of key trees; a level is computed after those below it."""
        return 1 + self.level[-1]

    def _grow(self, label: str, content: Fields | list[Any]) -> int:
        """Add a node after what lies under it; its index."""
        if isinstance(content, dict):
            children = [self._grow(key, values) for key, values in content.items()]
        else:
            children = [
                self._grow(ITEM, child) if isinstance(child, dict) else self._add(child, [], leaf=True)
                for child in content
            ]
        return self._add(label, children, leaf=False)

    def _add(self, label: str, children: Sequence[int], *, leaf: bool) -> int:
        self.first.append(self.first[children[0]] if children else len(self))
        self.labels.append(label)
        self.is_leaf.append(leaf)
        self.level.append(max((self.level[kid] + (kid != children[0]) for kid in children), default=0))
        return len(self) - 1


@dataclass(frozen=True, slots=True)
class _Columns:
    """The key trees of one level side by side, each with an empty forest before its first node.

    `node`: the last node of a column's forest; `before`: the column of that forest without the subtree of that node.
    `path`: the columns whose forest is a tree. `base` is added to a key tree's columns, and is higher than any value in
    the one to the left, so that a running maximum begins anew.
    """

    node: Ints
    parent: Ints
    path: Ints
    base: Ints

    @staticmethod
    def from_level(tree: Tree, level: int, *, step: int) -> _Columns:
        node: list[int] = []
        parent: list[int] = []
        path: list[int] = []
        base: list[int] = []
        for number, last in enumerate(key for key in tree.key_trees() if tree.level[key] == level):
            start, first = len(node), tree.first[last]
            node += [len(tree), *range(first, last + 1)]
            parent += [start, *(start + tree.first[n] - first for n in range(first, last + 1))]
            path += [start + n - first + 1 for n in range(first, last + 1) if tree.first[n] == first]
            base += [number * step] * (last - first + 2)
        return _Columns(*(np.array(part) for part in (node, parent, path, base)))


def distance(first_tree: Tree, second_tree: Tree) -> int:
    """The least cost of edits that make one tree the other; raises TooLargeError.

    An inner node costs 1 and a leaf as many as it has characters, inserted or removed. Relabelled, an inner node costs
    1, a leaf the Levenshtein distance, and a leaf for an inner node 1 more than its characters.
    """
    if first_tree.count_rows() * second_tree.count_levels() > second_tree.count_rows() * first_tree.count_levels():
        first_tree, second_tree = second_tree, first_tree
    _check_size(first_tree, second_tree)
    whole = int(first_tree.weights().sum() + second_tree.weights().sum())
    relabel_savings = _relabel_savings(first_tree, second_tree)
    savings = np.zeros((len(first_tree), len(second_tree) + 1), dtype=np.int64)  # the last column is that of no node
    columns = [_Columns.from_level(second_tree, level, step=whole + 1) for level in range(second_tree.count_levels())]
    for last in first_tree.key_trees():
        for group in columns:
            _fill(savings, relabel_savings, first_tree.first, last, group)
    return whole - int(savings[-1, -2])


def _fill(savings: Ints, relabel_savings: Ints, firsts: Sequence[int], last: int, group: _Columns) -> None:
    """Compute what is saved between each tree on the way to the first leaf of a key tree and those of a group."""
    first, path = firsts[last], group.path
    nodes, parents = group.node[path], path - 1
    rows = np.empty((last - first + 2, len(group.node)), dtype=np.int64)
    rows[0] = group.base
    for number, node in enumerate(range(first, last + 1)):
        row = rows[firsts[node] - first].take(group.parent)
        row += savings[node].take(group.node)
        if firsts[node] == first:
            row[path] = rows[number].take(parents) + relabel_savings[node].take(nodes)
        np.maximum(row, rows[number], out=row)
        np.maximum.accumulate(row, out=rows[number + 1])
        if firsts[node] == first:
            savings[node, nodes] = rows[number + 1].take(path) - group.base.take(path)


def _relabel_savings(first_tree: Tree, second_tree: Tree) -> Ints:
    """(nodes of one, nodes of two): what relabelling saves over removing and inserting; nothing, leaf to inner node."""
    savings = np.zeros((len(first_tree), len(second_tree)), dtype=np.int64)
    for leaf, similarity in ((False, _same_names), (True, _same_letters)):
        first_group, second_group = first_tree.label_group(leaf=leaf), second_tree.label_group(leaf=leaf)
        savings[np.ix_(first_group.nodes, second_group.nodes)] = similarity(first_group.labels, second_group.labels)[
            np.ix_(first_group.label, second_group.label)
        ]
    return savings


def _same_names(first_labels: Sequence[str], second_labels: Sequence[str]) -> Ints:
    first, second = (np.array(labels, dtype=object) for labels in (first_labels, second_labels))
    return np.where(first[:, None] == second, 2, 1)


def _same_letters(first_texts: Sequence[str], second_texts: Sequence[str]) -> Ints:
    first_lengths, second_lengths = (
        np.array([len(text) for text in texts], dtype=np.int64) for texts in (first_texts, second_texts)
    )
    return first_lengths[:, None] + second_lengths - distances(first_texts, second_texts)


def _check_size(first_tree: Tree, second_tree: Tree) -> None:
    letters = int(
        np.prod([sum(map(len, tree.label_group(leaf=True).labels)) for tree in (first_tree, second_tree)], dtype=object)
    )
    bounds = {
        "characters x characters": (letters, MAX_CHARACTER_PAIRS),
        "nodes x nodes": (len(first_tree) * len(second_tree), MAX_NODE_PAIRS),
        "cells": (first_tree.count_rows() * second_tree.count_rows(), MAX_CELLS),
        "rows": (first_tree.count_rows() * second_tree.count_levels(), MAX_ROWS),
    }
    for name, (size, limit) in bounds.items():
        if size > limit:
            raise TooLargeError(f"{size:,} {name}, more than {limit:,}")
