"""Models as text, from the definitions of their ops."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ir.core.equal import attr_key
from ir.core.graph import Graph, Node, Value
from ir.core.model import Model
from ir.core.signature import Branch, Constant, Leaf, Parameter, Tree
from ir.data.weights import Weight
from ir.ops.define import MISSING, AttrSpec
from ir.text.lexer import quote
from ir.text.literals import dim_text, literal_text, name_text, type_text
from ir.text.origins import origin_text
from ir.types.attrs import coerce

FORMAT = 1
INDENT = "  "


class Names:
    """Unique names of the values of one graph: the given ones, numbered where they repeat or are missing."""

    def __init__(self, graph: Graph) -> None:
        self.names: dict[Value, str] = {}
        self.taken: set[str] = set()
        self.last: dict[str, int] = {}  # the number given last to each repeated name
        wanted = [*graph.inputs, *(v for n in graph for v in n.outputs)]
        given = {v.name for v in wanted}
        for value in wanted:
            self.names[value] = self._fresh(value.name, given)

    def _fresh(self, name: str, given: set[str]) -> str:
        unique, n = name, self.last.get(name, -1 if not name else 0)
        while not unique or unique in self.taken or (unique in given and unique != name):
            n += 1
            unique = f"{name}_{n}" if name else f"v{n}"
        self.last[name] = n
        self.taken.add(unique)
        return unique

    def __getitem__(self, value: Value) -> str:
        if value.is_weight:
            return "@" + name_text(value.name)
        known = self.names.get(value)
        return name_text(known) if known is not None else f"<value {value.name!r} of another graph>"


def format_model(model: Model, origins: bool = True) -> str:
    """The whole model except the bytes of its weights; `parse` reads it back. Ends with a newline."""
    names = Names(model.graph)
    blocks = [list(_head(model))]
    if model.weights:
        blocks.append(["weights", *(INDENT + _weight_line(w) for w in model.weights.values())])
    blocks.append([_signature_line(model)])
    blocks.append([f"graph {_inputs(model.graph, names)}:", *_body(model.graph, names, INDENT, origins)])
    if model.state:
        blocks.append(["state", *(f"{INDENT}@{name_text(k)} = {names[v]}" for k, v in model.state.items())])
    return "\n\n".join("\n".join(b) for b in blocks) + "\n"


def format_graph(graph: Graph, origins: bool = False) -> str:
    """One graph, for messages and diffs."""
    names = Names(graph)
    return "\n".join([f"graph {_inputs(graph, names)}:", *_body(graph, names, INDENT, origins)])


def format_node(node: Node, names: Names | None = None, origins: bool = False) -> str:
    """One node (bodies on lines of their own), for messages and logs."""
    known = names or Names(node.graph or Graph())
    return "\n".join(_node_lines(node, known, "", origins))


def _head(model: Model) -> Iterator[str]:
    yield f"isomorph-ir {FORMAT}"
    yield f"model {name_text(model.name)}"
    if model.metadata:
        yield f"metadata {json.dumps(model.metadata, default=str)}"
    for path, cls in model.modules.items():
        yield f"module {name_text(path)}: {name_text(cls)}"
    for note in model.notes:
        yield f"note {quote(note)}"
    for a in model.assumptions:
        yield f"assume {dim_text(a.left)} == {dim_text(a.right)} because {quote(a.why)}"


def _weight_line(weight: Weight) -> str:
    words = [f"@{name_text(weight.name)}: {type_text(weight.type)} {weight.kind}"]
    if weight.trainable is not None:
        words.append("trainable" if weight.trainable else "frozen")
    if not weight.persistent:
        words.append("transient")
    if weight.aliases:
        words.append("also " + ", ".join("@" + name_text(a) for a in weight.aliases))
    if weight.source_name is not None:
        words.append("from @" + name_text(weight.source_name))
    if weight.source_axes is not None:
        words.append(f"axes ({', '.join(map(str, weight.source_axes))})")
    if weight.source_blocks is not None:
        blocks = weight.source_blocks
        sizes, order = (", ".join(map(str, numbers)) for numbers in (blocks.sizes, blocks.order))
        words.append(f"blocks ({blocks.axis}) ({sizes}) ({order})")
    if weight.source_pieces is not None:
        pieces = weight.source_pieces
        row = "" if pieces.row is None else f" of row ({pieces.row})"
        words.append(f"pieces ({pieces.axis}) ({', '.join(map(str, pieces.order))}){row}")
    return " ".join(words)


# -- signature ------------------------------------------------------------------------------------------------------
def _signature_line(model: Model) -> str:
    parameters = ", ".join(_parameter(p) for p in model.signature.parameters)
    return f"signature ({parameters}) -> {_tree(model.signature.result)}"


def _parameter(p: Parameter) -> str:
    text = name_text(p.name)
    if p.tree != Leaf(p.name):
        text += ": " + _tree(p.tree)
    return ("*" if p.keyword_only else "") + text


def _tree(tree: Tree) -> str:
    if isinstance(tree, Leaf):
        return name_text(tree.name)
    if isinstance(tree, Constant):
        return "=" + literal_text(tree.value)
    return _branch(tree)


def _branch(tree: Branch) -> str:
    children = [_tree(c) for c in tree.children]
    if tree.kind in ("dict", "namedtuple"):
        children = [
            f"{k if isinstance(k, int) else name_text(k)}: {c}" for k, c in zip(tree.keys, children, strict=True)
        ]
    inner = ", ".join(children)
    if tree.kind == "tuple":
        inner = f"({inner}{',' if len(children) == 1 else ''})"
    else:
        inner = {"list": f"[{inner}]", "dict": f"{{{inner}}}", "namedtuple": f"<{inner}>"}[tree.kind]
    return (name_text(tree.cls) if tree.cls else "") + inner


# -- graphs ---------------------------------------------------------------------------------------------------------
def _inputs(graph: Graph, names: Names) -> str:
    return "(" + ", ".join(f"{names[v]}: {type_text(v.type)}" for v in graph.inputs) + ")"


def _body(graph: Graph, names: Names, indent: str, origins: bool) -> Iterator[str]:
    for node in graph:
        yield from _node_lines(node, names, indent, origins)
    yield f"{indent}return {', '.join(names[v] for v in graph.outputs)}".rstrip()


def _node_lines(node: Node, names: Names, indent: str, origins: bool) -> Iterator[str]:
    results = [f"{names[v]}: {type_text(v.type)}" for v in node.outputs]
    left = results[0] if len(results) == 1 else "(" + ", ".join(results) + ")"
    arguments = "; ".join(p for p in (_operands(node, names), _attributes(node)) if p)
    if not _operands(node, names) and arguments:
        arguments = "; " + arguments
    line = f"{indent}{left} = {name_text(node.op.name)}({arguments})"
    comment = origin_text(node.origin) if origins else ""
    yield f"{line}  {comment}" if comment else line
    for key, body in node.bodies.items():
        inner = Names(body)
        yield f"{indent}{INDENT}{name_text(key)}{_inputs(body, inner)}:"
        yield from _body(body, inner, indent + INDENT * 2, origins)


def _operands(node: Node, names: Names) -> str:
    parts: list[str] = []
    by_name = False
    for spec in node.op.operands:
        value = node.operands.get(spec.name)
        if value is None or value == ():
            by_name = True
            continue
        text = "[" + ", ".join(names[v] for v in value) + "]" if isinstance(value, tuple) else names[value]
        parts.append(f"{spec.name}={text}" if by_name else text)
    return ", ".join(parts)


def _attributes(node: Node) -> str:
    parts = []
    for spec in node.op.attributes:
        if spec.name in node.attrs and not is_default(spec, node.attrs[spec.name]):
            parts.append(f"{spec.name}={literal_text(node.attrs[spec.name])}")
    return ", ".join(parts)


def is_default(spec: AttrSpec, value: object) -> bool:
    """Whether an attribute has exactly its default value."""
    if spec.default is MISSING:
        return False
    return bool(attr_key(coerce(spec.default, spec.annotation, spec.name)) == attr_key(value))
