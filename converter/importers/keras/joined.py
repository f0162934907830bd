"""Layers and operations that nobody named, put into the blocks that the names of others tell.

Of `expanded_conv_1_expand`, `expanded_conv_1_expand_bn`, `re_lu_2`, `expanded_conv_1_project` all but the third name their
block. What stands between two parts of a block belongs to it; so does what only leads into it, or only follows from it,
where other blocks of its kind have the same: `conv2d_21`, `batch_normalization_21` in front of `block35_2_mixed`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from converter.importers.keras.blocks import Block

_NUMBER = re.compile(r"_(\d+)$")


@dataclass(frozen=True)
class Part:
    """A layer or operation of a functional model: its name, the kind that an automatic name begins with (`re_lu`), and
    the names of the parts whose results it takes. Parts stand in an order in which none comes before what it takes."""

    name: str
    kind: str
    before: tuple[str, ...]

    @property
    def number(self) -> int | None:
        """The number of an automatic name, 0 for the first; None for a name that somebody gave."""
        if self.name == self.kind:
            return 0
        found = _NUMBER.search(self.name)
        return int(found[1]) if found and self.name == self.kind + found[0] else None


def join(blocks: Mapping[str, Block], parts: Sequence[Part], outputs: Iterable[str]) -> dict[str, Block]:
    """The blocks with the nameless parts that stand in them. `outputs` are the parts whose results the model returns."""
    by_name = {p.name: p for p in parts}
    members: dict[str, set[str]] = defaultdict(set)
    for name, place in blocks.items():
        if name in by_name:
            members[place.name].add(name)
    graph = _Graph(parts, frozenset(outputs))
    free = {p.name for p in parts if p.number is not None and p.name not in blocks}
    inside = {block: graph.between(have) - have for block, have in members.items()}
    claims = Counter(name for names in inside.values() for name in names)
    for block, names in inside.items():
        if names <= free and all(claims[n] == 1 for n in names):
            members[block] |= names
    free -= {name for names in members.values() for name in names}
    classes = {place.name: place.cls for place in blocks.values()}
    for cls in dict.fromkeys(classes[b] for b in members):
        mine = {b: have for b, have in members.items() if classes[b] == cls}
        grown = _grown(mine, blocks, graph, free)
        members.update(grown)
        free -= {name for names in grown.values() for name in names}
    found = dict(blocks)
    for block, have in members.items():
        for name, within in _nameless(have, blocks, by_name):
            found[name] = Block(block, classes[block], within)
    return found


def _grown(
    members: Mapping[str, set[str]], blocks: Mapping[str, Block], graph: _Graph, free: set[str]
) -> dict[str, set[str]]:
    """Blocks of one class with what leads into them or follows from them, whichever repeats more."""

    def shape(have: Iterable[str]) -> tuple[tuple[str, str], ...]:
        own = sorted((blocks[n].within, "") for n in have if n in blocks)
        return (*own, *sorted(("", graph.parts[n].kind) for n in have if n not in blocks))

    def repeated(groups: Mapping[str, set[str]]) -> int:
        shapes = Counter(shape(have) for have in groups.values())
        return sum((count - 1) * len(s) for s, count in shapes.items())

    best, most = dict(members), repeated(members)
    for grow in (graph.following, graph.leading):
        larger = {block: have | grow(have, free) for block, have in members.items()}
        shared = Counter(shape(have) for have in larger.values())
        kept = {b: larger[b] if shared[shape(larger[b])] > 1 else have for b, have in members.items()}
        if repeated(kept) > most:
            best, most = kept, repeated(kept)
    return best


def _nameless(have: Iterable[str], blocks: Mapping[str, Block], parts: Mapping[str, Part]) -> Iterable[tuple[str, str]]:
    """The nameless parts of a block with names in it, numbered by kind in the order in which they were made."""
    taken = {blocks[n].within for n in have if n in blocks}
    nameless = sorted((n for n in have if n not in blocks), key=lambda n: (parts[n].kind, parts[n].number or 0))
    for name in nameless:
        base = within = parts[name].kind
        n = 0
        while within in taken:
            n += 1
            within = f"{base}_{n}"
        taken.add(within)
        yield name, within


class _Graph:
    """What leads to what; sets of parts are bits of integers."""

    def __init__(self, parts: Sequence[Part], outputs: frozenset[str]) -> None:
        self.parts = {p.name: p for p in parts}
        self.outputs = outputs
        self.after: dict[str, list[str]] = defaultdict(list)
        self._bit = {p.name: 1 << i for i, p in enumerate(parts)}
        self._above: dict[str, int] = {}
        for part in parts:
            above = self._bit[part.name]
            for before in part.before:
                self.after[before].append(part.name)
                above |= self._above[before]
            self._above[part.name] = above

    def between(self, members: set[str]) -> set[str]:
        """Every part on a way from a member to a member, members included."""
        mine = sum(self._bit[m] for m in members)
        above = 0
        for member in members:
            above |= self._above[member]
        return {n for n in self.parts if self._bit[n] & above and self._above[n] & mine}

    def leading(self, members: set[str], free: set[str]) -> set[str]:
        """Free parts whose results only such parts and members take."""
        found: set[str] = set()
        for name in reversed(self.parts):
            takers = self.after[name]
            if name in free and name not in self.outputs and takers and all(t in found or t in members for t in takers):
                found.add(name)
        return found

    def following(self, members: set[str], free: set[str]) -> set[str]:
        """Free parts that take results of members and such parts alone."""
        found: set[str] = set()
        for name, part in self.parts.items():
            if name in free and part.before and all(b in found or b in members for b in part.before):
                found.add(name)
        return found


__all__ = ["Part", "join"]
