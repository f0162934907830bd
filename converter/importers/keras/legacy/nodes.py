"""How layers are connected, as data: every kind of model as a list of layers with their calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from converter.errors import UsageError

CONSTANT = "_CONSTANT_VALUE"


@dataclass(frozen=True)
class Reference:
    """Output `tensor` of call `node` of a layer."""

    layer: str
    node: int
    tensor: int


@dataclass(frozen=True)
class Constant:
    """A value written in the file in the place of a tensor."""

    value: Any


@dataclass(frozen=True)
class Call:
    """One call of a layer: `inputs` is a tree of references and constants, `options` its keywords with references inside."""

    inputs: Any
    options: dict[str, Any]


def is_leaf(item: Any) -> bool:
    """[layer, node, tensor] with or without keywords behind."""
    return isinstance(item, list) and len(item) in (3, 4) and isinstance(item[0], str) and isinstance(item[1], int)


def leaves(item: Any) -> Iterator[list[Any]]:
    """All leaves of a call as the file has it."""
    if is_leaf(item):
        yield item
    elif isinstance(item, (list, dict)):
        for inner in item.values() if isinstance(item, dict) else item:
            yield from leaves(inner)


def parsed(node: Any, known: set[str]) -> Call:
    """A call in any Keras's form; a list of one tensor is that tensor."""
    first = next(leaves(node), None)
    options = first[3] if first is not None and len(first) == 4 and isinstance(first[3], dict) else {}
    inputs = tree(node, lambda leaf: Constant(leaf[2]) if leaf[0] == CONSTANT else Reference(*leaf[:3]))
    if isinstance(inputs, list) and len(inputs) == 1:
        inputs = inputs[0]
    return Call(inputs, {k: _option(v, known) for k, v in options.items()})


def tree(item: Any, leaf: Callable[[list[Any]], Any]) -> Any:
    """A tree of leaves with each put through `leaf`. Raises UsageError on anything else in it."""
    if is_leaf(item):
        return leaf(item)
    if isinstance(item, dict):
        return {k: tree(v, leaf) for k, v in item.items()}
    if isinstance(item, list):
        return [tree(v, leaf) for v in item]
    raise UsageError(f"the model's connections hold {str(item)[:60]!r}: the file is damaged")


def _option(value: Any, known: set[str]) -> Any:
    """A keyword with the references in it found: [layer, node, tensor] of a layer of the model."""
    if isinstance(value, list) and len(value) == 3 and is_leaf(value) and value[0] in known:
        return Reference(*value)
    if isinstance(value, list):
        return [_option(v, known) for v in value]
    if isinstance(value, dict):
        return {k: _option(v, known) for k, v in value.items()}
    return value


def names(config: Any) -> Iterator[str]:
    """All names of layers in a configuration."""
    stack = [config]
    while stack:
        here = stack.pop()
        if isinstance(here, dict) and isinstance(here.get("name"), str):
            yield here["name"]
        if isinstance(here, (dict, list)):
            stack.extend(here.values() if isinstance(here, dict) else here)


def references(item: Any) -> Iterator[Reference]:
    """All references in a tree of them."""
    if isinstance(item, Reference):
        yield item
    elif isinstance(item, (list, dict)):
        for inner in item.values() if isinstance(item, dict) else item:
            yield from references(inner)


def functional(kind: str, config: Any, name: str, where: str) -> dict[str, Any]:
    """A model's configuration in the form of a functional one: `name`, `layers`, `input_layers`, `output_layers`."""
    entries = config if isinstance(config, list) else config.get("layers") if isinstance(config, dict) else None
    if (
        not isinstance(entries, list)
        or not entries
        or not all(isinstance(e, dict) and "class_name" in e for e in entries)
    ):
        raise UsageError(f"{where}: the configuration of the model {name or kind} lists no layers")
    if kind != "Sequential":
        if not all(k in config for k in ("input_layers", "output_layers")):
            raise UsageError(f"{where}: the configuration of the model {name or kind} tells no inputs or outputs")
        return dict(config)
    trainable = config.get("trainable", True) if isinstance(config, dict) else True
    built = config.get("build_input_shape") if isinstance(config, dict) else None
    named = config.get("name") if isinstance(config, dict) else None
    return {**_chain(entries, built), "name": named or name or "sequential", "trainable": trainable}


def _chain(entries: list[Any], built: Any) -> dict[str, Any]:
    """A Sequential as a chain; where it does not say the shape of its input, that is left open (None)."""
    layers: list[dict[str, Any]] = []
    names: set[str] = set()

    def add(entry: dict[str, Any], inbound: list[str]) -> str:
        inner = entry.get("config")
        named = inner.get("name") if isinstance(inner, dict) else None
        name = base = str(named or entry["class_name"].lower())
        while name in names:
            name = f"{base}_{len(names)}"
        names.add(name)
        nodes = [[[n, 0, 0] for n in inbound]] if inbound else []
        layers.append({**entry, "name": name, "inbound_nodes": nodes})
        return name

    first = entries[0]
    heads = (
        first["config"].get("layers")
        if first["class_name"] == "Merge" and isinstance(first.get("config"), dict)
        else None
    )
    if isinstance(heads, list):  # Keras 1: a Sequential that starts with several models under a Merge
        starts = [add(_input_of(h, None), []) for h in heads]
        before = [add(h, [s]) for h, s in zip(heads, starts)]
        bare = {"class_name": "Merge", "config": {k: v for k, v in first["config"].items() if k != "layers"}}
        last = add(bare, before)
        rest = entries[1:]
    else:
        rest = entries[1:] if first["class_name"] == "InputLayer" else entries
        last = add(first if first["class_name"] == "InputLayer" else _input_of(first, built), [])
        starts = [last]
    for entry in rest:
        last = add(entry, [last])
    return {"layers": layers, "input_layers": [[s, 0, 0] for s in starts], "output_layers": [[last, 0, 0]]}


def _input_of(entry: dict[str, Any], built: Any) -> dict[str, Any]:
    """The input layer that a chain starting with this layer has."""
    here = entry
    while here.get("class_name") in ("Sequential", "Functional", "Model", "TimeDistributed", "Bidirectional"):
        config = here.get("config")
        if isinstance(config, dict) and config.get("batch_input_shape"):
            break
        inner = config if isinstance(config, list) else (config or {}).get("layers")
        if here["class_name"] in ("TimeDistributed", "Bidirectional") or not inner:
            break
        here = inner[0]
    last = here.get("config")
    config = last if isinstance(last, dict) else {}
    shape = config.get("batch_input_shape", config.get("batch_shape")) or built
    given = config.get("input_dtype") or config.get("dtype")
    return {
        "class_name": "InputLayer",
        "config": {"batch_input_shape": shape, "dtype": given, "name": f"{config.get('name')}_input"},
    }
