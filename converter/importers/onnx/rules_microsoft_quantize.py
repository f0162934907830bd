"""Quantised operators of ONNX Runtime's own domain: dequantise, compute in float, quantise."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_microsoft_attention import attend_packed, check_plain
from converter.importers.onnx.rules_microsoft_conv import channels_first, channels_last
from converter.importers.onnx.rules_pool import average_pool
from converter.importers.onnx.rules_quantize import centred, dequantize_linear, qlinear_conv, quantize_linear
from converter.importers.onnx.table import microsoft
from ir.core import Value
from ir.types import DType, dtypes, normalize_axis, numel

microsoft("QuantizeLinear")(quantize_linear)
microsoft("DequantizeLinear")(dequantize_linear)


def _number(c: OnnxContext, index: int, kind: DType = dtypes.float32) -> Value:
    """A scale or zero point that is one number."""
    value = c.x(index)
    if value.type.rank and value.type.shape != (1,):
        c.refuse(f"a scale or zero point {value.type} is not one number, as the operator demands")
    return c.cast(c.b.reshape(value, shape=()) if value.type.rank else value, kind)


def _real(c: OnnxContext, x: int, scale: int, zero: int) -> Value:
    """The float that a quantised operand stands for."""
    value = c.cast(c.x(x), dtypes.float32)
    if c.has(zero):
        value = c.b.sub(value, _number(c, zero))
    return c.b.mul(value, _number(c, scale))


def _quantised(c: OnnxContext, x: Value, scale: int, zero: int, shifted: bool = False) -> Value:
    """A float in the scale and zero point at two inputs, in the type of the first operand.

    Halves are rounded to even, before the zero point is added or after (`shifted`): kernels differ, by operator.
    """
    b, kind = c.b, (c.type(zero) if c.has(zero) else c.type(0)).dtype
    out = b.div(x, _number(c, scale))
    for add in (True, False) if shifted else (False, True):
        if not add:
            out = b.round(out)
        elif c.has(zero):
            out = b.add(out, _number(c, zero))
    return b.cast(b.clip(out, min=float(kind.min), max=float(kind.max)), to=kind)


@microsoft("QLinearAdd")
def qlinear_add(c: OnnxContext) -> Value:
    return _quantised(c, c.b.add(_real(c, 0, 1, 2), _real(c, 3, 4, 5)), 6, 7, shifted=True)


@microsoft("QLinearMul")
def qlinear_mul(c: OnnxContext) -> Value:
    return _quantised(c, c.b.mul(_real(c, 0, 1, 2), _real(c, 3, 4, 5)), 6, 7, shifted=True)


@microsoft("QLinearSigmoid")
def qlinear_sigmoid(c: OnnxContext) -> Value:
    return _quantised(c, c.b.sigmoid(_real(c, 0, 1, 2)), 3, 4)


@microsoft("QLinearLeakyRelu")
def qlinear_leaky_relu(c: OnnxContext) -> Value:
    return _quantised(c, c.b.leaky_relu(_real(c, 0, 1, 2), alpha=c.attr("alpha")), 3, 4)


@microsoft("QLinearAveragePool")
def qlinear_average_pool(c: OnnxContext) -> Value:
    x = _real(c, 0, 1, 2)
    if not c.only("channels_last", 0, 1):
        return _quantised(c, average_pool(c, x), 3, 4, shifted=True)
    return _quantised(c, channels_last(c, average_pool(c, channels_first(c, x))), 3, 4, shifted=True)


@microsoft("QLinearConv")
def nhwc_qlinear_conv(c: OnnxContext) -> Value:
    """As the standard operator; `channels_last` concerns the images, not the weight."""
    if not c.only("channels_last", 0, 1):
        return qlinear_conv(c)
    return channels_last(c, qlinear_conv(c, channels_first(c, c.x(0))))


@microsoft("QLinearSoftmax")
def qlinear_softmax(c: OnnxContext) -> Value:
    """Along `axis`, or before opset 13 over all axes from there on; `opset` says which."""
    x, axis = _real(c, 0, 1, 2), normalize_axis(c.attr("axis"), c.rank())
    if c.attr("opset") >= 13:
        return _quantised(c, c.b.softmax(x, axis=axis), 3, 4)
    flat = c.b.reshape(x, shape=(*x.type.shape[:axis], numel(x.type.shape[axis:])))
    return _quantised(c, c.b.reshape(c.b.softmax(flat, axis=-1), shape=x.type.shape), 3, 4)


@microsoft("QLinearReduceMean")
def qlinear_reduce_mean(c: OnnxContext) -> Value:
    """By its definition: the mean of the floats; this runtime has no kernel of it."""
    mean = c.b.reduce_mean(_real(c, 0, 1, 2), axes=tuple(c.attr("axes")), keepdims=bool(c.attr("keepdims")))
    return _quantised(c, mean, 3, 4)


@microsoft("QLinearGlobalAveragePool")
def qlinear_global_average_pool(c: OnnxContext) -> Value:
    """The mean over every axis but batch and channels, which are the first two or the first and last."""
    axes = tuple(range(1, c.rank() - 1)) if c.only("channels_last", 0, 1) else tuple(range(2, c.rank()))
    return _quantised(c, c.b.reduce_mean(_real(c, 0, 1, 2), axes=axes, keepdims=True), 3, 4)


@microsoft("QLinearConcat")
def qlinear_concat(c: OnnxContext) -> Value:
    """Each part with a scale and zero point of its own."""
    if len(c.inputs) % 3 != 2:
        c.refuse(f"{len(c.inputs)} inputs are no parts with a scale and zero point each")
    parts = [_real(c, i, i + 1, i + 2) for i in range(2, len(c.inputs), 3)]
    return _quantised(c, c.b.concat(parts, axis=c.attr("axis")), 0, 1)


@microsoft("QLinearWhere")
def qlinear_where(c: OnnxContext) -> Value:
    return _quantised(c, c.b.where(c.x(0), _real(c, 1, 2, 3), _real(c, 4, 5, 6)), 7, 8)


@microsoft("MatMulIntegerToFloat")
def matmul_integer_to_float(c: OnnxContext) -> Value:
    """The product of integers less their zero points, times both scales, plus a bias."""
    total = c.b.matmul(_left(c, 0, 4), centred(c, 1, 5, False))
    out = c.b.mul(c.cast(total, dtypes.float32), c.b.mul(_number(c, 2), _columns(c, 3)))
    return c.b.add(out, c.x(6)) if c.has(6) else out


def _left(c: OnnxContext, index: int, zero: int) -> Value:
    """The integers on the left of a product less their zero point, which must be one number."""
    x = c.cast(c.x(index), dtypes.int32)
    return c.b.sub(x, _number(c, zero, dtypes.int32)) if c.has(zero) else x


def _columns(c: OnnxContext, index: int) -> Value:
    """A scale for all columns, or a vector with one for each."""
    value = c.x(index)
    if value.type.rank > 1:
        c.refuse(f"scales {value.type} are neither one number nor one for each column")
    return value if value.type.rank and value.type.shape != (1,) else _number(c, index)


@microsoft("DynamicQuantizeMatMul")
def dynamic_quantize_matmul(c: OnnxContext) -> Value:
    """A is rounded to 8 bits over its own range first, as DynamicQuantizeLinear does it."""
    b, x = c.b, c.x(0)
    low, high = b.minimum(b.reduce_min(x), 0.0), b.maximum(b.reduce_max(x), 0.0)
    scale = b.div(b.sub(high, low), 255.0)
    scale = b.where(b.equal(scale, 0.0), 1.0, scale)
    zero = b.round(b.sub(0.0, b.div(low, scale)))
    # No code is below 0, for halves go the same way in both; two of them that go up make 256.
    rounded = b.minimum(b.add(b.round(b.div(x, scale)), zero), 255.0)
    left = b.cast(b.sub(rounded, zero), to="int32")
    out = b.mul(c.cast(b.matmul(left, centred(c, 1, 3, False)), dtypes.float32), b.mul(scale, _columns(c, 2)))
    return b.add(out, c.x(4)) if c.has(4) else out


@microsoft("QGemm")
def qgemm(c: OnnxContext) -> Value:
    """alpha * A' @ B' plus sums of the product's own scale; quantised where an output scale is given."""
    b = c.b
    left, right = _left(c, 0, 2), centred(c, 3, 5, bool(c.attr("transB")))
    left = b.transpose(left, perm=(1, 0)) if c.attr("transA") else left
    right = b.transpose(right, perm=(1, 0)) if c.attr("transB") else right
    total = b.matmul(left, right)
    if c.has(6):
        total = b.add(total, c.x(6))
    scale = b.mul(b.mul(_number(c, 1), _columns(c, 4)), c.attr("alpha"))
    out = b.mul(c.cast(total, dtypes.float32), scale)
    given = [c.has(i) for i in (7, 8)]
    if any(given) and not all(given):
        c.refuse("only one of y_scale and y_zero_point is given")
    return _quantised(c, out, 7, 8) if any(given) else out


@microsoft("QAttention")
def qattention(c: OnnxContext) -> tuple[Value, ...]:
    """Self-attention whose projection is a product of integers."""
    check_plain(c)
    total = c.b.matmul(_left(c, 0, 6), centred(c, 1, 7, False))
    projected = c.b.mul(c.cast(total, dtypes.float32), c.b.mul(_number(c, 3), _columns(c, 4)))
    return attend_packed(c, c.b.add(projected, c.x(2)), None, mask=5, past=8, bias=None)
