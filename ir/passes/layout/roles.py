"""Where the channels of a value lie, and the two orders in which it can be stored.

A role belongs to a value as the source orders its axes: the first `lead` axes are batches, one axis holds the channels,
the others are positions. Both layouts keep the batches in front and the positions in order; they differ in where the
channels stand.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from ir.ops.axes import Layout
from ir.types import Shape

Perm = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Role:
    """The channels of a value of this rank lie on `channel`: axis `lead` (channels first) or the last (channels last).

    `tokens`: the positions of a map in a row. What runs along them is a transformer's, whose ops read the channels last.
    """

    lead: int
    channel: int
    rank: int
    tokens: bool = False

    @property
    def layout(self) -> Layout:
        """The layout that the source's own order of the axes is."""
        return "channels_first" if self.channel == self.lead else "channels_last"

    def order(self, layout: Layout) -> Perm:
        """The source's axes in the order in which a layout stores them: what `transpose` takes."""
        return _order(self.lead, self.channel, self.rank, layout)

    def stored(self, shape: Shape, layout: Layout) -> Shape:
        """The shape as a layout stores it."""
        return tuple(shape[a] for a in self.order(layout))


@functools.cache
def _order(lead: int, channel: int, rank: int, layout: Layout) -> Perm:
    rest = [a for a in range(rank) if a != channel]
    rest.insert(lead if layout == "channels_first" else rank - 1, channel)
    return tuple(rest)


def role_of(lead: int, channel: int, rank: int, tokens: bool = False) -> Role | None:
    """The role; None where both layouts are the same order, or the source's order is neither."""
    if channel not in (lead, rank - 1) or not 0 <= lead < rank - 1:
        return None
    return Role(lead, channel, rank, tokens)


def without(role: Role, axes: set[int]) -> Role | None:
    """The role of what is left when some axes go; None where no two layouts are left."""
    if role.channel in axes:
        return None
    lead, channel = (place - sum(a < place for a in axes) for place in (role.lead, role.channel))
    return role_of(lead, channel, role.rank - len(axes), role.tokens)


def with_axes(role: Role, axes: set[int]) -> Role | None:
    """The role once new axes stand at these places of the result."""
    rank = role.rank + len(axes)
    places = [a for a in range(rank) if a not in axes]
    channel = places[role.channel]
    if role.layout == "channels_first":
        return role_of(channel, channel, rank, role.tokens)
    return role_of(places[role.lead - 1] + 1 if role.lead else 0, channel, rank, role.tokens)


def identity(rank: int) -> Perm:
    """The order that changes nothing."""
    return tuple(range(rank))


def inverse(perm: Perm) -> Perm:
    """The order that undoes `perm`."""
    return tuple(perm.index(i) for i in range(len(perm)))


def keeps_elements(shape: Shape, perm: Perm) -> bool:
    """Whether a transpose of this shape leaves every element where it lies: only axes of size 1 change places."""
    wide = [a for a in perm if shape[a] != 1]
    return wide == sorted(wide)
