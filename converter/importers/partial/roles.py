"""Which stored tensors are parameters, told by what reads them."""

from __future__ import annotations

import math
import re

from ir.core import Builder, Model, Value
from ir.core.graph import Node, Use
from ir.data.weights import WeightKind

INLINE = 16
"""Floating constants up to this many elements become literals of the graph."""

PARAMETER_ROLES: dict[str, tuple[str, ...]] = {
    "linear": ("weight", "bias"), "conv": ("weight", "bias"), "conv_transpose": ("weight", "bias"),
    "matmul": ("x", "y"), "einsum": ("xs",), "prelu": ("slope",), "batch_norm": ("scale", "bias"),
    "layer_norm": ("scale", "bias"), "rms_norm": ("scale",), "group_norm": ("scale", "bias"), "instance_norm": ("scale", "bias"),
    "lstm": ("weights", "initial_h", "initial_c"), "gru": ("weights", "initial_h"), "rnn": ("weights", "initial_h"),
    "attention": ("query", "key", "value"), "concat": ("xs",),
}  # fmt: skip
"""Op and operand under which a floating tensor is a parameter whatever its size."""

_ELEMENTWISE = {"add": ("x", "y"), "sub": ("x", "y"), "mul": ("x", "y"), "div": ("x", "y")}
_BUFFERS = {"batch_norm": ("mean", "var")}
_PRODUCTS = {"matmul", "linear", "conv", "conv_transpose", "einsum"}
_LOOKUPS = {"embedding": "weight", "gather": "data"}
_PIECES = {"slice", "select", "dynamic_slice"}
_MOVES = {"transpose", "reshape", "squeeze", "unsqueeze", "expand", "cast", "split", "tile", "identity", "flatten"}


def kind_of(value: Value) -> WeightKind:
    """Whether a stored tensor is a parameter, a buffer or a constant, by what reads it."""
    if not value.type.dtype.is_float:
        return "constant"
    roles = {_role(value, use) for use in value.uses}
    return "parameter" if "parameter" in roles else "buffer" if "buffer" in roles else "constant"


def _role(value: Value, use: Use) -> str:
    node = use.user
    if not isinstance(node, Node):
        return "constant"
    op = node.op.name
    if use.key in _BUFFERS.get(op, ()):
        return "buffer"
    if use.key in PARAMETER_ROLES.get(op, ()):
        return "parameter"
    if _LOOKUPS.get(op) == use.key:
        return "constant" if _only_factor(node) else "parameter"
    if op in _PIECES:
        return "constant" if _only_factor(node) else _moved_role(node)
    if op in _MOVES:
        return _moved_role(node)
    if use.key in _ELEMENTWISE.get(op, ()) and (
        size_of(value) > 1 or (value.type.rank and _follows_product(node, value))
    ):
        return "parameter"
    return "constant"


def _moved_role(node: Node) -> str:
    return "parameter" if any(_role(out, u) == "parameter" for out in node.outputs for u in out.uses) else "constant"


def _only_factor(node: Node) -> bool:
    """Whether rows of a table do nothing but scale other tensors, element by element: sines and cosines of positions."""
    for out in node.outputs:
        for use in out.uses:
            reader = use.user
            if not isinstance(reader, Node):
                return False
            if reader.op.name in _MOVES | _PIECES | {"concat"}:
                if not _only_factor(reader):
                    return False
            elif reader.op.name != "mul" or any(v is not out and size_of(v) == 1 for v in reader.inputs):
                return False
    return True


def _follows_product(node: Node, value: Value) -> bool:
    return any(v is not value and v.producer is not None and v.producer.op.name in _PRODUCTS for v in node.inputs)


def size_of(value: Value) -> int:
    """Number of elements, symbolic sizes taken as more than one."""
    return math.prod(d if isinstance(d, int) else 2 for d in value.type.shape)


def matches(pattern: str, name: str) -> bool:
    """Whether a regular expression finds a name; False for one that is none."""
    try:
        return re.search(pattern, name) is not None
    except re.error:  # reported with the other options once the model is read
        return False


def classify(model: Model, recorded: set[str], pattern: str | None) -> None:
    """Decide the kind of every weight that the file's metadata does not settle, then inline small constants."""
    for name in list(model.weights):
        if name in recorded:
            continue
        value = model.weight_value(name)
        kind = kind_of(value)
        if kind == "constant" and pattern and value.type.dtype.is_float and matches(pattern, name):
            kind = "parameter"
        model.update_weight(name, kind=kind)
        if kind == "constant" and size_of(value) <= INLINE:
            _inline(model, name)


def _inline(model: Model, name: str) -> None:
    """Replace a small constant weight by a constant node beside each reader."""
    value, array = model.weight_value(name), model.weights[name].data.numpy()
    for use in value.uses:
        if not isinstance(use.user, Node) or use.user.graph is None:
            continue
        twin = Builder(use.user.graph, use.user, use.user.origin).constant(array)
        use.user._replace_use(use, twin)
    if not value.uses and name not in model.state:
        model.remove_weight(name)
