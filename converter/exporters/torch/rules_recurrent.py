"""Recurrent layers: `nn.LSTM` and its kin where the weights carry their names, torch's functions elsewhere."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, Lst, Name, Tup, hole, lift
from converter.exporters.outline.instances import Form
from converter.exporters.torch.context import SELF, TORCH, Context
from converter.exporters.torch.rules_norm import dtype_setting
from converter.exporters.torch.table import form, rule
from ir.core import Node, Value


def _accepts(node: Node) -> str | None:
    if node.operands["lengths"] is not None and node.attrs["direction"] == "reverse":
        return "torch's layers reverse sequences of different lengths only together with the forward direction"
    if node.operand("x").type.shape[_time_axis(node)] == 0:
        return "torch's layers take no empty sequences"
    if node.op.name == "gru" and not node.attrs["linear_before_reset"]:
        return "torch's GRU applies the reset gate behind the matrix product"
    return None


def _names(node: Node) -> list[str]:
    """torch's parameter names, in the order of the flat weights."""
    a = node.attrs
    names = []
    for layer in range(a["layers"]):
        for suffix in ("", "_reverse") if a["direction"] == "bidirectional" else ("",):
            names += [f"weight_ih_l{layer}{suffix}", f"weight_hh_l{layer}{suffix}"]
            names += [f"bias_ih_l{layer}{suffix}", f"bias_hh_l{layer}{suffix}"] if a["bias"] else []
            names += [f"weight_hr_l{layer}{suffix}"] if a.get("projection") else []
    return names


@form("lstm", "gru", "rnn")
def recurrent_module(node: Node) -> Form | None:
    """`nn.LSTM`, `nn.GRU`, `nn.RNN`; a reversed direction flips time around the call."""
    a, weights = node.attrs, node.operands["weights"]
    if _accepts(node) or not all(w.is_weight for w in weights) or (a["frozen"] and a["dropout"]):
        return None
    extra: dict[str, Any] = {}
    if a.get("projection"):
        extra["proj_size"] = hole(a["projection"], "proj_size")
    if node.op.name == "rnn":
        extra["nonlinearity"] = hole(a["nonlinearity"], "nonlinearity", "tanh")
    ctor = Name(f"nn.{node.op.name.upper()}")(
        hole(int(weights[0].type.shape[1]), "input_size"),
        hole(a["hidden_size"], "hidden_size"),
        num_layers=hole(a["layers"], "num_layers", 1),
        bias=hole(a["bias"], "bias", True),
        batch_first=hole(a["batch_first"], "batch_first", False),
        dropout=hole(a["dropout"], "dropout", 0.0),
        bidirectional=hole(a["direction"] == "bidirectional", "bidirectional", False),
        **extra,
        **dtype_setting(weights[0]),
    )

    time = _time_axis(node)

    def call(c: Context, module: Expr) -> tuple[Expr | None, ...]:
        states = _states(c, node)
        given = [] if states is None else [states]
        lengths = c.operand(node, "lengths")
        if lengths is not None:
            return _outputs(c, node, c.helper("over_lengths")(module, c.x(node.operand("x")), lengths, time, *given))
        return _outputs(c, node, module(_in_time(c, node), *given))

    return Form(ctor, dict(zip(_names(node), weights)), call=call)


def _in_time(c: Context, node: Node) -> Expr:
    x = c.x(node.operand("x"))
    return x.flip(_time_axis(node)) if node.attrs["direction"] == "reverse" else x


def _time_axis(node: Node) -> int:
    return 1 if node.attrs["batch_first"] else 0


def _states(c: Context, node: Node) -> Expr | None:
    """The initial states as torch takes them; None where they are zero."""
    h = c.operand(node, "initial_h")
    if node.op.name != "lstm":
        return h
    cell = c.operand(node, "initial_c")
    if h is None and cell is None:
        return None
    return Tup(
        (
            _zeros(c, node, node.outputs[1]) if h is None else h,
            _zeros(c, node, node.outputs[2]) if cell is None else cell,
        )
    )


def _zeros(c: Context, node: Node, like: Value) -> Expr:
    x = c.x(node.operand("x"))
    return x.new_zeros(*c.shape(like.type.shape))


def _outputs(c: Context, node: Node, result: Expr) -> tuple[Expr | None, ...]:
    """Bind `output, (h, c)`, `_` for what nobody reads."""
    from converter.exporters.code import stmt as s
    from converter.exporters.code.expr import Var

    kept = [Var(hint) if v.uses else None for v, hint in zip(node.outputs, ("states", "last", "cell"))]
    names = [v or Name("_") for v in kept]
    if node.op.name == "lstm" and not any(kept[1:]):
        target = Tup((names[0], Name("_")))
    else:
        target = Tup((names[0], Tup(tuple(names[1:])))) if node.op.name == "lstm" else Tup(tuple(names))
    c.body.append(s.Assign(target, result))
    return _back_in_time(node, tuple(kept))


def _back_in_time(node: Node, parts: tuple[Expr | None, ...]) -> tuple[Expr | None, ...]:
    """The results with the states of a reversed direction in the order of the input."""
    states, *ends = parts
    if node.attrs["direction"] == "reverse" and states is not None:
        return states.flip(_time_axis(node)), *ends
    return parts


@rule("lstm", "gru", "rnn", accepts=_accepts)
def recurrent(c: Context, node: Node) -> tuple[Expr | None, ...]:
    a = node.attrs
    function = {"lstm": "lstm", "gru": "gru", "rnn": f"rnn_{a.get('nonlinearity')}"}[node.op.name]
    given = zip(("initial_h", "initial_c"), node.outputs[1:])
    states = [_zeros(c, node, v) if node.operands[k] is None else c.x(node.operand(k)) for k, v in given]
    hx: Expr = Tup(tuple(states)) if node.op.name == "lstm" else states[0]
    drop = 0.0 if a["frozen"] else a["dropout"]
    settings = (
        Lst(tuple(c.x(w) for w in node.operands["weights"])), lift(a["bias"]), hole(a["layers"], "num_layers"),
        hole(drop, "dropout"), SELF.training, lift(a["direction"] == "bidirectional"),
    )  # fmt: skip
    lengths = c.operand(node, "lengths")
    if lengths is not None:
        layer = c.helper("as_layer")(getattr(TORCH, function), *settings)
        x = c.x(node.operand("x"))
        return _outputs(c, node, c.helper("over_lengths")(layer, x, lengths, _time_axis(node), hx))
    call = getattr(TORCH, function)(_in_time(c, node), hx, *settings, lift(a["batch_first"]))
    if node.op.name != "lstm":
        return _outputs(c, node, call)
    return _back_in_time(node, c.unpack(call, [bool(v.uses) for v in node.outputs], "lstm"))
