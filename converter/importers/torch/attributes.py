"""Plain attributes of modules that `forward()` changes: what a model keeps between calls outside of its buffers.

`torch.export` puts them back and forgets them, so that the second call of the source may compute something else than what
was exported. A module with such attributes is exported once more as its first call leaves it: where that gives the same
graph the attributes are a record that nothing reads, else the model is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from converter.errors import ConversionError

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_FAR = 10**6


@dataclass(frozen=True)
class Change:
    """An attribute that a call changed: what it left there, which is traced, and its structure."""

    module: Any
    path: str
    name: str
    leaves: list[Any]
    spec: Any

    def __str__(self) -> str:
        return f"{self.path}.{self.name}" if self.path else self.name

    def stand_in(self, ahead: int) -> Any:
        """What another call may find there: real tensors for traced ones, numbers so far ahead."""
        from torch.utils import _pytree as pytree

        return pytree.tree_unflatten([_stand_in(leaf, ahead) for leaf in self.leaves], self.spec)


@contextlib.contextmanager
def watching(module: Any) -> Iterator[list[Change]]:
    """Collects the attributes that the last call of the module inside the block changed."""
    before = {id(m): _flat(m) for m in module.modules()}
    found: list[Change] = []

    def look(*_: Any) -> None:
        found[:] = [change for path, m in module.named_modules() for change in _changes(m, path, before.get(id(m), {}))]

    hook = module.register_forward_hook(look)
    try:
        yield found
    finally:
        hook.remove()


def kept(module: Any, changes: list[Change], program: Any, again: Callable[[], Any]) -> list[Change]:
    """Those of the changes on which a later call depends: all, unless `again` exports the same graph from there, and from
    far ahead where numbers go on changing."""
    if not changes:
        return []
    missing = object()
    before = [vars(c.module).get(c.name, missing) for c in changes]
    try:
        for ahead in (0, _FAR):
            for change in changes:
                vars(change.module)[change.name] = change.stand_in(ahead)
            with watching(module) as later:
                same = _same(program, again())
            if not same or not any(_counts(leaf) for c in later for leaf in c.leaves):
                break
    except ConversionError:
        same = False
    finally:
        for change, value in zip(changes, before, strict=True):
            if value is missing:
                vars(change.module).pop(change.name, None)
            else:
                vars(change.module)[change.name] = value
    return [] if same else changes


def reason(changes: list[Change]) -> str:
    """What is told of attributes that make calls differ."""
    names = ", ".join(str(c) for c in changes[:5])
    return (
        f"forward() changes plain attributes ({names}), and the next call computes something else for it: keep what lasts "
        "between calls in buffers (register_buffer), or set it outside of forward()"
    )


# -- one module ---------------------------------------------------------------------------------------------------------
def _flat(module: Any) -> dict[str, tuple[list[Any], Any]]:
    """What each plain attribute holds, and its structure."""
    from torch import nn
    from torch.utils import _pytree as pytree

    own = vars(nn.Module())
    return {name: pytree.tree_flatten(value) for name, value in vars(module).items() if name not in own}


def _changes(module: Any, path: str, before: dict[str, tuple[list[Any], Any]]) -> Iterator[Change]:
    for name, (leaves, spec) in _flat(module).items():
        old_leaves, old_spec = before.get(name, ([], None))
        if spec != old_spec or not all(_alike(a, b) for a, b in zip(leaves, old_leaves, strict=True)):
            yield Change(module, path, name, leaves, spec)


def _alike(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, _PLAIN) and (a == b or a != a))


def _counts(leaf: Any) -> bool:
    return isinstance(leaf, (int, float)) and not isinstance(leaf, bool)


def _stand_in(leaf: Any, ahead: int) -> Any:
    """A real tensor for a traced one, of numbers that are in no model; a number for a size."""
    import torch

    if isinstance(leaf, torch.Tensor):
        shape = [_number(n) for n in leaf.shape]
        if leaf.is_floating_point() or leaf.is_complex():
            return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(leaf.dtype)
        return torch.full(shape, 1 if leaf.dtype == torch.bool else 101, dtype=leaf.dtype)
    if isinstance(leaf, (torch.SymInt, torch.SymFloat, torch.SymBool)):
        return _number(leaf)
    return leaf + ahead if _counts(leaf) else leaf


def _number(size: Any) -> Any:
    if not hasattr(size, "node"):
        return size
    return size.node.hint if size.node.has_hint() else 2


# -- one graph ----------------------------------------------------------------------------------------------------------
def _same(a: Any, b: Any) -> bool:
    """Whether two exports are one graph over the same constants."""
    return _codes(a) == _codes(b) and a.constants.keys() == b.constants.keys() and all(
        _equal(value, b.constants[name]) for name, value in a.constants.items()
    )  # fmt: skip


def _codes(program: Any) -> list[str]:
    import torch

    return [m.code for m in program.graph_module.modules() if isinstance(m, torch.fx.GraphModule)]


def _equal(a: Any, b: Any) -> bool:
    import torch

    if not isinstance(a, torch.Tensor) or not isinstance(b, torch.Tensor):
        return a is b
    return a is b or (a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b))
