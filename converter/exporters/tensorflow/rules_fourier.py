"""Fourier transforms: TensorFlow's run over the last axes, and divide by the count when they are inverse."""

from __future__ import annotations

import math

from converter.exporters.code.expr import Expr, Name, lift
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node
from ir.types import Dim, DimExpr, dtypes, normalize_axes

SIGNAL = Name("tf.signal")
_SEVERAL = {1: "", 2: "2d", 3: "3d"}


@rule("fft")
def fft(c: Context, node: Node) -> Expr:
    """Axes beside each other, the last ones after a transpose, three at a time."""
    a, x = node.attrs, node.operand("x")
    axes = list(normalize_axes(a["axes"], x.type.rank))
    y = c.x(x)
    sizes = [x.type.shape[k] for k in axes]
    one_sided = a["onesided"]
    if one_sided and a["inverse"]:  # of real numbers the inverse is the conjugate of the forward transform
        y, axes = _over(y, [axes[-1]], "rfft", x.type.rank), axes[:-1]
        y = TF.math.conj(y)
    elif one_sided:
        y, axes = _over(y, [axes[-1]], "rfft", x.type.rank), axes[:-1]
    elif x.type.dtype.is_float:
        y = c.cast(y, node.output.type.dtype)
    divided: list[Dim] = []
    while axes:
        taken, axes = axes[-3:], axes[:-3]
        name = f"{'ifft' if a['inverse'] else 'fft'}{_SEVERAL[len(taken)]}"
        divided += [x.type.shape[k] for k in taken] if a["inverse"] else []
        y = _over(y, taken, name, x.type.rank)
    return _scaled(c, node, y, sizes, divided)


def _over(x: Expr, axes: list[int], name: str, rank: int) -> Expr:
    """A transform over these axes."""
    perm = [*(k for k in range(rank) if k not in axes), *axes]
    function = getattr(SIGNAL, name)
    if perm == list(range(rank)):
        return function(x)
    back = [perm.index(k) for k in range(rank)]
    return TF.transpose(function(TF.transpose(x, lift(perm))), lift(back))


def _scaled(c: Context, node: Node, y: Expr, sizes: list[Dim], divided: list[Dim]) -> Expr:
    """The result multiplied by what TensorFlow divided by, and divided by what the op asks for."""
    power = {"none": 0.0, "ortho": 0.5, "count": 1.0}[node.attrs["norm"]]
    kind = node.output.type.dtype
    if not any(isinstance(d, DimExpr) for d in sizes):
        factor = math.prod(int(d) for d in divided) / math.prod(int(d) for d in sizes) ** power
        return y if factor == 1 else y * lift(factor)
    factors = [(c.dim(d), 1.0) for d in divided] + [(c.dim(d), -power) for d in sizes if power]
    for size, exponent in factors:
        real = TF.cast(size, c.dtype(dtypes.float64))
        y = y * TF.cast(real if exponent == 1 else TF.pow(real, lift(exponent)), c.dtype(kind))
    return y
