"""What a graph is made of besides computing: constants, names for values, points of order."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.partial.values import Ref
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.handles import Strings
from converter.importers.tensorflow.quantised import Quantised, unpacked
from converter.importers.tensorflow.table import rule
from ir.data import Array
from ir.types import require_same


@rule("Const")
def const(c: TensorflowContext) -> Ref | Strings | Quantised:
    """The content of the graph itself."""
    from tensorflow import make_ndarray

    c.ignore("dtype")
    array = make_ndarray(c.attr("value"))
    if array.dtype == object:
        return Strings(array)
    if (found := unpacked(array)) is not None:
        return Quantised(found[0], c.importer.stored(c.dotted_name(), Array(found[1])))
    return c.importer.stored(c.dotted_name(), Array(np.asarray(array)))


@rule("Identity", "IdentityN", "PreventGradient", "Snapshot")
def identity(c: TensorflowContext) -> list[Any]:
    c.ignore("message")
    if "_gradient_op_type" in c.node.attr:
        c.note(
            "a gradient of the source's own (tf.custom_gradient) is not carried over: the converted model has that of its operations"
        )
    return list(c.inputs)


@rule("EnsureShape")
def ensure_shape(c: TensorflowContext) -> Ref:
    """What is given, of the sizes that the source demands: those that are open become assumptions."""
    wanted = c.attr("shape")
    if wanted is None:
        return c.ref(0)
    if len(wanted) != c.rank():
        c.refuse(f"the shape {list(wanted)} is demanded of {c.type()}: it always fails")
    for have, want in zip(c.type().shape, wanted, strict=True):
        if want is not None:
            require_same(have, want, "ensure_shape")
    return c.ref(0)


@rule("Placeholder", "PlaceholderV2")
def placeholder(c: TensorflowContext) -> None:
    c.refuse("nothing gives this placeholder a value", "name it among the inputs")


@rule("PlaceholderWithDefault")
def with_default(c: TensorflowContext) -> Any:
    """Its default, where it is no input."""
    c.ignore("shape", "dtype")
    c.note(f"{c.node.name} is always its default value; name it among the inputs to keep it one")
    return c.inputs[0]


@rule("NoOp")
def no_op(c: TensorflowContext) -> None:
    """Only orders what runs before and after it."""
