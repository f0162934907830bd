"""Products with a matrix over the last axis, which tf.tensordot spells with all other axes laid into one."""

from __future__ import annotations

from collections.abc import Sequence

from ir.core import Model, Value
from ir.core.graph import Node
from ir.core.walk import walk
from ir.passes.base import Rewriter
from ir.passes.simplify_rules import made_by
from ir.types import Dim, same


def settle_products(model: Model) -> None:
    """reshape(reshape(x) @ matrix) as x @ matrix, which is the same."""
    rewriter = Rewriter(model, "products")
    for node in walk(model.graph):
        if node.graph is not None and node.op.name == "reshape":
            _product(node, rewriter)


def _product(node: Node, rewriter: Rewriter) -> None:
    product = made_by(node.operand("x"), "matmul")
    laid = made_by(product.operand("x"), "reshape") if product is not None else None
    if product is None or laid is None or product.operand("y").type.rank != 2 or len(product.output.uses) != 1:
        return
    x, matrix = _unturned(laid.operand("x")), product.operand("y")
    *lead, size = x.type.shape if x.type.rank else (1, 1)
    if x.type.rank < 2 or laid.output.type.rank != 2 or not same(laid.output.type.shape[1], size):
        return
    wanted = (*lead, matrix.type.shape[1])
    if not same(laid.output.type.shape[0], _total(lead)) or not _alike(node.output.type.shape, wanted):
        return
    made = rewriter.builder(product).matmul(x, matrix)
    rewriter.replace(node, [made], "product", "the product is over the last axis, however the others lie")


def _unturned(value: Value) -> Value:
    """What a transpose that moves nothing was given."""
    node = made_by(value, "transpose")
    moves = node is None or tuple(node.attrs["perm"]) != tuple(range(value.type.rank))
    return value if moves or node is None else node.operand("x")


def _alike(a: Sequence[Dim], b: Sequence[Dim]) -> bool:
    return len(a) == len(b) and all(same(x, y) is True for x, y in zip(a, b, strict=True))


def _total(sizes: Sequence[Dim]) -> Dim:
    total: Dim = 1
    for n in sizes:
        total = total * n
    return total
