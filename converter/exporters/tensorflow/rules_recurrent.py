"""Recurrent layers, by one helper for each kind: TensorFlow has them in Keras alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Name, Tup, Var, lift
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node
from ir.ops.recurrent_parts import Stack

GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def _accepts(node: Node) -> str | None:
    a, x = node.attrs, node.operand("x").type
    if x.dtype.is_half:
        return "layers of half types are made of smaller operations"
    if a["dropout"] and not a["frozen"] and a["layers"] > 1:
        return "dropout between layers is an operation of its own"
    return "there are no steps" if 0 in x.shape else None


def _stack(node: Node) -> Stack:
    a = node.attrs
    return Stack(
        node.op.name, GATES[node.op.name], a["hidden_size"], a["layers"], a["direction"], a["bias"], a["batch_first"],
        a.get("projection", 0),
    )  # fmt: skip


@rule("lstm", "gru", "rnn", accepts=_accepts)
def recurrent(c: Context, node: Node) -> tuple[Expr | None, ...]:
    """Layer by layer, direction by direction."""
    stack, given = _stack(node), node.operand("x")
    x = c.x(given)
    x = TF.transpose(x, lift([1, 0, 2])) if stack.batch_first else x
    cells = iter(stack.split(node.operands["weights"]))
    ends: list[list[Expr | None]] = []
    for layer in range(stack.layers):
        x = c.name_once(x, "steps") if len(stack.reversals) > 1 else x
        parts: list[Expr] = []
        for reverse in stack.reversals:
            wanted = [layer < stack.layers - 1 or bool(node.outputs[0].uses), *(bool(v.uses) for v in node.outputs[1:])]
            out, *last = _run(c, node, x, len(ends), next(cells), reverse, wanted)
            ends.append(last)
            parts += [out] if out is not None else []
        if parts:
            x = parts[0] if len(parts) == 1 else TF.concat(parts, axis=lift(-1))
    result = TF.transpose(x, lift([1, 0, 2])) if stack.batch_first else x
    return (result if node.outputs[0].uses else None), *(_joined(column) for column in zip(*ends))


def _run(
    c: Context, node: Node, x: Expr, index: int, weights: Any, reverse: bool, wanted: Sequence[bool]
) -> list[Expr | None]:
    """One layer in one direction: bind what is wanted of its outputs and last states."""
    settings: dict[str, Expr] = {}
    names = {"b_ih": weights.b_ih, "b_hh": weights.b_hh, "projection": weights.w_hr}
    settings |= {name: c.x(v) for name, v in names.items() if v is not None}
    if (lengths := c.operand(node, "lengths")) is not None:
        settings["lengths"] = lengths
        c.tell_checked("lengths out of range")
    if reverse:
        settings["reverse"] = lift(True)
    if node.attrs.get("nonlinearity") == "relu":
        settings["activation"] = Name("tf.nn.relu")
    first = node.op.name == "gru" and not node.attrs["linear_before_reset"]
    helper = c.helper("gru_reset_first" if first else node.op.name)
    call = helper(x, *_states(c, node, index), c.x(weights.w_ih), c.x(weights.w_hh), **settings)
    parts = [Var(hint) if keep else None for hint, keep in zip(("steps", "last", "cell"), wanted)]
    c.body.append(s.Assign(Tup(tuple(p or Name("_") for p in parts)), call))
    return list(parts)


def _states(c: Context, node: Node, index: int) -> list[Expr]:
    """Where a layer starts: the given states, else zeros."""
    x, stack = node.operand("x"), _stack(node)
    batch = x.type.shape[0 if stack.batch_first else 1]
    found: list[Expr] = []
    for key, size in (("initial_h", stack.out), ("initial_c", stack.hidden))[: len(node.outputs) - 1]:
        if (state := c.operand(node, key)) is not None:
            found.append(state[lift(index)])
            continue
        kind = () if x.type.dtype.name == "float32" else (c.dtype(x.type.dtype),)
        found.append(TF.zeros(lift([c.dim(batch), c.dim(size, "units")]), *kind))
    return found


def _joined(parts: Sequence[Expr | None]) -> Expr | None:
    known = [p for p in parts if p is not None]
    if len(known) < len(parts):
        return None
    return TF.stack(known) if len(known) > 1 else TF.expand_dims(known[0], 0)
