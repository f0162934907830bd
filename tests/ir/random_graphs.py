"""Models for tests: one per op sample, and random ones composed of samples with redundancies planted among them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import ir.ops
from ir.core import Branch, Builder, Leaf, Model, Origin, Parameter, Scope, Signature, Value
from ir.data import Array, Weight
from ir.eval import EvaluationError, Evaluator
from ir.ops.define import OpDef
from ir.ops.sampler import Sample, Sampler
from ir.types import dtypes, type_of

SCOPES = ((), (Scope("a", "Block"),), (Scope("a", "Block", 1),), (Scope("a", "Block"), Scope("b", "Leaf")))
ALONE = {"range", "embedding"}  # ops whose float or bool operands may not be just any value


@functools.cache
def samples(record: OpDef, seed: int = 0) -> tuple[Sample, ...]:
    """The op's samples that give a result (not an error)."""
    if record.samples is None:
        return ()
    return tuple(s for s in record.samples(Sampler(seed)) if s.error is None)


@dataclass
class Case:
    """A model, values for its inputs, and the mode to run it in."""

    model: Model
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    training: bool = False

    def run(self, mode: Any = "exact", model: Model | None = None) -> dict[str, np.ndarray]:
        """Outputs and next states by name; a fixed seed, so that models that draw alike give the same."""
        outs, state = Evaluator(mode, training=self.training).run_with_state(model or self.model, self.inputs)
        return {**outs, **{f"state {k}": v for k, v in state.items()}}


def sample_case(record: OpDef, sample: Sample) -> Case:
    """A model of one node: every operand an input, every output an output."""
    case = Case(Model(record.name), training=sample.training)
    b = Builder(case.model.graph, origin=Origin(f"test.{record.name}", sample.name))

    def leaf(array: np.ndarray) -> Value:
        name = f"x{len(case.inputs)}"
        case.inputs[name] = array
        return case.model.graph.add_input(type_of(array), name)

    finish(case, apply(b, record, sample, leaf))
    return case


def apply(
    b: Builder, record: OpDef, sample: Sample, leaf: Callable[[np.ndarray], Value], **attrs: Any
) -> tuple[Value, ...]:
    """Make the sample's node; `leaf` turns each operand array into a value."""
    operands = [
        tuple(leaf(x) for x in item) if isinstance(item, tuple) else None if item is None else leaf(item)
        for item in sample.operands
    ]
    bodies = {k: make() for k, make in sample.bodies.items()}
    return b.node(record, *operands, **{**sample.attrs, **attrs}, **bodies).outputs


def finish(case: Case, outputs: tuple[Value, ...]) -> None:
    """Set the graph's outputs and a signature to match."""
    names = tuple(v.name for v in case.model.graph.inputs)
    case.model.graph.set_outputs(outputs)
    leaves = tuple(Leaf(f"output.{i}") for i in range(len(outputs)))
    case.model.signature = Signature(tuple(Parameter(n, Leaf(n)) for n in names), Branch("tuple", leaves))


def all_samples(seed: int = 0) -> Iterator[tuple[OpDef, int, Sample]]:
    """Every sample of every op, with its number."""
    for record in ir.ops.all_ops():
        for i, sample in enumerate(samples(record, seed)):
            yield record, i, sample


# -- random graphs --------------------------------------------------------------------------------------------------
class _Maker:
    def __init__(self, seed: int, ops: tuple[OpDef, ...]) -> None:
        self.rng = np.random.default_rng(seed)
        self.case = Case(Model("random"))
        self.ops = ops
        self.b = Builder(self.case.model.graph)

    def pick(self, items: Any) -> Any:
        return items[int(self.rng.integers(len(items)))]

    def values(self) -> list[Value]:
        graph = self.case.model.graph
        return [*graph.inputs, *(v for n in graph for v in n.outputs)]

    def step(self) -> None:
        """Add a node of a random sample, a planted redundancy, or a twin of a node."""
        kind = self.rng.random()
        with self.b.at(Origin("test", path=self.pick(SCOPES))):
            if kind < 0.5 or not self.values():
                self.sample()
            elif kind < 0.9:
                self.pick(PLANTS)(self.b, self.pick(self.values()), self.rng)
            else:
                self.twin()

    def sample(self) -> None:
        record = self.pick(self.ops)
        sample, n = self.pick(samples(record)), len(self.case.model.graph)
        attrs: dict[str, Any] = {"symbol": f"s{n}"} if any(a.name == "symbol" for a in record.attributes) else {}
        if sample.attrs.get("symbols"):
            attrs["symbols"] = tuple(f"{name}_{n}" for name in sample.attrs["symbols"])
        apply(self.b, record, sample, lambda x: self.leaf(x, record), **attrs)

    def leaf(self, array: np.ndarray, record: OpDef) -> Value:
        t = type_of(array)
        fitting = [v for v in self.values() if v.type == t]
        free = t.dtype.is_float or t.dtype.is_bool
        if free and fitting and record.name not in ALONE and self.rng.random() < 0.8:
            return self.pick(fitting)
        kind = self.rng.random()
        if kind < 0.5:
            name = f"x{len(self.case.inputs)}"
            self.case.inputs[name] = array
            return self.case.model.graph.add_input(t, name)
        if kind < 0.8:
            return self.b.constant(array)
        return self.case.model.add_weight(Weight(f"w{len(self.case.model.weights)}", Array(array), trainable=True))

    def twin(self) -> None:
        nodes = [n for n in self.case.model.graph if not n.bodies and "symbol" not in n.attrs]
        if nodes:
            node = self.pick(nodes)
            with self.b.at(node.origin if self.rng.random() < 0.7 else self.b.origin):
                self.b.node(node.op, **{k: v for k, v in node.operands.items() if v is not None}, **node.attrs)

    def made(self) -> Case:
        values = self.values()
        finish(self.case, tuple(self.pick(values) for _ in range(min(4, len(values)))))
        return self.case


@functools.cache
def usable_ops(random_ops: bool) -> tuple[OpDef, ...]:
    """Ops with samples small enough to compose."""
    return tuple(
        r
        for r in ir.ops.all_ops()
        if samples(r) and (random_ops or not r.random)
    )


def random_case(
    seed: int, size: int, random_ops: bool = False, ops: tuple[OpDef, ...] | None = None
) -> Case | None:
    """A random model of about `size` nodes, of these ops; None where it does not evaluate (an op refuses values)."""
    maker = _Maker(seed, ops or usable_ops(random_ops))
    for _ in range(size):
        maker.step()
    case = maker.made()
    try:
        case.run()
    except EvaluationError:
        return None
    return case


# -- redundancies ---------------------------------------------------------------------------------------------------
Plant = Callable[[Builder, Value, np.random.Generator], Any]


def _axes(x: Value, rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(i) for i in range(x.type.rank) if rng.random() < 0.5)


def _transposes(b: Builder, x: Value, rng: np.random.Generator) -> None:
    perm = tuple(int(p) for p in rng.permutation(x.type.rank))
    y = b.transpose(x, perm=perm)
    b.transpose(y, perm=tuple(np.argsort(perm).tolist()) if rng.random() < 0.5 else perm)


def _numbers(b: Builder, x: Value, rng: np.random.Generator) -> None:
    if not (x.type.dtype.is_float or x.type.dtype.is_integer):
        return
    number = b.constant(np.asarray(rng.choice([0.0, -0.0, 1.0])), x.type.dtype)
    name = rng.choice(["add", "sub", "mul"])
    pair = (x, number) if rng.random() < 0.5 else (number, x)
    getattr(b, name)(*pair)


def _casts(b: Builder, x: Value, rng: np.random.Generator) -> None:
    names = ["float16", "bfloat16", "float32", "float64", "int8", "int32", "int64", "bool"]
    if not x.type.dtype.is_complex:
        b.cast(b.cast(x, to=str(rng.choice(names))), to=x.type.dtype if rng.random() < 0.6 else str(rng.choice(names)))


def _views(b: Builder, x: Value, rng: np.random.Generator) -> None:
    if all(isinstance(d, int) for d in x.type.shape):
        flat = b.reshape(x, shape=(int(np.prod(x.type.shape)),))
        b.reshape(flat, shape=x.type.shape if rng.random() < 0.5 else (*x.type.shape, 1))
    y = b.unsqueeze(x, axes=(0, 2) if x.type.rank else (0,))
    b.squeeze(y, axes=(0,))
    b.squeeze(y, axes=(0, 2) if x.type.rank else (0,))


def _wholes(b: Builder, x: Value, rng: np.random.Generator) -> None:
    axes = _axes(x, rng)
    n = len(axes)
    b.slice(x, axes=axes, starts=(0,) * n, stops=(None,) * n, steps=(int(rng.choice([1, 1, -1])),) * n if n else ())
    b.expand(b.expand(x, shape=x.type.shape), shape=(2, *x.type.shape))
    y = b.squeeze(b.unsqueeze(x, axes=(0,)), axes=(0,))
    b.unsqueeze(b.squeeze(b.unsqueeze(y, axes=(0,)), axes=(0,)), axes=(int(rng.integers(x.type.rank + 1)),))
    b.concat((x,), axis=0) if x.type.rank else b.identity(x)
    b.flip(b.flip(x, axes=axes), axes=axes)
    b.pad(x, pads=((0, 0),) * x.type.rank)


def _stacks(b: Builder, x: Value, rng: np.random.Generator) -> None:
    b.select(b.stack((x, x), axis=0), axis=0, index=int(rng.integers(-2, 2)))
    b.select(b.unsqueeze(x, axes=(1,) if x.type.rank else (0,)), axis=1 if x.type.rank else 0, index=0)
    b.where(b.constant(np.asarray(rng.random() < 0.5)), x, b.identity(x))


def _signs(b: Builder, x: Value, rng: np.random.Generator) -> None:
    if x.type.dtype.is_float:
        b.neg(b.neg(x))
        b.relu(b.relu(x))
        b.add(x, b.expand(b.constant(np.asarray(-0.0), x.type.dtype), shape=x.type.shape))
    elif x.type.dtype.is_bool:
        b.not_(b.not_(x))
        b.and_(x, b.constant(np.asarray(rng.random() < 0.5)))


PLANTS: tuple[Plant, ...] = (_transposes, _numbers, _casts, _views, _wholes, _stacks, _signs)


def assert_same(expected: dict[str, np.ndarray], actual: dict[str, np.ndarray]) -> None:
    """Equal names, dtypes, shapes and bits; all NaN count as one."""
    assert expected.keys() == actual.keys()
    for name, left in expected.items():
        right = actual[name]
        assert (left.dtype, left.shape) == (right.dtype, right.shape), name
        assert _bits(left) == _bits(right), f"{name}: {left} != {right}"


def _bits(array: np.ndarray) -> bytes:
    if dtypes.dtype(array.dtype).is_float:
        array = np.where(np.isnan(array), np.asarray(np.nan, array.dtype), array).astype(array.dtype)
    return array.tobytes()
