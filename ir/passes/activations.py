"""Activations written out in arithmetic become one op: GELU by erf and by tanh, SiLU, hard swish, Mish."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ir.core.builder import Builder
from ir.core.graph import Node, Value
from ir.core.model import Model
from ir.passes.base import Pass
from ir.passes.constants import uniform
from ir.passes.patterns import Product, apply_rules, either, inner, is_number, product
from ir.passes.simplify_rules import Outcome, fail, hit, made_by, same_type
from ir.types import DType

INCOMPLETE = "the rest of the product is another one, is read elsewhere, or belongs to another module"
LATE = "float16 overflows in the product before it is scaled, where the activation does not"


@dataclass(frozen=True)
class Activations(Pass):
    """Recognises activations in `mul` and `div` trees of any order.

    Exact as functions of real numbers, with every constant as its dtype rounds it; roundings in between go, and with
    them infinities that a product makes before it is scaled, within a factor 8 of the largest float (not in float16,
    where that is near).
    """

    name: ClassVar[str] = "activations"
    after: ClassVar[tuple[str, ...]] = ("fold", "simplify", "cse")

    def run(self, model: Model) -> bool:
        return apply_rules(model, {"mul": [gelu, silu, hard_swish, mish], "div": [gelu, hard_swish]}, self.name)


def _pair(node: Node, found: Product) -> list[tuple[Value, Value]]:
    """The two factors in both orders, where there are two of the type of the result."""
    if len(found.factors) != 2 or not node.output.type.dtype.is_float:
        return []
    a, b = found.factors
    return [(a, b), (b, a)] if same_type(a, node) and same_type(b, node) else []


def _late(node: Node, found: Product) -> bool:
    return found.late and node.output.type.dtype.name == "float16"


def gelu(node: Node, b: Builder) -> Outcome:
    """x * 0.5 * (1 + erf(x / sqrt(2))), or the tanh of the cubic in place of erf."""
    found = product(node)
    bells = [(v, made) for v in found.factors if (made := _bell(v, node)) is not None]
    if len(bells) != 1 or node.output.type.dtype.is_complex:
        return None
    bell, (x, approximate) = bells[0]
    if (x, bell) not in _pair(node, found):
        return fail(INCOMPLETE)
    if not found.scaled_by(0.5, 2.0):
        return fail("the product is not scaled by one half")
    if _late(node, found):
        return fail(LATE)
    return hit(b.gelu(x, approximate=approximate), f"x * (1 + {'erf' if approximate == 'none' else 'tanh'}) / 2")


def _bell(value: Value, root: Node) -> tuple[Value, str] | None:
    """x and the form of GELU where `value` is 1 + erf(x / sqrt(2)), which is erfc(-x / sqrt(2)), or
    1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))."""
    tail = inner(value, root, "erfc")
    if tail is not None:
        x = _negated(tail.operand("x"), root)
        return None if x is None else (x, "none")
    add = inner(value, root, "add")
    for one, curve in either(add) if add is not None else ():
        made = inner(curve, root, "erf", "tanh") if is_number(one, 1.0) else None
        if made is None:
            continue
        inside = made.operand("x")
        x = _scaled(inside, root) if made.op.name == "erf" else _cubic(inside, root)
        return None if x is None else (x, "none" if made.op.name == "erf" else "tanh")
    return None


def _scaled(value: Value, root: Node) -> Value | None:
    """x where `value` is x / sqrt(2)."""
    node = inner(value, root, "mul", "div")
    if node is None:
        return None
    if node.op.name == "div":
        return node.operand("x") if is_number(node.operand("y"), math.sqrt(2.0)) else None
    return next((x for x, factor in either(node) if is_number(factor, math.sqrt(0.5))), None)


def _negated(value: Value, root: Node) -> Value | None:
    """x where `value` is -x / sqrt(2)."""
    minus = inner(value, root, "neg")
    if minus is not None:
        return _scaled(minus.operand("x"), root)
    node = inner(value, root, "mul", "div")
    if node is None:
        return None
    multiplied = node.op.name == "mul"
    wanted = math.sqrt(0.5 if multiplied else 2.0)
    pairs = either(node) if multiplied else [(node.operand("x"), node.operand("y"))]
    for x, factor in pairs:
        if is_number(factor, -wanted):
            return x
        minus = inner(x, root, "neg")
        if minus is not None and is_number(factor, wanted):
            return minus.operand("x")
    return None


def _cubic(value: Value, root: Node) -> Value | None:
    """x where `value` is sqrt(2 / pi) * (x + 0.044715 * x**3) or sqrt(2 / pi) * x * (1 + 0.044715 * x**2)."""
    node = inner(value, root, "mul")
    found = product(node) if node is not None else Product()
    if len(found.numbers) != 1 or found.divisors or not is_number(found.numbers[0], math.sqrt(2.0 / math.pi)):
        return None
    add = inner(found.factors[-1], root, "add") or inner(found.factors[0], root, "add")
    for first, power in either(add) if add is not None else ():
        if len(found.factors) == 1 and _power(power, first, 3, root):
            return first
        rest = [v for v in found.factors if add is not None and v is not add.output]
        if len(rest) == 1 and len(found.factors) == 2 and is_number(first, 1.0) and _power(power, rest[0], 2, root):
            return rest[0]
    return None


def _power(value: Value, x: Value, exponent: int, root: Node) -> bool:
    """Whether `value` is 0.044715 * x**exponent."""
    node = inner(value, root, "mul")
    found = product(node) if node is not None else Product()
    if len(found.numbers) != 1 or found.divisors or not is_number(found.numbers[0], 0.044715):
        return False
    powers = [1 if v is x else _exponent(v, x, root) for v in found.factors]
    return 0 not in powers and sum(powers) == exponent


def _exponent(value: Value, x: Value, root: Node) -> int:
    """n where `value` is x**n for n of 2 or 3; else 0."""
    node = inner(value, root, "pow", "square")
    if node is None or node.operand("x") is not x:
        return 0
    if node.op.name == "square":
        return 2
    return next((n for n in (2, 3) if is_number(node.operand("y"), n)), 0)


def silu(node: Node, b: Builder) -> Outcome:
    """x * sigmoid(x)."""
    for x, gate in either(node):
        made = made_by(gate, "sigmoid")
        if made is not None and made.operand("x") is x and same_type(x, node) and x.type.dtype.is_float:
            return hit(b.silu(x), "x * sigmoid(x)") if inner(gate, node, "sigmoid") else fail(INCOMPLETE)
    return None


def mish(node: Node, b: Builder) -> Outcome:
    """x * tanh(log(1 + e**x)); a softplus that is x itself above 20 has the same tanh there in every float type."""
    for x, gate in either(node):
        tanh = made_by(gate, "tanh")
        plus = made_by(tanh.operand("x"), "softplus") if tanh is not None else None
        if tanh is None or plus is None or plus.operand("x") is not x or not same_type(x, node):
            continue
        if plus.attrs["beta"] != 1 or plus.attrs["threshold"] < 20:
            return fail("its softplus is not that of Mish")
        whole = inner(gate, node, "tanh") and inner(tanh.operand("x"), node, "softplus")
        return hit(b.mish(x), "x * tanh(softplus(x))") if whole else fail(INCOMPLETE)
    return None


def hard_swish(node: Node, b: Builder) -> Outcome:
    """x * hard_sigmoid(x) with slope 1/6 and offset 1/2, or x * clip(x + 3, 0, 6) / 6, also with relu6."""
    found = product(node)
    for x, gate in _pair(node, found):
        made = inner(gate, node, "hard_sigmoid", "clip", "hard_tanh")
        if made is None:
            continue
        if made.op.name == "hard_sigmoid":
            sixth = made.attrs["beta"] == 0.5 and _is_sixth(made.attrs["alpha"], x.type.dtype)
            if found.plain and sixth and made.operand("x") is x:
                return hit(b.hard_swish(x), "x * hard_sigmoid(x)")
        elif _ramp(made, x, node):
            if not found.scaled_by(1.0 / 6.0, 6.0):
                return fail("the product is not divided by 6")
            return fail(LATE) if _late(node, found) else hit(b.hard_swish(x), "x * clip(x + 3, 0, 6) / 6")
    return None


def _is_sixth(alpha: float, dtype: DType) -> bool:
    """Whether a slope is 1/6 as `dtype` rounds it."""
    return bool(np.asarray(alpha).astype(dtype.numpy) == np.asarray(1.0 / 6.0).astype(dtype.numpy))


def _ramp(clip: Node, x: Value, root: Node) -> bool:
    """Whether a clip is clip(x + 3, 0, 6)."""
    if clip.op.name == "hard_tanh":
        low, high = clip.attrs["min"], clip.attrs["max"]
    else:
        low, high = (None if v is None else uniform(v) for v in (clip.operands["min"], clip.operands["max"]))
    if (low, high) != (0, 6):
        return False
    add = inner(clip.operand("x"), root, "add")
    return add is not None and any(v is x and is_number(three, 3.0) for v, three in either(add))
