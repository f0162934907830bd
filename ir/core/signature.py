"""What the caller sees: nested inputs and outputs over the flat tensors of the graph."""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Leaf:
    """A tensor, by the flat name of the graph input or output that carries it."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A position that holds a plain Python value (None, a number, a string), fixed at conversion."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class Branch:
    """A container. `keys` are the dict keys (strings or integers) or named-tuple fields; `cls` names a named tuple's or
    data class's type."""

    kind: Literal["tuple", "list", "dict", "namedtuple"]
    children: tuple[Tree, ...]
    keys: tuple[str | int, ...] = ()
    cls: str = ""


Tree = Leaf | Constant | Branch


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of the callable."""

    name: str
    tree: Tree
    keyword_only: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """The callable's arguments and result. Leaves name graph inputs and outputs; the graph holds them in leaf order."""

    parameters: tuple[Parameter, ...] = ()
    result: Tree = field(default_factory=lambda: Leaf("output"))

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(n for p in self.parameters for n in leaves(p.tree))

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(leaves(self.result))


def leaves(tree: Tree) -> Iterator[str]:
    """Leaf names, depth first."""
    if isinstance(tree, Leaf):
        yield tree.name
    elif isinstance(tree, Branch):
        for child in tree.children:
            yield from leaves(child)


def tree_of(value: Any, name: str, is_leaf: Any) -> tuple[Tree, list[tuple[str, Any]]]:
    """Describe a nested Python value: its tree, and `(flat name, leaf)` pairs. Names are `a.0`, `b.key`.

    `is_leaf(value)` tells tensors apart. Raises TypeError for a container that has no place in a signature.
    """
    found: list[tuple[str, Any]] = []

    def visit(item: Any, path: str) -> Tree:
        if is_leaf(item):
            found.append((path, item))
            return Leaf(path)
        if isinstance(item, Mapping):
            keys = _dict_keys(item, path)
            cls = "" if type(item) is dict else type(item).__name__
            return Branch("dict", tuple(visit(item[k], _join(path, str(k))) for k in item), keys, cls)
        if keys := named_fields(item):
            children = tuple(visit(getattr(item, f), _join(path, f)) for f in keys)
            return Branch("namedtuple", children, keys, type(item).__name__)
        if isinstance(item, (list, tuple)):
            kind: Literal["list", "tuple"] = "list" if isinstance(item, list) else "tuple"
            return Branch(kind, tuple(visit(v, _join(path, str(i))) for i, v in enumerate(item)))
        if item is None or isinstance(item, (bool, int, float, str)):
            return Constant(item)
        raise TypeError(f"{path or 'value'}: a {type(item).__name__} has no place in a signature")

    return visit(value, name), found


def named_fields(item: Any) -> tuple[str, ...]:
    """The field names of a named tuple, of a tuple with names of C code (`torch.max(x, 1)`) or of a data class's object;
    none for anything else."""
    if isinstance(item, tuple):
        return tuple(getattr(item, "__match_args__" if hasattr(item, "n_sequence_fields") else "_fields", ()))
    return tuple(f.name for f in fields(item)) if is_dataclass(item) and not isinstance(item, type) else ()


def _dict_keys(item: Mapping[Any, Any], path: str) -> tuple[str | int, ...]:
    """The keys, whose texts are parts of flat names."""
    for key in item:
        if not isinstance(key, (str, int)) or isinstance(key, bool):
            raise TypeError(f"{path or 'value'}: the dict key {key!r} is neither a string nor an integer")
    if len({str(k) for k in item}) < len(item):
        raise TypeError(f"{path or 'value'}: dict keys that look the same as text")
    return tuple(item)


def result_tree(value: Any, is_leaf: Any) -> tuple[Tree, list[tuple[str, Any]]]:
    """`tree_of` with the naming rule of results: one tensor is `output`, a tuple `output.0`, a dict its keys."""
    named = isinstance(value, Mapping) or bool(named_fields(value))
    return tree_of(value, "" if named else "output", is_leaf)


def unflatten(tree: Tree, values: Mapping[str, Any]) -> Any:
    """The nested Python value with leaves read from `values`; what has fields comes back as a named tuple of its own."""
    if isinstance(tree, Leaf):
        return values[tree.name]
    if isinstance(tree, Constant):
        return tree.value
    children = [unflatten(c, values) for c in tree.children]
    if tree.kind == "dict":
        return dict(zip(tree.keys, children, strict=True))
    if tree.kind == "namedtuple":
        return _tuple_class(tree.cls, tree.keys)(*children)
    return children if tree.kind == "list" else tuple(children)


def call_arguments(
    signature: Signature, values: Mapping[str, Any], *, plain_by_name: bool = False
) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments of the callable, rebuilt from flat leaves. `plain_by_name`: from the first on that
    is a plain value go by their names (Keras takes tensors alone by their places)."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for p in signature.parameters:
        plain = plain_by_name and isinstance(p.tree, Constant) and p.tree.value is not None
        if p.keyword_only or plain or (plain_by_name and kwargs):
            kwargs[p.name] = unflatten(p.tree, values)
        else:
            args.append(unflatten(p.tree, values))
    return args, kwargs


@functools.cache
def _tuple_class(name: str, keys: tuple[str, ...]) -> Any:
    """A named tuple with these fields; one that is no field's name in Python has a number instead."""
    return namedtuple(name if name.isidentifier() else "Fields", keys, rename=True)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


# -- JSON -----------------------------------------------------------------------------------------------------------
def to_json(signature: Signature) -> dict[str, Any]:
    """The signature as plain JSON values; `from_json` restores it."""
    parameters = [
        {"name": p.name, "tree": _tree_json(p.tree), "keyword_only": p.keyword_only} for p in signature.parameters
    ]
    return {"parameters": parameters, "result": _tree_json(signature.result)}


def from_json(data: Mapping[str, Any]) -> Signature:
    """The signature that `to_json` wrote; raises ValueError on anything else."""
    try:
        parameters = tuple(
            Parameter(p["name"], _json_tree(p["tree"]), bool(p["keyword_only"])) for p in data["parameters"]
        )
        return Signature(parameters, _json_tree(data["result"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a signature: {error}") from None


def _tree_json(tree: Tree) -> dict[str, Any]:
    if isinstance(tree, Leaf):
        return {"leaf": tree.name}
    if isinstance(tree, Constant):
        return {"constant": tree.value}
    out: dict[str, Any] = {tree.kind: [_tree_json(c) for c in tree.children]}
    if tree.keys:
        out["keys"] = list(tree.keys)
    if tree.cls:
        out["class"] = tree.cls
    return out


def _json_tree(data: Mapping[str, Any]) -> Tree:
    if "leaf" in data:
        return Leaf(str(data["leaf"]))
    if "constant" in data:
        return Constant(data["constant"])
    for kind in ("tuple", "list", "dict", "namedtuple"):
        if kind in data:
            children = tuple(_json_tree(c) for c in data[kind])
            return Branch(kind, children, tuple(data.get("keys", ())), str(data.get("class", "")))
    raise ValueError(f"not a signature tree: {sorted(data)}")
