"""Layouts: every spatial op in both, and no transpose left inside a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ir.ops
from ir.core import Builder, Leaf, Model, Parameter, Signature, Value, copy_model
from ir.data import Array, Weight
from ir.eval import Evaluator
from ir.ops.axes import Layout
from ir.ops.define import OpDef
from ir.passes import DeadCode, Fold, Pipeline, Simplify, recording
from ir.passes.layout import Relayout, _turns_for_free, to_layout
from ir.types import symbol, tensor_type
from ir.verify import check
from tests.ir.random_graphs import random_case, sample_case, samples

LAYOUTS: tuple[Layout, Layout] = ("channels_first", "channels_last")
SPATIAL = [o for o in ir.ops.all_ops() if any(a.name == "layout" for a in o.attributes)]


def layouts(model: Model) -> set[str]:
    return {n.attrs["layout"] for n in model.nodes() if n in model.graph and "layout" in n.attrs}


def transposes(model: Model) -> int:
    return sum(n.op.name == "transpose" for n in model.nodes())


def close(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for name, left in a.items():
        np.testing.assert_allclose(b[name], left, rtol=1e-12, atol=1e-12, equal_nan=True)


def test_the_list_of_spatial_ops_is_not_empty() -> None:
    assert {"conv", "conv_transpose", "max_pool", "avg_pool", "group_norm", "resize"} <= {o.name for o in SPATIAL}


@pytest.mark.parametrize("record", SPATIAL, ids=lambda r: r.name)
def test_every_sample_turns_to_both_layouts(record: OpDef) -> None:
    turned = 0
    for sample in samples(record):
        case = sample_case(record, sample)
        for target in LAYOUTS:
            model = copy_model(case.model)
            with recording() as log:
                changed = Relayout(target).run(model)
            check(model)
            close(case.run("reference"), case.run("reference", model))
            turned += changed
            if changed:
                assert layouts(model) == {target} and {r.rule for r in log.rewrites} == {"turn"}
            assert not Relayout(target).run(model)
    assert turned


class Net:
    """A channels-first network, layer by layer."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.model = Model("net", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
        self.b = Builder(self.model.graph)
        self.x = self.model.graph.add_input(tensor_type("float32", symbol("n"), 3, 8, 8), "x")

    def weight(self, *shape: int) -> Value:
        array = np.abs(self.rng.standard_normal(shape)).astype(np.float32) + 0.1
        return self.model.add_weight(Weight(f"w{len(self.model.weights)}", Array(array)))

    def conv(self, x: Value, out: int, **attrs: Any) -> Value:
        channels = x.type.shape[1]
        assert isinstance(channels, int)
        defaults = {"strides": (1, 1), "padding": "same_upper", "dilations": (1, 1), **attrs}
        return self.b.conv(x, self.weight(out, channels, 3, 3), self.weight(out), **defaults)

    def norm(self, x: Value) -> Value:
        channels = x.type.shape[1]
        assert isinstance(channels, int)
        w = [self.weight(channels) for _ in range(4)]
        return self.b.batch_norm(x, scale=w[0], bias=w[1], mean=w[2], var=w[3])[0]

    def close(self, y: Value) -> Model:
        self.model.graph.set_outputs([y])
        check(self.model)
        return self.model


def resnet() -> Model:
    net = Net()
    b = net.b
    y = b.relu(net.norm(net.conv(net.x, 4)))
    for _ in range(2):
        inner = b.relu(net.norm(net.conv(y, 4)))
        y = b.relu(b.add(net.norm(net.conv(inner, 4)), y))
    y = b.concat((y, b.mul(y, net.weight(4, 1, 1))), axis=1)
    y = b.pad(y, pads=((0, 0), (0, 0), (1, 2), (0, 1)))
    y = b.max_pool(y, window=(2, 2), strides=(2, 2), padding="valid", dilations=(1, 1))
    y = b.clip(b.mul(y, b.constant(np.arange(8, dtype=np.float32).reshape(8, 1, 1))), max=6.0)
    return net.close(b.linear(b.reduce_mean(y, axes=(2, 3)), net.weight(5, 8)))


def run(model: Model) -> dict[str, np.ndarray]:
    x = np.random.default_rng(1).standard_normal((2, 3, 8, 8)).astype(np.float32)
    return Evaluator("reference").run(model, {"x": x})


def test_a_network_has_one_transpose_at_its_border() -> None:
    model = resnet()
    expected = run(model)
    Relayout("channels_last").run(model)
    check(model)
    Pipeline((Fold(), Simplify(), DeadCode()), fixpoint=True, debug=True).run(model)
    close(expected, run(model))
    found = [n.operand("x") for n in model.nodes() if n.op.name == "transpose"]
    assert [v.name for v in found if not _turns_for_free(v)] == ["x"]
    assert layouts(model) == {"channels_last"}


def test_there_and_back_again() -> None:
    model = resnet()
    expected, nodes = run(model), len(model.graph)
    for target in ("channels_last", "channels_first"):
        Relayout(target).run(model)
        check(model)
        Pipeline((Fold(), Simplify(), DeadCode()), fixpoint=True, debug=True).run(model)
        close(expected, run(model))
    assert layouts(model) == {"channels_first"}
    assert len(model.graph) == nodes + 1  # the unsqueeze of a weight that was turned


def test_what_depends_on_the_order_keeps_it() -> None:
    net = Net()
    y = net.b.flatten(net.conv(net.x, 4), start=1)
    model = net.close(net.b.linear(y, net.weight(2, 4 * 64)))
    expected = run(model)
    with recording() as log:
        Relayout("channels_last").run(model)
    close(expected, run(model))
    assert transposes(model) == 2
    assert {m.reason for m in log.misses} == {"the op depends on the order of the axes"}


def test_a_residual_in_the_other_layout_stays() -> None:
    net = Net()
    model = net.close(net.b.add(net.conv(net.x, 3), net.x))
    expected = run(model)
    with recording() as log:
        Relayout("channels_last").run(model)
    check(model)
    close(expected, run(model))
    assert [m.reason for m in log.misses] == ["another operand keeps its order of axes"]


BETWEEN = tuple(
    o for o in ir.ops.all_ops()
    if samples(o) and (o.family in ("elementwise", "arithmetic", "activation") or o.name in ("reduce_max", "concat", "pad"))
)  # fmt: skip


def test_random_models_in_both_layouts() -> None:
    rules: set[str] = set()
    for seed in range(60):
        case = random_case(seed, 15, ops=(*SPATIAL * 3, *BETWEEN))
        for target in LAYOUTS if case is not None else ():
            model = copy_model(case.model)
            with recording() as log:
                Relayout(target).run(model)
            check(model)
            close(case.run("reference"), case.run("reference", model))
            rules |= {r.rule for r in log.rewrites}
    assert rules == {"turn", "sink"}


@pytest.mark.parametrize("rank", [3, 4, 5])
def test_the_two_transposes_undo_each_other(rank: int) -> None:
    array = np.zeros(range(2, 2 + rank))
    there = array.transpose(to_layout("channels_last", rank))
    assert there.shape == (2, *range(4, 2 + rank), 3)
    assert there.transpose(to_layout("channels_first", rank)).shape == array.shape
