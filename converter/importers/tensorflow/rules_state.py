"""Variables: read where the graph has them, assigned as state of the model."""

from __future__ import annotations

import numpy as np

from converter.importers.partial.values import Ref, known
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.rules_shape import content
from converter.importers.tensorflow.table import rule
from ir.types import dtypes


@rule("ReadVariableOp")
def read(c: TensorflowContext) -> Ref:
    c.ignore("dtype")
    return c.read_variable(0)


@rule("AssignVariableOp")
def assign(c: TensorflowContext) -> None:
    c.ignore("dtype", "validate_shape")
    c.assign(c.variable(0), c.x(1))


@rule("AssignAddVariableOp", "AssignSubVariableOp")
def assign_moved(c: TensorflowContext) -> None:
    c.ignore("dtype")
    before = c.value(c.read_variable(0))
    make = c.b.add if c.op == "AssignAddVariableOp" else c.b.sub
    c.assign(c.variable(0), make(before, c.x(1)))


@rule("VariableShape")
def shape(c: TensorflowContext) -> Ref:
    return content(c.read_variable(0).type.shape, c.attr("out_type"))


@rule("VarIsInitializedOp")
def initialised(c: TensorflowContext) -> Ref:
    """Every variable of a model is."""
    c.variable(0)
    found = np.empty((), object)
    found[()] = True
    return known(dtypes.bool_, found)


@rule("Assert")
def assert_(c: TensorflowContext) -> None:
    """A check that holds is left out; any other is told."""
    c.ignore("summarize", "T")
    decided = c.const(0)
    if decided is not None and not bool(decided.reshape(())):
        c.refuse("it always fails")
    if decided is None:
        where = c.b.origin.line or c.node.name
        c.note(f"a check of the source is not carried over, where it fails the converted model goes on: {where}")


@rule("Print", "CheckNumerics", "CheckNumericsV2")
def watched(c: TensorflowContext) -> Ref:
    """The first operand, whatever is said of it."""
    c.ignore("message", "first_n", "summarize", "U")
    if c.op == "Print":
        c.note("printing is left out")
    else:
        c.note("a check that numbers are finite is not carried over: the converted model goes on with what they are")
    return c.ref(0)
