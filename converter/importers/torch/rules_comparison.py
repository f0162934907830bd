"""ATen comparisons: operands promote to a common dtype first."""

from __future__ import annotations

from converter.importers.torch.context import Call, RuleFn, TorchContext, rule
from ir.core import Value


def _compare(op: str) -> RuleFn:
    def convert(c: TorchContext, a: Call) -> Value:
        dtype = a.promoted("self", "other")
        return getattr(c.b, op)(a.operand("self", dtype), a.operand("other", dtype))

    return convert


for _aten, _op in {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
}.items():  # fmt: skip
    for _form in ("Tensor", "Scalar"):
        rule.add(f"aten.{_aten}.{_form}", _compare(_op), _aten)


def _check(op: str, on_integers: bool) -> RuleFn:
    """Complex numbers are finite when both parts are, infinite or NaN when one is."""

    def convert(c: TorchContext, a: Call) -> Value:
        x = a.value("self")
        if x.type.dtype.is_float:
            return getattr(c.b, op)(x)
        if x.type.dtype.is_complex:
            found = [getattr(c.b, op)(part) for part in (c.b.real(x), c.b.imag(x))]
            return (c.b.and_ if on_integers else c.b.or_)(*found)
        return c.b.expand(c.b.constant(on_integers), shape=x.type.shape)

    return convert


rule.add("aten.isnan.default", _check("isnan", False), "isnan")
rule.add("aten.isinf.default", _check("isinf", False), "isinf")
rule.add("aten.isfinite.default", _check("isfinite", True), "isfinite")


@rule("aten.isposinf.default", "aten.isneginf.default")
def signed_infinity(c: TorchContext, a: Call) -> Value:
    positive = "isposinf" in str(a.node.target)
    x = a.value("self")
    if not x.type.dtype.is_float:
        return c.b.expand(c.b.constant(False), shape=x.type.shape)
    return c.b.isinf(x, positive=positive, negative=not positive)
