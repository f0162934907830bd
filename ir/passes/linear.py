"""Products with a stored matrix become the dense layer, `linear`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ir.core.graph import Node, Use, Value
from ir.core.model import Model
from ir.core.walk import walk
from ir.data.weights import Weight, role_permutation
from ir.ops import registry
from ir.passes.base import Pass, Rewriter
from ir.passes.log import Miss, Rewrite, record
from ir.passes.simplify_rules import APART, made_by, same_type, together

IN_OUT = "I O"  # rows are the inputs: the right operand of a matrix product


@dataclass(frozen=True)
class Linear(Pass):
    """`matmul` with a matrix that is a weight becomes `linear`, and takes up a bias that is added.

    A weight whose every use reads it as (inputs, outputs) is stored transposed, lazily, where `transpose` allows; one
    that any use reads in another way stays as it is, and so do those uses: tying outranks the idiom. `inside` says whether
    dense layers are idiom within control flow, too.
    """

    transpose: bool = True
    inside: bool = True
    name: ClassVar[str] = "linear"
    after: ClassVar[tuple[str, ...]] = ("fold", "simplify", "cse")

    def run(self, model: Model) -> bool:
        rewriter = Rewriter(model, self.name)
        turned = [self._turn(model, w) for w in list(model.weights.values())]
        for node in walk(model.graph):
            if node.graph is not None and node.op.name == "matmul":
                _direct(node, rewriter)
        for node in walk(model.graph):
            if node.graph is not None and node.op.name == "add":
                _bias(node, rewriter)
        return rewriter.changed or any(turned)

    def _turn(self, model: Model, weight: Weight) -> bool:
        """Store a weight transposed where all its uses agree on (inputs, outputs)."""
        value = model.weight_value(weight.name)
        own = registry.get("linear").roles["weight"]
        if weight.type.rank != 2 or not weight.type.dtype.is_float or not value.uses or weight.name in model.state:
            return False
        found = [(use.user, role) for use in value.uses for role in _roles(value, use)]
        roles = {role for _, role in found}
        if IN_OUT not in roles:
            return False
        if not self.inside and any(u.graph is not None and u.graph.parent is not None for u in value.users):
            record(Miss(self.name, "store_transposed", "control flow calls no layers", f"weight {weight.name!r}"))
            return False
        if roles != {IN_OUT} or not self.transpose:
            why = "some of its uses read it otherwise" if self.transpose else "weights keep the shape of the source"
            record(Miss(self.name, "store_transposed", why, f"weight {weight.name!r}"))
            return False
        turned = weight.permuted(role_permutation(IN_OUT, own, 2))
        model.update_weight(weight.name, data=turned.data, source_axes=turned.source_axes)
        record(Rewrite(self.name, "store_transposed", f"all uses read it as {IN_OUT!r}", f"weight {weight.name!r}"))
        rewriter = Rewriter(model, self.name)
        for reader in dict.fromkeys(user for user, _ in found):
            _read_turned(reader, value, rewriter)
        return True


def _roles(value: Value, use: Use) -> list[str]:
    """How a use reads a weight: as the (inputs, outputs) or (outputs, inputs) of a product, or otherwise (empty)."""
    node = use.user
    if not isinstance(node, Node):
        return [""]
    if node.op.name == "matmul" and use.key == "y":
        return [IN_OUT]
    if node.op.name == "linear" and use.key == "weight":
        return ["O I"]
    if _swaps(node):
        turned = {IN_OUT: "O I", "O I": IN_OUT}
        inner = [(u, r) for u in node.output.uses for r in _roles(node.output, u)]
        return [turned.get(r, "") if isinstance(u.user, Node) and together(u.user, node) else "" for u, r in inner]
    return [""]


def _swaps(node: Node) -> bool:
    """Whether a node is a transpose of two axes."""
    return node.op.name == "transpose" and tuple(node.attrs["perm"]) in ((1, 0), (-1, 0), (1, -2), (-1, -2))


def _read_turned(reader: Node, value: Value, rewriter: Rewriter) -> None:
    """Let a reader of a weight take it as it is stored now."""
    if reader.op.name == "matmul":
        made = rewriter.builder(reader).linear(reader.operand("x"), value)
        rewriter.replace(reader, [made], "matmul", "a product with a stored matrix")
        return
    for layer in reader.output.users:
        bias = layer.operands["bias"]
        made = rewriter.builder(layer).linear(layer.operand("x"), value, bias)
        rewriter.replace(layer, [made], "transposed_weight", "the weight is stored as the layer reads it")
    rewriter.remove(reader, "unread", "its readers take the weight as it is stored")


def _direct(node: Node, rewriter: Rewriter) -> None:
    """matmul(x, transpose(weight)) reads the weight as `linear` does."""
    x, made = node.operand("x"), made_by(node.operand("y"), "transpose")
    if made is None or not _swaps(made) or not made.operand("x").is_weight or not x.type.dtype.is_float:
        return
    if not together(made, node):
        return rewriter.miss(node, "matmul_of_transposed", APART)
    layer = rewriter.builder(node).linear(x, made.operand("x"))
    rewriter.replace(node, [layer], "matmul_of_transposed", "x @ weight.T is the dense layer")


def _bias(node: Node, rewriter: Rewriter) -> None:
    """linear(x, weight) + bias, where the bias is a stored vector of the layer's outputs."""
    for out, bias in ((node.operand("x"), node.operand("y")), (node.operand("y"), node.operand("x"))):
        layer = made_by(out, "linear")
        if layer is None or layer.operands["bias"] is not None or not bias.is_weight or bias.type.rank != 1:
            continue
        if bias.type.shape != out.type.shape[-1:] or not same_type(out, node):
            continue
        if not together(layer, node):
            return rewriter.miss(node, "bias", APART)
        if len(out.uses) != 1:
            return rewriter.miss(node, "bias", "the product is read elsewhere, too")
        made = rewriter.builder(node).linear(layer.operand("x"), layer.operand("weight"), bias)
        return rewriter.replace(node, [made], "bias", "the vector is added to every row of outputs")
