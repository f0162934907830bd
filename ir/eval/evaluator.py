"""Running a model in NumPy: `exact` in the declared dtypes, `reference` with floats widened to float64.

Kernels see only dtypes NumPy computes in: half floats are widened to float32 before an op and, in exact mode, rounded
to the declared dtype after it (one rounding per op, as accelerators do).

A value is forgotten after its last reader, so that a run holds little more than the widest cut of the graph; weights
are read, widened and forgotten in the same way. Observers see every value; `run_all` keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ir.core.graph import Graph, Node, Value
from ir.core.model import Model
from ir.eval.bind import bind_shape
from ir.eval.lifetime import last_reads
from ir.ops.define import OpDef
from ir.types import DType, TensorType, dtypes, type_of
from ir.types.dim import DimExpr, evaluate_dim
from ir.types.shape import evaluate_shape

Mode = Literal["exact", "reference"]
Observer = Callable[[Value, np.ndarray], None]


class EvaluationError(RuntimeError):
    """An op failed on concrete values; the message names the node and where it came from."""


@dataclass
class Evaluator:
    """Settings of a run. `observe` is told every value as it is computed (bodies included)."""

    mode: Mode = "reference"
    training: bool = False
    seed: int = 0
    observe: Observer | None = None
    replay: Callable[[Node, tuple[np.ndarray, ...]], tuple[np.ndarray, ...]] | None = None
    draws: Mapping[str, np.ndarray] = field(default_factory=dict)
    check: bool = True  # compare each result's shape with its declared type

    def run(
        self, model: Model, inputs: Mapping[str, np.ndarray], weights: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, np.ndarray]:
        """Outputs by flat name. `inputs` holds every graph input by name; `weights` overrides weight values by name."""
        return self.run_with_state(model, inputs, weights)[0]

    def run_with_state(
        self, model: Model, inputs: Mapping[str, np.ndarray], weights: Mapping[str, np.ndarray] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Outputs by flat name and next state by weight name. Raises EvaluationError."""
        run = _Run(self, model, dict(weights or {}))
        missing = [v.name for v in model.graph.inputs if v.name not in inputs]
        if missing:
            raise EvaluationError(f"no value for input {', '.join(missing)}")
        with np.errstate(all="ignore"):  # overflow of a narrow float is infinity
            outs = run.graph(model.graph, [np.asarray(inputs[v.name]) for v in model.graph.inputs])
        state = {name: run.value(v) for name, v in model.state.items()}
        return dict(zip(model.signature.output_names, outs, strict=True)), state

    def run_in_turn(
        self, model: Model, calls: Sequence[Mapping[str, np.ndarray]], weights: Mapping[str, np.ndarray] | None = None
    ) -> list[dict[str, np.ndarray]]:
        """Outputs of calls one after another, each from the state that the one before left. Raises EvaluationError."""
        held, found = dict(weights or {}), []
        for inputs in calls:
            outputs, state = self.run_with_state(model, inputs, held)
            held |= state
            found.append(outputs)
        return found

    def run_all(
        self, model: Model, inputs: Mapping[str, np.ndarray], weights: Mapping[str, np.ndarray] | None = None
    ) -> dict[Value, np.ndarray]:
        """Every value that a run computes, inputs included, as held between ops; of a body, those of its last call.

        `observe` is told as well. Raises EvaluationError.
        """
        found: dict[Value, np.ndarray] = {}

        def keep(value: Value, array: np.ndarray) -> None:
            found[value] = array
            if self.observe is not None:
                self.observe(value, array)

        replace(self, observe=keep).run_with_state(model, inputs, weights)
        return found

    def storage(self, dtype: DType) -> DType:
        """The dtype in which values declared as `dtype` are held between ops."""
        if self.mode == "exact":
            return dtype
        return dtypes.float64 if dtype.is_float else dtypes.complex128 if dtype.is_complex else dtype

    def compute(self, dtype: DType) -> DType:
        """The dtype in which kernels see values declared as `dtype`."""
        held = self.storage(dtype)
        return (
            dtypes.float32
            if held.is_half
            else dtypes.int8
            if held.name == "int4"
            else dtypes.uint8
            if held.name == "uint4"
            else held
        )


class _Run:
    """One execution: bound symbols, computed values, the random generator."""

    def __init__(self, settings: Evaluator, model: Model, weights: dict[str, np.ndarray]) -> None:
        self.s = settings
        self.model = model
        self.weights = weights
        self.env: dict[str, int] = {}
        self.values: dict[Value, np.ndarray] = {}
        self.rng = np.random.default_rng(settings.seed)
        self.kept = frozenset(model.state.values())
        self._plans: dict[Graph, dict[Node, tuple[Value, ...]]] = {}
        self._fixed: dict[Node, dict[str, Any] | None] = {}

    def graph(self, graph: Graph, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        for value, array in zip(graph.inputs, inputs, strict=True):
            self._check_input(value, array)
            self._store(value, array)
        if graph not in self._plans:
            self._plans[graph] = last_reads(graph, self.kept)
        done = self._plans[graph]
        for node in graph:
            self.node(node)
            for value in done.get(node, ()):
                self.values.pop(value, None)
        return [self.value(v) for v in graph.outputs]

    def _check_input(self, value: Value, array: np.ndarray) -> None:
        held = self.s.storage(value.type.dtype)
        if dtypes.dtype(array.dtype) not in (value.type.dtype, held):
            raise EvaluationError(f"input {value.name} must be {value.type.dtype}, got {array.dtype}")
        try:
            bind_shape(value.type.shape, array.shape, self.env)
        except ValueError as error:
            raise EvaluationError(
                f"input {value.name} must be {value.type}, got shape {list(array.shape)}: {error}"
            ) from None

    def value(self, value: Value) -> np.ndarray:
        """A value as held between ops."""
        if value not in self.values:
            if not value.is_weight:
                raise EvaluationError(f"value {value.name or value!r} is read before it is computed")
            array = (
                self.weights[value.name] if value.name in self.weights else self.model.weights[value.name].data.numpy()
            )
            self.values[value] = self._held(array, value.type.dtype)
        return self.values[value]

    def _held(self, array: np.ndarray, dtype: DType) -> np.ndarray:
        held = self.s.storage(dtype).numpy
        return array if array.dtype == held else array.astype(held)

    def _store(self, value: Value, array: np.ndarray) -> None:
        self.values[value] = self._held(array, value.type.dtype)
        if self.s.observe is not None:
            self.s.observe(value, self.values[value])

    def _operand(self, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, tuple):
            return tuple(self._operand(v) for v in value)
        array = self.value(value)
        wanted = self.s.compute(value.type.dtype).numpy
        return array if array.dtype == wanted else array.astype(wanted)

    def node(self, node: Node) -> None:
        operands = {k: self._operand(v) for k, v in node.operands.items()}
        bodies = {k: _Body(self, b) for k, b in node.bodies.items()}
        try:
            results = _evaluate(self.s, node.op, operands, self._attrs(node), bodies, self.rng)
        except (ValueError, IndexError, TypeError, KeyError, ZeroDivisionError, np.exceptions.AxisError) as error:
            raise EvaluationError(f"{node.op.name} ({node.origin}): {type(error).__name__}: {error}") from error
        if self.s.replay is not None:
            results = self.s.replay(node, results)
        if node.op.binds_symbol:
            self.env[node.attrs["symbol"]] = int(results[0])
        for value, array in zip(node.outputs, results, strict=True):
            if self.s.check:
                self._check(node, value, array)
            self._store(value, array)

    def _attrs(self, node: Node) -> dict[str, Any]:
        """The node's concrete attributes, made once where no size is among them: a body runs many times."""
        if node not in self._fixed:
            fixed = not any(_has_sizes(a) for a in node.attrs.values())
            self._fixed[node] = concrete_attrs(node.op, node.attrs, {}, self.s) if fixed else None
        known = self._fixed[node]
        return concrete_attrs(node.op, node.attrs, self.env, self.s) if known is None else known

    def _check(self, node: Node, value: Value, array: np.ndarray) -> None:
        if array.shape == value.type.shape:
            return
        try:
            bind_shape(value.type.shape, array.shape, self.env)
        except ValueError as error:
            raise EvaluationError(
                f"{node.op.name} ({node.origin}) declared {value.type}, computed {list(array.shape)}: {error}"
            ) from None

    def call(self, body: Graph, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Run a body on arrays as kernels see them; symbols bound inside end with the call."""
        held = [self._held(a, v.type.dtype) for v, a in zip(body.inputs, arrays, strict=True)]
        outer = dict(self.env)
        try:
            return tuple(self._operand_array(v, a) for v, a in zip(body.outputs, self.graph(body, held), strict=True))
        finally:
            self.env = outer
            for value in (*body.inputs, *(v for v in body.outputs if not v.is_weight)):
                self.values.pop(value, None)

    def _operand_array(self, value: Value, array: np.ndarray) -> np.ndarray:
        return array.astype(self.s.compute(value.type.dtype).numpy)


class _Body:
    """A body as an op's `evaluate` sees it (`ir.ops.control.Body`)."""

    def __init__(self, run: _Run, graph: Graph) -> None:
        self.run = run
        self.graph = graph
        self.outputs = len(graph.outputs)

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return self.run.call(self.graph, arrays)

    def empty(self, index: int, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Zeros as output `index` would be for these inputs, from its type; ValueError where that does not tell."""
        env = dict(self.run.env)
        for value, array in zip(self.graph.inputs, inputs, strict=True):
            bind_shape(value.type.shape, array.shape, env)
        t = self.graph.outputs[index].type
        try:
            shape = evaluate_shape(t.shape, env)
        except KeyError as error:
            raise ValueError(f"no trip ran, so the size {error.args[0]} of {t} is unknown") from None
        return np.zeros(shape, self.run.s.compute(t.dtype).numpy)


def evaluate_op(
    settings: Evaluator,
    op: OpDef,
    operands: Mapping[str, Any],
    attrs: Mapping[str, Any],
    bodies: Mapping[str, Any],
    rng: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    """Call an op's `evaluate` on concrete operands, as a tuple of arrays."""
    with np.errstate(all="ignore"):
        return _evaluate(settings, op, operands, attrs, bodies, rng)


def _evaluate(
    settings: Evaluator,
    op: OpDef,
    operands: Mapping[str, Any],
    attrs: Mapping[str, Any],
    bodies: Mapping[str, Any],
    rng: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    extra: dict[str, Any] = {}
    if op.modal:
        extra["training"] = settings.training
    if op.random:
        extra["rng"] = rng
    result = op.evaluate(**operands, **attrs, **bodies, **extra)
    return tuple(np.asarray(r) for r in (result if isinstance(result, tuple) else (result,)))


def _has_sizes(item: Any) -> bool:
    return any(map(_has_sizes, item)) if isinstance(item, tuple) else isinstance(item, DimExpr)


def concrete_attrs(op: OpDef, attrs: Mapping[str, Any], env: Mapping[str, int], settings: Evaluator) -> dict[str, Any]:
    """Attributes with sizes made integers and dtypes made those of the run."""

    def visit(item: Any) -> Any:
        if isinstance(item, DimExpr):
            return evaluate_dim(item, env)
        if isinstance(item, tuple):
            return tuple(visit(x) for x in item)
        if isinstance(item, DType):
            return item if op.exact_dtypes else settings.compute(item)
        return item

    return {k: visit(v) for k, v in attrs.items()}


def infer_concrete(op: OpDef, operands: Mapping[str, Any], attrs: Mapping[str, Any]) -> tuple[TensorType, ...]:
    """Inferred output types for concrete arrays: what tests hold `evaluate` against."""
    types = {
        k: tuple(type_of(x) for x in v) if isinstance(v, tuple) else type_of(v)
        for k, v in operands.items()
        if v is not None
    }
    return op.infer_types(types, op.complete(attrs), {})
