"""ATen's parts and neighbours of floats."""

from __future__ import annotations

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value


@rule("aten.signbit.default")
def signbit(c: TorchContext, a: Call) -> Value:
    return _negative(c, a.value("self"))


def _negative(c: TorchContext, x: Value) -> Value:
    """The sign of a float; of -0.0 it is set."""
    if x.type.dtype.is_bool:
        return c.b.expand(c.b.constant(False), shape=x.type.shape)
    return c.b.signbit(x) if x.type.dtype.is_float else c.b.less(x, c.constant(0, x.type.dtype))


@rule("aten.copysign.Tensor", "aten.copysign.Scalar")
def copysign(c: TorchContext, a: Call) -> Value:
    x, sign = c.b.abs(a.operand("self", a.dtype)), _negative(c, a.operand("other", a.dtype))
    return c.b.where(sign, c.b.neg(x), x)


@rule("aten.nextafter.default")
def nextafter(c: TorchContext, a: Call) -> Value:
    return c.b.nextafter(a.operand("self", a.dtype), a.operand("other", a.dtype), of=a.dtype)


@rule("aten.frexp.Tensor")
def frexp(c: TorchContext, a: Call) -> list[Value]:
    return list(c.b.frexp(a.value("self")))
