"""Names of nodes and values: readable, and unique in the whole model, bodies included."""

from __future__ import annotations

from collections.abc import Iterable

from ir.core import Path


class Names:
    """Hands out names. Reserved ones (inputs, outputs, weights) are never given to anything else."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = set(reserved)
        self._next: dict[str, int] = {}

    def unique(self, base: str) -> str:
        """`base`, or `base_1`, `base_2`, ... where it is taken."""
        name, count = base, self._next.get(base, 0)
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._next[base] = count
        self._taken.add(name)
        return name


def scoped(path: Path, leaf: str) -> str:
    """`/layer1/0/conv1/Conv` for a node in the module path layer1.0.conv1."""
    return "".join(f"/{scope.name}" for scope in path) + f"/{leaf}"
