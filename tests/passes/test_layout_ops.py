"""Every op between two spatial ops of the other layout: the model means the same, and no transpose stays needlessly.

Pools with a window of 1 stand before each operand and behind each result of an op's samples. They change no value, so
that equality is that of the op alone; they want the target's layout, so that every transpose left is the op's doing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import ir.ops
from ir.core import Builder, Model, Value, copy_model
from ir.ops.axes import Layout
from ir.ops.define import OpDef
from ir.ops.sampler import Sample
from ir.passes.layout import Relayout
from ir.passes.layout.fit import ELEMENTWISE
from ir.passes.layout.rules import RULES, TARGETED
from ir.types import TensorType, type_of
from ir.verify import check
from tests.ir.random_graphs import Case, apply, finish, samples

TURNS: tuple[tuple[Layout, Layout], ...] = (("channels_last", "channels_first"), ("channels_first", "channels_last"))
STAYS = {
    "gather_elements": "its positions are integers, which no pool reads",
    "reshape": "its samples split and merge axes",
    "select_update": "an update that is a row of the channels lies apart",
    "transpose": "axes that change places among themselves",
    "top_k": "the positions are integers, which no pool reads",
    "sort": "the positions are integers, which no pool reads",
}  # fmt: skip


def is_map(t: TensorType) -> bool:
    """Whether a pool reads a tensor of this type."""
    return 3 <= t.rank <= 5 and t.dtype.name in ("float32", "float64", "float16", "bfloat16") and 0 not in t.shape


def wrapped(record: OpDef, sample: Sample, layout: Layout) -> tuple[Case, int]:
    """The sample between pools of this layout, and how many there are."""
    case = Case(Model(record.name))
    b = Builder(case.model.graph)
    pools = 0

    def pooled(v: Value) -> Value:
        nonlocal pools
        if not is_map(v.type):
            return v
        pools += 1
        ones = (1,) * (v.type.rank - 2)
        made: Value = b.max_pool(v, window=ones, strides=ones, dilations=ones, layout=layout)
        return made

    def leaf(array: np.ndarray) -> Value:
        name = f"x{len(case.inputs)}"
        case.inputs[name] = array
        return pooled(case.model.graph.add_input(type_of(array), name))

    finish(case, tuple(pooled(v) for v in apply(b, record, sample, leaf)))
    return case, pools


def follows(record: OpDef) -> bool:
    """Whether there is a rule by which the op runs in either layout."""
    return record.name in RULES or record.name in TARGETED or record.family in ELEMENTWISE


def cases(record: OpDef) -> Iterator[tuple[Sample, Layout, Case, int]]:
    chosen = [s for s in samples(record) if not record.bodies and any(is_map(t) for t in operand_types(s))]
    free = follows(record) or any(a.name == "layout" for a in record.attributes)
    for sample in chosen[: None if free else 3]:  # what reads by the order of its axes does so in every sample
        for have, target in TURNS:
            case, pools = wrapped(record, sample, have)
            yield sample, target, case, pools


def operand_types(sample: Sample) -> Iterator[TensorType]:
    for item in sample.operands:
        yield from (type_of(x) for x in (item if isinstance(item, tuple) else () if item is None else (item,)))


def same(case: Case, model: Model, training: bool) -> None:
    case.training = training
    for mode in ("reference", "exact"):
        before, after = case.run(mode), case.run(mode, model)
        for name, array in before.items():
            wide = np.complex128 if array.dtype.kind == "c" else np.float64
            rough = 1e-12 if mode == "reference" else 1e-5 if array.dtype.itemsize > 2 else 2e-2
            np.testing.assert_allclose(after[name].astype(wide), array.astype(wide), rtol=rough, atol=rough)


MAPPED = [o for o in ir.ops.all_ops() if next(cases(o), None) is not None]


@pytest.mark.parametrize("record", MAPPED, ids=lambda o: o.name)
def test_an_op_between_spatial_ops(record: OpDef) -> None:
    fewest = 99
    for sample, target, case, pools in cases(record):
        model = copy_model(case.model)
        assert Relayout(target).run(model)
        check(model)
        same(case, model, training=False)
        if record.modal and not record.random:
            same(case, model, training=True)
        moved = sum(n.op.name == "transpose" for n in model.nodes())
        assert moved <= 2 * (pools + 1) + (record.name == "transpose"), sample.name
        fewest = min(fewest, moved - pools)
    if follows(record) and record.name not in STAYS:
        assert fewest <= 0, "every sample has a transpose more than at its border"


Make = Callable[[Builder, Value, bool], Value]  # the third tells whether the map is channels first


def at(first: bool, channels: Any, rows: Any, columns: Any) -> tuple[Any, Any, Any]:
    """What belongs to each axis behind the batch, in the order of the layout."""
    return (channels, rows, columns) if first else (rows, columns, channels)


MAPS: dict[str, Make] = {
    "concat": lambda b, x, f: b.concat((x, b.neg(x)), axis=1 if f else -1),
    "cumsum along the rows": lambda b, x, f: b.cumsum(x, axis=2 if f else 1),
    "dropout of channels": lambda b, x, f: b.dropout(x, p=0.5, broadcast_axes=(-1, 2) if f else (-2, 1)),
    "expand": lambda b, x, f: b.expand(b.reduce_max(x, axes=(-1,), keepdims=True), shape=x.type.shape),
    "expand a vector": lambda b, x, f: b.add(x, b.expand(b.constant(np.ones(1, np.float32)), shape=x.type.shape)),
    "flatten nothing": lambda b, x, f: b.reshape(b.flatten(x, start=1, end=1), shape=x.type.shape),
    "flip": lambda b, x, f: b.flip(x, axes=(-1, 1)),
    "gather channels": lambda b, x, f: b.gather(x, b.constant(np.array([2, 0, -1, 1])), axis=1 if f else 3),
    "gather one row": lambda b, x, f: b.unsqueeze(b.gather(x, b.constant(np.array(1)), axis=2 if f else 1), axes=(2 if f else 1,)),
    "identity": lambda b, x, f: b.stop_gradient(b.identity(x)),
    "layer_norm over rows and columns": lambda b, x, f: b.layer_norm(x, axes=(2, 3) if f else (1, 2)),
    "layer_norm with scale": lambda b, x, f: b.layer_norm(
        x, scale=b.constant(np.arange(20, dtype=np.float32).reshape(4, 5)), axes=(-1, -2) if f else (2, 1)
    ),
    "mask_fill": lambda b, x, f: b.mask_fill(x, b.greater(x, 0.0), b.constant(np.float32(2))),
    "one_hot": lambda b, x, f: b.one_hot(b.argmax(x, axis=1 if f else 3), depth=6, axis=1 if f else 3),
    "pad": lambda b, x, f: b.pad(x, pads=((0, 0), *at(f, (1, 0), (2, 1), (0, 3)))),
    "prelu by channel": lambda b, x, f: b.prelu(x, b.constant(np.arange(3, dtype=np.float32)), axis=1 if f else -1),
    "reduce all": lambda b, x, f: b.mul(x, b.reduce_sum(x, axes=None, keepdims=True)),
    "reshape to frames": lambda b, x, f: b.reshape(
        b.exp(b.reshape(x, shape=(2, 1, *x.type.shape[1:]) if f else (1, 2, *x.type.shape[1:]))), shape=x.type.shape
    ),
    "reshape to tokens": lambda b, x, f: b.reshape(
        b.exp(b.reshape(x, shape=(2, 3, 20) if f else (2, 20, 3))), shape=x.type.shape
    ),
    "reshape to more axes": lambda b, x, f: b.squeeze(b.reshape(x, shape=(2, 1, *x.type.shape[1:])), axes=(1,)),
    "roll": lambda b, x, f: b.roll(x, shifts=(1, 2, -1), axes=(-1, 1, -1)),
    "select": lambda b, x, f: b.unsqueeze(b.select(x, axis=2 if f else 1, index=-1), axes=(2 if f else 1,)),
    "select_update of a row": lambda b, x, f: b.select_update(
        x, b.select(b.exp(x), axis=2 if f else 1, index=0), axis=2 if f else 1, index=1
    ),
    "select_update of a channel": lambda b, x, f: b.select_update(
        x, b.select(b.exp(x), axis=1 if f else 3, index=0), axis=1 if f else 3, index=1
    ),
    "slice": lambda b, x, f: b.slice(x, axes=(-1, 1), starts=(1, 0), stops=(None, 2), steps=(1, 1)),
    "slice_update": lambda b, x, f: b.slice_update(
        x, b.slice(b.exp(x), axes=(3,), starts=(1,), stops=(2,), steps=(1,)), axes=(3,), starts=(0,), stops=(1,), steps=(1,)
    ),
    "split": lambda b, x, f: b.add(*b.split(x, sizes=(2, 2), axis=2 if f else 1)),
    "split channels": lambda b, x, f: b.concat(b.split(x, sizes=(1, 2), axis=1 if f else -1)[::-1], axis=1 if f else -1),
    "squeeze": lambda b, x, f: b.mul(
        x, b.unsqueeze(b.squeeze(b.reduce_mean(x, axes=(2, 3) if f else (1, 2), keepdims=True), axes=(2, 3) if f else (1, 2)),
                       axes=(2, 3) if f else (1, 2))
    ),
    "stack and sum": lambda b, x, f: b.reduce_sum(b.stack((x, b.exp(x)), axis=2), axes=(2,)),
    "stack in front": lambda b, x, f: b.select(b.stack((x, b.exp(x)), axis=0), axis=0, index=1),
    "tile": lambda b, x, f: b.tile(x, repeats=(1, *at(f, 2, 1, 3))),
    "transpose there and back": lambda b, x, f: b.transpose(
        b.relu(b.transpose(x, perm=(0, 2, 3, 1) if f else (0, 3, 1, 2))), perm=(0, 3, 1, 2) if f else (0, 2, 3, 1)
    ),
    "unsqueeze a vector": lambda b, x, f: b.mul(
        x, b.unsqueeze(b.reduce_max(x, axes=(2, 3) if f else (1, 2)), axes=(2, 3) if f else (1, 2))
    ),
    "variance": lambda b, x, f: b.mul(x, b.reduce_var(x, axes=(1, -1), keepdims=True)),
    "where": lambda b, x, f: b.where(b.less(x, 0.0), x, b.reduce_mean(x, axes=(0,), keepdims=True)),
}  # fmt: skip


@pytest.mark.parametrize("have, target", TURNS)
@pytest.mark.parametrize("name", MAPS)
def test_a_map_with_no_transpose_inside(name: str, have: Layout, target: Layout) -> None:
    first = have == "channels_first"
    case = Case(Model(name.split()[0]))
    b = Builder(case.model.graph)
    array = np.random.default_rng(0).standard_normal((2, *at(first, 3, 4, 5))).astype(np.float32)
    case.inputs["x"] = array
    x = b.max_pool(
        case.model.graph.add_input(type_of(array), "x"), window=(1, 1), strides=(1, 1), dilations=(1, 1), layout=have
    )
    y = MAPS[name](b, x, first)
    finish(case, (b.max_pool(y, window=(1, 1), strides=(1, 1), dilations=(1, 1), layout=have),))
    model = copy_model(case.model)
    assert Relayout(target).run(model)
    check(model)
    same(case, model, training=False)
    moved = [n for n in model.nodes() if n.op.name == "transpose"]
    assert len(moved) == 2 and {moved[0].operand("x"), moved[1].output} == {*model.graph.inputs, *model.graph.outputs}


def test_the_rules_are_of_ops_and_each_is_tried() -> None:
    tried = {o.name for o in MAPPED}
    known = {o.name for o in ir.ops.all_ops()}
    assert set(RULES) | set(TARGETED) <= known and set(STAYS) <= tried
    mapped = {word for name in MAPS for word in name.split()} | {"stop_gradient"}
    booleans = {"reduce_all", "reduce_any"}  # whose rule is that of the other reductions
    assert (set(RULES) | set(TARGETED)) - tried - mapped == booleans
