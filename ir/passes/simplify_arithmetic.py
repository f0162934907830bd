"""Rules on arithmetic, logic and casts: only those that keep every bit, signed zeros and NaN included."""

from __future__ import annotations

import math

from ir.core.builder import Builder
from ir.core.graph import Node, Value
from ir.passes.constants import uniform
from ir.passes.simplify_rules import APART, Outcome, fail, hit, made_by, rule, same_type, together
from ir.types import DType

_INVOLUTIONS = ("neg", "not", "bitwise_not", "conj")
_IDEMPOTENT = ("abs", "floor", "ceil", "round", "trunc", "relu")


@rule(*_INVOLUTIONS)
def twice_is_nothing(node: Node, b: Builder) -> Outcome:
    inner = made_by(node.operand("x"), node.op.name)
    if inner is None:
        return None
    return hit(inner.operand("x"), f"{node.op.name} undoes itself") if together(node, inner) else fail(APART)


@rule(*_IDEMPOTENT)
def twice_is_once(node: Node, b: Builder) -> Outcome:
    inner = made_by(node.operand("x"), node.op.name)
    if inner is None or inner.output.type.dtype.is_complex or not same_type(inner.output, node):
        return None
    if not together(node, inner):
        return fail(APART)
    return hit(inner.output, f"{node.op.name} of {node.op.name} changes nothing")


def _neutral(node: Node, name: str, other: str, neutral: object) -> Outcome:
    """Replace the node by operand `name` where operand `other` is filled with the neutral number."""
    kept = node.operand(name)
    number = uniform(node.operand(other))
    if number is None or number != neutral or not same_type(kept, node):
        return None
    if kept.type.dtype.is_complex:
        return fail("complex arithmetic turns infinite parts into NaN")
    return hit(kept, f"{neutral!r} is neutral")


@rule("add", "sub")
def plus_zero(node: Node, b: Builder) -> Outcome:
    """x + -0.0 and x - 0.0 are x; x + 0.0 turns -0.0 into 0.0."""
    sides = (("x", "y"), ("y", "x")) if node.op.name == "add" else (("x", "y"),)
    for name, other in sides:
        found = _neutral(node, name, other, 0)
        if found is None:
            continue
        zero = uniform(node.operand(other))
        negative = isinstance(zero, float) and math.copysign(1.0, zero) < 0
        if isinstance(zero, float) and negative != (node.op.name == "add"):
            return fail("the sum turns -0.0 into 0.0")
        return found
    return None


@rule("mul", "div", "pow")
def times_one(node: Node, b: Builder) -> Outcome:
    sides = (("x", "y"), ("y", "x")) if node.op.name == "mul" else (("x", "y"),)
    return next((o for name, other in sides if (o := _neutral(node, name, other, 1)) is not None), None)


@rule("floor_div", "trunc_div")
def divided_by_one(node: Node, b: Builder) -> Outcome:
    return _neutral(node, "x", "y", 1) if node.output.type.dtype.is_integer else None


@rule("and", "or", "xor")
def with_a_truth_value(node: Node, b: Builder) -> Outcome:
    neutral = node.op.name == "and"
    for name, other in (("x", "y"), ("y", "x")):
        number = uniform(node.operand(other))
        if number is not None and number == neutral and same_type(node.operand(name), node):
            return hit(node.operand(name), f"{neutral} is neutral")
        if number is not None and number != neutral and node.op.name != "xor" and same_type(node.operand(other), node):
            return hit(node.operand(other), f"{number} decides")
    return None


@rule("where")
def where_decided(node: Node, b: Builder) -> Outcome:
    decided = uniform(node.operand("condition"))
    if decided is None:
        same_branch = node.operand("x") is node.operand("y")
        return _branch(node, node.operand("x"), b, "both branches are the same") if same_branch else None
    return _branch(node, node.operand("x" if decided else "y"), b, f"the condition is always {decided}")


def _branch(node: Node, value: Value, b: Builder, reason: str) -> Outcome:
    if same_type(value, node):
        return hit(value, reason)
    return hit(b.expand(value, shape=node.output.type.shape), reason)


_OPEN = {"min": -math.inf, "max": math.inf}


@rule("clip")
def clip_without_bounds(node: Node, b: Builder) -> Outcome:
    given = {name: node.operands[name] for name in _OPEN}
    kept = {name: None if v is None or uniform(v) == _OPEN[name] else v for name, v in given.items()}
    x = node.operand("x")
    if kept["min"] is None and kept["max"] is None:
        return hit(x, "clip without bounds") if same_type(x, node) else None
    if kept == given:
        return None
    fewer = b.clip(x, **kept)
    return hit(fewer, "an infinite bound bounds nothing") if same_type(fewer, node) else None


@rule("reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "reduce_mean", "reduce_any", "reduce_all")
def reduce_over_nothing(node: Node, b: Builder) -> Outcome:
    if node.attrs["axes"] == () and same_type(node.operand("x"), node):
        if node.op.name in ("reduce_sum", "reduce_mean") and not node.output.type.dtype.is_integer:
            return fail("a sum turns -0.0 into 0.0")
        return hit(node.operand("x"), "no axis is reduced")
    return None


@rule("cast")
def cast_to_same(node: Node, b: Builder) -> Outcome:
    return hit(node.operand("x"), "cast to the type that x has") if same_type(node.operand("x"), node) else None


@rule("cast")
def cast_of_cast(node: Node, b: Builder) -> Outcome:
    inner = made_by(node.operand("x"), "cast")
    if inner is None:
        return None
    source, middle, target = inner.operand("x").type.dtype, inner.output.type.dtype, node.output.type.dtype
    if not holds(middle, source):
        return fail(f"{middle} does not hold every {source}")
    if source.is_float and target.is_integer:
        return fail("how floats out of range become integers depends on the float type")
    if not together(node, inner):
        return fail(APART)
    if source == target:
        return hit(inner.operand("x"), f"{middle} holds every {source}")
    return hit(b.cast(inner.operand("x"), to=target), f"{middle} holds every {source}")


_FLOAT_DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
"""Significant binary digits: integers up to 2**digits are exact (within the exponent's range)."""
_WIDER = {
    "float16": ("float32", "float64"), "bfloat16": ("float32", "float64"), "float32": ("float64",),
    "complex64": ("complex128",),
}  # fmt: skip


def holds(wide: DType, narrow: DType) -> bool:
    """Whether every value of `narrow` is one of `wide`, so that casting there loses nothing."""
    if wide == narrow:
        return True
    if narrow.is_bool:
        return not wide.is_bool and (wide.is_integer or wide.name in _FLOAT_DIGITS)
    if narrow.is_integer and wide.is_integer:
        return wide.min <= narrow.min and narrow.max <= wide.max
    if narrow.is_integer and wide.is_float:
        digits = narrow.bits - (narrow.kind == "int")
        return digits <= _FLOAT_DIGITS.get(wide.name, 0)
    return wide.name in _WIDER.get(narrow.name, ())


@rule("attention")
def causal_over_one_key(node: Node, b: Builder) -> Outcome:
    """Every position may see the first key."""
    if not node.attrs["causal"]:
        return None
    if node.operand("key").type.shape[-2] != 1:
        return fail("there may be keys behind the first")
    made = b.op(node.op, **node.operands, **{**node.attrs, "causal": False})
    return hit(made, "the only key is visible from every position")
