"""What each op on complex numbers is on pairs of reals. Ops without a row are taken apart until every part has one.

A rule takes a builder, the node and `pair` (complex value -> its parts) and returns what stands for each output: a pair
for a complex one, a value for any other. It raises NotImplementedError where the node has no such form.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ir.core.builder import Builder
from ir.core.graph import Node, Value
from ir.ops import complex_forms as forms
from ir.passes.constants import uniform

if TYPE_CHECKING:
    from ir.ops.complex_forms import Pair

PairOf = Callable[[Value], "Pair"]
Rule = Callable[[Builder, Node, PairOf], Any]
RULES: dict[str, Rule] = {}
REFUSED = {"eig": "the order of its values and the phases of its vectors are those that one library's routine chooses"}
"""Why an op has no form in real numbers, by its name."""

_UNARY = {
    "exp": forms.exponential, "log": forms.logarithm, "sqrt": forms.square_root, "sin": forms.sine,
    "cos": forms.cosine, "tan": forms.tangent, "sinh": forms.hyperbolic_sine, "cosh": forms.hyperbolic_cosine,
    "tanh": forms.hyperbolic_tangent, "reciprocal": forms.reciprocal,
}  # fmt: skip
_PARTWISE = (
    "identity", "reshape", "transpose", "expand", "concat", "slice", "neg", "add", "sub", "reduce_sum", "reduce_mean",
    "cumsum", "where", "stop_gradient", "unsqueeze", "squeeze", "gather_elements", "gather_nd", "gather", "pad",
    "diagonal", "tril", "triu", "scatter_elements", "scatter_nd", "unfold",
)  # fmt: skip
"""Ops that are linear in their complex operands, with every other operand the same for both parts."""


def is_complex(value: Value) -> bool:
    return value.type.dtype.is_complex


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Decorator: register the rule of these ops."""

    def register(function: Rule) -> Rule:
        for name in names:
            assert name not in RULES, name
            RULES[name] = function
        return function

    return register


@rule(*_UNARY)
def unary(b: Builder, node: Node, pair: PairOf) -> Any:
    return _UNARY[node.op.name](b, pair(node.operand("x")))


@rule(*_PARTWISE)
def partwise(b: Builder, node: Node, pair: PairOf) -> Any:
    """The op on the real parts, and the op on the imaginary parts."""
    if node.attrs.get("reduction", "none") not in ("none", "add"):
        raise NotImplementedError(f"a {node.attrs['reduction']!r} scatter of complex numbers has no form in parts")
    return tuple(_part(b, node, pair, k) for k in (0, 1))


def _part(b: Builder, node: Node, pair: PairOf, k: int) -> Value:
    def part(item: Any) -> Any:
        if isinstance(item, tuple):
            return tuple(part(i) for i in item)
        return pair(item)[k] if isinstance(item, Value) and is_complex(item) else item

    attrs = dict(node.attrs)
    for name in ("value", "fill_value"):  # what a real number fills has no imaginary part
        if k and name in attrs:
            attrs[name] = type(attrs[name])(0)
    return b.op(node.op, **{name: part(v) for name, v in node.operands.items()}, **attrs)


@rule("complex")
def made(b: Builder, node: Node, pair: PairOf) -> Any:
    """The operands, which may broadcast; parts have one shape."""
    shape = node.output.type.shape
    return tuple(v if v.type.shape == shape else b.expand(v, shape=shape) for v in map(node.operand, ("re", "im")))


@rule("real")
def real(b: Builder, node: Node, pair: PairOf) -> Any:
    return pair(node.operand("x"))[0]


@rule("imag")
def imaginary(b: Builder, node: Node, pair: PairOf) -> Any:
    return pair(node.operand("x"))[1]


@rule("conj")
def conjugate(b: Builder, node: Node, pair: PairOf) -> Any:
    re, im = pair(node.operand("x"))
    return re, b.neg(im)


@rule("abs")
def modulus(b: Builder, node: Node, pair: PairOf) -> Any:
    return forms.modulus(b, pair(node.operand("x")))


@rule("constant", "full")
def constant(b: Builder, node: Node, pair: PairOf) -> Any:
    kind = node.output.type.dtype.real
    if node.op.name == "full":
        return tuple(b.full(shape=node.attrs["shape"], value=v, dtype=kind) for v in (node.attrs["value"], 0))
    array = node.attrs["value"].value
    return b.constant(array.real, kind), b.constant(array.imag, kind)


@rule("cast")
def cast(b: Builder, node: Node, pair: PairOf) -> Any:
    x, kind = node.operand("x"), node.attrs["to"].real
    if is_complex(x):
        re, im = pair(x)
        return b.cast(re, to=kind), b.cast(im, to=kind)
    zero = b.expand(b.constant(0.0, kind), shape=x.type.shape)
    return b.cast(x, to=kind), zero


@rule("mul")
def mul(b: Builder, node: Node, pair: PairOf) -> Any:
    return forms.multiplied(b, pair(node.operand("x")), pair(node.operand("y")))


@rule("div")
def div(b: Builder, node: Node, pair: PairOf) -> Any:
    return forms.divided(b, pair(node.operand("x")), pair(node.operand("y")))


@rule("pow")
def power(b: Builder, node: Node, pair: PairOf) -> Any:
    """Small whole exponents multiply, one half is the root: as NumPy and PyTorch have them."""
    x, y = pair(node.operand("x")), pair(node.operand("y"))
    exponent = uniform(node.operand("y"))
    same = node.operand("x").type.shape == node.output.type.shape
    if not same or not isinstance(exponent, complex) or exponent.imag:
        return forms.power(b, x, y)
    number = exponent.real
    if number == 0.5:
        return forms.square_root(b, x)
    if number != int(number) or not 1 <= abs(number) <= 64:
        return forms.power(b, x, y)
    out = forms.whole_power(b, x, abs(int(number)))
    return out if number > 0 else forms.reciprocal(b, out)


@rule("matmul")
def matmul(b: Builder, node: Node, pair: PairOf) -> Any:
    return forms.bilinear(b, b.matmul, pair(node.operand("x")), pair(node.operand("y")))


@rule("einsum")
def einsum(b: Builder, node: Node, pair: PairOf) -> Any:
    xs, equation = node.operands["xs"], node.attrs["equation"]
    if len(xs) == 1:
        return tuple(b.einsum((v,), equation=equation) for v in pair(xs[0]))
    if len(xs) > 2:
        raise NotImplementedError("an einsum of more than two complex tensors; multiply them two by two")
    return forms.bilinear(b, lambda u, v: b.einsum((u, v), equation=equation), pair(xs[0]), pair(xs[1]))


@rule("reduce_prod")
def product(b: Builder, node: Node, pair: PairOf) -> Any:
    x = pair(node.operand("x"))
    rank = x[0].type.rank
    axes = sorted(a % rank for a in node.attrs["axes"])
    for axis in reversed(axes):
        x = forms.multiplied_up(b, x, axis)
    if node.attrs["keepdims"] and axes:
        return tuple(b.unsqueeze(v, axes=tuple(axes)) for v in x)
    return x


@rule("cumprod")
def running_product(b: Builder, node: Node, pair: PairOf) -> Any:
    x, axis = pair(node.operand("x")), node.attrs["axis"] % node.output.type.rank
    if node.attrs["reverse"]:
        x = b.flip(x[0], axes=(axis,)), b.flip(x[1], axes=(axis,))
    x = forms.running_product(b, x, axis)
    if node.attrs["exclusive"]:  # the product of what is before: 1 first, the last one out
        pads = tuple((1, 0) if k == axis else (0, 0) for k in range(x[0].type.rank))
        kept = tuple(b.slice(v, axes=(axis,), starts=(None,), stops=(-1,), steps=(1,)) for v in x)
        x = b.pad(kept[0], pads=pads, value=1), b.pad(kept[1], pads=pads, value=0)
    if node.attrs["reverse"]:
        x = b.flip(x[0], axes=(axis,)), b.flip(x[1], axes=(axis,))
    return x


@rule("equal")
def equal(b: Builder, node: Node, pair: PairOf) -> Any:
    x, y = pair(node.operand("x")), pair(node.operand("y"))
    return b.and_(b.equal(x[0], y[0]), b.equal(x[1], y[1]))


@rule("nonzero")
def nonzero(b: Builder, node: Node, pair: PairOf) -> Any:
    re, im = pair(node.operand("data"))
    set_ = b.or_(b.not_equal(re, 0), b.not_equal(im, 0))
    return b.nonzero(set_, **node.attrs)


@rule("fft")
def fft(b: Builder, node: Node, pair: PairOf) -> Any:
    """Axis by axis; real numbers are transformed as such."""
    source, rank = node.operand("x"), node.output.type.rank
    x: Any = pair(source) if is_complex(source) else (source, None)
    count: Any = 1
    axes = [a % rank for a in node.attrs["axes"]]
    if node.attrs["onesided"]:  # first, while there are only real parts
        axes = [axes[-1], *axes[:-1]]
    for k, axis in enumerate(axes):
        count = count * x[0].type.shape[axis]
        x = forms.transformed(b, x, axis, node.attrs["inverse"], node.attrs["onesided"] and k == 0)
    if node.attrs["norm"] == "none" or not node.attrs["axes"]:
        return x
    kind = x[0].type.dtype
    if isinstance(count, int):
        divisor = b.constant(math.sqrt(count) if node.attrs["norm"] == "ortho" else float(count), kind)
    else:
        divisor = b.cast(b.dim(size=count), to=kind)
        divisor = b.sqrt(divisor) if node.attrs["norm"] == "ortho" else divisor
    return b.div(x[0], divisor), b.div(x[1], divisor)
