"""ATen conversions of element type, and the copies that change nothing."""

from __future__ import annotations

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value
from ir.types import dtypes


@rule("aten._to_copy.default", "aten.type_as.default")
def to(c: TorchContext, a: Call) -> Value:
    for name in ("dtype", "layout", "other"):
        if a.has(name):
            a.raw(name)
    x = a.value("self")
    if x.type.dtype.is_complex and not (a.dtype.is_complex or a.dtype.is_bool):
        return c.cast(c.b.real(x), a.dtype)  # torch drops the imaginary part, with a warning
    return c.cast(x, a.dtype)


@rule("aten.clone.default", "aten.alias.default")
def same(c: TorchContext, a: Call) -> Value:
    return a.value("self")


@rule("aten.detach.default", "aten.detach_copy.default")
def detach(c: TorchContext, a: Call) -> Value:
    """Values pass, the gradient does not."""
    x = a.value("self")
    return c.b.stop_gradient(x) if _differentiable(c, x) else x


def _differentiable(c: TorchContext, value: Value) -> bool:
    """Whether a gradient may pass through a value: it is a float that depends on a parameter or on a float input."""
    known = c.differentiable
    todo = [value]
    while todo:
        item = todo[-1]
        floats = item.type.dtype.is_float or item.type.dtype.is_complex
        node = item.producer
        if item in known or not floats or node is None or node.bodies or node.op.name == "stop_gradient":
            weight = c.model.weight_of(item)
            stopped = node is not None and node.op.name == "stop_gradient"
            own = weight.kind == "parameter" if weight else not stopped
            known.setdefault(item, floats and own)
            todo.pop()
        elif waiting := [v for v in node.inputs if v not in known]:
            todo += waiting
        else:
            known[item] = any(known[v] for v in node.inputs)
            todo.pop()
    return known[value]


@rule("aten.copy.default")
def copy(c: TorchContext, a: Call) -> Value:
    """The result of an in-place `x.copy_(src)`: src in the dtype and shape of x."""
    x, src = a.value("self"), c.cast(a.value("src"), a.dtype)
    return src if src.type.shape == x.type.shape else c.b.expand(src, shape=x.type.shape)


@rule("aten.view.dtype")
def view_dtype(c: TorchContext, a: Call) -> Value:
    a.raw("dtype")
    x = a.value("self")
    if x.type.dtype.bits != a.dtype.bits:
        c.refuse("reinterpreting bits as a type of another width")
    if dtypes.bool_ in (x.type.dtype, a.dtype) and x.type.dtype != a.dtype:
        c.refuse("reinterpreting bits as or from bool")
    return x if x.type.dtype == a.dtype else c.b.bitcast(x, to=a.dtype)
