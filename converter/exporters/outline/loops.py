"""Calls along a whole ModuleList that hand one value on: they print as a loop."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from converter.exporters.outline.context import Shared
from converter.exporters.outline.instances import Path
from converter.exporters.outline.plain import same_call
from converter.exporters.outline.regions import Region
from ir.core import Node, Value


@dataclass(eq=False)
class ModuleRun:
    """Items that call the children of `container` in order, carrying one value from `start` to `end`."""

    container: Path
    items: list[Node | Region]
    start: Value
    end: Value


def module_runs(region: Region, shared: Shared) -> dict[int, ModuleRun]:
    """Runs by the position of their first item."""
    found: dict[int, ModuleRun] = {}
    readers = Counter(v for item in region.items for v in set(item.inputs))
    position = 0
    while position < len(region.items):
        run = _run_at(region, position, shared, readers)
        if run is not None:
            found[position] = run
            position += len(run.items)
        else:
            position += 1
    return found


def _path(item: Node | Region, shared: Shared) -> Path:
    if isinstance(item, Region):
        return item.path
    return shared.leaves[item].path if item in shared.leaves else ()


def _run_at(region: Region, position: int, shared: Shared, readers: Counter[Value]) -> ModuleRun | None:
    first = _path(region.items[position], shared)
    container = first[:-1]
    count = shared.containers.get(container, 0)
    if not first or first[-1] != "0" or count < 2:
        return None
    items = region.items[position : position + count]
    if [_path(i, shared) for i in items] != [(*container, str(k)) for k in range(count)]:
        return None
    ends = [_outputs(i) for i in items]
    if any(len(e) != 1 for e in ends):
        return None
    takes = [_takes(i, shared) for i in items]
    carried = [k for k, v in enumerate(takes[1]) if v is ends[0][0]]
    if len(carried) != 1 or any(len(t) != len(takes[0]) for t in takes):
        return None
    slot = carried[0]
    for k, own in enumerate(takes):
        expected = list(takes[0]) if k == 0 else [*takes[0][:slot], ends[k - 1][0], *takes[0][slot + 1 :]]
        if any(a is not b for a, b in zip(own, expected)) or not _same_call(items[0], items[k], region, shared):
            return None
    if (
        any(readers[e[0]] + _is_read_outside(region, e[0]) != 1 for e in ends[:-1])
        or takes[0].count(takes[0][slot]) != 1
    ):
        return None
    return ModuleRun(container, items, takes[0][slot], ends[-1][0])


def _is_read_outside(region: Region, value: Value) -> bool:
    """Whether the value is a result of the region or the model."""
    return value in region.outputs or any(not isinstance(u.user, Node) for u in value.uses)


def _outputs(item: Node | Region) -> list[Value]:
    return item.outputs if isinstance(item, Region) else [v for v in item.outputs if v.uses]


def _takes(item: Node | Region, shared: Shared) -> list[Value]:
    if isinstance(item, Region):
        return [*item.inputs, *shared.extra_weights[item]]
    form = shared.leaves[item].form
    own = set(form.weights.values()) if form is not None else set()
    return [v for v in item.inputs if v not in own]


def _same_call(a: Node | Region, b: Node | Region, region: Region, shared: Shared) -> bool:
    if isinstance(a, Region) and isinstance(b, Region):
        return shared.sizes[a] == shared.sizes[b]
    return isinstance(a, Node) and isinstance(b, Node) and a.op is b.op and same_call(shared, region, a, b)
