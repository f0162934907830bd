"""Blocks that a flat functional model tells by its layers' names: `conv2_block1_1_conv`, `block3a_se_reduce`.

A block is all layers whose names begin alike up to a counted word. Which words count blocks is not known beforehand: of all
patterns the one is taken by which most layers would repeat what another block has, then the next among the layers left.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_COUNTED = re.compile(r"\d+[a-z]?$")
_FEWEST = 3
"""A block has at least so many layers."""

Named = tuple[str, str]
"""A layer's name and its class."""


class Block(NamedTuple):
    """Where a layer stands: the block, the block's class, and the layer's name in it."""

    name: str
    cls: str
    within: str


def find_blocks(layers: Sequence[Named]) -> dict[str, Block]:
    """Where each layer stands, by its name, for the layers that stand in blocks."""
    found: dict[str, Block] = {}
    left = list(layers)
    while True:
        groups = _best(left)
        if not groups:
            return found
        taken = {name for members in groups.values() for name, _ in members}
        for prefix, members in groups.items():
            pattern = _pattern(prefix)
            for name, _ in members:
                found[name] = Block("_".join(prefix), _class_name(pattern), _within(name.split("_")[len(prefix) :]))
        left = [layer for layer in left if layer[0] not in taken]


Prefix = tuple[str, ...]


def _best(layers: Sequence[Named]) -> dict[Prefix, list[Named]]:
    """The groups of the pattern that repeats most."""
    by_prefix: dict[Prefix, list[Named]] = defaultdict(list)
    for layer in layers:
        for prefix in _prefixes(layer[0]):
            by_prefix[prefix].append(layer)
    by_pattern: dict[Prefix, dict[Prefix, list[Named]]] = defaultdict(dict)
    for prefix, members in by_prefix.items():
        if len(members) >= _FEWEST:
            by_pattern[_pattern(prefix)][prefix] = members
    best, most = {}, 0
    for pattern in sorted(by_pattern):
        saved = _repeated(by_pattern[pattern])
        if saved > most:
            best, most = by_pattern[pattern], saved
    return best


def _repeated(groups: dict[Prefix, list[Named]]) -> int:
    """How many layers another group of the same shape has already."""
    shapes: dict[tuple[tuple[str, str], ...], int] = defaultdict(int)
    for prefix, members in groups.items():
        shape = tuple((_within(name.split("_")[len(prefix) :]), cls) for name, cls in members)
        shapes[shape] += 1
    return sum((count - 1) * len(shape) for shape, count in shapes.items())


def _prefixes(name: str) -> Iterator[Prefix]:
    """Beginnings of a name that end in a counted word, with something behind."""
    words = tuple(name.split("_"))
    return (words[:n] for n in range(1, len(words)) if _COUNTED.search(words[n - 1]))


def _pattern(prefix: Prefix) -> Prefix:
    return tuple(_COUNTED.sub("#", word) for word in prefix)


def _class_name(pattern: Prefix) -> str:
    words = [w for word in pattern for w in re.split(r"[^a-zA-Z]+", word) if w]
    return "".join(w[:1].upper() + w[1:] for w in words) or "Block"


def _within(words: Sequence[str]) -> str:
    """A layer's name in its block: numbers at the front go to the end, as names of attributes begin with letters."""
    n = next((i for i, w in enumerate(words) if not w[:1].isdigit()), len(words))
    return "_".join((*words[n:], *words[:n])) or "layer"


__all__ = ["Block", "find_blocks"]
