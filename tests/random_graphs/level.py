"""A graph that is being drawn: each node is tried on concrete values before it is added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ir.core import Builder, Graph, Model, Origin, Value
from ir.core.walk import copy_graph
from ir.data import Array, Weight
from ir.eval import EvaluationError, Evaluator
from ir.ops.define import OpDef
from ir.types import Assumption, TensorType, dtypes, symbol, tensor_type
from ir.types.dim import recording_assumptions
from ir.types.shape import evaluate_shape

LARGEST = {"half": 256.0, "single": 1e4}
"""Values beyond are not kept: what follows from them overflows, and says nothing of the ops."""
SINGULAR = 1e-6
"""The share of a matrix' largest singular value below which its smallest is rounding."""
ELEMENTS = 2048
Bodies = Mapping[str, Callable[[], Graph]]


class Unfit(Exception):
    """This node says nothing on these values; the message is the reason, by which such draws are counted."""


@dataclass
class Drawing:
    """What all levels of one model share: its weights, its sizes, the generator, and the count of draws dropped."""

    model: Model
    rng: np.random.Generator
    sizes: dict[str, int]
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    assumptions: list[Assumption] = field(default_factory=list)

    def pick(self, items: Any) -> Any:
        """One of the items."""
        return items[int(self.rng.integers(len(items)))]

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return bool(self.rng.random() < share)


@dataclass
class Level:
    """One graph, main or body, with a concrete array for each of its values. `used` counts readers."""

    drawing: Drawing
    graph: Graph
    main: bool = True
    arrays: dict[Value, np.ndarray] = field(default_factory=dict)
    ambiguous: set[Value] = field(default_factory=set)
    b: Builder = field(init=False)

    def __post_init__(self) -> None:
        self.b = Builder(self.graph)

    def values(self) -> list[Value]:
        """What may be read: inputs, weights read before, results. Results of free sign are left out."""
        return [v for v in self.arrays if v not in self.ambiguous]

    # -- nodes ------------------------------------------------------------------------------------------------------
    def add(self, op: OpDef | str, *operands: Any, bodies: Bodies | None = None, **attrs: Any) -> tuple[Value, ...]:
        """Add a node that has been tried on this level's values; raises Unfit, TypeError or ValueError."""
        from ir.ops import get

        record = get(op) if isinstance(op, str) else op
        flat = list(_flat(operands))
        results = self._try(record, operands, flat, bodies or {}, attrs)
        made = {k: make() for k, make in (bodies or {}).items()}
        with recording_assumptions() as assumed:
            node = self.b.node(record, *operands, **attrs, **made)
        self.drawing.assumptions += [a for a in assumed if a not in self.drawing.assumptions]
        for value, array in zip(node.outputs, results, strict=True):
            self.arrays[value] = array
        return node.outputs

    def one(self, op: str, *operands: Any, **attrs: Any) -> Value:
        """The result of a node of one result."""
        return self.add(op, *operands, **attrs)[0]

    def _try(
        self, record: OpDef, operands: tuple[Any, ...], flat: list[Value], bodies: Bodies, attrs: dict[str, Any]
    ) -> list[np.ndarray]:
        """Results of the node alone, in its declared types; raises Unfit where they are no ordinary numbers."""
        trial = Model("trial")
        inside = {v: trial.graph.add_input(v.type, f"x{i}") for i, v in enumerate(dict.fromkeys(flat))}
        sizes = trial.graph.add_input(tensor_type("bool", *(symbol(n) for n in self.drawing.sizes)), "sizes")
        for name, weight in self.drawing.model.weights.items():
            trial.add_weight(weight)
            assert name == weight.name
        mapped = _mapped(operands, inside)
        with recording_assumptions() as assumed:
            outs = Builder(trial.graph).node(record, *mapped, **attrs, **{k: m() for k, m in bodies.items()}).outputs
        if assumed and self.drawing.chance(0.8):
            raise Unfit("it fits some sizes only")
        trial.graph.set_outputs(outs)
        feed = {inside[v].name: self.arrays[v] for v in inside}
        feed[sizes.name] = np.zeros(tuple(self.drawing.sizes.values()), bool)
        check_operands(record, attrs, [self.arrays[v] for v in flat])
        results = _evaluated(trial, feed)
        for value, array in zip(outs, results, strict=True):
            check_ordinary(value.type, array)
        return results

    # -- values that are given --------------------------------------------------------------------------------------
    def leaf(self, array: np.ndarray, kind: TensorType) -> Value:
        """A new input, weight or constant with these values."""
        drawing, model = self.drawing, self.drawing.model
        shaped = not kind.is_static
        roll = drawing.rng.random()
        if self.main and (shaped or roll < 0.45):
            name = f"x{len(drawing.inputs)}"
            drawing.inputs[name] = array
            value = model.graph.add_input(kind, name)
        elif shaped:
            raise Unfit("a body has no input of a new size")
        elif roll < 0.8 and not kind.dtype.is_complex:
            trainable = (True, False, None)[int(drawing.rng.integers(3))] if kind.dtype.is_float else False
            given = Weight(f"part.w{len(model.weights)}", Array(array), trainable=trainable)
            value = model.add_weight(given)
        else:
            value = self.b.constant(array)
        self.arrays[value] = array
        return value

    def at(self, origin: Origin) -> Any:
        """Nodes made inside the block carry `origin`."""
        return self.b.at(origin)


def _flat(operands: Iterable[Any]) -> Iterator[Value]:
    for item in operands:
        if isinstance(item, tuple):
            yield from item
        elif item is not None:
            yield item


def _mapped(operands: tuple[Any, ...], inside: Mapping[Value, Value]) -> list[Any]:
    return [tuple(inside[v] for v in x) if isinstance(x, tuple) else None if x is None else inside[x] for x in operands]


def _evaluated(trial: Model, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    from ir.core import Branch, Leaf, Parameter, Signature

    leaves = tuple(Leaf(f"output.{i}") for i in range(len(trial.graph.outputs)))
    trial.signature = Signature(tuple(Parameter(n, Leaf(n)) for n in feed), Branch("tuple", leaves))
    try:
        return list(Evaluator("exact").run(trial, feed).values())
    except (EvaluationError, np.linalg.LinAlgError) as error:
        raise Unfit("it does not evaluate") from error


def check_operands(record: OpDef, attrs: Mapping[str, Any], arrays: list[np.ndarray]) -> None:
    """Raise Unfit where what the op answers is nowhere defined."""
    if record.name == "cast" and arrays[0].size and dtypes.dtype(arrays[0].dtype).is_float:
        to = dtypes.dtype(attrs["to"])
        wide = np.trunc(arrays[0].astype(np.float64))
        if to.is_integer and not (float(to.min) <= wide.min() and wide.max() < float(to.max) + 1):
            raise Unfit("a float is outside the integers it is cast to")


def check_reflections(record: OpDef, matrices: np.ndarray) -> None:
    """Raise Unfit where rounding alone gives reflections, which may be 0 or anything."""
    if record.name == "householder" and matrices.size:
        sizes = np.linalg.svd(matrices, compute_uv=False)
        if (sizes[..., -1] <= SINGULAR * sizes[..., 0]).any():
            raise Unfit("rounding decides whether an integer is divided by 0")


def check_ordinary(kind: TensorType, array: np.ndarray) -> None:
    """Raise Unfit for what says nothing: NaN, infinities, huge numbers, very many elements."""
    if array.size > ELEMENTS:
        raise Unfit("too many elements")
    if not (kind.dtype.is_float or kind.dtype.is_complex) or not array.size:
        return
    wide = np.abs(array.astype(np.complex128 if kind.dtype.is_complex else np.float64))
    if not np.isfinite(wide).all():
        raise Unfit("a value is not finite")
    if wide.max() > LARGEST["half" if kind.dtype.bits <= 16 else "single"]:
        raise Unfit("a value is huge")


def clone(source: Graph) -> Graph:
    """A copy of a closed body; weights stay shared."""
    twin = Graph(source.name)
    copy_graph(source, twin, {v: twin.add_input(v.type, v.name) for v in source.inputs})
    return twin


def shape_of(kind: TensorType, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The concrete shape of a type at these sizes."""
    return evaluate_shape(kind.shape, dict(sizes))
