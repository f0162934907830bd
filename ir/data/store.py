"""Which weights share their bytes: by storage (they are one tensor) or by content (they merely look alike)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ir.data.weights import Array, Data, Mapped


def same_storage(a: Data, b: Data) -> bool:
    """Whether two weights are the same memory or the same place of a file: tied, whatever is written there later."""
    if a is b:
        return True
    if isinstance(a, Mapped) and isinstance(b, Mapped):
        return (a.path, a.offset, a.type) == (b.path, b.offset, b.type)
    return isinstance(a, Array) and isinstance(b, Array) and a.value is b.value


def duplicates(tensors: Mapping[str, Data], names: Iterable[str] | None = None) -> dict[str, str]:
    """For each tensor whose content an earlier one has (same type, same bytes): that one's name.

    Only tensors that share their type with another are read, one at a time. Equal content is no tie: two biases that
    start at zero are two parameters.
    """
    by_type: dict[object, list[str]] = {}
    for name in tensors if names is None else names:
        by_type.setdefault(tensors[name].type, []).append(name)
    found: dict[str, str] = {}
    for group in by_type.values():
        first: dict[str, str] = {}
        for name in group if len(group) > 1 else ():
            original = first.setdefault(tensors[name].digest(), name)
            if original != name:
                found[name] = original
    return found
