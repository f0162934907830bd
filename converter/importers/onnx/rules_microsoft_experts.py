"""Mixtures of experts of ONNX Runtime's own domain: each token goes to the k experts that its router scores highest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_microsoft_linalg import block_size, bytes_of, first_of, spread, unpacked
from converter.importers.onnx.table import microsoft
from ir.core import Value
from ir.types import dtypes, numel

Layer = Callable[[Value], Value]
_GATED = ("swiglu", "geglu")


@microsoft("MoE")
def moe(c: OnnxContext) -> Value:
    """Shares are the softmax over all experts, of those chosen; they sum to 1 where `normalize_routing_weights` is set."""
    b, (experts, scores) = c.b, _chosen(c)
    every = b.softmax(c.x(1))
    shares = b.gather_elements(every, experts, axis=1, bounds="unchecked")
    if c.attr("normalize_routing_weights"):
        shares = b.softmax(scores)  # which is the same
    weights = [c.x(i) if c.has(i) else None for i in (2, 4, 6)]
    return _mixture(c, experts, shares, weights, (3, 5, 7))


@microsoft("QMoE")
def qmoe(c: OnnxContext) -> Value:
    """As MoE, of weights that are packed integers; `router_weights` may hold the shares."""
    if c.attr("quant_type") != "int":
        c.refuse(f"quant_type={c.attr('quant_type')!r}, weights of floats of 8 or 4 bits, is of GPUs alone")
    if c.attr("weights_prepacked") != 0:
        c.refuse("the layout of weights without weights_prepacked=0 is one processor's own")
    for i, name in enumerate(
        ("global_scale", "global_scale", "act_scale", "act_scale", "act_block_scale", "act_block_scale"), 15
    ):
        if c.has(i):
            c.refuse(f"a {name} without a quant_type of floats is not defined")
    b, (experts, scores) = c.b, _chosen(c)
    if c.has(14):
        shares = b.gather_elements(c.x(14), experts, axis=1, bounds="unchecked")
        if c.attr("normalize_routing_weights"):
            total = b.reduce_sum(shares, axes=(1,), keepdims=True)
            shares = b.where(b.equal(total, 0.0), 0.0, b.div(shares, total))
    elif c.attr("normalize_routing_weights"):
        shares = b.softmax(scores)
    else:
        c.refuse("shares that are not normalised are not defined alike by the kernels of QMoE")
    weights = [_dequantised(c, *places) for places in ((2, 3, 11, "fc1"), (5, 6, 12, "fc2"), (8, 9, 13, "fc3"))]
    return _mixture(c, experts, shares, weights, (4, 7, 10))


def _chosen(c: OnnxContext) -> tuple[Value, Value]:
    """The experts of each token [tokens, k], and their scores."""
    if c.attr("use_sparse_mixer"):
        c.refuse("use_sparse_mixer draws the experts by a rule that the operator does not state")
    if c.type(1).rank != 2:
        c.refuse(f"scores {c.type(1)} are no row for each token")
    scores, experts = c.b.top_k(c.x(1), k=c.attr("k"))
    return experts, scores


def _mixture(
    c: OnnxContext, experts: Value, shares: Value, weights: list[Value | None], biases: tuple[int, int, int]
) -> Value:
    """The sum over the experts of each token, whose rows are brought into the order of the experts and back."""
    b, x = c.b, c.x(0)
    tokens, k = experts.type.shape
    rows = numel((tokens, k))
    flat, order = b.sort(b.reshape(experts, shape=(rows,)))
    sorting = _Sorting(c, flat, weights, biases)
    given = b.reshape(x, shape=(tokens, x.type.shape[-1]))
    taken = b.gather(given, b.floor_div(order, b.constant(k, dtypes.int64)), axis=0, bounds="unchecked")
    hidden = _activated(c, sorting, taken)
    out = b.mul(sorting.layer(1)(hidden), b.reshape(_rows(c, b.reshape(shares, shape=(rows,)), order), shape=(rows, 1)))
    _, back = b.sort(order)
    parts = b.reshape(_rows(c, out, back), shape=(tokens, k, out.type.shape[1]))
    return b.reshape(b.reduce_sum(parts, axes=(1,)), shape=x.type.shape)


def _rows(c: OnnxContext, x: Value, places: Value) -> Value:
    return c.b.gather(x, places, axis=0, bounds="unchecked")


@dataclass
class _Sorting:
    """Layers over rows that are sorted by their experts."""

    c: OnnxContext
    experts: Value
    weights: list[Value | None]
    biases: tuple[int, int, int]

    def layer(self, number: int) -> Layer:
        """Layer fc1, fc2 or fc3 (0, 1 and 2): each row with its expert's weight [out, in] and bias."""
        c, b, weight = self.c, self.c.b, self.weights[number]
        if weight is None:
            c.refuse(f"fc{number + 1}_experts_weights is missing")
        numbers = b.arange(start=0, stop=weight.type.shape[0], step=1, dtype=dtypes.int64)
        upto = b.less_equal(b.unsqueeze(self.experts, axes=(0,)), b.unsqueeze(numbers, axes=(1,)))
        ends = b.reduce_sum(b.cast(upto, to=dtypes.int64), axes=(1,))

        def run(x: Value) -> Value:
            out = b.grouped_matmul(x, b.transpose(weight, perm=(0, 2, 1)), ends)
            bias = self.biases[number]
            return b.add(out, _rows(c, c.x(bias), self.experts)) if c.has(bias) else out

        return run


def _activated(c: OnnxContext, sorting: _Sorting, x: Value) -> Value:
    """The first layer and what stands between it and the second."""
    b, name, fusion = c.b, c.attr("activation_type"), c.only("swiglu_fusion", 0, 1, 2)
    first, third = sorting.layer(0)(x), sorting.weights[2]
    if name not in _GATED:
        c.ignore("activation_alpha", "activation_beta", "swiglu_limit", "swiglu_limit_after_activation")
        if third is not None:
            c.refuse(f"a third layer beside activation_type={name!r} is not defined")
        if name not in ("relu", "relu2", "gelu", "silu", "identity"):
            c.refuse(f"activation_type={name!r} is none that the operator names")
        raised = b.relu(first)
        plain = {"relu": raised, "identity": first}
        return plain.get(name) or (
            b.mul(raised, raised)
            if name == "relu2"
            else b.silu(first)
            if name == "silu"
            else b.gelu(first, approximate="tanh")
        )
    if (third is None) == (fusion == 0) or (name == "geglu" and fusion == 0):
        c.refuse(f"activation_type={name!r} with swiglu_fusion={fusion} does not fit the layers given")
    gate, up = (first, sorting.layer(2)(x)) if fusion == 0 else _halves(c, first, fusion == 1)
    if name == "geglu":
        c.ignore("activation_alpha", "activation_beta", "swiglu_limit", "swiglu_limit_after_activation")
        return b.mul(b.gelu(gate, approximate="tanh"), up)
    return _swiglu(c, gate, up)


def _halves(c: OnnxContext, x: Value, interleaved: bool) -> tuple[Value, Value]:
    """Gates and what they let through: in turn, or side by side."""
    rows, both = x.type.shape
    if not interleaved:
        left, right = c.b.split(x, axis=1, sizes=(both // 2, both // 2))
        return left, right
    pairs = c.b.reshape(x, shape=(rows, both // 2, 2))
    return c.b.select(pairs, axis=2, index=0), c.b.select(pairs, axis=2, index=1)


def _swiglu(c: OnnxContext, gate: Value, up: Value) -> Value:
    """gate * sigmoid(alpha * gate) * (up + beta), both bounded by `swiglu_limit` if given."""
    b, alpha, beta, limit = c.b, c.attr("activation_alpha"), c.attr("activation_beta"), c.attr("swiglu_limit")
    late = bool(c.only("swiglu_limit_after_activation", 0, 1))
    before, behind = (None, limit) if late else (limit, None)
    if limit is not None:
        up = b.clip(up, min=-limit, max=limit)
    if before is not None:
        gate = b.clip(gate, max=before)
    through = b.mul(gate, b.sigmoid(gate if alpha == 1 else b.mul(gate, alpha)))
    if behind is not None:
        through = b.clip(through, max=behind)
    return b.mul(through, b.add(up, beta) if beta else up)


def _dequantised(c: OnnxContext, weight: int, scale: int, zero: int, name: str) -> Value | None:
    """Weights [experts, out, in] of packed bytes, with a scale and zero point for each row, or for each block of it."""
    if not c.has(weight):
        c.ignore(f"{name}_expert_weight_bits")
        return None
    shared, own = c.attr("expert_weight_bits"), c.attr(f"{name}_expert_weight_bits")
    block = block_size(c) if c.attr("block_size") else 0
    bits = shared if own is None else own
    if bits not in (2, 4, 8):
        c.refuse(f"weights of {bits} bits, which lie across bytes, are not read")
    if c.attr("accuracy_level") == 4 or (bits == 8 and block):
        c.note("QMoE: the runtime may round activations to 8 bits here; the conversion does not")
    kind, b = c.type().dtype, c.b
    codes = c.cast(unpacked(c, c.x(weight), bits), kind)
    experts, rows, columns = codes.type.shape
    if not (isinstance(rows, int) and isinstance(columns, int)):
        c.refuse(f"the sizes of weights {c.type(weight)} are only known at run time")
    blocks = (columns // block,) if block else ()
    if not c.has(scale) or c.type(scale).shape != (experts, rows, *blocks) or (block and columns % block):
        c.refuse(f"the scales of {name} do not fit weights {codes.type} in blocks of {block or columns}")
    points: Value = b.constant(2 ** (bits - 1), kind)
    if c.has(zero):
        if c.type(zero).shape != (
            (experts, rows, bytes_of(*blocks, bits=bits)) if block else (experts, bytes_of(rows, bits=bits))
        ):
            c.refuse(f"the zero points {c.type(zero)} of {name} do not fit scales {c.type(scale)}")
        points = _widened(c, c.cast(unpacked(c, c.x(zero), bits), kind), block, rows, columns)
    return b.mul(b.sub(codes, points), _widened(c, c.cast(c.x(scale), kind), block, rows, columns))


def _widened(c: OnnxContext, numbers: Value, block: int, rows: int, columns: int) -> Value:
    """One number for each row, or each block of it, beside the row's codes."""
    return spread(c, numbers, block, columns) if block else c.b.unsqueeze(first_of(c, numbers, rows), axes=(2,))
