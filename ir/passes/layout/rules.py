"""Which ops run in either layout, and what changes at them.

A rule gets a node and the role of one of its values: of the operand that it mainly reads (`at` is "in") or of its first
output ("out"). It answers a Fit, or None where the op depends on the order of the axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from ir.core.builder import Builder
from ir.core.graph import Node, Value
from ir.ops.axes import Layout
from ir.passes.layout.fit import Fit, Operands, is_elementwise, listed
from ir.passes.layout.flat import Storable, flattened
from ir.passes.layout.roles import Perm, Role, identity, role_of, with_axes, without
from ir.types import Shape, normalize_axes, normalize_axis, same

Side = Literal["in", "out"]
Rule = Callable[[Node, Role, Side], "Fit | None"]
Attrs = dict[str, Any]

_IMAGES = ("depth_to_space", "space_to_depth")  # the last three axes are the image, however many lead


def forced(node: Node, target: Layout) -> Fit | None:
    """The fit of an op that says where its channels lie: it runs in the target's layout alone."""
    if "layout" not in node.attrs or len(node.outputs) != 1:
        return None
    x, rank = node.operands.get("x"), node.output.type.rank
    if not isinstance(x, Value) or x.type.rank != rank:
        return None
    if rank == 2:  # no positions: both layouts are one order
        return Fit({}, (None,), lambda layout: {"layout": layout}, only=target)
    lead = rank - 3 if node.op.name in _IMAGES else 1
    first = node.attrs["layout"] == "channels_first"
    role = role_of(lead, lead if first else rank - 1, rank)
    if role is None:
        return None
    dense = _dense_weight(node) if first and target == "channels_last" else None
    if dense is None:
        return Fit({"x": role}, (role,), lambda layout: {"layout": layout}, only=target)

    def make(b: Builder, node: Node, operands: Operands, layout: Layout) -> tuple[Value, ...]:
        return (b.linear(operands["x"], dense, operands.get("bias")),)

    return Fit({"x": role}, (role,), make=make, only=target)


def _dense_weight(node: Node) -> Value | None:
    """The matrix of a convolution that is a dense layer over the channels, as `_linear` writes it; None for another."""
    a, rank = node.attrs, node.output.type.rank
    made = node.operand("weight").producer if node.op.name == "conv" else None
    if made is None or made.op.name != "unsqueeze" or made.operand("x").type.rank != 2:
        return None
    plain = (
        a["groups"] == 1
        and {*a["strides"], *a["dilations"]} == {1}
        and a["padding"] in ("valid", ((0, 0),) * (rank - 2))
    )
    trailing = normalize_axes(made.attrs["axes"], rank) == tuple(range(2, rank))
    return made.operand("x") if plain and trailing else None


def find(node: Node, role: Role, side: Side, target: Layout, storable: Storable) -> Fit | None:
    """How the node runs in either layout, given the role of one of its values."""
    if node.op.name in ("reshape", "flatten"):
        views = _reshape(node, role, side) or _among_positions(node, role, side) or _among_batches(node, role, side)
        return views or (flattened(node, role, storable) if side == "in" else None)
    if node.op.name in TARGETED:
        return TARGETED[node.op.name](node, role, side, target)
    rule = RULES.get(node.op.name)
    if rule is not None:
        return rule(node, role, side)
    return _elementwise(node, role, side) if is_elementwise(node) else None


# -- element by element ---------------------------------------------------------------------------------------------
def _elementwise(node: Node, role: Role, side: Side) -> Fit | None:
    """Every operand follows; those of lower rank get the shape that lines them up."""
    if node.output.type.rank != role.rank:
        return None
    return Fit({k: role for k, v in node.operands.items() if v is not None}, (role,), aligned=True)


def _expand(node: Node, role: Role, side: Side) -> Fit | None:
    shape = node.attrs["shape"]
    if len(shape) != role.rank:
        return None
    return Fit({"x": role}, (role,), lambda layout: {"shape": role.stored(shape, layout)}, aligned=True)


# -- one rank, axes renumbered ----------------------------------------------------------------------------------------
Renumber = Callable[[Node, Perm], "Attrs | None"]  # the attributes for axes in this order; None where there are none


def _uniform(*names: str, by: Renumber, outs: Sequence[int] = (0,)) -> Rule:
    """The operands `names` and the outputs `outs` have the rank and the role of the first of them."""

    def rule(node: Node, role: Role, side: Side) -> Fit | None:
        values = [v for n in names for v in listed(node.operands[n])]
        if any(v.type.rank != role.rank for v in values):
            return None
        several = node.op.outputs[0].endswith("*")
        followed = [o for i, o in enumerate(node.outputs) if several or i in outs]
        if any(o.type.rank != role.rank for o in followed) or by(node, identity(role.rank)) is None:
            return None
        roles = tuple(role if o in followed else None for o in node.outputs)
        return Fit(dict.fromkeys(names, role), roles, lambda layout: by(node, role.order(layout)) or {})

    return rule


def _axis(node: Node, order: Perm) -> Attrs:
    return {"axis": order.index(normalize_axis(node.attrs["axis"], len(order)))}


def _prelu(node: Node, role: Role, side: Side) -> Fit | None:
    """With an axis the slope is a vector; without, it broadcasts."""
    return (_elementwise if node.attrs["axis"] is None else _uniform("x", by=_axis))(node, role, side)


def _axes(node: Node, order: Perm) -> Attrs:
    """Places of axes that have entries of other attributes beside them, in their order."""
    return {"axes": tuple(order.index(a % len(order)) for a in node.attrs["axes"])}


def _per_axis(*names: str) -> Renumber:
    """Attributes with one entry for each axis."""
    return lambda node, order: {n: tuple(node.attrs[n][a] for a in order) for n in names}


def _broadcast_axes(node: Node, order: Perm) -> Attrs:
    return {"broadcast_axes": tuple(sorted(order.index(a % len(order)) for a in node.attrs["broadcast_axes"]))}


def _gather(node: Node, role: Role, side: Side) -> Fit | None:
    rank = node.operand("indices").type.rank
    if node.attrs["batch_dims"] or rank > 1:
        return None
    return (_uniform("data", by=_axis) if rank else _dropping(_one_axis, "data"))(node, role, side)


def _block_norm(node: Node, role: Role, side: Side, target: Layout) -> Fit | None:
    """layer_norm and rms_norm: scale and bias have the normalised axes in ascending order, which must stay."""
    axes = normalize_axes(node.attrs["axes"], role.rank)
    order = role.order("channels_first" if role.layout == "channels_last" else "channels_last")
    if node.operand("x").type.rank != role.rank or [a for a in order if a in axes] != sorted(axes):
        return None

    def attrs(layout: Layout) -> Attrs:
        return {"axes": tuple(sorted(role.order(layout).index(a) for a in axes))}

    trailing = [layout for layout in _BOTH if max(attrs(layout)["axes"]) == role.rank - 1]
    apart: Layout | None = next((layout for layout in _BOTH if trailing and layout not in trailing), None)
    if role.tokens and apart is not None and target == "channels_first":
        return Fit({"x": role}, (role,), attrs, only=trailing[0])
    # No target has the op over an axis in the middle: it is written out, which reads its operand once more.
    return Fit({"x": role}, (role,), attrs, surcharge=None if apart is None else (apart, 0.5))


_BOTH: tuple[Layout, Layout] = ("channels_first", "channels_last")


def _batch_norm(node: Node, role: Role, side: Side, target: Layout) -> Fit | None:
    if node.operand("x").type.rank != role.rank:
        return None
    own = normalize_axis(node.attrs["axis"], role.rank) == role.channel
    # PyTorch and ONNX normalise axis 1 alone: elsewhere two transposes stand round it.
    extra: tuple[Layout, float] | None = ("channels_last", 2.0) if own and target == "channels_first" else None
    return Fit({"x": role}, (role, None, None), lambda layout: _axis(node, role.order(layout)), surcharge=extra)


# -- axes that go or come -------------------------------------------------------------------------------------------
Gone = Callable[[Node, int], "tuple[set[int], Callable[[Perm], Attrs]] | None"]


def _dropping(gone: Gone, name: str = "x") -> Rule:
    """The result has the operand's axes but those that `gone` tells."""

    def rule(node: Node, role: Role, side: Side) -> Fit | None:
        rank = node.operand(name).type.rank
        found = gone(node, rank)
        if found is None:
            return None
        axes, attrs = found
        if side == "out":
            wide = with_axes(role, axes)
            if wide is None or without(wide, axes) != role:
                return None
            role = wide
        if role.rank != rank:
            return None
        out = without(role, axes)
        if out is None and not _same_when_gone(role, axes):
            return None
        return Fit({name: role}, (out,), lambda layout: attrs(role.order(layout)))

    return rule


def _same_when_gone(role: Role, axes: set[int]) -> bool:
    """Whether what is left of a value lies in the same order in both layouts."""
    return all(
        [a for a in role.order(layout) if a not in axes] == sorted(set(range(role.rank)) - axes) for layout in _BOTH
    )


def _one_axis(node: Node, rank: int) -> tuple[set[int], Callable[[Perm], Attrs]]:
    axis = normalize_axis(node.attrs["axis"], rank)
    return {axis}, lambda order: {"axis": order.index(axis)}


def _squeezed(node: Node, rank: int) -> tuple[set[int], Callable[[Perm], Attrs]]:
    axes = set(normalize_axes(node.attrs["axes"], rank))
    return axes, lambda order: {"axes": tuple(sorted(order.index(a) for a in axes))}


def _reduced(node: Node, rank: int) -> tuple[set[int], Callable[[Perm], Attrs]] | None:
    given = node.attrs["axes"]
    axes = set(range(rank) if given is None else normalize_axes(given, rank))
    return axes, lambda order: {} if given is None else {"axes": tuple(sorted(order.index(a) for a in axes))}


def _reduction(node: Node, role: Role, side: Side) -> Fit | None:
    if not node.attrs["keepdims"]:
        return _dropping(_reduced)(node, role, side)
    if node.attrs["axes"] is None:
        return _uniform("x", by=lambda node, order: {})(node, role, side)
    return _uniform("x", by=_sorted_axes)(node, role, side)


def _sorted_axes(node: Node, order: Perm) -> Attrs:
    return {"axes": tuple(sorted(order.index(a % len(order)) for a in node.attrs["axes"]))}


def _position(node: Node, role: Role, side: Side) -> Fit | None:
    """argmax and argmin."""
    return (_uniform("x", by=_axis) if node.attrs["keepdims"] else _dropping(_one_axis))(node, role, side)


Came = Callable[[Node], "tuple[set[int], Callable[[Perm], Attrs]]"]


def _adding(came: Came, name: str = "x") -> Rule:
    """The result has the operand's axes and those that `came` tells."""

    def rule(node: Node, role: Role, side: Side) -> Fit | None:
        axes, attrs = came(node)
        rank = node.output.type.rank
        out = with_axes(role, axes) if side == "in" else role
        if out is None or out.rank != rank or (side == "in" and without(out, axes) != role):
            return None
        inner = without(out, axes)
        if inner is None and not _same_when_gone(out, axes):
            return None
        ins = {} if inner is None else {name: inner}
        return Fit(ins, (out,), lambda layout: attrs(out.order(layout)))

    return rule


def _new_axes(node: Node) -> tuple[set[int], Callable[[Perm], Attrs]]:
    axes = set(normalize_axes(node.attrs["axes"], node.output.type.rank))
    return axes, lambda order: {"axes": tuple(sorted(order.index(a) for a in axes))}


def _new_axis(node: Node) -> tuple[set[int], Callable[[Perm], Attrs]]:
    axis = normalize_axis(node.attrs["axis"], node.output.type.rank)
    return {axis}, lambda order: {"axis": order.index(axis)}


def _select_update(node: Node, role: Role, side: Side) -> Fit | None:
    x = node.operand("x")
    axis = normalize_axis(node.attrs["axis"], x.type.rank)
    if x.type.rank != role.rank:
        return None
    inner = without(role, {axis})
    if inner is None and not _same_when_gone(role, {axis}):
        return None
    ins = {"x": role} if inner is None else {"x": role, "update": inner}
    return Fit(ins, (role,), lambda layout: {"axis": role.order(layout).index(axis)})


# -- other orders and shapes ----------------------------------------------------------------------------------------
def _transpose(node: Node, role: Role, side: Side) -> Fit | None:
    """A transpose from one layout to the other is none at all where both sides are stored alike."""
    perm = normalize_axes(node.attrs["perm"], role.rank)
    channel = perm.index(role.channel) if side == "in" else perm[role.channel]
    other = role_of(role.lead, channel, role.rank, role.tokens)
    batches = set(range(role.lead))
    if other is None or {perm[a] for a in batches} != batches:
        return None
    x, y = (role, other) if side == "in" else (other, role)

    def attrs(layout: Layout) -> Attrs:
        stored = x.order(layout)
        return {"perm": tuple(stored.index(perm[a]) for a in y.order(layout))}

    def make(b: Builder, node: Node, operands: Operands, layout: Layout) -> tuple[Value, ...]:
        new = attrs(layout)["perm"]
        return (operands["x"] if new == identity(role.rank) else b.transpose(operands["x"], perm=new),)

    return Fit({"x": x}, (y,), attrs, make=make)


def _reshape(node: Node, role: Role, side: Side) -> Fit | None:
    """A reshape that only adds or drops axes of size 1."""
    old, new = node.operand("x").type.shape, node.output.type.shape
    wide, made = ([a for a, d in enumerate(s) if d != 1] for s in (old, new))
    if [old[a] for a in wide] != [new[a] for a in made]:
        return None
    given, other, known, shape = (wide, made, old, new) if side == "in" else (made, wide, new, old)
    found = _carried(role, given, other, known, shape)
    x, y = (role, found) if side == "in" else (found, role)
    for layout in _BOTH:
        before = x.order(layout) if x is not None else identity(len(old))
        after = y.order(layout) if y is not None else identity(len(new))
        if [wide.index(a) for a in before if a in wide] != [made.index(a) for a in after if a in made]:
            return None
    return _viewed(x, y, new)


def _viewed(x: Role | None, y: Role | None, shape: Shape) -> Fit:
    """The fit of a reshape between values of these roles, to this shape in the order of the source."""

    def make(b: Builder, node: Node, operands: Operands, layout: Layout) -> tuple[Value, ...]:
        return (b.reshape(operands["x"], shape=shape if y is None else y.stored(shape, layout)),)

    return Fit({} if x is None else {"x": x}, (y,), make=make)


def _among_positions(node: Node, role: Role, side: Side) -> Fit | None:
    """A reshape of the positions alone: batch and channels stay, a map becomes a row of tokens or a row a map."""
    known, shape = node.operand("x").type.shape, node.output.type.shape
    if side == "out":
        known, shape = shape, known
    rank, first = len(shape), role.layout == "channels_first"
    if role.lead != 1 or role.rank != len(known) or rank < 3:
        return None
    channel = 1 if first else rank - 1
    if not (same(known[0], shape[0]) is True and same(known[role.channel], shape[channel]) is True):
        return None
    other = role_of(1, channel, rank, tokens=rank == 3 < role.rank)
    x, y = (role, other) if side == "in" else (other, role)
    return _viewed(x, y, node.output.type.shape)


def _among_batches(node: Node, role: Role, side: Side) -> Fit | None:
    """A reshape of the batches alone: frames of a video as images, or images as frames."""
    known, shape = node.operand("x").type.shape, node.output.type.shape
    if side == "out":
        known, shape = shape, known
    lead = len(shape) - (role.rank - role.lead)
    if role.rank != len(known) or role.lead < 1 or lead < 1:
        return None
    if not all(same(a, b) is True for a, b in zip(known[role.lead :], shape[lead:], strict=True)):
        return None
    other = role_of(lead, role.channel - role.lead + lead, len(shape), role.tokens)
    x, y = (role, other) if side == "in" else (other, role)
    return _viewed(x, y, node.output.type.shape)


def _carried(role: Role, given: list[int], other: list[int], known: Sequence[Any], shape: Sequence[Any]) -> Role | None:
    """The role on the other side of a reshape: the channels' axis is followed, batches of size 1 or more stay."""
    if role.rank != len(known) or role.lead != 1 or role.channel not in given or known[0] != shape[0]:
        return None
    channel = other[given.index(role.channel)]
    return role_of(channel if role.layout == "channels_first" else 1, channel, len(shape), role.tokens)


def _linear(node: Node, role: Role, side: Side, target: Layout) -> Fit | None:
    """A dense layer over the channels reads them last; where they stand first it is a convolution with a window of 1."""
    shape = node.operand("x").type.shape
    if role.layout != "channels_last" or node.operand("x").type.rank != role.rank:
        return None
    spatial = len(shape) - 2
    dense = not role.tokens and role.lead == 1 and 1 <= spatial <= 3 and 0 not in shape and target == "channels_first"
    if not dense or node.operand("weight").type.rank != 2:
        return Fit({"x": role}, (role,), only="channels_last")

    def make(b: Builder, node: Node, operands: Operands, layout: Layout) -> tuple[Value, ...]:
        if layout == "channels_last":
            return (b.linear(**operands),)
        window = b.unsqueeze(operands["weight"], axes=tuple(range(2, 2 + spatial)))
        ones = (1,) * spatial
        return (b.conv(operands["x"], window, operands.get("bias"), strides=ones, dilations=ones),)

    return Fit({"x": role}, (role,), make=make, rewritten="channels_first")


TARGETED: dict[str, Callable[[Node, Role, Side, Layout], Fit | None]] = {
    "linear": _linear, "layer_norm": _block_norm, "rms_norm": _block_norm, "batch_norm": _batch_norm,
}  # fmt: skip

_SLICED = _uniform("x", by=_axes)
RULES: dict[str, Rule] = {
    "identity": _elementwise, "stop_gradient": _elementwise, "mask_fill": _elementwise, "expand": _expand,
    **dict.fromkeys(("softmax", "log_softmax", "glu", "normalize", "cumsum", "cumprod", "split"), _uniform("x", by=_axis)),
    "concat": _uniform("xs", by=_axis), "prelu": _prelu,
    "dropout": _uniform("x", by=_broadcast_axes),
    **dict.fromkeys(("sort", "top_k"), _uniform("x", by=_axis, outs=(0, 1))),
    "gather": _gather, "gather_elements": _uniform("data", "indices", by=_axis), "sample_axis": _uniform("x", by=_axis),
    "compress": _uniform("data", by=_axis),
    "pad": _uniform("x", by=_per_axis("pads")), "tile": _uniform("x", by=_per_axis("repeats")),
    "slice": _SLICED, "slice_update": _uniform("x", "update", by=_axes), "flip": _SLICED, "roll": _SLICED,
    **dict.fromkeys(
        (
            "reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_any", "reduce_all", "reduce_prod",
            "reduce_l1", "reduce_l2", "reduce_log_sum_exp", "reduce_std", "reduce_sum_square", "reduce_var",
        ),
        _reduction,
    ),
    "argmax": _position, "argmin": _position, "select": _dropping(_one_axis), "squeeze": _dropping(_squeezed),
    "unsqueeze": _adding(_new_axes), "stack": _adding(_new_axis, "xs"), "one_hot": _adding(_new_axis, "indices"),
    "select_update": _select_update,
    "transpose": _transpose, "reshape": _reshape, "flatten": _reshape,  # these two: and `flattened`
}  # fmt: skip
