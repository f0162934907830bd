"""ATen logical and bitwise operations."""

from __future__ import annotations

from converter.importers.torch.context import Call, RuleFn, TorchContext, rule
from ir.core import Value
from ir.types import dtypes


def _logical(op: str) -> RuleFn:
    def convert(c: TorchContext, a: Call) -> Value:
        return getattr(c.b, op)(a.operand("self", dtypes.bool_), a.operand("other", dtypes.bool_))

    return convert


for _name in ("and", "or", "xor"):
    rule.add(f"aten.logical_{_name}.default", _logical(f"{_name}_"), f"logical_{_name}")


@rule("aten.logical_not.default")
def logical_not(c: TorchContext, a: Call) -> Value:
    return c.b.not_(c.cast(a.value("self"), dtypes.bool_))


def _bitwise(logical: str, bits: str) -> RuleFn:
    def convert(c: TorchContext, a: Call) -> Value:
        dtype = a.promoted("self", "other")
        return getattr(c.b, logical if dtype.is_bool else bits)(a.operand("self", dtype), a.operand("other", dtype))

    return convert


for _name in ("and", "or", "xor"):
    for _form in ("Tensor", "Scalar"):
        rule.add(f"aten.bitwise_{_name}.{_form}", _bitwise(f"{_name}_", f"bitwise_{_name}"), f"bitwise_{_name}")
        rule.add(f"aten.__{_name}__.{_form}", _bitwise(f"{_name}_", f"bitwise_{_name}"), f"bitwise_{_name}")
    rule.add(f"aten.bitwise_{_name}.Scalar_Tensor", _bitwise(f"{_name}_", f"bitwise_{_name}"), f"bitwise_{_name}")


@rule("aten.bitwise_not.default")
def bitwise_not(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    return c.b.not_(x) if x.type.dtype.is_bool else c.b.bitwise_not(x)


def _shift(op: str) -> RuleFn:
    def convert(c: TorchContext, a: Call) -> Value:
        dtype = a.promoted("self", "other")
        if not dtype.is_integer:
            c.refuse("shifts of floats")
        return getattr(c.b, op)(a.operand("self", dtype), a.operand("other", dtype))

    return convert


for _aten, _op in {"left": "shift_left", "right": "shift_right"}.items():
    rule.add(f"aten.bitwise_{_aten}_shift.Tensor", _shift(_op), _op)
    rule.add(f"aten.bitwise_{_aten}_shift.Tensor_Scalar", _shift(_op), _op)
    rule.add(f"aten.bitwise_{_aten}_shift.Scalar_Tensor", _shift(_op), _op)
for _aten, _op in {"lshift": "shift_left", "rshift": "shift_right"}.items():
    for _form in ("Tensor", "Scalar"):
        rule.add(f"aten.__{_aten}__.{_form}", _shift(_op), _op)
