"""Matrix products with something fused into them, and with weights of a few bits."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_linalg import product
from converter.importers.onnx.rules_microsoft_activation import PARAMETERS, activated
from converter.importers.onnx.table import microsoft
from ir.core import Value
from ir.types import dtypes


@microsoft("FusedMatMul")
def fused_matmul(c: OnnxContext) -> Value:
    """alpha * A' @ B': `transBatch` moves the first axis behind the batch axes, `trans` then swaps the last two."""
    left, right = (
        _arranged(c, i, bool(c.attr(f"transBatch{n}")), bool(c.attr(f"trans{n}"))) for i, n in enumerate("AB")
    )
    return _times(c, c.b.matmul(left, right), c.attr("alpha"))


@microsoft("TransposeMatMul")
def transpose_matmul(c: OnnxContext) -> Value:
    left, right = (_arranged(c, i, False, bool(c.attr(f"trans{n}"))) for i, n in enumerate("AB"))
    return _times(c, c.b.matmul(left, right), c.attr("alpha"))


def _arranged(c: OnnxContext, index: int, batch: bool, swap: bool) -> Value:
    x = c.x(index)
    order = list(range(x.type.rank))
    if len(order) < 2:
        return x  # a vector has nothing to swap
    if batch:
        order = [*order[1:-1], 0, order[-1]]
    if swap:
        order = [*order[:-2], order[-1], order[-2]]
    return x if order == sorted(order) else c.b.transpose(x, perm=tuple(order))


def _times(c: OnnxContext, x: Value, factor: float) -> Value:
    return x if factor == 1 else c.b.mul(x, factor)


@microsoft("FusedGemm")
def fused_gemm(c: OnnxContext) -> Value:
    """A product as of Gemm, then an activation."""
    out, name = product(c), c.attr("activation")
    c.ignore("activation_alpha", "activation_beta", "activation_gamma")  # of activations that take none
    if not name:
        return out
    if name not in PARAMETERS or name == "Clip":
        c.refuse(f"activation={name!r} is not supported")
    numbers = [c.attr(f"activation_{n}") for n in ("alpha", "beta")[: PARAMETERS[name]]]
    if None in numbers:
        c.refuse(f"activation={name!r} without its alpha or beta is not defined")
    return activated(c, out, name, numbers)


@microsoft("MatMulNBits")
def matmul_nbits(c: OnnxContext) -> Value:
    """A linear layer whose weight is rows of packed 2, 4 or 8-bit numbers, with a scale and zero point for each block."""
    c.only("weight_prepacked", 0)
    bits, block, rows, columns = c.only("bits", 2, 4, 8), c.attr("block_size"), c.attr("N"), c.attr("K")
    if c.attr("accuracy_level") == 4:
        c.note("MatMulNBits: accuracy_level=4 lets the runtime round activations to 8 bits; the conversion does not")
    if c.has(4):
        c.refuse("a g_idx (rows out of order) is not supported")
    blocks = -(-columns // block)
    if c.type(1).shape != (rows, blocks, block * bits // 8):
        c.refuse(f"weights {c.type(1)} do not fit N={rows}, K={columns}, block_size={block}, bits={bits}")
    kind = c.type(0).dtype
    numbers = c.cast(_unpacked(c, c.x(1), bits), kind)
    centred = c.b.sub(numbers, _zero_points(c, bits, rows, blocks))
    scales = c.b.reshape(c.cast(c.x(2), kind), shape=(rows, blocks, 1))
    weight = c.b.reshape(c.b.mul(centred, scales), shape=(rows, blocks * block))
    if blocks * block != columns:
        weight = c.b.slice(weight, axes=(1,), starts=(0,), stops=(columns,), steps=(1,))
    return c.b.linear(c.x(0), weight, c.opt(5))


def _unpacked(c: OnnxContext, packed: Value, bits: int) -> Value:
    """Bytes [..., n] to numbers [..., n * 8 / bits], the lowest bits first."""
    if bits == 8:
        return packed
    b, parts = c.b, []
    for shift in range(0, 8, bits):
        moved = b.shift_right(packed, b.constant(shift, dtypes.uint8)) if shift else packed
        parts.append(moved if shift + bits == 8 else b.bitwise_and(moved, b.constant(2**bits - 1, dtypes.uint8)))
    *outer, last = packed.type.shape
    return b.reshape(b.stack(parts, axis=packed.type.rank), shape=(*outer, last * (8 // bits)))


def _zero_points(c: OnnxContext, bits: int, rows: int, blocks: int) -> Value:
    """Of the type of A: half the range where none are given, else one for each block, packed like the weights or not."""
    kind = c.type(0).dtype
    if not c.has(3):
        return c.b.constant(2 ** (bits - 1), kind)
    if c.type(3).dtype.is_float:
        return c.b.reshape(c.cast(c.x(3), kind), shape=(rows, blocks, 1))
    bytes_a_row = -(-blocks * bits // 8)
    numbers = _unpacked(c, c.b.reshape(c.x(3), shape=(rows, bytes_a_row)), bits)
    if bytes_a_row * 8 // bits != blocks:
        numbers = c.b.slice(numbers, axes=(1,), starts=(0,), stops=(blocks,), steps=(1,))
    return c.b.unsqueeze(c.cast(numbers, kind), axes=(2,))


@microsoft("Inverse")
def inverse(c: OnnxContext) -> Value:
    return c.b.inverse(c.x())
