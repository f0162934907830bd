"""SavedModels, read as data: the graph by its tags, a signature or function, and the values of its variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.importers.base import ImportOptions
from converter.importers.tensorflow.checkpoints import Checkpoint, restored, weight_names
from converter.importers.tensorflow.filegraph import (
    Feed,
    FileGraph,
    Key,
    argument_names,
    cut,
    flat_names,
    key_of,
    needed,
)  # fmt: skip
from converter.importers.tensorflow.filetables import FileTables, assets, loading, tables_of
from converter.importers.tensorflow.inline import holding
from converter.importers.tensorflow.signature import ordered
from converter.importers.tensorflow.tables import TABLE_OPS
from ir.core import Branch, Leaf, Parameter
from ir.core.signature import result_tree, tree_of

INIT = "__saved_model_init_op"
TRAIN = "__saved_model_train_op"
CALL = "PartitionedCall"
"""The node that calls a function of the saved object."""


def read(folder: Path, options: ImportOptions) -> FileGraph:
    """The graph of a SavedModel. Raises UsageError for a folder that is none, unknown tags and unknown signatures."""
    meta = _meta_graph(folder, options.tags)
    label = str(folder)
    signatures = {n: s for n, s in sorted(meta.signature_def.items()) if n not in (INIT, TRAIN)}
    functions = _functions(meta)
    wanted = options.signature or _default(signatures, functions, label)
    if wanted in signatures:
        return _of_signature(folder, meta, wanted, signatures[wanted], options)
    if wanted in functions:
        return _of_function(folder, meta, wanted, functions[wanted], options)
    known = ", ".join(dict.fromkeys([*signatures, *functions])) or "none"
    raise UsageError(f"{label}: no signature or function {wanted!r}; there are {known}")


def _meta_graph(folder: Path, tags: Sequence[str]) -> Any:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    file = folder / "saved_model.pb"
    if not file.is_file():
        raise UsageError(f"{folder}: no SavedModel, since it has no saved_model.pb")
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString(file.read_bytes())
    except DecodeError as error:
        raise UsageError(f"{file}: not a SavedModel ({error})") from None
    sets = [tuple(sorted(m.meta_info_def.tags)) for m in model.meta_graphs]
    if not sets:
        raise UsageError(f"{file}: it holds no graph")
    if not tags:
        places = [i for i, s in enumerate(sets) if s == ("serve",)] or ([0] if len(sets) == 1 else [])
        if not places:
            raise UsageError(f"{folder}: name the tags of the graph meant; there are {_shown(sets)}")
        return model.meta_graphs[places[0]]
    places = [i for i, s in enumerate(sets) if s == tuple(sorted(tags))]
    if not places:
        raise UsageError(f"{folder}: no graph with the tags {', '.join(tags)}; there are {_shown(sets)}")
    return model.meta_graphs[places[0]]


def _shown(sets: Sequence[Sequence[str]]) -> str:
    return "; ".join(", ".join(s) or "no tags" for s in sets)


def _default(signatures: Mapping[str, Any], functions: Mapping[str, Any], label: str) -> str:
    if "serving_default" in signatures:
        return "serving_default"
    if len(signatures) == 1:
        return next(iter(signatures))
    if not signatures and ("__call__" in functions or len(functions) == 1):
        return "__call__" if "__call__" in functions else next(iter(functions))
    known = ", ".join(dict.fromkeys([*signatures, *functions]))
    raise UsageError(f"{label}: name the signature or function meant; there are {known or 'none'}")


# -- signatures ---------------------------------------------------------------------------------------------------------
def _of_signature(folder: Path, meta: Any, name: str, signature: Any, options: ImportOptions) -> FileGraph:
    import tensorflow as tf

    label = f"the signature {name!r} of {folder}"
    feeds = [
        Feed(n, _key(i.name, label), tf.TensorShape(i.tensor_shape), tf.as_dtype(i.dtype))
        for n, i in sorted(signature.inputs.items())
    ]
    fetches = [(n, _key(o.name, label)) for n, o in sorted(signature.outputs.items())]
    graph = needed(meta.graph_def, [k[0] for _, k in fetches], [f.key[0] for f in feeds], label)
    found = FileGraph(label, graph, feeds, _keywords(feeds), fetches, _dict(fetches), served_as=name)
    found = _between(found, options)
    checkpoint = Checkpoint(folder)
    found.held = restored(meta, found.graph, checkpoint, label)
    found.loose = _loose(meta, found.held)
    found.tables = tables_of(found.graph, FileTables(meta.graph_def, loading(meta), assets(meta, folder), checkpoint))
    return found


def _loose(meta: Any, held: Mapping[str, tuple[str, Any, Any]]) -> frozenset[str]:
    """Names of variables of a saved object that only TensorFlow gave: objects that Keras exports hold theirs in lists."""
    objects = meta.object_graph_def
    told = set(weight_names(objects).values()) if len(objects.nodes) else {name for name, _, _ in held.values()}
    return frozenset(name for name, _, _ in held.values() if name not in told)


def _keywords(feeds: Sequence[Feed]) -> tuple[Parameter, ...]:
    names = argument_names([f.name for f in feeds])
    return tuple(Parameter(n, Leaf(f.name), True) for n, f in zip(names, feeds, strict=True))


def _dict(fetches: Sequence[tuple[str, Key]]) -> Branch:
    names = [n for n, _ in fetches]
    return Branch("dict", tuple(map(Leaf, names)), tuple(names))


def _between(found: FileGraph, options: ImportOptions) -> FileGraph:
    """The part of a graph between the tensors that the user names; the whole where none is named."""
    begins, outputs = ([key_of(t) for t in named] for named in (options.graph_inputs, options.graph_outputs))
    if not begins and not outputs:
        return found
    names, ends = [n for n, _ in [*begins, *outputs]], [f.key[0] for f in found.feeds]
    whole = holding(found.graph, names, [k[0] for _, k in found.fetches], ends, found.label)
    fetches, result = found.fetches, found.result
    if outputs:
        fetches = list(zip(flat_names(outputs), outputs, strict=True))
        result = _dict(fetches)
    if not begins:
        graph = needed(whole, [n for n, _ in outputs], ends, found.label)
        kept = {n.name for n in graph.node}
        feeds = [f for f in found.feeds if f.key[0] in kept]
        return replace(found, graph=graph, feeds=feeds, parameters=_keywords(feeds), fetches=fetches, result=result)
    known = {f.key: f.name for f in found.feeds}
    graph, feeds = cut(whole, [k for _, k in fetches], begins, found.label, known)
    return replace(found, graph=graph, feeds=feeds, parameters=_keywords(feeds), fetches=fetches, result=result)


def _key(text: str, label: str) -> Key:
    """`node:place`; raises UsageError for an input or output that is made of several tensors."""
    if not text:
        raise UsageError(f"{label}: an input or output is no single tensor")
    node, _, place = text.partition(":")
    return node, int(place or 0)


# -- functions ----------------------------------------------------------------------------------------------------------
def _functions(meta: Any) -> dict[str, list[str]]:
    """Functions of the saved object by attribute, each with its concrete functions."""
    nodes = meta.object_graph_def.nodes
    found = {}
    for child in nodes[0].children if len(nodes) else ():
        node = nodes[child.node_id]
        if node.WhichOneof("kind") == "function" and node.function.concrete_functions:
            found[child.local_name] = list(node.function.concrete_functions)
    return found


def _of_function(folder: Path, meta: Any, name: str, concrete: list[str], options: ImportOptions) -> FileGraph:
    """A function of the saved object, called by a node of its own."""
    import tensorflow as tf
    from tensorflow.core.framework import graph_pb2
    from tensorflow.python.saved_model import nested_structure_coder

    label = f"the function {name!r} of {folder}"
    if len(concrete) > 1:
        raise UsageError(
            f"{label} was traced for {len(concrete)} kinds of inputs: save it with one, or with a signature"
        )
    saved = meta.object_graph_def.concrete_functions[concrete[0]]
    args, kwargs = ordered(nested_structure_coder.decode_proto(saved.canonicalized_input_signature))
    results = ordered(nested_structure_coder.decode_proto(saved.output_signature))
    library = {f.signature.name: f for f in meta.graph_def.library.function}
    body = library[concrete[0]]
    graph = graph_pb2.GraphDef(versions=meta.graph_def.versions, library=meta.graph_def.library)
    feeds, parameters = _arguments(body, args, kwargs)
    call = graph.node.add(name=CALL, op="StatefulPartitionedCall")
    for feed in feeds:
        placeholder = graph.node.add(name=feed.key[0], op="Placeholder")
        placeholder.attr["dtype"].type = feed.dtype.as_datatype_enum
        placeholder.attr["shape"].shape.CopyFrom(feed.shape.as_proto())
        call.input.append(feed.key[0])
    held = _bound(folder, meta, saved.bound_inputs, graph, call, label)
    call.attr["f"].func.name = concrete[0]
    call.attr["Tin"].list.type.extend(a.type for a in body.signature.input_arg)
    call.attr["Tout"].list.type.extend(a.type for a in body.signature.output_arg)
    flat = tf.nest.flatten(results)
    places = iter(range(len(flat)))
    packed = tf.nest.pack_sequence_as(
        results, [(CALL, next(places)) if isinstance(s, tf.TypeSpec) else s for s in flat]
    )
    tree, found = result_tree(packed, _is_key)
    graph = needed(graph, [CALL], [f.key[0] for f in feeds], label)
    whole = _between(FileGraph(label, graph, feeds, parameters, found, tree, held), options)
    kept = {n.name for n in whole.graph.node}
    whole.held = {node: h for node, h in held.items() if node in kept}
    whole.loose = _loose(meta, whole.held)
    whole.tables = tables_of(
        whole.graph, FileTables(meta.graph_def, loading(meta), assets(meta, folder), Checkpoint(folder))
    )
    return whole


def _is_key(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 2 and item[0] == CALL and isinstance(item[1], int)


def _arguments(body: Any, args: Any, kwargs: Any) -> tuple[list[Feed], tuple[Parameter, ...]]:
    """Inputs of a concrete function under the names of its arguments."""
    import tensorflow as tf

    flat = tf.nest.flatten((args, kwargs))
    specs = [s for s in flat if isinstance(s, tf.TypeSpec)]
    names = [a.name for a in body.signature.input_arg][: len(specs)]
    if any(not isinstance(s, tf.TensorSpec) for s in specs):
        raise UsageError("the function takes inputs that are no tensors but objects made of several")
    left = iter(range(len(specs)))
    order = tf.nest.pack_sequence_as(
        (args, kwargs), [_Slot(next(left)) if isinstance(s, tf.TypeSpec) else s for s in flat]
    )
    feeds, parameters = [], []
    for i, (given, keyword) in enumerate([*((a, "") for a in order[0]), *((v, k) for k, v in order[1].items())]):
        base = keyword or (str(specs[given.place].name or f"arg_{i}") if isinstance(given, _Slot) else f"arg_{i}")
        tree, leaves = tree_of(given, base, lambda x: isinstance(x, _Slot))
        parameters.append(Parameter(base, tree, bool(keyword)))
        feeds += [Feed(n, (names[s.place], 0), specs[s.place].shape, specs[s.place].dtype) for n, s in leaves]
    return sorted(feeds, key=lambda f: names.index(f.key[0])), tuple(parameters)


class _Slot:
    """A place among the flat inputs."""

    def __init__(self, place: int) -> None:
        self.place = place


def _bound(folder: Path, meta: Any, ids: Sequence[int], graph: Any, call: Any, label: str) -> Any:
    """Variables and tables that a function reads, as nodes of the graph that calls it."""
    checkpoint = Checkpoint(folder)
    tables = _tables(meta)
    paths = weight_names(meta.object_graph_def)
    held = {}
    for number in ids:
        saved = meta.object_graph_def.nodes[number]
        name = f"captured_{number}"
        if saved.WhichOneof("kind") == "constant":
            _copy_constant(meta, saved.constant.operation, graph, name, label)
            call.input.append(name)
            continue
        if number in tables:
            if tables[number].name not in {n.name for n in graph.node}:
                graph.node.add().CopyFrom(tables[number])
            call.input.append(tables[number].name)
            continue
        if saved.WhichOneof("kind") != "variable":
            raise UsageError(f"{label} reads a {saved.WhichOneof('kind')} of the saved object, which is no variable")
        if name not in held:
            node = graph.node.add(name=name, op="VarHandleOp")
            node.attr["dtype"].type = saved.variable.dtype
            node.attr["shape"].shape.CopyFrom(saved.variable.shape)
            node.attr["shared_name"].s = name.encode()
            data = checkpoint.of_node(meta.object_graph_def, number, label)
            held[name] = (
                paths.get(number) or saved.variable.name.replace("/", "."),
                data,
                bool(saved.variable.trainable),
            )
        call.input.append(name)
    return held


def _tables(meta: Any) -> dict[int, Any]:
    """The nodes of the file's graph that make lookup tables, by object: nodes that call the saved functions are given what
    these are bound to, behind their arguments."""
    nodes = {n.name: n for n in meta.graph_def.node}
    functions = meta.object_graph_def.concrete_functions
    found = {}
    for node in meta.graph_def.node:
        name = node.attr["f"].func.name if "f" in node.attr else ""  # asking for what is not there would add it
        bound = functions[name].bound_inputs if name in functions else ()
        given = [i for i in node.input if not i.startswith("^")]
        for number, text in zip(bound, given[len(given) - len(bound) :], strict=True):
            made = nodes.get(text.split(":")[0])
            if made is not None and made.op in TABLE_OPS:
                found[number] = made
    return found


def _copy_constant(meta: Any, node: str, graph: Any, name: str, label: str) -> None:
    """A constant that a function has captured, as a node of the graph that calls it."""
    found = next((n for n in meta.graph_def.node if n.name == node and n.op == "Const"), None)
    if found is None:
        raise UsageError(f"{label} reads the constant {node!r}, which the file does not hold")
    if name not in {n.name for n in graph.node}:
        twin = graph.node.add()
        twin.CopyFrom(found)
        twin.name = name
