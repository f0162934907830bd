"""Random subscripts and index operations of PyTorch, and random index operators of ONNX, as models of many outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

Entry = Any
_REDUCE = ("sum", "prod", "amax", "amin", "mean")


@dataclass
class Drawn:
    """Steps of one module: each computes an output from the tensors drawn so far."""

    rng: np.random.Generator
    kind: torch.dtype = torch.int64
    tensors: list[Tensor] = field(default_factory=list)
    steps: list[Callable[[tuple[Tensor, ...]], Tensor]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def add(self, tensor: Tensor) -> int:
        """A new input; its number."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def whole(self, *shape: int, low: int = -9, high: int = 9) -> Tensor:
        """Whole numbers of the element type under test."""
        return torch.from_numpy(self.rng.integers(low, high, shape)).to(self.kind)

    def below(self, n: int, *shape: int, negative: bool = True) -> Tensor:
        """Indices into an axis of n."""
        return torch.from_numpy(self.rng.integers(-n if negative else 0, n, shape))

    def shape(self, low: int = 1, high: int = 4) -> tuple[int, ...]:
        """A shape of 1 to 4 axes."""
        return tuple(int(n) for n in self.rng.integers(low, high + 1, self.rng.integers(1, 5)))

    def chance(self, p: float) -> bool:
        """True with a probability."""
        return bool(self.rng.random() < p)


class Steps(torch.nn.Module):
    """All outputs of what was drawn."""

    def __init__(self, drawn: Drawn) -> None:
        super().__init__()
        self.steps = drawn.steps

    def forward(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(step(tensors) for step in self.steps)


# -- x[...] -----------------------------------------------------------------------------------------------------------
def subscript(d: Drawn, shape: tuple[int, ...], masks: bool) -> tuple[Entry, ...]:
    """Entries, index tensors as ("tensor", number)."""
    block = tuple(int(n) for n in d.rng.integers(1, 4, d.rng.integers(0, 3))) or (2,)
    out: list[Entry] = []
    axis, masked, arrays = 0, False, False
    while axis < len(shape):
        if d.chance(0.15):
            out.append(None)
        what = d.rng.choice(["int", "slice", "all", "array", "mask"], p=[0.15, 0.25, 0.15, 0.35, 0.1])
        n = shape[axis]
        if (what == "mask" and (masked or not masks or arrays)) or (what == "array" and masked):
            what = "all"  # torch.export takes no mask beside other index tensors
        if what == "int":
            out.append(int(d.rng.integers(-n, n)))
        elif what == "slice":
            bounds = [None if d.chance(0.3) else int(d.rng.integers(-n - 2, n + 3)) for _ in range(2)]
            out.append(slice(*bounds, None if d.chance(0.5) else int(d.rng.integers(1, 4))))
        elif what == "all":
            out.append(slice(None))
        elif what == "array":
            arrays = True
            part = tuple(1 if d.chance(0.25) else k for k in block)[d.rng.integers(0, len(block)) :]
            out.append(("tensor", d.add(d.below(n, *part))))
        else:
            masked, count = True, block[-1]
            wide = min(len(shape) - axis, 1 + d.chance(0.4))
            size = int(np.prod(shape[axis : axis + wide]))
            flat = torch.zeros(size, dtype=torch.bool)
            flat[torch.from_numpy(d.rng.permutation(size)[:count])] = True
            if int(flat.sum()) != count:
                return subscript(d, shape, False)
            out.append(("tensor", d.add(flat.reshape(shape[axis : axis + wide]))))
            axis += wide - 1
        axis += 1
    if d.chance(0.3):
        keep = int(d.rng.integers(0, len(out) + 1))
        rest = sum(e is not None and not isinstance(e, tuple) for e in out[keep:])
        if rest == len([e for e in out[keep:] if e is not None]):
            out = [*out[:keep], Ellipsis]
    return tuple(out)


def key(entries: tuple[Entry, ...], tensors: tuple[Tensor, ...]) -> tuple[Any, ...]:
    """The Python subscript."""
    return tuple(tensors[e[1]] if isinstance(e, tuple) else e for e in entries)


def read(d: Drawn) -> None:
    """x[...]"""
    shape = d.shape()
    x, entries = d.add(d.whole(*shape)), subscript(d, shape, True)
    d.steps.append(lambda t: t[x][key(entries, t)] * 1)
    d.told.append(f"x{list(shape)}[{_told(d, entries)}]")


def write(d: Drawn) -> None:
    """x[...] = v and x[...] += v, v broadcast."""
    shape = d.shape()
    x, entries = d.add(d.whole(*shape)), subscript(d, shape, True)
    selected = d.tensors[x][key(entries, tuple(d.tensors))].shape
    part = tuple(1 if d.chance(0.2) else n for n in selected)[d.rng.integers(0, len(selected) + 1) :]
    v, add = d.add(d.whole(*part)), d.chance(0.4)

    def step(t: tuple[Tensor, ...]) -> Tensor:
        y = t[x].clone()
        if add:
            y[key(entries, t)] += t[v]
        else:
            y[key(entries, t)] = t[v]
        return y

    d.steps.append(step)
    d.told.append(f"x{list(shape)}[{_told(d, entries)}] {'+=' if add else '='} {list(part)}")


def put(d: Drawn) -> None:
    """index_put with and without accumulation, positions repeated."""
    shape = d.shape(2)
    depth, count, add = int(d.rng.integers(1, len(shape) + 1)), int(d.rng.integers(1, 7)), d.chance(0.5)
    x = d.add(d.whole(*shape))
    at = [d.add(d.below(n, count)) for n in shape[:depth]]
    v = d.add(d.whole(count, *shape[depth:]))
    d.steps.append(lambda t: t[x].index_put(tuple(t[i] for i in at), t[v], accumulate=add))
    d.told.append(f"index_put {shape} depth {depth} accumulate {add}")


def elements(d: Drawn) -> None:
    """gather, take_along_dim, and scatter in every reduction; the index may be shorter than the data, src longer."""
    shape = d.shape(2)
    axis = int(d.rng.integers(0, len(shape)))
    part = tuple(int(d.rng.integers(1, 6)) if k == axis else int(d.rng.integers(1, n + 1)) for k, n in enumerate(shape))
    x, i = d.add(d.whole(*shape)), d.add(d.below(shape[axis], *part, negative=False))
    signed = axis - len(shape) if d.chance(0.5) else axis
    d.steps.append(lambda t: t[x].gather(signed, t[i]))
    src = d.add(d.whole(*(n + d.chance(0.2) for n in part)))
    d.steps.append(lambda t: t[x].scatter(signed, t[i], t[src]))
    d.steps.append(lambda t: t[x].scatter_add(signed, t[i], t[src]))
    d.steps.append(lambda t: t[x].scatter(signed, t[i], 5))
    form, own = str(d.rng.choice(_REDUCE)), d.chance(0.5)
    d.steps.append(lambda t: t[x].scatter_reduce(signed, t[i], t[src], form, include_self=own))
    wide = d.add(d.below(9, *(1 if d.chance(0.4) and k != axis else n for k, n in enumerate(shape))))
    d.steps.append(lambda t: torch.take_along_dim(t[x], t[wide], axis))
    names = ("gather", "scatter", "scatter_add", "scatter value", f"scatter_reduce {form} {own}", "take_along_dim")
    d.told += [f"{name} {shape} {axis} {part}" for name in names]


def rows(d: Drawn) -> None:
    """index_select, index_add, index_copy, index_fill, index_reduce, take, put."""
    shape = d.shape(2)
    axis, count = int(d.rng.integers(0, len(shape))), int(d.rng.integers(1, 6))
    n = shape[axis]
    x, i = d.add(d.whole(*shape)), d.add(d.below(n, count, negative=False))
    src = d.add(d.whole(*(count if k == axis else m for k, m in enumerate(shape))))
    far, flat = d.add(d.below(n, count)), d.add(d.below(int(np.prod(shape)), 2, count))
    new = d.add(d.whole(2, count))
    form, own, add = str(d.rng.choice(["prod", "amax", "amin", "mean"])), d.chance(0.5), d.chance(0.5)
    d.steps += [
        lambda t: t[x].index_select(axis, t[i]), lambda t: t[x].index_add(axis, t[i], t[src], alpha=3),
        lambda t: t[x].index_copy(axis, t[i], t[src]), lambda t: t[x].index_fill(axis, t[far], 7),
        lambda t: t[x].index_reduce(axis, t[i], t[src], form, include_self=own), lambda t: t[x].take(t[flat]),
        lambda t: t[x].put(t[flat], t[new], accumulate=add),
    ]  # fmt: skip
    names = (
        "index_select",
        "index_add",
        "index_copy",
        "index_fill",
        f"index_reduce {form} {own}",
        "take",
        f"put {add}",
    )
    d.told += [f"{name} {shape} {axis} {count}" for name in names]


def views(d: Drawn) -> None:
    """Writes through views of views."""
    shape = d.shape(2)
    x, v = d.add(d.whole(*shape)), d.add(d.whole())
    n = shape[-1]
    start, stop = -int(d.rng.integers(1, n + 2)), n + int(d.rng.integers(0, 2))
    at, step = int(d.rng.integers(-shape[0], shape[0])), int(d.rng.integers(1, 3))

    def nested(t: tuple[Tensor, ...]) -> Tensor:
        y = t[x].clone()
        y[..., start:stop:step][at] += t[v]
        y[at:, ..., -1] = t[v]
        y.select(0, at).fill_(3)
        y.narrow(-1, n - 1, 1).mul_(2)
        return y

    d.steps.append(nested)
    d.told.append(f"views of {shape}: ..., {start}:{stop}:{step}, {at}")


def _told(d: Drawn, entries: tuple[Entry, ...]) -> str:
    return ", ".join(
        f"{d.tensors[e[1]].dtype}{list(d.tensors[e[1]].shape)}" if isinstance(e, tuple) else str(e) for e in entries
    )


KINDS = (read, read, write, write, put, elements, rows, views)


def draw(seed: int, count: int, kind: torch.dtype = torch.int64, kinds: Any = KINDS) -> Drawn:
    """`count` steps of every kind in turn."""
    d = Drawn(np.random.default_rng(seed), kind)
    for k in range(count):
        kinds[k % len(kinds)](d)
    return d
