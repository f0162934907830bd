"""Scans whose step is a cell of LSTM or GRU, as Keras spells it, are these layers; any other stays a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ir.core import Graph, Model, Value
from ir.core.graph import Node
from ir.core.walk import walk
from ir.data import Array, Weight
from ir.data.weights import Pieces
from ir.passes.base import Rewriter
from ir.passes.constants import uniform
from ir.passes.patterns import either, is_number
from ir.passes.simplify_rules import made_by

GRU_ORDER = (1, 0, 2)
"""For each gate of the IR (r, z, n), its place in Keras (z, r, h)."""
PLAIN = {"axes": (0,), "reverse": (False,), "output_reverse": (False,), "output_axes": (0,)}


def settle_recurrence(model: Model) -> None:
    """Rewrite the model in place. Weights that anything else reads keep their loop: they are stored as the layer has them."""
    rewriter = Rewriter(model, "recurrence")
    for node in walk(model.graph):
        if node.graph is not None and node.op.name == "scan" and _goes_through(node):
            cell = _lstm(node, model) or _gru(node, model)
            if cell is not None:
                _layer(node, cell, rewriter)


def _goes_through(node: Node) -> bool:
    """Whether a scan goes through one tensor [time, batch, features] of floats from the front."""
    attrs, scanned = node.attrs, node.operands["scanned"]
    usual = all(not attrs[k] or set(attrs[k]) == set(v) for k, v in PLAIN.items())
    kinds = {v.type.dtype.name for v in (*node.operands["carried"], *scanned)}
    return usual and len(scanned) == 1 and scanned[0].type.rank == 3 and kinds in ({"float32"}, {"float64"})


@dataclass
class _Cell:
    """A step: the values h (and c) after it, their places among the carried ones, and its weights in Keras' order."""

    kind: str
    states: dict[int, Value]  # by place: h first
    kernel: Value
    recurrent: Value
    bias: Value | None

    @property
    def output(self) -> Value:
        return next(iter(self.states.values()))


# -- LSTM ---------------------------------------------------------------------------------------------------------------
def _lstm(node: Node, model: Model) -> _Cell | None:
    """c = f * c + i * g, h = o * tanh(c), gates i, f, g, o of one product with the input, one with h, and a bias."""
    body, count = node.bodies["body"], len(node.operands["carried"])
    for kc in range(count):
        total = made_by(body.outputs[kc], "add")
        for kh in range(count) if total is not None else ():
            gates = None if kh == kc else _lstm_gates(body.outputs[kh], body.outputs[kc], body.inputs[kc])
            if gates is None:
                continue
            found = _sum(gates, body.inputs[count], body.inputs[kh])
            if found is not None and _stored(found, model):
                kernel, recurrent, bias = found
                return _Cell("lstm", {kh: body.outputs[kh], kc: body.outputs[kc]}, kernel, recurrent, bias)
    return None


def _lstm_gates(h: Value, c: Value, before: Value) -> Value | None:
    """What is cut into the gates i, f, g, o, where h and c are made of them and of the c before."""
    shown, total = made_by(h, "mul"), made_by(c, "add")
    if shown is None or total is None:
        return None
    out = next((_of(a, "sigmoid") for a, b in either(shown) if _of(b, "tanh") is c), None)
    for kept, new in either(total):
        kept_node, new_node = made_by(kept, "mul"), made_by(new, "mul")
        if kept_node is None or new_node is None:
            continue
        forget = next((_of(a, "sigmoid") for a, b in either(kept_node) if b is before), None)
        for a, b in either(new_node):
            gate, candidate = _of(a, "sigmoid"), _of(b, "tanh")
            if None not in (gate, candidate, forget, out):
                return _whole([gate, forget, candidate, out])
    return None


def _of(value: Value, op: str) -> Value | None:
    node = made_by(value, op)
    return None if node is None else node.operand("x")


def _piece(value: Value) -> tuple[Value, int, int] | None:
    """The tensor of which a value is a piece, which one, and how many equal ones the last axis has."""
    node = value.producer
    if node is None or node.op.name not in ("split", "slice"):
        return None
    x = node.operand("x")
    last, size = x.type.rank - 1, x.type.shape[-1]
    part = value.type.shape[-1]
    if not isinstance(size, int) or not isinstance(part, int) or not part or size % part:
        return None
    if node.op.name == "split":
        even = node.attrs["axis"] % x.type.rank == last and set(node.attrs["sizes"]) == {part}
        return (x, value.index, size // part) if even else None
    attrs = node.attrs
    if tuple(a % x.type.rank for a in attrs["axes"]) != (last,) or attrs["steps"] != (1,):
        return None
    start = attrs["starts"][0] or 0
    return (x, start // part, size // part) if isinstance(start, int) and start >= 0 and start % part == 0 else None


def _whole(parts: Sequence[Value | None]) -> Value | None:
    """The tensor that these values are all pieces of, in order."""
    found = [None if p is None else _piece(p) for p in parts]
    first = found[0]
    if first is None:
        return None
    same = all(f is not None and f[0] is first[0] and f[1:] == (i, len(parts)) for i, f in enumerate(found))
    return first[0] if same else None


def _sum(total: Value, x: Value, h: Value) -> tuple[Value, Value, Value | None] | None:
    """Kernel, recurrent kernel and bias where a value is x @ kernel + h @ recurrent kernel + bias, or without a bias."""
    parts: list[Value] = []
    waiting = [total]
    while waiting:
        value = waiting.pop()
        node = made_by(value, "add")
        if node is not None and len(parts) < 3:
            waiting += [node.operand("x"), node.operand("y")]
        else:
            parts.append(value)
    kernel, recurrent, rest = None, None, []
    for value in parts:
        node = made_by(value, "matmul")
        if node is not None and node.operand("x") is x and kernel is None:
            kernel = node.operand("y")
        elif node is not None and node.operand("x") is h and recurrent is None:
            recurrent = node.operand("y")
        else:
            rest.append(value)
    if kernel is None or recurrent is None or len(rest) > 1:
        return None
    return kernel, recurrent, rest[0] if rest else None


def _stored(weights: Sequence[Value | None], model: Model) -> bool:
    """Whether all are weights that one place reads, matrices and then a vector."""
    for value, rank in zip(weights, (2, 2, 1), strict=True):
        if value is not None and not _owned(value, model, rank):
            return False
    return True


def _owned(value: Value, model: Model, rank: int) -> bool:
    return value.is_weight and value.name not in model.state and value.type.rank == rank and len(value.uses) == 1


# -- GRU ----------------------------------------------------------------------------------------------------------------
def _gru(node: Node, model: Model) -> _Cell | None:
    """h = z * h + (1 - z) * tanh(xh + r * hh), the reset after the product (Keras' reset_after)."""
    body, count = node.bodies["body"], len(node.operands["carried"])
    for kh in range(count):
        before = body.inputs[kh]
        gates = _gru_gates(body.outputs[kh], before)
        if gates is None:
            continue
        given, shown = gates
        kernel, first = _affine(given, body.inputs[count])
        recurrent, second = _affine(shown, before)
        if kernel is None or recurrent is None or not _owned(kernel, model, 2) or not _owned(recurrent, model, 2):
            continue
        bias = _two_biases(first, second)
        if (first is None) != (second is None) or (first is not None and bias is None):
            continue
        if bias is not None and not _both_rows(bias, model):
            continue
        return _Cell("gru", {kh: body.outputs[kh]}, kernel, recurrent, bias)
    return None


def _gru_gates(h: Value, before: Value) -> tuple[Value, Value] | None:
    """What is cut into the gates z, r, h: of the input, and of the h before."""
    total = made_by(h, "add")
    for kept, new in either(total) if total is not None else ():
        kept_node, new_node = made_by(kept, "mul"), made_by(new, "mul")
        update = next((a for a, b in either(kept_node) if b is before), None) if kept_node is not None else None
        if update is None or new_node is None:
            continue
        for rest, candidate in either(new_node):
            less = made_by(rest, "sub")
            inner = _of(candidate, "tanh")
            if (
                less is None
                or not is_number(less.operand("x"), 1.0)
                or less.operand("y") is not update
                or inner is None
            ):
                continue
            found = _gru_sums(update, inner)
            if found is not None:
                return found
    return None


def _gru_sums(update: Value, candidate: Value) -> tuple[Value, Value] | None:
    z, total = made_by(_of(update, "sigmoid") or update, "add"), made_by(candidate, "add")
    for given, reset in either(total) if z is not None and total is not None else ():
        product = made_by(reset, "mul")
        for gate, shown in either(product) if product is not None else ():
            r = made_by(_of(gate, "sigmoid") or gate, "add")
            if r is None or _of(gate, "sigmoid") is None or _of(update, "sigmoid") is None or z is None:
                continue
            for (zx, zh), (rx, rh) in ((p, q) for p in either(z) for q in either(r)):
                x, h = _whole([zx, rx, given]), _whole([zh, rh, shown])
                if x is not None and h is not None:
                    return x, h
    return None


def _affine(value: Value, x: Value) -> tuple[Value | None, Value | None]:
    """The matrix, and the bias if there is one, where a value is x @ matrix + bias."""
    node = made_by(value, "add")
    for product, bias in either(node) if node is not None else ((value, None),):
        matmul = made_by(product, "matmul")
        if matmul is not None and matmul.operand("x") is x:
            return matmul.operand("y"), bias
    return None, None


def _two_biases(first: Value | None, second: Value | None) -> Value | None:
    """The weight [2, gates] whose rows are these two."""
    found = [None if v is None else _row(v) for v in (first, second)]
    if found[0] is None or found[1] is None or found[0][0] is not found[1][0]:
        return None
    return found[0][0] if (found[0][1], found[1][1]) == (0, 1) else None


def _row(value: Value) -> tuple[Value, int] | None:
    """The weight of which a value is a row, and which one."""
    node = value.producer
    if node is not None and node.op.name == "select" and node.attrs["axis"] == 0:
        return node.operand("x"), node.attrs["index"]
    if node is None or node.op.name not in ("squeeze", "reshape"):
        return None
    piece = node.operand("x")
    cut = made_by(piece, "split")
    if cut is None or cut.attrs["axis"] % 2 or set(cut.attrs["sizes"]) != {1} or value.type.rank != 1:
        return None
    return cut.operand("x"), piece.index


def _both_rows(bias: Value, model: Model) -> bool:
    readers = {u.user for u in bias.uses}
    usual = all(isinstance(r, Node) and r.op.name in ("split", "select") for r in readers)
    rows = bias.is_weight and bias.name not in model.state and bias.type.rank == 2 and bias.type.shape[0] == 2
    return usual and rows and len(readers) <= 2


# -- the layer ----------------------------------------------------------------------------------------------------------
def _layer(node: Node, cell: _Cell, rewriter: Rewriter) -> None:
    """The layer in place of the scan, where all that the scan gives is what the layer gives."""
    body, carried = node.bodies["body"], node.operands["carried"]
    start = [carried[k] for k in cell.states]
    zero = all(_is_zero(v) for v in start)
    lists = [k for k in range(len(carried)) if k not in cell.states]
    if any(not _is_last(body, k, cell.output) or not _is_zero(carried[k]) or not zero for k in lists):
        return
    if any(v is not cell.output for v in body.outputs[len(carried) :]):
        return
    units = cell.recurrent.type.shape[0]
    if not isinstance(units, int) or cell.recurrent.type.shape[1] != units * (4 if cell.kind == "lstm" else 3):
        return
    b, x = rewriter.builder(node), node.operands["scanned"][0]
    turned = made_by(x, "transpose")
    first = turned is not None and tuple(turned.attrs["perm"]) == (1, 0, 2)
    weights = (_lstm_weights if cell.kind == "lstm" else _gru_weights)(rewriter.model, cell)
    initial = [None if zero else b.unsqueeze(v, axes=(0,)) for v in start]
    op = b.lstm if cell.kind == "lstm" else b.gru
    out, *finals = op(
        turned.operand("x") if first and turned is not None else x, *initial, None, weights, hidden_size=units,
        bias=cell.bias is not None, batch_first=first,
    )  # fmt: skip
    if first:
        out = b.transpose(out, perm=(1, 0, 2))
    values = {k: b.squeeze(v, axes=(0,)) for k, v in zip(cell.states, finals, strict=True)}
    values |= dict.fromkeys(lists, finals[0])
    results = [values[k] for k in range(len(carried))] + [out] * (len(body.outputs) - len(carried))
    rewriter.replace(node, results, cell.kind, "each step is that of the layer")
    for name in list(rewriter.model.weights):
        if name in _replaced(cell) and not rewriter.model.weight_value(name).uses:
            rewriter.model.remove_weight(name)


def _replaced(cell: _Cell) -> set[str]:
    return {v.name for v in (cell.kernel, cell.recurrent, cell.bias) if v is not None} if cell.kind == "gru" else set()


def _is_last(body: Graph, place: int, output: Value) -> bool:
    """Whether a carried list of one element holds the output of the trip before."""
    node = made_by(body.outputs[place], "unsqueeze")
    unread = not body.inputs[place].uses and body.outputs[place] is not output
    return unread and node is not None and node.operand("x") is output and tuple(node.attrs["axes"]) == (0,)


def _is_zero(value: Value) -> bool:
    node = value.producer
    while node is not None and node.op.name in ("expand", "cast", "reshape"):
        value, node = node.operand("x"), node.operand("x").producer
    if node is not None and node.op.name == "full":
        return not node.attrs["value"]
    return uniform(value) == 0


def _lstm_weights(model: Model, cell: _Cell) -> list[Value]:
    """Kernels as they are, transposed where they are stored; the second bias is of zeros that never train."""
    for value in (cell.kernel, cell.recurrent):
        turned = model.weights[value.name].permuted((1, 0))
        model.update_weight(value.name, data=turned.data, source_axes=turned.source_axes)
    if cell.bias is None:
        return [cell.kernel, cell.recurrent]
    zeros = np.zeros([int(d) for d in cell.bias.type.shape], cell.bias.type.dtype.numpy)
    name = _free(model, cell.bias.name, "bias_hh")
    return [cell.kernel, cell.recurrent, cell.bias, model.add_weight(Weight(name, Array(zeros), "constant"))]


def _gru_weights(model: Model, cell: _Cell) -> list[Value]:
    """Weights of their own with the gates in the IR's order, the two rows of the bias apart."""
    parts = [
        (cell.kernel, "weight_ih", Pieces(None, 1, GRU_ORDER)),
        (cell.recurrent, "weight_hh", Pieces(None, 1, GRU_ORDER)),
    ]
    if cell.bias is not None:
        parts += [(cell.bias, word, Pieces(i, 0, GRU_ORDER)) for i, word in enumerate(("bias_ih", "bias_hh"))]
    return [_reordered(model, *part) for part in parts]


def _reordered(model: Model, value: Value, word: str, pieces: Pieces) -> Value:
    source = model.weights[value.name]
    kind = source.type.with_shape(source.type.shape if pieces.row is None else source.type.shape[1:])
    made = replace(
        source, name=_free(model, value.name, word), data=source.data.mapped_by(pieces.of, kind), source_pieces=pieces,
        source_name=source.source_name or source.name,
    )  # fmt: skip
    return model.add_weight(made.permuted((1, 0)) if pieces.row is None else made)


def _free(model: Model, beside: str, word: str) -> str:
    base = beside.rpartition(".")[0]
    name = found = f"{base}.{word}" if base else word
    n = 1
    while found in model.weights:
        n += 1
        found = f"{name}_{n}"
    return found
