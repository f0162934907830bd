"""Rules on ops that move elements without changing them."""

from __future__ import annotations

from ir.core.builder import Builder
from ir.core.graph import Node
from ir.passes.simplify_rules import APART, Outcome, fail, hit, made_by, rule, same_shape, same_type, together
from ir.types import normalize_axes, normalize_axis

_VIEWS = ("reshape", "flatten", "squeeze", "unsqueeze")


@rule("identity")
def identity(node: Node, b: Builder) -> Outcome:
    return hit(node.operand("x"), "identity(x) is x")


@rule("reshape", "flatten", "expand", "tile", "squeeze", "unsqueeze")
def to_same_shape(node: Node, b: Builder) -> Outcome:
    x = node.operand("x")
    return hit(x, f"{node.op.name} to the shape that x has") if same_type(x, node) else None


@rule("reshape")
def reshape_of_view(node: Node, b: Builder) -> Outcome:
    inner = made_by(node.operand("x"), *_VIEWS)
    if inner is None:
        return None
    if not together(node, inner):
        return fail(APART)
    return hit(b.reshape(inner.operand("x"), shape=node.attrs["shape"]), f"reshape of {inner.op.name} keeps the order")


@rule("squeeze")
def squeeze_of_unsqueeze(node: Node, b: Builder) -> Outcome:
    inner = made_by(node.operand("x"), "unsqueeze")
    if inner is None or not same_type(inner.operand("x"), node):
        return None
    rank = node.operand("x").type.rank
    if set(normalize_axes(inner.attrs["axes"], rank)) != set(normalize_axes(node.attrs["axes"] or (), rank)):
        return None
    return hit(inner.operand("x"), "squeeze undoes unsqueeze") if together(node, inner) else fail(APART)


@rule("unsqueeze")
def unsqueeze_of_squeeze(node: Node, b: Builder) -> Outcome:
    inner = made_by(node.operand("x"), "squeeze")
    if inner is None or not same_type(inner.operand("x"), node):
        return None
    # Both only drop and add axes of size 1, so equal shapes are equal element orders.
    return hit(inner.operand("x"), "unsqueeze undoes squeeze") if together(node, inner) else fail(APART)


@rule("transpose")
def transpose(node: Node, b: Builder) -> Outcome:
    x = node.operand("x")
    perm = normalize_axes(node.attrs["perm"], x.type.rank)
    if perm == tuple(range(x.type.rank)):
        return hit(x, "transpose keeps the axes in order")
    inner = made_by(x, "transpose")
    if inner is None:
        return None
    if not together(node, inner):
        return fail(APART)
    first = normalize_axes(inner.attrs["perm"], x.type.rank)
    both = tuple(first[p] for p in perm)
    source = inner.operand("x")
    if both == tuple(range(len(both))):
        return hit(source, "transpose undoes transpose")
    return hit(b.transpose(source, perm=both), "two transposes are one")


@rule("expand")
def expand_of_expand(node: Node, b: Builder) -> Outcome:
    inner = made_by(node.operand("x"), "expand")
    if inner is None:
        return None
    if not together(node, inner):
        return fail(APART)
    return hit(b.expand(inner.operand("x"), shape=node.attrs["shape"]), "two expands are one")


@rule("slice")
def full_slice(node: Node, b: Builder) -> Outcome:
    x = node.operand("x")
    if any(step != 1 for step in node.attrs["steps"]) or not same_type(x, node):
        return None
    # With steps of 1 a result as long as the axis holds all of it in order.
    return hit(x, "the slice takes every element")


@rule("pad")
def pad_of_nothing(node: Node, b: Builder) -> Outcome:
    if all(low == 0 and high == 0 for low, high in node.attrs["pads"]):
        return hit(node.operand("x"), "nothing is padded")
    return None


@rule("flip", "roll")
def moves_nothing(node: Node, b: Builder) -> Outcome:
    x = node.operand("x")
    axes = node.attrs["axes"]
    if axes is None:
        return None
    shifts = node.attrs.get("shifts", ())
    if (axes == () or (shifts and all(s == 0 for s in shifts))) and same_type(x, node):
        return hit(x, f"{node.op.name} moves nothing")
    return None


@rule("flip")
def flip_of_flip(node: Node, b: Builder) -> Outcome:
    inner = made_by(node.operand("x"), "flip")
    if inner is None:
        return None
    rank = node.output.type.rank
    outer_axes, inner_axes = (normalize_axes(n.attrs["axes"], rank) for n in (node, inner))
    if set(outer_axes) != set(inner_axes):
        return None
    return hit(inner.operand("x"), "flip undoes flip") if together(node, inner) else fail(APART)


@rule("concat")
def concat(node: Node, b: Builder) -> Outcome:
    xs = node.operands["xs"]
    axis = normalize_axis(node.attrs["axis"], node.output.type.rank)
    kept = [x for x in xs if x.type.shape[axis] != 0] or list(xs[:1])
    if len(kept) == 1:
        why = "the others are empty" if len(xs) > 1 else "concat of one"
        return hit(kept[0], why) if same_type(kept[0], node) else None
    shape = list(kept[0].type.shape)  # its other sizes may be stated otherwise than those of the operand dropped
    shape[axis] = sum((x.type.shape[axis] for x in kept), start=0)
    if len(kept) == len(xs) or not same_shape(tuple(shape), node.output.type.shape):
        return None
    return hit(b.concat(kept, axis=axis), "empty operands add nothing")


@rule("concat")
def concat_of_split(node: Node, b: Builder) -> Outcome:
    xs = node.operands["xs"]
    inner = made_by(xs[0], "split") if len(xs) > 1 else None
    if inner is None or tuple(xs) != tuple(inner.outputs) or not same_type(inner.operand("x"), node):
        return None  # along another axis the type would be another
    return hit(inner.operand("x"), "concat undoes split") if together(node, inner) else fail(APART)


@rule("split")
def split_into_one(node: Node, b: Builder) -> Outcome:
    x = node.operand("x")
    if len(node.outputs) == 1 and same_type(x, node):
        return hit(x, "split into one part")
    return None


@rule("select")
def select_of_stack(node: Node, b: Builder) -> Outcome:
    inner = made_by(node.operand("x"), "stack")
    index = node.attrs["index"]
    if inner is None or not isinstance(index, int):
        return None
    rank = node.operand("x").type.rank
    xs = inner.operands["xs"]
    if normalize_axis(inner.attrs["axis"], rank) != normalize_axis(node.attrs["axis"], rank):
        return None
    if not -len(xs) <= index < len(xs):
        return fail(f"index {index} is out of range")
    return hit(xs[index], "select takes back what stack put there") if together(node, inner) else fail(APART)


@rule("select")
def select_of_unsqueeze(node: Node, b: Builder) -> Outcome:
    inner = made_by(node.operand("x"), "unsqueeze")
    if inner is None or not same_type(inner.operand("x"), node) or node.attrs["index"] not in (0, -1):
        return None
    rank = node.operand("x").type.rank
    if normalize_axes(inner.attrs["axes"], rank) != (normalize_axis(node.attrs["axis"], rank),):
        return None
    if not together(node, inner):
        return fail(APART)
    return hit(inner.operand("x"), "select drops the axis that unsqueeze added")


@rule(
    "add", "sub", "mul", "div", "maximum", "minimum", "pow", "equal", "less", "greater", "less_equal", "greater_equal",
)  # fmt: skip
def operand_expanded_for_nothing(node: Node, b: Builder) -> Outcome:
    """A binary op broadcasts by itself: `x + expand(y, shape of x)` is `x + y`."""
    for name, other in (("x", "y"), ("y", "x")):
        inner = made_by(node.operand(name), "expand")
        if inner is None or not same_shape(node.operand(other).type.shape, node.output.type.shape):
            continue
        if not together(node, inner):
            return fail(APART)
        operands = {name: inner.operand("x"), other: node.operand(other)}
        return hit(b.op(node.op, operands["x"], operands["y"]), "the op broadcasts by itself")
    return None


@rule("squeeze", "unsqueeze")
def view_of_view(node: Node, b: Builder) -> Outcome:
    """`squeeze(squeeze(x))` and `unsqueeze(unsqueeze(x))` with the axes counted in one step."""
    inner = made_by(node.operand("x"), node.op.name)
    if inner is None or inner.attrs["axes"] is None or node.attrs["axes"] is None:
        return None
    if not together(node, inner):
        return fail(APART)
    rank = inner.operand("x").type.rank
    if node.op.name == "squeeze":
        first = normalize_axes(inner.attrs["axes"], rank)
        rest = [i for i in range(rank) if i not in first]
        axes = (*first, *(rest[a] for a in normalize_axes(node.attrs["axes"], len(rest))))
    else:
        total = node.output.type.rank
        second = normalize_axes(node.attrs["axes"], total)
        rest = [i for i in range(total) if i not in second]
        axes = (*second, *(rest[a] for a in normalize_axes(inner.attrs["axes"], len(rest))))
    made = b.op(node.op, inner.operand("x"), axes=tuple(sorted(axes)))
    return hit(made, f"two of {node.op.name} are one")
