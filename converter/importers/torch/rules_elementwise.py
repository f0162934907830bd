"""ATen arithmetic and elementary functions."""

from __future__ import annotations

from converter.importers.torch.context import Call, RuleFn, TorchContext, rule
from ir.core import Value
from ir.types import DType, dtypes

_UNARY_FLOAT = (
    "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "erfinv", "lgamma", "digamma",
)  # fmt: skip
_SPECIAL = {
    "special_erf": "erf", "special_erfc": "erfc", "special_erfinv": "erfinv", "special_expm1": "expm1", "special_log1p": "log1p",
    "special_gammaln": "lgamma", "special_digamma": "digamma", "special_psi": "digamma",
}  # fmt: skip
_ROUNDING = ("floor", "ceil", "round", "trunc")


def _unary_float(op: str) -> RuleFn:
    """Integers and bools are computed in the default float type, as torch does."""

    def convert(c: TorchContext, a: Call) -> Value:
        return getattr(c.b, op)(c.cast(a.value("self"), a.dtype))

    return convert


def _round_to(c: TorchContext, a: Call, op: str) -> Value:
    x = a.value("self")
    return getattr(c.b, op)(x) if x.type.dtype.is_float else x


def _rounding(op: str) -> RuleFn:
    return lambda c, a: _round_to(c, a, op)


for _name in _UNARY_FLOAT:
    rule.add(f"aten.{_name}.default", _unary_float(_name), _name)
for _name, _op in _SPECIAL.items():
    rule.add(f"aten.{_name}.default", _unary_float(_op), _name)
for _name in _ROUNDING:
    rule.add(f"aten.{_name}.default", _rounding(_name), _name)
rule.add("aten.fix.default", _rounding("trunc"), "fix")


@rule("aten.neg.default", "aten.negative.default")
def neg(c: TorchContext, a: Call) -> Value:
    return c.b.neg(a.value("self"))


@rule("aten.abs.default", "aten.absolute.default")
def absolute(c: TorchContext, a: Call) -> Value:
    return c.b.abs(a.value("self"))


@rule("aten.sign.default", "aten.sgn.default")
def sign(c: TorchContext, a: Call) -> Value:
    """Of a complex number: that of length 1 in its direction, 0 for 0."""
    x = a.value("self")
    if x.type.dtype.is_complex:
        size = c.b.abs(x)
        zero = c.constant(0, size.type.dtype)
        return c.b.where(c.b.equal(size, zero), c.constant(0, x.type.dtype), c.b.div(x, c.cast(size, x.type.dtype)))
    return x if x.type.dtype.is_bool else c.b.sign(x, nan="zero")


@rule("aten.square.default")
def square(c: TorchContext, a: Call) -> Value:
    return c.b.square(c.cast(a.value("self"), a.dtype))


@rule("aten.round.decimals")
def round_decimals(c: TorchContext, a: Call) -> Value:
    """As torch's kernel: scaled by a power of ten, rounded, scaled back."""
    decimals, x = a.lit("decimals"), a.value("self")
    if decimals == 0:
        return _round_to(c, a, "round")
    if x.type.dtype.is_half:
        c.refuse("rounding half floats to decimals")
    ten = c.constant(10.0 ** abs(decimals), x.type.dtype)
    there, back = (c.b.mul, c.b.div) if decimals > 0 else (c.b.div, c.b.mul)
    return back(c.b.round(there(x, ten)), ten)


@rule("aten.frac.default")
def frac(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    return c.b.sub(x, c.b.trunc(x))


# -- binary ---------------------------------------------------------------------------------------------------------
def wide(c: TorchContext, a: Call, dtype: DType, other: str = "other") -> DType:
    """The dtype to compute in: half types meet Python numbers in float32, in which torch holds such numbers."""
    item = a.raw(other)
    if dtype.is_half and isinstance(item, float) and float(dtype.numpy.type(item)) != item:
        return dtypes.float32
    return dtype


def _binary(c: TorchContext, a: Call, op: str, first: str = "self", second: str = "other") -> Value:
    dtype = wide(c, a, a.promoted(first, second), second)
    return c.cast(getattr(c.b, op)(a.operand(first, dtype), a.operand(second, dtype)), a.dtype)


@rule("aten.add.Tensor", "aten.add.Scalar")
def add(c: TorchContext, a: Call) -> Value:
    dtype = wide(c, a, a.promoted("self", "other"))
    if dtype.is_bool:
        if not a.lit("alpha"):
            return c.b.or_(a.operand("self", dtype), c.b.expand(c.constant(False, dtype), shape=a.shape))
        return c.b.or_(a.operand("self", dtype), a.operand("other", dtype))
    return c.cast(c.b.add(a.operand("self", dtype), _scaled(c, a, dtype)), a.dtype)


@rule("aten.sub.Tensor", "aten.sub.Scalar", "aten.subtract.Tensor")
def sub(c: TorchContext, a: Call) -> Value:
    dtype = wide(c, a, a.promoted("self", "other"))
    return c.cast(c.b.sub(a.operand("self", dtype), _scaled(c, a, dtype)), a.dtype)


@rule("aten.rsub.Tensor", "aten.rsub.Scalar")
def rsub(c: TorchContext, a: Call) -> Value:
    dtype = wide(c, a, a.promoted("self", "other"))
    scale, other = a.lit("alpha"), a.operand("other", dtype)
    x = a.operand("self", dtype)
    return c.cast(c.b.sub(other, x if scale == 1 else c.b.mul(x, c.constant(scale, dtype))), a.dtype)


def _scaled(c: TorchContext, a: Call, dtype: DType) -> Value:
    alpha, other = a.lit("alpha"), a.operand("other", dtype)
    return other if alpha == 1 else c.b.mul(other, c.constant(alpha, dtype))


@rule("aten.mul.Tensor", "aten.mul.Scalar", "aten.multiply.Tensor")
def mul(c: TorchContext, a: Call) -> Value:
    if a.promoted("self", "other").is_bool:
        return c.b.and_(a.operand("self", dtypes.bool_), a.operand("other", dtypes.bool_))
    return _binary(c, a, "mul")


@rule("aten.div.Tensor", "aten.div.Scalar", "aten.true_divide.Tensor", "aten.divide.Tensor")
def div(c: TorchContext, a: Call) -> Value:
    return _true_div(c, a)


def _true_div(c: TorchContext, a: Call) -> Value:
    dtype = wide(c, a, a.dtype)
    return c.cast(c.b.div(a.operand("self", dtype), a.operand("other", dtype)), a.dtype)


@rule("aten.div.Tensor_mode", "aten.div.Scalar_mode", "aten.divide.Tensor_mode")
def div_mode(c: TorchContext, a: Call) -> Value:
    mode = a.lit("rounding_mode")
    if mode is None:
        return _true_div(c, a)
    if mode == "floor":
        return _binary(c, a, "floor_div")
    if mode != "trunc":
        c.refuse(f"rounding_mode={mode!r} is unknown")
    dtype = a.promoted("self", "other")
    x, y = a.operand("self", dtype), a.operand("other", dtype)
    return c.b.trunc(c.b.div(x, y)) if dtype.is_float else c.b.trunc_div(x, y)


@rule("aten.floor_divide.default", "aten.floor_divide.Scalar")
def floor_divide(c: TorchContext, a: Call) -> Value:
    return _binary(c, a, "floor_div")


@rule("aten.remainder.Tensor", "aten.remainder.Scalar", "aten.remainder.Scalar_Tensor")
def remainder(c: TorchContext, a: Call) -> Value:
    return _binary(c, a, "mod")


@rule("aten.fmod.Tensor", "aten.fmod.Scalar")
def fmod(c: TorchContext, a: Call) -> Value:
    return _binary(c, a, "fmod")


@rule("aten.maximum.default", "aten.max.other")
def maximum(c: TorchContext, a: Call) -> Value:
    return _or_bool(c, a, "maximum", "or_")


@rule("aten.minimum.default", "aten.min.other")
def minimum(c: TorchContext, a: Call) -> Value:
    return _or_bool(c, a, "minimum", "and_")


def _or_bool(c: TorchContext, a: Call, op: str, on_bool: str) -> Value:
    dtype = a.promoted("self", "other")
    return getattr(c.b, on_bool if dtype.is_bool else op)(a.operand("self", dtype), a.operand("other", dtype))


@rule("aten.fmax.default")
def fmax(c: TorchContext, a: Call) -> Value:
    return _binary(c, a, "fmax")


@rule("aten.fmin.default")
def fmin(c: TorchContext, a: Call) -> Value:
    return _binary(c, a, "fmin")


@rule("aten.atan2.default", "aten.arctan2.default")
def atan2(c: TorchContext, a: Call) -> Value:
    return c.b.atan2(a.operand("self", a.dtype), a.operand("other", a.dtype))


@rule("aten.pow.Tensor_Tensor", "aten.pow.Scalar")
def power(c: TorchContext, a: Call) -> Value:
    """Of integers, a negative power is the quotient cut to an integer: 1 or -1 for these two, else 0."""
    x, y = a.operand("self", a.dtype), a.operand("exponent", a.dtype)
    if a.dtype.kind != "int" or _never_negative(y):
        return c.b.pow(x, y)
    zero, one, minus = (c.constant(n, a.dtype) for n in (0, 1, -1))
    turned = c.b.where(c.b.equal(c.b.mod(y, c.constant(2, a.dtype)), one), minus, one)
    cut = c.b.where(c.b.equal(x, minus), turned, c.b.where(c.b.equal(x, one), one, zero))
    return c.b.where(c.b.less(y, zero), cut, c.b.pow(x, c.b.maximum(y, zero)))


def _never_negative(y: Value) -> bool:
    """Whether an integer is a constant, or a range upwards, that starts at 0 or above."""
    made = y.producer
    if made is not None and made.op.name == "constant":
        return bool((made.attrs["value"].value >= 0).all())
    if made is not None and made.op.name == "arange":
        start, step = made.attrs["start"], made.attrs["step"]
        return isinstance(start, (int, float)) and start >= 0 and step > 0
    return False


@rule("aten.pow.Tensor_Scalar")
def power_scalar(c: TorchContext, a: Call) -> Value:
    x, exponent = a.operand("self", a.dtype), a.raw("exponent")
    if exponent == 2:
        return c.b.square(x)
    if a.dtype.is_float and exponent == 0.5:
        return c.b.sqrt(x)
    if a.dtype.is_float and exponent == -0.5:
        return c.b.rsqrt(x)
    if isinstance(exponent, (int, float)) and a.dtype.is_integer and exponent < 0:
        c.refuse("integers to a negative power raise an error in PyTorch")
    return c.b.pow(x, a.operand("exponent", a.dtype))


@rule("aten.float_power.Tensor_Scalar", "aten.float_power.Tensor_Tensor")
def float_power(c: TorchContext, a: Call) -> Value:
    return c.b.pow(a.operand("self", a.dtype), a.operand("exponent", a.dtype))


@rule(
    "aten.clamp.default", "aten.clip.default", "aten.clamp.Tensor", "aten.clip.Tensor", "aten.clamp_min.default",
    "aten.clamp_min.Tensor", "aten.clamp_max.default", "aten.clamp_max.Tensor",
)  # fmt: skip
def clamp(c: TorchContext, a: Call) -> Value:
    """No maximum and minimum: at a bound the gradient is x's alone."""
    bounds = {k: a.operand(k, a.dtype) for k in ("min", "max") if a.has(k) and a.raw(k) is not None}
    return c.b.clip(a.operand("self", a.dtype), **bounds)


@rule("aten.addcmul.default", "aten.addcdiv.default")
def addcmul(c: TorchContext, a: Call) -> Value:
    """self + (value * tensor1) * tensor2, or / tensor2, in this order: another overflows elsewhere."""
    op = c.b.mul if "addcmul" in str(a.node.target) else c.b.div
    scaled = a.operand("tensor1", a.dtype)
    factor = a.lit("value")
    if factor != 1:
        scaled = c.b.mul(scaled, c.constant(factor, a.dtype))
    return c.b.add(a.operand("self", a.dtype), op(scaled, a.operand("tensor2", a.dtype)))


@rule("aten.lerp.Scalar", "aten.lerp.Tensor")
def lerp(c: TorchContext, a: Call) -> Value:
    """start + weight * (end - start); torch switches form at weight 0.5, equal in exact arithmetic."""
    start, end, weight = (a.operand(n, a.dtype) for n in ("self", "end", "weight"))
    return c.b.add(start, c.b.mul(weight, c.b.sub(end, start)))


@rule("aten.where.self", "aten.where.ScalarSelf", "aten.where.ScalarOther", "aten.where.Scalar")
def where(c: TorchContext, a: Call) -> Value:
    return c.b.where(a.value("condition"), a.operand("self", a.dtype), a.operand("other", a.dtype))


@rule("aten.hypot.default")
def hypot(c: TorchContext, a: Call) -> Value:
    """sqrt(x^2 + y^2) of numbers whose squares overflow or vanish, too; infinite beside an infinity, even for NaN."""
    b, x, y = c.b, a.operand("self", a.dtype), a.operand("other", a.dtype)
    high, one = b.maximum(b.abs(x), b.abs(y)), c.constant(1, a.dtype)
    scale = b.stop_gradient(b.where(b.or_(b.equal(high, c.constant(0, a.dtype)), b.isinf(high)), one, high))
    length = b.mul(scale, b.sqrt(b.add(b.square(b.div(x, scale)), b.square(b.div(y, scale)))))
    return b.where(b.or_(b.isinf(x), b.isinf(y)), c.constant(float("inf"), a.dtype), length)


@rule("aten.complex.default")
def complex_(c: TorchContext, a: Call) -> Value:
    return c.b.complex_(a.value("real"), a.value("imag"))


@rule("aten._conj.default", "aten._conj_physical.default")
def conj(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    return c.b.conj(x) if x.type.dtype.is_complex else x
