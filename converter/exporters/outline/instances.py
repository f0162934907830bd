"""Module instances: the tree that parameters' names and module calls span, and which nodes are whole modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converter.exporters.code.expr import Expr
from converter.exporters.outline.regions import Region, Step, is_inline
from ir.core import Model, Node, Value
from ir.data import Weight

Path = tuple[str, ...]


@dataclass(eq=False)
class Form:
    """A node written as a module of the target's library.

    `ctor` constructs it (settings are holes); `weights` says which value each of its parameters and buffers is;
    `state` lists further entries it keeps, with the value each starts from; `call`, given the emitting context and the
    expression of the module, gives the expression of the node's outputs (absent: the module applied to operand one);
    `updates` says that it updates its state entries in training by itself. A weight of a part of the module has a dotted
    name (`cell.kernel`). `axes` tells how the library stores a weight that it keeps transposed, `shape` what its input
    looks like where it must know that before it has weights.
    """

    ctor: Expr
    weights: dict[str, Value] = field(default_factory=dict)
    state: dict[str, np.ndarray] = field(default_factory=dict)
    call: Callable[[Any, Expr], Any] | None = None
    updates: bool = False
    axes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    shape: tuple[int | None, ...] | None = None

    def same(self, other: Form) -> bool:
        """Whether one module serves both nodes."""
        return self.ctor == other.ctor and self.weights == other.weights


@dataclass(eq=False)
class Instance:
    """One module object: a path, its children, its own weights by attribute name, its calls."""

    path: Path
    cls: str = ""
    children: dict[str, Instance] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    regions: list[Region] = field(default_factory=list)
    form: Form | None = None
    calls: dict[Node, Form] = field(default_factory=dict)
    first: int = 1 << 60

    def child(self, name: str) -> Instance:
        """The child of that name, made when new."""
        if name not in self.children:
            self.children[name] = Instance((*self.path, name))
        return self.children[name]

    def at(self, path: Path) -> Instance:
        """The instance at a path relative to this one, made when new."""
        here: Instance = self
        for name in path:
            here = here.child(name)
        return here

    def drop(self, region: Region) -> None:
        """Forget a call of an instance below; an instance without calls and weights goes, too."""
        instance = self.at(region.path)
        instance.regions.remove(region)
        if not instance.regions and not instance.weights and not instance.children:
            del self.at(region.path[:-1]).children[region.path[-1]]

    def walk(self) -> Iterator[Instance]:
        """All instances below, then this one."""
        for child in self.children.values():
            yield from child.walk()
        yield self

    @property
    def name(self) -> str:
        return ".".join(self.path)


def build_instances(model: Model, root: Region) -> Instance:
    """The instance tree over weight names (aliases included) and module calls."""
    tree = Instance(())
    for weight in model.weights.values():
        for name in (weight.name, *weight.aliases):
            *path, attr = name.split(".")
            tree.at(tuple(path)).weights[attr] = weight.name
    for region in root.regions():
        instance = tree.at(region.path)
        instance.regions.append(region)
        instance.cls = instance.cls or region.cls
    for name, cls in model.modules.items():
        found = _existing(tree, tuple(name.split(".")) if name else ())
        if found is not None:
            found.cls = found.cls or cls.split(".")[-1]
    return tree


def _existing(tree: Instance, path: Path) -> Instance | None:
    here: Instance | None = tree
    for name in path:
        here = here.children.get(name) if here is not None else None
    return here


def number(tree: Instance, model: Model, root: Region, leaves: Mapping[Node, Instance]) -> None:
    """Order of first use: by the calls, and by the nodes that read the weights."""
    order = {n: i for i, n in enumerate(root.nodes())}
    for node, instance in leaves.items():
        instance.first = min(instance.first, order[node])
    for instance in tree.walk():
        found = [order[n] for r in instance.regions for n in r.nodes()]
        for name in instance.weights.values() if instance.form is None else ():
            found += [order[n] for n in model.weight_value(name).users if n in order]
        found += [c.first for c in instance.children.values()]
        instance.first = min(found, default=instance.first)


# -- nodes that are whole modules -------------------------------------------------------------------------------------
FormOf = Callable[[Node], "Form | None"]


def assign_forms(model: Model, root: Region, tree: Instance, form_of: FormOf) -> dict[Node, Instance]:
    """Decide which nodes are whole modules, and drop the regions they filled; returns node -> instance.

    A node qualifies when its module's parameters are exactly the weights that stand at the module's path, and when every
    call of that path is such a node with the same settings. The names of weights decide, not the names of classes.
    """
    leaves: dict[Node, Instance] = {}
    for node, region, single in _candidates(root):
        form = form_of(node)
        if form is None:
            continue
        for path in _paths(model, form, region, single):
            instance = _existing(tree, path) if form.weights else tree.at(path)
            if instance is not None and _fits(model, instance, form):
                instance.form = instance.form or form
                instance.calls[node], leaves[node] = form, instance
                break
    _check_calls(tree, leaves)
    for found in set(leaves.values()):
        found.weights, found.children = _held(found), {}
    _absorb(root, leaves, tree)
    return leaves


def _candidates(region: Region) -> Iterator[tuple[Node, Region, Region | None]]:
    """(node, the region it will be called from, the region it fills alone if any)."""
    for item in region.items:
        if isinstance(item, Node):
            yield item, region, None
        elif len(item.items) == 1 and isinstance(item.items[0], Node):
            yield item.items[0], region, item
        else:
            yield from _candidates(item)


def _paths(model: Model, form: Form, region: Region, single: Region | None) -> Iterator[Path]:
    """Paths at which the module could stand, the node's own scope first."""
    own = single.path if single is not None else None
    if not form.weights:
        if own is not None:
            yield own
        return
    shared: list[Path] | None = None
    for attr, value in form.weights.items():
        weight = model.weight_of(value)
        paths = [tuple(n.split(".")[: -1 - attr.count(".")]) for n in _names(weight) if f".{n}".endswith(f".{attr}")]
        shared = paths if shared is None else [p for p in shared if p in paths]
    for path in sorted(shared or [], key=lambda p: p != own):
        inside = path[: len(region.path)] == region.path and len(path) > len(region.path)
        if inside and (single is None or path == own):
            yield path


def _names(weight: Weight | None) -> Iterable[str]:
    return (weight.name, *weight.aliases) if weight is not None else ()


def _fits(model: Model, instance: Instance, form: Form) -> bool:
    if instance.form is not None and not instance.form.same(form):
        return False
    if any(below.regions or below.form for child in instance.children.values() for below in child.walk()):
        return False
    wanted: Mapping[str, str] = {attr: value.name for attr, value in form.weights.items()}
    held = _held(instance)
    extra = {a for a in held if a not in wanted}
    return extra <= set(form.state) and all(held.get(a) == n for a, n in wanted.items())


def _held(instance: Instance) -> dict[str, str]:
    """The weights of an instance and of all below it, under dotted names."""
    held = dict(instance.weights)
    for name, child in instance.children.items():
        held |= {f"{name}.{attr}": weight for attr, weight in _held(child).items()}
    return held


def _check_calls(tree: Instance, leaves: dict[Node, Instance]) -> None:
    """Withdraw the form of an instance that is also called as something else."""
    for instance in tree.walk():
        if instance.form is None:
            continue
        if all(len(r.items) == 1 and leaves.get(r.items[0]) is instance for r in instance.regions):  # type: ignore[arg-type]
            continue
        instance.form = None
        instance.calls.clear()
        for node in [n for n, i in leaves.items() if i is instance]:
            del leaves[node]


def _absorb(region: Region, leaves: dict[Node, Instance], tree: Instance) -> None:
    """Replace regions that hold nothing but a whole module by the node itself."""
    for i, item in enumerate(region.items):
        if isinstance(item, Region):
            only = item.items[0] if len(item.items) == 1 else None
            if isinstance(only, Node) and only in leaves:
                region.items[i] = only
                leaves[only].regions.clear()
            elif isinstance(only, Node) and not only.bodies and _is_bare(tree.at(item.path)):
                region.items[i] = only
                tree.drop(item)
            else:
                _absorb(item, leaves, tree)


def _is_bare(instance: Instance) -> bool:
    """A module without parts of its own: a single function is written in its place."""
    return not instance.children and not instance.weights and not instance.path[-1].isdigit()


# -- weights that cross module borders --------------------------------------------------------------------------------
def weight_inputs(model: Model, region: Region, leaves: Mapping[Node, Instance]) -> list[Value]:
    """Weights that the region reads but that do not lie under its path: its caller must hand them in."""
    from converter.exporters.outline.regions import reads

    found: dict[Value, None] = {}
    for node in region.nodes():
        owned = set(leaves[node].form.weights.values()) if node in leaves and leaves[node].form else set()  # type: ignore[union-attr]
        for value in reads(node):
            if value.is_weight and value not in owned and not own_name(model, value, region.path):
                found[value] = None
    return list(found)


def own_name(model: Model, value: Value, path: Path) -> tuple[str, ...] | None:
    """Attribute path of a weight relative to the module at `path`; None when it lies elsewhere."""
    for name in _names(model.weight_of(value)):
        parts = tuple(name.split("."))
        if parts[: len(path)] == path:
            return parts[len(path) :]
    return None


__all__ = ["Form", "Instance", "Step", "assign_forms", "build_instances", "is_inline", "own_name", "weight_inputs"]
