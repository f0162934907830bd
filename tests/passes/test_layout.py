"""The global choice of layouts: networks with transposes at their borders alone."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

import ir.ops
from ir.core import Builder, Graph, Model, Value, copy_model
from ir.eval import Evaluator
from ir.ops.axes import Layout
from ir.ops.define import OpDef
from ir.passes import Log, recording, standard
from ir.passes.layout import Relayout
from ir.passes.layout.cut import SINK, SOURCE, Cut
from ir.passes.layout.roles import Role, inverse, role_of, with_axes, without
from ir.text import format_model, parse
from ir.verify import check
from tests.ir.random_graphs import random_case, sample_case, samples
from tests.passes import layout_nets
from tests.passes.layout_nets import NETS, Net, resnet

LAYOUTS: tuple[Layout, Layout] = ("channels_first", "channels_last")
SPATIAL = [o for o in ir.ops.all_ops() if any(a.name == "layout" for a in o.attributes)]
TURNS = [("channels_last", "channels_first"), ("channels_first", "channels_last")]


def layouts(model: Model) -> set[str]:
    return {n.attrs["layout"] for n in model.nodes() if n in model.graph and "layout" in n.attrs}


def transposes(model: Model) -> int:
    return sum(n.op.name == "transpose" for n in model.nodes())


def turned(model: Model, target: Layout) -> tuple[Model, Log]:
    """A checked copy in the target's layout, and what the pass told of it."""
    copy = copy_model(model)
    with recording() as log:
        Relayout(target).run(copy)
    check(copy)
    return copy, log


def close(a: dict[str, np.ndarray], b: dict[str, np.ndarray], rtol: float = 1e-12) -> None:
    assert a.keys() == b.keys()
    for name, left in a.items():
        np.testing.assert_allclose(b[name], left, rtol=rtol, atol=rtol, equal_nan=True)


def run(model: Model, mode: str = "reference", training: bool = False) -> dict[str, np.ndarray]:
    """Outputs and next states for three images; dropout's draws are for other elements in other layouts."""
    shape = tuple(int(d) for d in model.graph.inputs[0].type.shape[1:])
    image = np.random.default_rng(1).standard_normal((3, 4, 8, 8)).astype(np.float32)
    x = image if shape[0] == 4 else image.transpose(0, 2, 3, 1)
    outs, state = Evaluator(mode, training=training).run_with_state(model, {"x": x})  # type: ignore[arg-type]
    return {**outs, **{f"state {k}": v for k, v in state.items()}}


def test_the_list_of_spatial_ops_is_not_empty() -> None:
    assert {"conv", "conv_transpose", "max_pool", "avg_pool", "group_norm", "resize"} <= {o.name for o in SPATIAL}


@pytest.mark.parametrize("record", SPATIAL, ids=lambda r: r.name)
def test_every_sample_turns_to_both_layouts(record: OpDef) -> None:
    changes = 0
    for sample in samples(record):
        case = sample_case(record, sample)
        for target in LAYOUTS:
            model, log = turned(case.model, target)
            close(case.run("reference"), case.run("reference", model))
            changed = bool(log.rewrites)
            changes += changed
            if changed:
                assert layouts(model) == {target} and {r.rule for r in log.rewrites} <= {target, "transpose", "region"}
            assert not Relayout(target).run(model)
    assert changes


# -- networks ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("have, target", TURNS)
@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_a_network_has_one_transpose_at_its_border(
    net: Callable[[Layout], Model], have: Layout, target: Layout
) -> None:
    model = net(have)
    check(model)
    result, _ = turned(model, target)
    found = [n.operand("x") for n in result.nodes() if n.op.name == "transpose"]
    assert found == list(result.graph.inputs)
    assert all(n.origin.path == () for n in result.nodes() if n.op.name == "transpose")
    assert layouts(result) == {target}
    for mode, rtol in (("reference", 1e-12), ("exact", 1e-5)):
        close(run(model, mode), run(result, mode), rtol)
    if net is not resnet:  # that draws
        close(run(model, training=True), run(result, training=True))


@pytest.mark.parametrize("have, target", TURNS)
@pytest.mark.parametrize("net", [f for n, f in NETS.items() if n not in ("unet", "pointwise", "vgg")])
def test_sizes_may_be_dynamic_and_batches_empty(
    net: Callable[[Layout], Model], have: Layout, target: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout_nets, "DYNAMIC", True)
    model = net(have)
    check(model)
    result, _ = turned(model, target)
    assert transposes(result) == 1
    standard().run(result)
    check(result)
    for shape in ((2, 6, 10, 4), (0, 8, 8, 4)):
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        x = x.transpose(0, 3, 1, 2) if have == "channels_first" else x
        close(*(Evaluator("reference").run(m, {"x": x}) for m in (model, result)), rtol=1e-6)


@pytest.mark.parametrize("have, target", TURNS)
@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_a_network_of_the_target_stays(net: Callable[[Layout], Model], have: Layout, target: Layout) -> None:
    model = net(have)
    text = format_model(model)
    same, log = turned(model, have)
    assert format_model(same) == text and not log.rewrites and not log.misses


@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_both_layouts_become_one_model(net: Callable[[Layout], Model]) -> None:
    """What a framework of either layout writes is the same once it is turned, the border apart."""
    for have, target in TURNS:
        ours, _ = turned(net(have), target)
        theirs = net(target)
        for model in (ours, theirs):
            standard().run(model)
        inner = [
            n.op.name for n in ours.graph if n.op.name not in ("transpose", "unsqueeze", "reshape", "conv", "linear")
        ]
        own = [
            n.op.name for n in theirs.graph if n.op.name not in ("transpose", "unsqueeze", "reshape", "conv", "linear")
        ]
        assert sorted(inner) == sorted(own)


def test_there_and_back_again() -> None:
    model = resnet("channels_first")
    there, _ = turned(model, "channels_last")
    back, _ = turned(there, "channels_first")
    standard().run(back)
    close(run(model), run(back))
    assert [n.op.name for n in back.graph] == [n.op.name for n in model.graph]


def test_dense_layers_over_the_channels_come_back() -> None:
    """A dense layer is a convolution where the channels stand first, and a dense layer again where they stand last."""
    model = NETS["convnext"]("channels_last")
    there, _ = turned(model, "channels_first")
    back, _ = turned(there, "channels_last")
    standard().run(back)
    kinds = [[n.op.name for n in m.graph if n.op.name != "transpose"] for m in (model, there, back)]
    assert kinds[0] == kinds[2] and "linear" in kinds[0] and "linear" not in kinds[1]
    close(run(model), run(back))


def test_parameters_keep_their_names_and_what_they_are_for() -> None:
    for name, net in NETS.items():
        for have, target in TURNS:
            model = net(have)
            result, _ = turned(model, target)
            assert list(result.weights) == list(model.weights) and result.state.keys() == model.state.keys()
            for weight in result.weights.values():
                was = model.weights[weight.name]
                assert weight.trainable is True and weight.kind == was.kind
                lies = was.data.numpy()
                if (blocks := weight.source_blocks) is not None:
                    lies = np.take(lies, blocks.positions, blocks.axis)
                lies = lies.transpose(weight.source_axes or range(was.type.rank))
                np.testing.assert_array_equal(weight.data.numpy(), lies)
                assert name == "pointwise" or weight.type == was.type


def test_weights_keep_their_shape_where_asked() -> None:
    for have, target in TURNS:
        model = NETS["pointwise"](have)
        result = copy_model(model)
        Relayout(target, keep_weights=True).run(result)
        check(result)
        assert [w.type for w in result.weights.values()] == [w.type for w in model.weights.values()]
        close(run(model), run(result))


def head(net: Net, flat: Callable[[Value], Value], weight: Value | None = None) -> Model:
    """A map, reshaped as told, in a dense layer."""
    y = flat(net.pooled(net.conv(net.x, 3)))
    return net.close(net.b.linear(y, net.weight(2, 48) if weight is None else weight))


@pytest.mark.parametrize("have, target", TURNS)
def test_a_dense_layer_takes_the_order_of_a_flattened_map(have: Layout, target: Layout) -> None:
    net = Net(have)
    model = head(net, lambda y: net.b.dropout(net.b.reshape(y, shape=(y.type.shape[0], 48)), p=0.5))
    result, _ = turned(model, target)
    close(run(model), run(result))
    weight = result.weights["w2"]
    assert transposes(result) == 1 and weight.source_blocks is not None and weight.source_blocks.axis == 1
    assert weight.source_blocks.sizes == ((3, 4, 4) if net.first else (4, 4, 3))
    assert parse(format_model(result)).weights["w2"].source_blocks == weight.source_blocks
    back, _ = turned(result, have)  # a weight is put in another order once
    close(run(model), run(back))


def test_a_flattened_map_that_others_read_is_transposed() -> None:
    heads: dict[str, Callable[[Net], Model]] = {
        "a norm": lambda net: head(net, lambda y: net.b.layer_norm(net.b.flatten(y), axes=(-1,))),
        "a table": lambda net: head(net, lambda y: net.b.mul(net.b.flatten(y), net.weight(48))),
        "the weight elsewhere": lambda net: shared(net),
        "the result": lambda net: net.close(net.b.flatten(net.conv(net.x, 3))),
        "channel dropout": lambda net: head(net, lambda y: net.b.dropout(net.b.flatten(y), p=0.5, broadcast_axes=(1,))),
    }

    def shared(net: Net) -> Model:
        weight = net.weight(2, 48)
        net.model.set_state(weight.name, net.b.neg(weight))
        return head(net, net.b.flatten, weight)

    for why, make in heads.items():
        for have, target in TURNS:
            model = make(Net(have))
            result, _ = turned(model, target)
            close(run(model), run(result))
            assert transposes(result) == 2 and not any(w.source_blocks for w in result.weights.values()), why
    kept = head(net := Net("channels_last"), net.b.flatten)
    Relayout("channels_first", keep_weights=True).run(kept)
    assert transposes(kept) == 2


def test_tokens_keep_their_channels_last() -> None:
    """Of what stands between a map and its tokens nothing is left, or the one transpose that PyTorch has there, too."""
    for have, target in TURNS:
        model = layout_nets.patches(have)
        check(model)
        result, _ = turned(model, target)
        close(run(model), run(result))
        perms = [n.attrs["perm"] for n in result.nodes() if n.op.name == "transpose"]
        assert perms == ([(0, 2, 3, 1)] if have == "channels_first" else [(0, 3, 1, 2), (0, 2, 1)])
        kinds = Counter(n.op.name for n in result.nodes())
        assert kinds["linear"] == 2 and kinds["layer_norm"] == 1 and kinds["conv"] == 1
        assert [n.attrs["axes"] for n in result.nodes() if n.op.name == "layer_norm"] in ([(-1,)], [(2,)])


def test_frames_of_a_video_are_images() -> None:
    for have, target in TURNS:
        net = Net(have)
        n, *rest = net.x.type.shape
        video = net.b.reshape(net.conv(net.x, 4), shape=(1, n, *rest))
        model = net.close(net.mean(net.conv(net.b.reshape(net.b.relu(video), shape=(n, *rest)), 2)))
        check(model)
        result, _ = turned(model, target)
        close(run(model), run(result))
        assert transposes(result) == 1


# -- where a transpose stays ------------------------------------------------------------------------------------------
def test_what_depends_on_the_order_keeps_it() -> None:
    net = Net("channels_last")
    y = net.b.einsum((net.conv(net.x, 4),), equation="nhwc->nwhc")
    model = net.close(net.mean(net.conv(y, 2)))
    result, log = turned(model, "channels_first")
    close(run(model), run(result))
    assert transposes(result) == 3
    reasons = [r.reason for r in log.rewrites if r.rule == "transpose"]
    assert any("einsum keeps the source's order: it depends on the order of the axes" in r for r in reasons)


def test_a_transpose_stands_where_the_fewest_bytes_pass() -> None:
    """A result that is pooled before an op needs the source's order is transposed after the pool, not before."""
    net = Net("channels_last")
    small = net.pooled(net.b.relu(net.conv(net.x, 4)))
    model = net.close(net.b.tril(net.b.sigmoid(small)))
    result, log = turned(model, "channels_first")
    close(run(model), run(result))
    moved = [r.reason for r in log.rewrites if r.rule == "transpose"]
    assert transposes(result) == 2 and len(moved) == 2 and "4,096 bytes" in moved[1]


def test_a_value_wanted_both_ways_is_transposed_once() -> None:
    net = Net("channels_last")
    y = net.conv(net.x, 4)
    flat = [net.b.reshape(net.b.cumsum(net.b.tril(y), axis=a), shape=(y.type.shape[0], 256)) for a in (1, 2)]
    model = net.close(net.b.add(*flat))
    result, _ = turned(model, "channels_first")
    close(run(model), run(result))
    assert transposes(result) == 2  # the input, and what both read


def test_a_residual_of_the_input_is_added_where_it_lies() -> None:
    for have, target in TURNS:
        net = Net(have)
        model = net.close(net.b.add(net.conv(net.x, 4), net.x))
        result, _ = turned(model, target)
        close(run(model), run(result))
        assert transposes(result) == 2


# -- random models ----------------------------------------------------------------------------------------------------
BETWEEN = tuple(
    o for o in ir.ops.all_ops()
    if samples(o) and (o.family in ("elementwise", "arithmetic", "activation", "shape") or o.name in ("reduce_max", "pad"))
)  # fmt: skip


def test_random_models_in_both_layouts() -> None:
    rules: set[str] = set()
    for seed in range(80):
        case = random_case(seed, 15, ops=(*SPATIAL * 3, *BETWEEN))
        for target in LAYOUTS if case is not None else ():
            model, log = turned(case.model, target)
            close(case.run("reference"), case.run("reference", model))
            rules |= {r.rule for r in log.rewrites}
    assert rules == {"transpose", "region", *LAYOUTS}


def test_the_cost_grows_with_the_nodes_alone() -> None:
    """A network of 1,400 nodes, as deep as the largest residual ones, in a second or two."""
    net = Net("channels_last")
    y = net.conv(net.x, 4)
    for _ in range(200):
        y = net.b.relu(net.b.add(net.norm(net.conv(net.b.relu(y), 4)), y))
    model = net.close(y)
    started = time.perf_counter()
    assert Relayout("channels_first").run(model)
    assert time.perf_counter() - started < 10
    assert transposes(model) == 2


# -- the parts ----------------------------------------------------------------------------------------------------------
def test_the_cut_is_the_cheapest_choice() -> None:
    rng = np.random.default_rng(0)
    for _ in range(150):
        cut, n = Cut(), int(rng.integers(1, 7))
        for _ in range(n):
            cut.choice()
        rows = [(int(a), int(b), int(c)) for a, b, c in rng.integers(0, (n + 2, n + 2, 9), (3 * n, 3))]
        for a, b, cost in rows:
            cut.penalty(a, b, cost)

        def total(side: set[int], rows: list[tuple[int, int, int]] = rows) -> int:
            counted = [(a, b, c) for a, b, c in rows if a != SINK and b != SOURCE]
            return sum(c for a, b, c in counted if a in side and b not in side)

        every = ({SOURCE, *(i + 2 for i, on in enumerate(bits) if on)} for bits in itertools.product((0, 1), repeat=n))
        assert total(cut.solve()) == min(map(total, every))


def test_roles() -> None:
    assert role_of(1, 2, 4) is None and role_of(1, 1, 2) is None and role_of(2, 2, 3) is None
    last = Role(1, 3, 4)
    assert last.layout == "channels_last" and last.order("channels_first") == (0, 3, 1, 2)
    assert last.order("channels_last") == (0, 1, 2, 3)
    first = Role(1, 1, 5)
    assert first.order("channels_last") == (0, 2, 3, 4, 1)
    for role in (last, first, Role(0, 0, 3), Role(2, 4, 5)):
        for layout in LAYOUTS:
            assert inverse(inverse(role.order(layout))) == role.order(layout)
        for axes in ({0}, {1}, {0, 1}, {role.rank}):
            wide = with_axes(role, axes)
            assert wide is None or without(wide, axes) == role


def test_the_log_tells_the_choice_of_each_region() -> None:
    net = Net("channels_last")
    y = net.b.tril(net.pooled(net.b.relu(net.conv(net.x, 4))))
    _, log = turned(net.close(net.b.softmax(net.conv(y, 2), axis=3)), "channels_first")
    told = [r for r in log.rewrites if r.rule == "region"]
    assert len(told) == 2 and all(r.pass_name == "layout" for r in told)
    assert told[0].node.startswith("3 ops from <Node _ = conv(x, w0, w1)> to <Node _ = max_pool(_)>")
    assert (
        "channels_first for 3 of them; it is asked for by 1 conv, 1 max_pool; 2 transposes stay: 16,384 bytes of x"
        in told[0].reason
    )
    assert "tril keeps the source's order: it depends on the order of the axes" in told[0].reason
    assert told[1].reason.startswith(
        "channels_first for 2 of them; it is asked for by 1 conv; 2 transposes stay: 4,096 bytes"
    )
    assert "2,048 bytes of a value (outputs keep the source's order)" in told[1].reason
    quiet, log = turned(NETS["resnet"]("channels_first"), "channels_first")
    assert not log.rewrites and not log.misses and transposes(quiet) == 0


# -- bodies -------------------------------------------------------------------------------------------------------------
Body = Callable[[Net, Builder, Value, Value], Value]  # of two maps


def branching(have: Layout, first: Body, second: Body, cond: bool = False) -> Model:
    """A convolution, a node whose branches get its map and the input, and another convolution."""
    net = Net(have)
    y = net.conv(net.x, 4)
    bodies = []
    for name, make in (("first", first), ("second", second)):
        graph = Graph(name)
        values = [graph.add_input(v.type, n) for v, n in ((y, "y"), (net.x, "x"))]
        b = Builder(graph)
        graph.set_outputs([make(net, b, *values)])
        bodies.append(graph)
    if cond:
        wanted = net.b.greater(net.b.reduce_sum(net.x, axes=None), 0.0)
        (z,) = net.b.cond(wanted, (y, net.x), then=bodies[0], else_=bodies[1])
    else:
        (z,) = net.b.by_mode((y, net.x), train=bodies[0], infer=bodies[1])
    return net.close(net.mean(net.conv(net.b.relu(z), 2)))


def scaled(net: Net, b: Builder, y: Value, x: Value) -> Value:
    """Drop-path: a number for each image."""
    keep = b.reduce_max(y, axes=(1, 2, 3), keepdims=True)
    return b.add(b.mul(y, keep), x)


def channels(net: Net, b: Builder, y: Value, x: Value) -> Value:
    """A number for each channel, and its reverse."""
    return b.flip(
        b.mul(y, b.constant(np.arange(4, dtype=np.float32).reshape((4, 1, 1) if net.first else (4,)))), axes=(net.axis,)
    )


def convolved(net: Net, b: Builder, y: Value, x: Value) -> Value:
    weight = net.weight(4, 4, 1, 1)
    return b.conv(x, weight, strides=(1, 1), dilations=(1, 1), layout=net.layout)


def untouched(net: Net, b: Builder, y: Value, x: Value) -> Value:
    return y


def lower(net: Net, b: Builder, y: Value, x: Value) -> Value:
    """What depends on the order of the axes."""
    return b.tril(y)


@pytest.mark.parametrize("cond", [False, True])
@pytest.mark.parametrize("have, target", TURNS)
def test_branches_follow_where_nothing_moves_in_them(have: Layout, target: Layout, cond: bool) -> None:
    for first, second in ((scaled, untouched), (channels, scaled), (convolved, channels), (untouched, convolved)):
        model = branching(have, first, second, cond)
        check(model)
        result, _ = turned(model, target)
        assert transposes(result) == 1, (first, second)
        assert {n.attrs["layout"] for n in result.nodes() if "layout" in n.attrs} == {target}
        for training in (False, True):
            close(run(model, training=training), run(result, training=training))
        assert not Relayout(target).run(result)


@pytest.mark.parametrize("have, target", TURNS)
def test_branches_keep_their_order_where_one_depends_on_it(have: Layout, target: Layout) -> None:
    model = branching(have, lower, convolved)
    result, log = turned(model, target)
    for training in (False, True):
        close(run(model, training=training), run(result, training=training))
    assert {n.attrs["layout"] for n in result.nodes() if "layout" in n.attrs} == {target}
    assert transposes(result) == 3 + 2  # round the node, and round the convolution in it
    assert any("by_mode keeps the source's order" in r.reason for r in log.rewrites)


def test_a_loop_keeps_its_order_and_its_body_is_laid_anew() -> None:
    for have, target in TURNS:
        net = Net(have)
        body = Graph("body")
        b = Builder(body)
        y = body.add_input(net.x.type, "y")
        body.set_outputs([b.relu(b.conv(y, net.weight(4, 4, 1, 1), strides=(1, 1), dilations=(1, 1), layout=have))])
        always = Graph("cond")
        always.add_input(net.x.type, "y")
        always.set_outputs([Builder(always).constant(np.array(True))])
        (z,) = net.b.while_((net.conv(net.x, 4),), (), trips=3, cond=always, body=body)
        model = net.close(net.mean(z))
        check(model)
        result, _ = turned(model, target)
        close(run(model), run(result))
        assert {n.attrs["layout"] for n in result.nodes() if "layout" in n.attrs} == {target}
