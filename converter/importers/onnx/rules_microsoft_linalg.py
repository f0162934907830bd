"""Matrix products with something fused into them, and with weights of a few bits."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_linalg import product
from converter.importers.onnx.rules_microsoft_activation import PARAMETERS, activated
from converter.importers.onnx.table import microsoft
from ir.core import Value
from ir.types import dtypes, normalize_axis


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
        c.refuse(f"activation={name!r} is none that the operator names")
    numbers = [c.attr(f"activation_{n}") for n in ("alpha", "beta")[: PARAMETERS[name]]]
    if None in numbers:
        c.refuse(f"activation={name!r} without its alpha or beta is not defined")
    return activated(c, out, name, numbers)


@microsoft("MatMulNBits")
def matmul_nbits(c: OnnxContext) -> Value:
    """A linear layer whose weight is rows of packed 2, 4 or 8-bit numbers, with a scale and zero point for each block."""
    if c.attr("weight_prepacked"):
        c.refuse(f"weight_prepacked={c.attr('weight_prepacked')} is a layout for the kernels of one processor")
    bits, block, rows, columns = c.only("bits", 2, 4, 8), block_size(c), c.attr("N"), c.attr("K")
    if c.attr("accuracy_level") == 4:
        c.note("MatMulNBits: accuracy_level=4 lets the runtime round activations to 8 bits; the conversion does not")
    if c.has(4):
        c.refuse("a g_idx (rows out of order) is an input that the operator has withdrawn")
    blocks = -(-columns // block)
    if c.type(1).shape != (rows, blocks, block * bits // 8):
        c.refuse(f"weights {c.type(1)} do not fit N={rows}, K={columns}, block_size={block}, bits={bits}")
    kind = c.type(0).dtype
    numbers = c.cast(unpacked(c, c.x(1), bits), kind)
    centred = c.b.sub(numbers, _zero_points(c, bits, rows, blocks))
    scales = c.b.reshape(c.cast(c.x(2), kind), shape=(rows, blocks, 1))
    weight = c.b.reshape(c.b.mul(centred, scales), shape=(rows, blocks * block))
    return c.b.linear(c.x(0), first_of(c, weight, columns), c.opt(5))


_TABLES = (
    (0.0, 1 / 192, 2 / 3, 1.0, 1 / 3, 0.5, 1 / 6, 0.25, 0.0, -1 / 192, -2 / 3, -1.0, -1 / 3, -0.5, -1 / 6, -0.25),
    (
        -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
        -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
        0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
    ),
)  # fmt: skip
"""What the 16 codes stand for: FP4, and NF4, quantiles of the normal distribution (Dettmers et al. 2023)."""


@microsoft("MatMulBnb4")
def matmul_bnb4(c: OnnxContext) -> Value:
    """A linear layer whose flat weight is codes of 4 bits, the first of a byte high, with a scale for each block."""
    b = c.b
    c.ignore("training_mode")
    if c.only("transB", 0, 1) == 0:
        c.refuse("transB=0, a product for gradients, is one that ONNX Runtime computes in another way than it says")
    rows, columns, block, kind = c.attr("N"), c.attr("K"), block_size(c), c.type(0).dtype
    count = rows * columns
    if c.type(1).shape != (-(-count // 2),) or c.type(2).shape != (-(-count // block),):
        c.refuse(f"weights {c.type(1)} and scales {c.type(2)} do not fit N={rows}, K={columns}, block_size={block}")
    high = b.shift_right(c.x(1), b.constant(4, dtypes.uint8))
    low = b.bitwise_and(c.x(1), b.constant(15, dtypes.uint8))
    codes = first_of(c, b.reshape(b.stack([high, low], axis=1), shape=(2 * (-(-count // 2)),)), count)
    table = b.constant(_TABLES[c.only("quant_type", 0, 1)], kind)
    numbers = b.gather(table, b.cast(codes, to="int64"), axis=0, bounds="unchecked")
    weight = b.mul(numbers, spread(c, c.cast(c.x(2), kind), block, count))
    return b.linear(c.x(0), b.reshape(weight, shape=(rows, columns)))


def block_size(c: OnnxContext) -> int:
    """How many numbers share a scale."""
    size = int(c.attr("block_size"))
    if size < 16 or size.bit_count() != 1:
        c.refuse(f"block_size={size} is no power of two from 16 on, as the operator demands")
    return size


def bytes_of(count: int, *, bits: int) -> int:
    """How many bytes hold numbers that share them."""
    return -(-count * bits // 8)


def unpacked(c: OnnxContext, packed: Value, bits: int) -> Value:
    """Bytes [..., n] to numbers [..., n * 8 / bits], the lowest bits first."""
    if bits == 8:
        return packed
    b, parts = c.b, []
    for shift in range(0, 8, bits):
        moved = b.shift_right(packed, b.constant(shift, dtypes.uint8)) if shift else packed
        parts.append(moved if shift + bits == 8 else b.bitwise_and(moved, b.constant(2**bits - 1, dtypes.uint8)))
    *outer, last = packed.type.shape
    return b.reshape(b.stack(parts, axis=packed.type.rank), shape=(*outer, last * len(parts)))


def _zero_points(c: OnnxContext, bits: int, rows: int, blocks: int) -> Value:
    """Of the type of A: half the range where none are given, else one for each block, packed like the weights or not."""
    kind = c.type(0).dtype
    if not c.has(3):
        return c.b.constant(2 ** (bits - 1), kind)
    if c.type(3).dtype.is_float:
        return c.b.reshape(c.cast(c.x(3), kind), shape=(rows, blocks, 1))
    numbers = unpacked(c, c.b.reshape(c.x(3), shape=(rows, bytes_of(blocks, bits=bits))), bits)
    return c.b.unsqueeze(c.cast(first_of(c, numbers, blocks), kind), axes=(2,))


@microsoft("GatherBlockQuantized")
def gather_block_quantized(c: OnnxContext) -> Value:
    """Rows of a table of small integers, made floats by a scale and zero point for each block of the last axis.

    An index out of range gives zeros.
    """
    rank, bits, kind = c.rank(), c.only("bits", 2, 4, 8), c.type().dtype
    if not kind.is_integer:
        c.refuse(f"a table {c.type()} of floats has blocks of another form")
    axis, block = normalize_axis(c.attr("gather_axis"), rank), block_size(c)
    if axis == rank - 1 or normalize_axis(c.attr("quantize_axis"), rank) != rank - 1:
        c.refuse(
            "blocks along another axis than the last, or rows that cut them, are none that a quantiser of tables writes"
        )
    packed, wide, rows = kind == dtypes.uint8, c.type(2).dtype, _rows_at(c, 0, axis)
    numbers = unpacked(c, rows, bits) if packed else rows
    outer, size = c.type().shape[:-1], numbers.type.shape[-1]
    if not isinstance(size, int) or c.type(2).shape != (*outer, -(-size // block)):
        c.refuse(f"scales {c.type(2)} do not fit {c.type()} in blocks of {block}")
    zero = c.b.constant(1 << (bits - 1) if packed else 0, wide)
    if c.has(3):
        blocks = -(-size // block)
        if c.type(3).shape != (*outer, bytes_of(blocks, bits=bits) if packed else blocks):
            c.refuse(f"zero points {c.type(3)} do not fit {c.type()} in blocks of {block}")
        points = _rows_at(c, 3, axis)
        zero = spread(c, c.cast(unpacked(c, points, bits) if packed else points, wide), block, size)
    return c.b.mul(c.b.sub(c.cast(numbers, wide), zero), spread(c, _rows_at(c, 2, axis), block, size))


def _rows_at(c: OnnxContext, index: int, axis: int) -> Value:
    return c.b.gather(c.x(index), c.x(1), axis=axis, bounds="fill", neg="from_end")


def spread(c: OnnxContext, values: Value, block: int, size: int) -> Value:
    """One number for each block along the last axis, repeated over it."""
    *outer, blocks = values.type.shape
    wide = c.b.expand(c.b.unsqueeze(values, axes=(-1,)), shape=(*outer, blocks, block))
    return first_of(c, c.b.reshape(wide, shape=(*outer, blocks * block)), size)


def first_of(c: OnnxContext, x: Value, size: int) -> Value:
    """The first `size` of the last axis."""
    if x.type.shape[-1] == size:
        return x
    return c.b.slice(x, axes=(-1,), starts=(0,), stops=(size,), steps=(1,))


@microsoft("Inverse")
def inverse(c: OnnxContext) -> Value:
    return c.b.inverse(c.x())
