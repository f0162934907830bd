"""Layer and RMS normalisation written out in means, powers and roots become one op."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ir.core.builder import Builder
from ir.core.graph import Node, Value
from ir.core.model import Model
from ir.passes.base import Pass
from ir.passes.patterns import apply_rules, either, inner, is_number, number, shortest
from ir.passes.simplify_rules import APART, Outcome, RuleFunction, fail, hit, made_by, same_shape, same_type, together
from ir.types import normalize_axes

ELSEWHERE = "a value inside the pattern is read elsewhere or belongs to another module"
HALF = "half types round and overflow between the steps, where the norm computes in float32"


@dataclass(frozen=True)
class Norms(Pass):
    """Recognises `(x - mean) / sqrt(variance + eps)` and `x / sqrt(mean of squares + eps)`, then scale and bias.

    Exact as functions of real numbers, for float32 and float64; eps becomes the shortest decimal that the dtype of its
    constant rounds to it.
    """

    name: ClassVar[str] = "norms"
    after: ClassVar[tuple[str, ...]] = ("fold", "simplify", "cse")

    def run(self, model: Model) -> bool:
        rules: dict[str, list[RuleFunction]] = {
            "div": [written_out],
            "mul": [written_out, scale_of_norm],
            "add": [bias_of_norm],
        }
        return apply_rules(model, rules, self.name)


def written_out(node: Node, b: Builder) -> Outcome:
    """The quotient of x, or of x less its mean, by a root."""
    for top, power in _quotients(node):
        eps_node = made_by(power, "add")
        if eps_node is None or not same_type(top, node):
            continue
        for mean, eps in either(eps_node):
            reduced = made_by(mean, "reduce_mean")
            squared = _squared(reduced.operand("x")) if reduced is not None else None
            if reduced is None or squared is None or number(eps) is None or squared[0] is not top:
                continue
            return _norm(node, b, top, [power.producer, reduced, squared[1]], eps)
    return None


def _quotients(node: Node) -> list[tuple[Value, Value]]:
    """(top, what stands under the root) where the node divides by a root, or multiplies by its reciprocal."""
    if node.op.name == "div":
        root = inner(node.operand("y"), node, "sqrt")
        return [(node.operand("x"), root.operand("x"))] if root is not None else []
    found = []
    for top, factor in either(node):
        below = _under_reciprocal_root(factor, node)
        if below is not None:
            found.append((top, below))
    return found


def _under_reciprocal_root(value: Value, root: Node) -> Value | None:
    """v where `value` is 1 / sqrt(v): as rsqrt, as a power of -1/2, or as a reciprocal or quotient of a root."""
    node = inner(value, root, "rsqrt", "pow", "reciprocal", "div")
    if node is None:
        return None
    if node.op.name == "rsqrt":
        return node.operand("x")
    if node.op.name == "pow":
        return node.operand("x") if is_number(node.operand("y"), -0.5) else None
    if node.op.name == "div" and not is_number(node.operand("x"), 1.0):
        return None
    below = inner(node.operand("y" if node.op.name == "div" else "x"), root, "sqrt")
    return below.operand("x") if below is not None else None


def _squared(value: Value) -> tuple[Value, Node] | None:
    """x and the node where `value` is x * x, x**2 or square(x)."""
    node = made_by(value, "mul", "pow", "square")
    if node is None:
        return None
    x = node.operand("x")
    if node.op.name == "mul":
        return (x, node) if node.operand("y") is x else None
    return (x, node) if node.op.name == "square" or is_number(node.operand("y"), 2.0) else None


def _norm(node: Node, b: Builder, top: Value, inside: list[Node | None], eps: Value) -> Outcome:
    reduced = inside[1]
    assert reduced is not None
    rank = top.type.rank
    axes = tuple(sorted(normalize_axes(reduced.attrs["axes"], rank))) if reduced.attrs["axes"] else ()
    amount = shortest(eps)
    if not axes or not reduced.attrs["keepdims"] or amount is None or amount < 0:
        return None
    if node.output.type.dtype.name not in ("float32", "float64"):
        return fail(HALF)
    if any(n is None or len(n.output.uses) != 1 or not together(n, node) for n in inside):
        return fail(ELSEWHERE)
    centred = made_by(top, "sub")
    mean = made_by(centred.operand("y"), "reduce_mean") if centred is not None else None
    if centred is not None and mean is not None and mean.operand("x") is centred.operand("x"):
        return _layer_norm(node, b, centred, mean, axes, inside, amount)
    return hit(b.rms_norm(top, axes=axes, eps=amount), "x over the root of the mean of its squares")


def _layer_norm(
    node: Node, b: Builder, centred: Node, mean: Node, axes: tuple[int, ...], inside: list[Node | None], eps: float
) -> Outcome:
    x = centred.operand("x")
    given = mean.attrs["axes"]
    if not given or not mean.attrs["keepdims"] or tuple(sorted(normalize_axes(given, x.type.rank))) != axes:
        return fail("mean and variance are taken over different axes")
    if not same_type(x, node) or len(mean.output.uses) != 1 or not together(mean, node) or not together(centred, node):
        return fail(ELSEWHERE)
    if any(u.user is not node and u.user is not inside[2] for u in centred.output.uses):
        return fail(ELSEWHERE)
    return hit(b.layer_norm(x, axes=axes, eps=eps), "x less its mean over the root of its variance")


def scale_of_norm(node: Node, b: Builder) -> Outcome:
    """A norm without scale and bias, times a weight over the normalised axes."""
    for value, weight in either(node):
        norm = made_by(value, "layer_norm", "rms_norm")
        if norm is None or norm.operands["scale"] is not None or norm.operands.get("bias") is not None:
            continue
        if not _over_block(weight, norm) or not same_type(value, node):
            continue
        if not together(norm, node) or len(value.uses) != 1:
            return fail(APART if not together(norm, node) else ELSEWHERE)
        made = b.op(norm.op, norm.operand("x"), weight, **norm.attrs)
        return hit(made, "the weight scales the normalised axes")
    return None


def bias_of_norm(node: Node, b: Builder) -> Outcome:
    """A layer norm with scale and without bias, plus a weight over the normalised axes."""
    for value, weight in either(node):
        norm = made_by(value, "layer_norm")
        if norm is None or norm.operands["scale"] is None or norm.operands["bias"] is not None:
            continue
        if not _over_block(weight, norm) or not same_type(value, node):
            continue
        if not together(norm, node) or len(value.uses) != 1:
            return fail(APART if not together(norm, node) else ELSEWHERE)
        made = b.op(norm.op, norm.operand("x"), norm.operand("scale"), weight, **norm.attrs)
        return hit(made, "the weight shifts the normalised axes")
    return None


def _over_block(weight: Value, norm: Node) -> bool:
    """Whether a weight broadcasts against the norm's result as a scale does: the axes are the last, the sizes equal."""
    x = norm.operand("x").type
    axes = tuple(sorted(normalize_axes(norm.attrs["axes"], x.rank)))
    last = tuple(range(x.rank - len(axes), x.rank))
    return weight.is_weight and axes == last and same_shape(weight.type.shape, x.shape[last[0] :])
