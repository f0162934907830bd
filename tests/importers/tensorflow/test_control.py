"""Branches, loops, switches, and variables that are assigned, inside of them or not."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import converter
from converter.errors import ConversionError
from converter.importers.tensorflow import load
from tests.importers.tensorflow.agree import agree, floats, spec

ROWS = spec(None, 3, name="x")
CASES = [{"x": floats(2, 3)}, {"x": np.abs(floats(1, 3))}, {"x": -np.abs(floats(4, 3))}, {"x": floats(3, 3, seed=2)}]


class Held(tf.Module):
    """Variables that functions below read and assign."""

    def __init__(self) -> None:
        self.w = tf.Variable(floats(3, 3))
        self.n = tf.Variable(0.5, trainable=False)
        self.k = tf.Variable(1, trainable=False)


held = Held()


def ops(model) -> list[str]:
    return [n.op.name for n in model.nodes()]


def branch(x):
    return x @ held.w if tf.reduce_sum(x) > 0 else x + 1.0


def branch_of_sizes(x):
    """One that sizes decide is taken at conversion where they are known."""
    return x * 2.0 if tf.shape(x)[1] == 3 else x


def branch_that_filters(x):
    return x[:1] if tf.reduce_sum(x) > 0 else x


def branch_that_assigns(x):
    if tf.reduce_sum(x) > 0:
        held.n.assign_add(2.0)
        y = x
    else:
        y = x * 3.0
    return y * held.n


def assigned_before_a_branch(x):
    held.n.assign(tf.reduce_sum(x))
    if held.n > 0:
        held.n.assign_add(1.0)
        z = held.n * 2.0
    else:
        z = held.n + 0.0
    return z, held.n + 0.0


def counted(x):
    for i in tf.range(4):
        x = tf.tanh(x @ held.w) + tf.cast(i, tf.float32)
    return x


def counted_by_a_size(x):
    s = tf.zeros([3])
    for i in tf.range(tf.shape(x)[0]):
        s = s * 0.5 + x[i]
    return s


def in_steps(x):
    s, i = x, tf.constant(1)
    while tf.logical_and(i < 10, i <= 7):
        s, i = s + tf.cast(i, tf.float32), i + 3
    return s, i


def until(x):
    i = 0
    while tf.reduce_sum(x) < 100.0 and i < 20:
        x, i = x + 1.0, i + 1
    return x, i


def grows(x):
    i, y = 0, x[:1]
    while i < 3:
        tf.autograph.experimental.set_loop_options(shape_invariants=[(y, tf.TensorShape([None, 3]))])
        y, i = tf.concat([y, x], 0), i + 1
    return y


def loop_that_assigns(x):
    for i in tf.range(3):
        held.k.assign_add(i)
        held.n.assign_add(tf.reduce_sum(x))
    return x * held.n, held.k + 0


def no_trip(x):
    for _ in tf.range(tf.shape(x)[0] - 4):
        x = x * 2.0
    return x


def leaves_early(x):
    for _ in tf.range(10):
        if tf.reduce_sum(x) > 5.0:
            break
        x = x + 0.5
    return x


def nested(x):
    for _ in tf.range(3):
        x = x - 1.0 if tf.reduce_sum(x) > 0.0 else x * 2.0
    return x


def switch(x):
    return tf.switch_case(tf.cast(tf.reduce_sum(x), tf.int32), [lambda: x, lambda: x * 2.0, lambda: x @ held.w])


def switch_of_a_size(x):
    return tf.switch_case(tf.shape(x)[0], [lambda: x, lambda: x * 2.0, lambda: x * 3.0])


def assigned_in_order(x):
    before = held.n + 0.0
    held.n.assign(held.n * 0.9 + tf.reduce_mean(x))
    held.k.assign_sub(2)
    return before, held.n * x, held.k * 2


FUNCTIONS = [
    branch, branch_of_sizes, branch_that_filters, branch_that_assigns, assigned_before_a_branch, counted, counted_by_a_size,
    in_steps, until, grows, loop_that_assigns, no_trip, leaves_early, nested, switch, switch_of_a_size, assigned_in_order,
]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_agrees(function):
    agree(tf.function(function, input_signature=[ROWS]), CASES, variables=[held.n, held.k])


def test_decided_branches_are_gone():
    assert "cond" not in ops(load(tf.function(branch_of_sizes, input_signature=[ROWS])))


@pytest.mark.parametrize(
    ("function", "trips"), [(counted, "4"), (counted_by_a_size, "max(batch, 0)"), (in_steps, "3"), (until, "None")]
)
def test_number_of_trips(function, trips):
    """A loop that only counts runs so often, without a condition of its own."""
    model = load(tf.function(function, input_signature=[ROWS]))
    (loop,) = [n for n in model.nodes() if n.op.name == "while"]
    assert str(loop.attrs["trips"]).replace("batch", "max(batch, 0)" if trips == "max(batch, 0)" else "batch") == trips


def test_a_counter_that_nobody_reads_is_gone():
    @tf.function(input_signature=[ROWS])
    def f(x):
        for _ in tf.range(4):
            x = x * 2.0
        return x

    (loop,) = [n for n in load(f).nodes() if n.op.name == "while"]
    assert len(loop.outputs) == 1


def test_calls_are_kept_in_order():
    """Each call of a function that assigns begins with what the one before has left."""

    @tf.function
    def bump(x):
        held.n.assign_add(1.0)
        return x * held.n

    @tf.function(input_signature=[ROWS])
    def f(x):
        return bump(x), bump(x)

    agree(f, CASES[:1], variables=[held.n])


def test_order_that_the_graph_leaves_open():
    """A graph without edges between a read and an assignment has no one answer."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [3])
        v = tf.compat.v1.get_variable("v", [3], use_resource=True)
        handle = v.handle
        wrapped = [tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32) + x]
        write = tf.raw_ops.AssignVariableOp(resource=handle, value=x)
        with graph.control_dependencies([write]):
            wrapped.append(tf.identity(x))
    from converter.importers.base import ImportOptions, Planner
    from converter.importers.partial.values import Ref
    from converter.importers.tensorflow import rules
    from converter.importers.tensorflow.graph import Frame, GraphImporter
    from converter.importers.tensorflow.handles import Variable
    from converter.importers.tensorflow.wiring import Library
    from ir.core import Builder, Model
    from ir.data import Array

    rules.register()
    proto = graph.as_graph_def()
    model, plan, library = Model("m"), Planner(), Library(proto.library)
    importer = GraphImporter(library, model, plan, ImportOptions())
    outputs = [(t.op.name, 0) for t in wrapped]
    frame = Frame(Builder(model.graph), library.graph(proto, outputs, (), "graph"))
    value = model.graph.add_input(importer.stored("x", Array(np.zeros(3, np.float32))).type, "x")
    frame.names[x.op.name, 0] = Ref(value.type, value)
    record = {"kind": "buffer", "trainable": False}
    frame.names[handle.op.name, 0] = Variable("v", importer.stored("v", Array(np.zeros(3, np.float32)), record))
    importer.run(frame)
    with pytest.raises(ConversionError, match="nothing says whether it comes before"):
        plan.check()


def test_what_is_left_out_is_told():
    @tf.function(input_signature=[ROWS])
    def f(x):
        tf.print("rows", tf.shape(x), x)
        tf.debugging.assert_greater(tf.reduce_sum(x), -1000.0)
        tf.debugging.assert_equal(tf.rank(x), 2)
        return tf.debugging.check_numerics(x * 2.0, "no number")

    model = agree(f, CASES[:1])
    assert len(model.notes) == 3 and "printing" in model.notes[0]


def test_checks_that_always_fail_are_refused():
    @tf.function(input_signature=[ROWS])
    def f(x):
        tf.raw_ops.Assert(condition=tf.constant(False), data=[tf.constant("never")])
        return x

    with pytest.raises(ConversionError, match="always fails"):
        load(f)


def test_effects_without_a_rule_are_refused():
    """Nothing that has an effect is dropped, whether its result is read or not."""

    @tf.function(input_signature=[ROWS])
    def f(x):
        tf.io.write_file("/nowhere/at/all", "text")
        tf.raw_ops.QueueCloseV2(handle=tf.raw_ops.FIFOQueueV2(component_types=[tf.float32]))
        return x

    with pytest.raises(ConversionError) as error:
        load(f)
    assert {"WriteFile", "QueueCloseV2"} <= {u.op for u in error.value.unsupported}


def test_a_variable_that_is_trained_and_assigned():
    module = tf.Module()
    module.m = tf.Variable(floats(3))

    @tf.function(input_signature=[ROWS])
    def f(x):
        module.m.assign(module.m * 0.5 + tf.reduce_mean(x, 0))
        return x - module.m

    model = load(f)
    assert [w.kind for w in model.weights.values()] == ["buffer"] and "not trained" in model.notes[0]
    for target in ("torch", "onnx"):
        report = converter.convert(f, to=target).report.verification
        assert report is not None and report.passed


def test_demanded_sizes_are_assumed():
    """`ensure_shape` stops at other sizes; so does what is written."""
    model = agree(tf.function(lambda x: tf.ensure_shape(x, [2, None]) * 2.0, input_signature=[ROWS]), CASES[:1])
    assert [str(a) for a in model.assumptions] and "batch" in str(model.assumptions[0])
    with pytest.raises(ConversionError):
        load(
            tf.function(lambda x: tf.raw_ops.EnsureShape(input=x, shape=[None, 4]), input_signature=[spec(None, None)]),
            ["float32[n,3]"],
        )


def test_a_gradient_of_its_own_is_told():
    @tf.custom_gradient
    def clipped(x):
        return x * 2.0, lambda g: tf.clip_by_value(g, -1.0, 1.0)

    assert any("custom_gradient" in n for n in agree(tf.function(clipped, input_signature=[ROWS]), CASES[:1]).notes)
