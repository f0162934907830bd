"""Draws a model: nodes from op samples whose operands are results of earlier nodes, made to fit."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import ir.ops
from ir.core import Branch, Leaf, Model, Origin, Parameter, Scope, Signature, Value, copy_model
from ir.ops.define import OpDef, OperandSpec
from ir.ops.sampler import Sample
from ir.types import DimExpr, DType, TensorType, dtypes, symbols
from tests.ops.harness import cases_of, named, operand_types
from tests.random_graphs.fit import fit
from tests.random_graphs.level import Drawing, Level, Unfit

PATHS = ((), (), (Scope("enc", "Enc"),), (Scope("enc", "Enc"), Scope("lin", "Lin")), (Scope("dec", "Dec"),))
AS_GIVEN = {
    "range": "its length depends on its operands",
    "bitcast": "the bits of a rounded number say nothing",
    "pivot_order": "its operand is a list of pivots",
    "grouped_matmul": "its ends ascend",
    "segment_reduce": "its ids are those of a given number of segments",
}
"""Ops that read only values made for them."""
FREE_SIGN = {("eigh", 1), ("svd", 0), ("svd", 2), ("eig", 0), ("eig", 1)}
"""Results that frameworks may return in another order or with other signs: nothing reads them."""
SYMBOLS = (2, 3, 4, 5)
"""Sizes that have a symbol each in models of dynamic sizes: `n3` is 3."""
LEFT_OUT = ("bernoulli", "random_normal", "random_uniform")
TRIES = 12
MOST = 12


@dataclass
class Case:
    """A model with values for its inputs. `dropped` counts what was drawn and said nothing, by reason."""

    seed: int
    model: Model
    inputs: dict[str, np.ndarray]
    sizes: dict[str, int] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)


@functools.cache
def usable(dtype: DType) -> tuple[tuple[OpDef, tuple[Sample, ...]], ...]:
    """Ops with the samples that are drawn from, those in the float type where there are any."""
    found = []
    for op in ir.ops.all_ops():
        cases = cases_of(op, dtype) or cases_of(op)
        samples = tuple(s for _, _, s in cases if not s.attrs.get("always"))
        if samples and op.name not in LEFT_OUT:
            found.append((op, samples))
    return tuple(found)


def draw(seed: int, most: int = MOST) -> Case:
    """The model of a seed: 2 to `most` nodes (and those of bodies) beside the glue between them."""
    rng = np.random.default_rng(seed)
    kinds = (dtypes.float32,) * 7 + (dtypes.float64, dtypes.float16, dtypes.bfloat16)
    sizes = {f"n{d}": d for d in SYMBOLS} if rng.random() < 0.3 else {}
    drawing = Drawing(Model("random"), rng, sizes)
    composer = Composer(drawing, kinds[int(rng.integers(len(kinds)))])
    level = Level(drawing, drawing.model.graph)
    for _ in range(int(rng.integers(2, most + 1))):
        composer.step(level)
    while not level.values() or not any(v.producer for v in level.values()):
        composer.step(level)
    finish(level)
    model = copy_model(drawing.model)  # without the weights' links to bodies that were dropped
    model.assumptions = list(drawing.assumptions)
    for name in [n for n in model.weights if not model.weight_value(n).uses and n not in model.state]:
        model.remove_weight(name)
    used = {s.name for v in model.graph.inputs for d in v.type.shape for s in symbols(d)}
    return Case(seed, model, drawing.inputs, {n: d for n, d in sizes.items() if n in used}, drawing.dropped)


def finish(level: Level) -> None:
    """Outputs: what nothing reads (six at most) and up to two others; the signature to match."""
    drawing, model = level.drawing, level.drawing.model
    made = [v for v in level.values() if v.producer is not None]
    loose = [v for v in made if not v.uses and v.producer.op.name != "constant"] or made[-1:]
    chosen = [loose[int(i)] for i in drawing.rng.permutation(len(loose))[:6]]
    chosen += [drawing.pick(made) for _ in range(int(drawing.rng.integers(3)))]
    set_outputs(model, list(dict.fromkeys(chosen)))


def set_outputs(model: Model, outputs: list[Value]) -> None:
    """The model's outputs, and a signature of its inputs and them."""
    model.graph.set_outputs(outputs)
    leaves = tuple(Leaf(f"output.{i}") for i in range(len(outputs)))
    parameters = tuple(Parameter(v.name, Leaf(v.name)) for v in model.graph.inputs)
    model.signature = Signature(parameters, Branch("tuple", leaves))


@dataclass
class Composer:
    """Adds nodes to levels."""

    drawing: Drawing
    dtype: DType
    names: int = 0

    def step(self, level: Level, depth: int = 0) -> None:
        """Add one node, or a loop or branch with nodes inside; what does not fit is counted and drawn anew."""
        from tests.random_graphs import flow

        for _ in range(TRIES):
            path = self.drawing.pick(PATHS) if level.main else ()
            try:
                with level.at(Origin("sample", path=path)):
                    if depth < 2 and level.values() and self.drawing.chance(0.1):
                        flow.add(self, level, depth)
                    else:
                        self.sample(level)
                return
            except Unfit as reason:
                self.drawing.dropped[str(reason)] += 1
            except (TypeError, ValueError, IndexError, NotImplementedError) as error:
                self.drawing.dropped[f"inference: {type(error).__name__}"] += 1

    def sample(self, level: Level) -> None:
        """A node of a random sample of a random op."""
        record, samples = self.drawing.pick(usable(self.dtype))
        sample = self.drawing.pick(samples)
        attrs = {**sample.attrs, **self._names(record, sample)}
        if record.name == "by_mode" or sample.bodies or record.name in AS_GIVEN:
            operands = self._given(level, record, sample)
        elif level.values() and self.drawing.chance(0.4):
            try:
                operands = self._raw(level, record, sample)
                self._add(level, record, operands, attrs, sample)
                return
            except (TypeError, ValueError, IndexError, Unfit, NotImplementedError):
                operands = self._fitted(level, record, sample)
        else:
            operands = self._fitted(level, record, sample)
        self._add(level, record, operands, attrs, sample)

    def _add(self, level: Level, record: OpDef, operands: list[Any], attrs: dict[str, Any], sample: Sample) -> None:
        outputs = level.add(record, *operands, bodies=dict(sample.bodies), **attrs)
        level.ambiguous.update(v for i, v in enumerate(outputs) if (record.name, i) in FREE_SIGN)
        if record.name == "batch_norm" and level.main:
            self._moving(level, operands, outputs)

    def _moving(self, level: Level, operands: list[Any], outputs: tuple[Value, ...]) -> None:
        """Statistics that are weights move in training."""
        model = self.drawing.model
        for value, after in zip(operands[3:5], outputs[1:], strict=True):
            if value.is_weight and value.name not in model.state and value.type == after.type:
                model.update_weight(value.name, kind="buffer", trainable=False)
                model.set_state(value.name, after)

    def _names(self, record: OpDef, sample: Sample) -> dict[str, Any]:
        """Sizes that a node finds have names of their own."""
        self.names += 1
        found: dict[str, Any] = {}
        if any(a.name == "symbol" for a in record.attributes):
            found["symbol"] = f"s{self.names}"
        if sample.attrs.get("symbols"):
            found["symbols"] = tuple(f"{name}_{self.names}" for name in sample.attrs["symbols"])
        return found

    # -- operands ---------------------------------------------------------------------------------------------------
    def choose(self, level: Level) -> Value:
        """A value, more often a late one that nothing reads yet."""
        values = level.values()
        late = [v for v in values[-12:] if not v.uses]
        return self.drawing.pick(late if late and self.drawing.chance(0.6) else values)

    def _given(self, level: Level, record: OpDef, sample: Sample) -> list[Any]:
        """The sample's own values, of static size; a value of the exact type is read where the op may read any."""

        def one(array: np.ndarray) -> Value:
            kind = TensorType(dtypes.dtype(array.dtype), array.shape)
            alike = [v for v in level.values() if v.type == kind and (kind.dtype.is_float or kind.dtype.is_bool)]
            if alike and record.name not in AS_GIVEN and self.drawing.chance(0.7):
                return self.drawing.pick(alike)
            return level.leaf(plain(array), kind)

        return _map(named(record, sample), lambda array, _: one(array))

    def _raw(self, level: Level, record: OpDef, sample: Sample) -> list[Any]:
        """Values as they are, whatever their shape, where the op reads any value; else as `_fitted`."""

        def one(array: np.ndarray, spec: OperandSpec) -> Value:
            kind = TensorType(dtypes.dtype(array.dtype), array.shape)
            alike = [v for v in level.values() if v.type.dtype == kind.dtype]
            if alike and spec.domain != "index" and not (kind.dtype.is_integer and spec.domain == "any"):
                return self.drawing.pick(alike)
            return self._operand(level, array, kind, record, spec)

        return _map(named(record, sample), one, record)

    def _fitted(self, level: Level, record: OpDef, sample: Sample) -> list[Any]:
        """Values made to fit the sample's types, which are symbolic in some models."""
        types = self._types(record, sample)
        flat = [t for item in types.values() for t in (item if isinstance(item, tuple) else (item,)) if t is not None]
        waiting = iter(flat)
        return _map(named(record, sample), lambda a, spec: self._operand(level, a, next(waiting), record, spec), record)

    def bound(self) -> set[str]:
        """Size symbols that some input has."""
        return {s.name for v in self.drawing.model.graph.inputs for d in v.type.shape for s in symbols(d)}

    def _types(self, record: OpDef, sample: Sample) -> dict[str, Any]:
        pattern: Any = False
        if self.drawing.sizes and self.drawing.chance(0.6):
            pattern = tuple(sample.dynamic) if sample.dynamic and self.drawing.chance(0.6) else True
            types = operand_types(record, sample, dynamic=pattern)
            if not _sizes_of(types) <= set(self.drawing.sizes):
                pattern = False
            else:
                try:
                    record.infer_types(types, record.complete(sample.attrs), {})
                except (TypeError, ValueError, IndexError, NotImplementedError):
                    pattern = False
        return operand_types(record, sample, dynamic=pattern)

    def _operand(self, level: Level, array: np.ndarray, kind: TensorType, record: OpDef, spec: OperandSpec) -> Value:
        if not _sizes_of({"x": kind}) <= self.bound():
            return level.leaf(plain(array), kind)
        share = 0.25 if kind.dtype.is_complex or (kind.dtype.is_integer and spec.domain in ("index", "any")) else 0.75
        share = 0.3 if record.family in ("scatter", "factor", "special") else share
        if level.values() and self.drawing.chance(share):
            try:
                return self._ranged(level, fit(level, self.choose(level), kind, array), array)
            except (Unfit, TypeError, ValueError, IndexError):
                pass
        return level.leaf(plain(array), kind)

    def _ranged(self, level: Level, value: Value, like: np.ndarray) -> Value:
        """Floats clipped to the range of a sample in some cases: an op may be defined there alone."""
        if not value.type.dtype.is_float or not like.size or not self.drawing.chance(0.3):
            return value
        ends = (np.min(plain(like)), np.max(plain(like)))
        bounds = [level.one("constant", value=np.asarray(x, value.type.dtype.numpy)) for x in ends]
        return level.one("clip", value, *bounds)


def plain(array: np.ndarray) -> np.ndarray:
    """The array with ordinary numbers in place of NaN, infinities and huge values."""
    kind = dtypes.dtype(array.dtype)
    if not (kind.is_float or kind.is_complex) or not array.size:
        return array
    wide = array.astype(np.complex128 if kind.is_complex else np.float64)
    good = np.isfinite(wide) & (np.abs(wide) <= 50)
    if good.all():
        return array
    instead = wide[good].reshape(-1)[0] if good.any() else 0.5
    return np.where(good, wide, instead).astype(array.dtype)


def _sizes_of(types: dict[str, Any]) -> set[str]:
    flat = [t for item in types.values() for t in (item if isinstance(item, tuple) else (item,)) if t is not None]
    return {s.name for t in flat for d in t.shape if isinstance(d, DimExpr) for s in symbols(d)}


def _map(operands: dict[str, Any], fn: Any, record: OpDef | None = None) -> list[Any]:
    found = []
    for name, item in operands.items():
        spec = record.operand(name) if record is not None else None
        if isinstance(item, tuple):
            found.append(tuple(fn(a, spec) for a in item))
        else:
            found.append(None if item is None else fn(item, spec))
    return found
