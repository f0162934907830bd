"""Tensors made from settings, from numbers that a call computes, and by chance."""

from __future__ import annotations

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Lit, Name, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.rules_control import EAGER
from converter.exporters.keras.table import form, no_place, rule
from converter.exporters.outline.instances import Form
from ir.core import Node


@rule("constant")
def constant(c: Context, node: Node) -> None:
    """Written by each reader."""


@rule("full")
def full(c: Context, node: Node) -> Expr:
    a = node.attrs
    shape, dtype = lift(tuple(c.shape(a["shape"]))), c.dtype(a["dtype"])
    if not isinstance(a["value"], bool) and a["value"] in (0, 1) and str(a["value"])[0] != "-":
        return (OPS.zeros if a["value"] == 0 else OPS.ones)(shape, dtype=dtype)
    return OPS.full(shape, hole(a["value"], "value"), dtype=dtype)


@rule("dim")
def dim(c: Context, node: Node) -> Expr:
    return OPS.convert_to_tensor(c.dim(node.attrs["size"]), dtype=c.dtype(node.output.type.dtype))


@rule("arange")
def arange(c: Context, node: Node) -> Expr:
    a = node.attrs
    start, stop, step = (v if isinstance(v, float) else c.dim(v) for v in (a["start"], a["stop"], a["step"]))
    if node.output.type.shape[0] == 0:
        return OPS.zeros(lift((0,)), dtype=c.dtype(a["dtype"]))
    args = [start, stop] if a["start"] != 0 or a["step"] != 1 else [stop]
    args += [step] if a["step"] != 1 else []
    return OPS.arange(*args, dtype=c.dtype(a["dtype"]))


@rule("range")
def range_(c: Context, node: Node) -> Expr:
    """Its length is known only where the numbers are: in calls that are not traced."""
    c.note(EAGER)
    kind = node.output.type.dtype
    number = Name("float" if kind.is_float else "int")
    values = [node.operand(k) for k in ("start", "stop", "step")]
    return c.helper("number_range")(*(c.literal(v) or number(c.x(v)) for v in values), c.dtype(kind))


@rule("bind_dim")
def bind_dim(c: Context, node: Node) -> Expr:
    """A computed number becomes a size."""
    c.note(EAGER)
    x = c.name_once(c.x(node.operand("x")), "size")
    bound = c.bind_size(node.attrs["symbol"], Name("int")(x))
    c.body.append(s.Check(bound >= 0, Lit(f"the size {node.attrs['symbol']} is negative")))
    return x


# -- chance -----------------------------------------------------------------------------------------------------------
@form("random_uniform", "random_normal")
def draw(node: Node) -> Form:
    """`keras.random.uniform(shape, seed=self.seed)`: the state of the generator is the class's."""
    a = node.attrs
    uniform = node.op.name == "random_uniform"
    names = (
        (("low", "minval", 0.0), ("high", "maxval", 1.0))
        if uniform
        else (("mean", "mean", 0.0), ("std", "stddev", 1.0))
    )

    def call(c: Context, seed: Expr) -> Expr:
        settings = {theirs: hole(a[ours], ours, default) for ours, theirs, default in names}
        shape, kind = lift(tuple(c.shape(a["shape"]))), c.dtype(a["dtype"])
        return Name(f"keras.random.{'uniform' if uniform else 'normal'}")(shape, **settings, dtype=kind, seed=seed)

    return Form(Name("keras.random.SeedGenerator")(), call=call)


def _drawn(node: Node) -> str | None:
    inside = node.graph is not None and node.graph.parent is not None
    return "random numbers inside control flow are of no layer, and repeat where JAX compiles" if inside else None


@rule("random_uniform", "random_normal", accepts=_drawn)
def draw_nowhere(c: Context, node: Node) -> Expr:
    """Reached where no class holds the generator."""
    raise no_place(node)


@rule("eye", accepts=lambda n: None)
def eye(c: Context, node: Node) -> Expr:
    a = node.attrs
    k = {"k": lift(a["k"])} if a["k"] else {}
    return OPS.eye(c.dim(a["rows"]), c.dim(a["cols"]), **k, dtype=c.dtype(a["dtype"]))
