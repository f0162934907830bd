"""Changes of the element type."""

from __future__ import annotations

from converter.importers.partial.values import Ref
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.quantised import KINDS, Quantised
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import DType

_OUTSIDE = (
    "floats beyond the range of {}: what TensorFlow makes of them depends on where they stand; in the converted model the "
    "low bits of the whole number remain"
)


@rule("Cast")
def cast(c: TensorflowContext) -> Value:
    """Complex numbers become their real parts first."""
    x, to = c.x(), c.attr("DstT")
    c.ignore("SrcT")
    if not isinstance(to, DType):
        c.refuse(f"a cast to {to}")
    if x.type.dtype.is_complex and not to.is_complex:
        x = c.b.real(x)
    kind = x.type.dtype
    if c.attr("Truncate") and kind.is_float and to.is_float and to.bits < kind.bits:
        c.refuse("a cast that cuts digits off instead of rounding", "leave Truncate=False")
    if kind.is_float and (to.name in ("uint32", "uint64") or (to.is_integer and to.bits < 32)):
        c.note(_OUTSIDE.format(to))
    return c.cast(x, to)


@rule("Bitcast")
def bitcast(c: TensorflowContext) -> Value | Quantised:
    """Between types of one width; others gain or lose an axis. Those of a quantised type are its integers."""
    x = c.integers(0)[0] if isinstance(c.inputs[0], Quantised) else c.x()
    named = c.attr("type")
    kind, to = x.type.dtype, KINDS.get(named, named) if isinstance(named, str) else named
    if not isinstance(to, DType) or kind.bits != to.bits:
        c.refuse(f"the bits of {kind} as {to}, of another width", "bitcast between types of one width")
    found = x if kind == to else c.b.bitcast(x, to=to)
    return Quantised(named, Ref(found.type, found)) if isinstance(named, str) else found


@rule("DeepCopy", "GuaranteeConst")
def copied(c: TensorflowContext) -> Ref:
    """The same tensor."""
    return c.ref(0)


@rule("StopGradient")
def stop_gradient(c: TensorflowContext) -> Value:
    x = c.x()
    return c.b.stop_gradient(x) if x.type.dtype.is_float or x.type.dtype.is_complex else x
