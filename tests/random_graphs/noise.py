"""What a drawn model should answer, and how far rounding may take an answer from it.

There is no source framework here, whose distance from the reference would be the noise floor. In its place stand
`RUNS` evaluations in the declared types in which every float that is given or computed is moved by as many units of
rounding as the verification counts as the least floor. An op that computes in several steps rounds between them too: in
`APART` more evaluations the model's composites are taken apart. From there on the verification's own judgement decides.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converter.verification.judge import Expected, Sample, judge
from converter.verification.report import OutputResult
from converter.verification.run import _overflowed, random_outputs
from converter.verification.sensitivity import _jumps, has_decisions, undecided
from converter.verification.steps import shifted, taken_apart
from converter.verification.tolerance import FLOOR_ULPS
from ir.core import Model, Node, Value, copy_model
from ir.eval import EvaluationError, Evaluator
from ir.eval.evaluator import concrete_attrs, evaluate_op
from ir.ops.define import OpDef
from ir.types import DType, dtypes, symbols
from ir.types.dim import evaluate_dim
from tests.ops.harness import cases_of
from tests.random_graphs.draw import Case
from tests.random_graphs.level import Unfit, check_operands, check_ordinary, check_reflections, shape_of

RUNS = 5
TRIES = 12
MOVES = ("shape", "rearrange", "slicing", "indexing", "subscript")
"""Families of ops that copy what they read; where they compute instead (sums of slices), that is moved."""
DECIDE = ("factor", "triangular")
"""Families of ops that decide inside, on ranks and pivots: equal elements of an operand are moved apart."""
DIVIDE = ("mod", "fmod", "floor_div", "trunc_div")
"""Ops that end in an error where an integer is divided by 0."""
APART = 2
"""More runs, of what an op that takes several steps is made of."""
LESS_ONE = {"elu": ("alpha",), "celu": ("alpha",), "selu": ("alpha", "gamma")}
"""ONNX Runtime computes e**x - 1 by a subtraction, which leaves the rounding of 1 near 0; by what it is multiplied.
The tanh and the gates of its recurrent layers are made of such differences too."""
BESSEL = 1e-6
"""PyTorch's Bessel functions of the first and second kind are no nearer, in float64 too."""
Arrays = Mapping[str, np.ndarray]


@dataclass
class Point:
    """One set of inputs with what is expected of it: in inference, and in training where the model runs there."""

    inputs: dict[str, np.ndarray]
    expected: list[Expected]
    trained: list[Expected] = field(default_factory=list)


@dataclass
class Measured:
    """A model with its points: the drawn sizes, and others where sizes are symbolic."""

    case: Case
    points: list[Point]
    drawn: set[str]  # outputs that draw random numbers in training

    @property
    def model(self) -> Model:
        return self.case.model

    def judge(self, found: list[Arrays], training: bool = False) -> list[OutputResult]:
        """The verdict on each output, from one result a point."""
        samples = []
        for point, result in zip(self.points, found, strict=True):
            samples += [Sample(e, dict(result)) for e in (point.trained if training else point.expected)]
        names = {n: t for n, t in self.model.output_types.items() if not (training and n in self.drawn)}
        return [judge(name, kind.dtype, samples) for name, kind in names.items()]


def measure(case: Case) -> Measured:
    """Evaluate a case; raises Unfit where it cannot be measured at its own sizes."""
    points = [_point(case, case.inputs, case.seed)]
    grown = regrown(case)
    if grown is not None:
        try:
            points.append(_point(case, grown, case.seed + 1))
        except Unfit as reason:
            case.dropped[f"at other sizes: {reason}"] += 1
    trained = all(p.trained for p in points)
    for point in points:
        point.trained = point.trained if trained else []
    return Measured(case, points, random_in_training(case.model))


def regrown(case: Case) -> dict[str, np.ndarray] | None:
    """The inputs at other sizes, repeated or cut; None where no size is symbolic, or the model assumes others."""
    if not case.sizes:
        return None
    rng = np.random.default_rng((case.seed, 1))
    drawn = ({name: int(rng.integers(1, 7)) for name in case.sizes} for _ in range(TRIES))
    sizes = next((s for s in drawn if _assumed(case.model, s)), None)
    if sizes is None:
        return None
    shapes = {v.name: shape_of(v.type, sizes) for v in case.model.graph.inputs}
    if any(case.inputs[n].size == 0 and np.prod(s) > 0 for n, s in shapes.items()):
        return None
    return {name: np.resize(array, shapes[name]) for name, array in case.inputs.items()}


def _assumed(model: Model, sizes: Mapping[str, int]) -> bool:
    """Whether the model's assumptions on sizes hold, so far as these sizes tell."""
    told = [a for a in model.assumptions if {s.name for d in (a.left, a.right) for s in symbols(d)} <= set(sizes)]
    return all(evaluate_dim(a.left, sizes) == evaluate_dim(a.right, sizes) for a in told)


def _point(case: Case, inputs: dict[str, np.ndarray], seed: int) -> Point:
    model = case.model
    exact = _ordinary(model, inputs, training=False)
    expected = _expected(model, inputs, exact, seed, training=False)
    if not any(node.op.modal for node in model.nodes()):
        return Point(inputs, expected)
    try:
        exact = _ordinary(model, inputs, training=True)
        return Point(inputs, expected, _expected(model, inputs, exact, seed, training=True))
    except Unfit as reason:
        case.dropped[f"in training: {reason}"] += 1
        return Point(inputs, expected)


def _ordinary(model: Model, inputs: dict[str, np.ndarray], training: bool) -> dict[str, np.ndarray]:
    """The exact results; raises Unfit where a value on the way says nothing, or what an op answers is not defined."""

    def look(value: Value, array: np.ndarray) -> None:
        check_ordinary(value.type, array)
        arrays[value] = array

    def check(node: Node, results: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        check_operands(node.op, node.attrs, [arrays[v] for v in node.inputs])
        if divides:
            check_reflections(node.op, arrays[node.inputs[0]] if node.inputs else np.zeros(0))
        if node.op.name == "conv_transpose" and not results[0].size and any(map(symbols, node.output.type.shape)):
            raise Unfit("a grown image is empty at these sizes: ONNX Runtime stops there when it runs")
        return results

    held = copy_model(model)
    for node in held.nodes():
        if node.attrs.get("bounds") == "unchecked":
            node.attrs["bounds"] = "error"
    divides = any(n.op.name in DIVIDE and n.output.type.dtype.is_integer for n in held.nodes())
    arrays = {held.weight_value(n): w.data.numpy() for n, w in model.weights.items()}
    return _run(Evaluator("exact", training=training, observe=look, replay=check), held, inputs)


def _run(
    evaluator: Evaluator, model: Model, inputs: dict[str, np.ndarray], weights: Any = None
) -> dict[str, np.ndarray]:
    try:
        return evaluator.run(model, inputs, weights)
    except (EvaluationError, np.linalg.LinAlgError) as error:
        raise Unfit("it does not evaluate") from error


def _expected(
    model: Model, inputs: dict[str, np.ndarray], exact: dict[str, np.ndarray], seed: int, training: bool
) -> list[Expected]:
    found = _run(Evaluator(training=training), model, inputs)
    reference = {n: _overflowed(a, exact[n]) for n, a in found.items()}
    if any(a.shape != exact[n].shape for n, a in reference.items()):
        raise Unfit("rounding decides a size")
    moved = [_Moved(seed, k, training).run(model, inputs) for k in range(RUNS)]
    moved += _apart(model, inputs, reference, seed, training)
    if any(a.shape != exact[n].shape for run in moved for n, a in run.items()):
        raise Unfit("rounding decides a size")
    masks: dict[str, np.ndarray] = {}
    if has_decisions(model):
        masks = {n: _jumps([exact[n], *(run[n] for run in moved)], a) for n, a in reference.items()}
        if not training:
            try:
                more = undecided(model, [inputs], reference, exact, seed)
            except (EvaluationError, ValueError, np.linalg.LinAlgError) as error:
                raise Unfit("rounding decides a size") from error
            masks = {n: m | more[n] for n, m in masks.items()}
    return [Expected([inputs], reference, run, run, masks) for run in moved]


def _apart(model: Model, inputs: Arrays, reference: Arrays, seed: int, training: bool) -> list[dict[str, np.ndarray]]:
    """The reference, moved by what moves a model whose composites are taken apart.

    A decomposition that answers otherwise is not in it: it is measured against its own reference, as it stands. None
    where nothing is taken apart, or where what is made does not evaluate: the step of that pass tells of it.
    """
    try:
        inner = taken_apart(model, kept=LESS_ONE, also=DECIDE)
        if inner is None:
            return []
        centre = _run(Evaluator(training=training), inner.model, inputs)
        runs = [_Moved(seed, RUNS + k, training, inner.narrow).run(inner.model, inputs) for k in range(APART)]
    except (Unfit, TypeError, ValueError):
        return []
    if any(a.shape != reference[n].shape for run in (centre, *runs) for n, a in run.items()):
        return []
    return [{n: shifted(reference[n], centre[n], a) for n, a in run.items()} for run in runs]


@dataclass
class _Moved:
    """An evaluation that moves every float that is given or computed; copies stay what they are copies of. Zeros that are
    computed have either sign: kernels agree on few of them.

    With `narrow`, which has types of nodes that round further than they declare, each by as much as it may be, this way
    or that: of a mean there is one, and a small draw says little.
    """

    seed: int
    k: int
    training: bool
    narrow: Mapping[Node, DType] | None = None
    arrays: dict[Value, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng((self.seed, 31, self.k))
        self.signs = np.random.default_rng((self.seed, 37, self.k))

    def run(self, model: Model, inputs: Arrays) -> dict[str, np.ndarray]:
        """The outputs; raises Unfit."""
        types = model.input_types
        given = {n: self._by(a, types[n].dtype, least(types[n].dtype)) for n, a in inputs.items()}
        weights = {n: self._by(w.data.numpy(), w.type.dtype, least(w.type.dtype)) for n, w in model.weights.items()}
        self.arrays = {model.weight_value(n): a for n, a in weights.items()}
        return _run(Evaluator("exact", self.training, observe=self._keep, replay=self._move), model, given, weights)

    def _by(self, array: np.ndarray, dtype: DType, size: float) -> np.ndarray:
        if not (dtype.is_float or dtype.is_complex) or not array.size:
            return array
        wide = np.complex128 if dtype.is_complex else np.float64
        return (array.astype(wide) * (1 + size * self._share(array.shape))).astype(array.dtype)

    def _share(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.rng.choice((-1.0, 1.0), shape) if self.narrow is not None else self.rng.uniform(-1, 1, shape)

    def _keep(self, value: Value, array: np.ndarray) -> None:
        self.arrays[value] = array

    def _move(self, node: Node, results: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        if node.bodies or (node.op.name == "constant" and results[0].size < 2):
            return results
        if node.op.family in DECIDE:
            results = self._again(node)
        given = [self.arrays[v] for v in node.inputs if v in self.arrays]
        return tuple(self._one(node, v.type.dtype, a, given) for v, a in zip(node.outputs, results, strict=True))

    def _again(self, node: Node) -> tuple[np.ndarray, ...]:
        """The results of moved operands."""
        settings = Evaluator("exact", self.training)

        def moved(value: Value | None) -> np.ndarray | None:
            if value is None:
                return None
            kind = value.type.dtype
            return self._by(self.arrays[value], kind, least(kind)).astype(settings.compute(kind).numpy)

        operands = {k: tuple(map(moved, v)) if isinstance(v, tuple) else moved(v) for k, v in node.operands.items()}
        attrs = concrete_attrs(node.op, node.attrs, {}, settings)
        return evaluate_op(settings, node.op, operands, attrs, {}, self.rng)

    def _one(self, node: Node, dtype: DType, array: np.ndarray, given: list[np.ndarray]) -> np.ndarray:
        if node.op.family in MOVES and _copied(array, given):
            return array
        size = amplitude(node.op, (self.narrow or {}).get(node, dtype))
        moved = self._by(array, dtype, size)
        ones = _ones(node)
        if ones and dtype != dtypes.float64:
            step = least(dtypes.float32) * ones * self._share(array.shape)
            rounds = given[0] < 0 if node.op.name in LESS_ONE else True
            moved = np.where(rounds, moved.astype(np.float64) + step, moved).astype(array.dtype)
        return self._either_zero(moved) if dtype.is_float else moved

    def _either_zero(self, array: np.ndarray) -> np.ndarray:
        zero = array == 0
        if not zero.any():
            return array
        signed = np.where(self.signs.integers(0, 2, array.shape).astype(bool), -array, array)
        return np.where(zero, signed, array).astype(array.dtype)


def _ones(node: Node) -> float:
    """How much of the rounding of 1 ONNX Runtime's kernel of the op leaves in a small result."""
    if node.op.name in LESS_ONE:
        return math.prod(abs(node.attrs[a]) for a in LESS_ONE[node.op.name])
    return float(node.op.family in ("recurrent", "recurrent_layer") and node.attrs.get("nonlinearity") != "relu")


def _copied(array: np.ndarray, given: list[np.ndarray]) -> bool:
    """Whether every element is an operand's, or zero."""
    same = [g.reshape(-1).astype(array.dtype) for g in given if g.dtype.kind not in "biu"]
    return bool(same) and bool(np.isin(array, np.concatenate([*same, np.zeros(1, array.dtype)])).all())


def least(dtype: DType) -> float:
    """The verification's least floor of a type, as a share."""
    return FLOOR_ULPS["half" if dtype.real.is_half else "single"] * dtype.real.eps


@functools.cache
def amplitude(op: OpDef, dtype: DType) -> float:
    """By how much a result is moved: the least floor, or what the op's samples or its kernels say that it rounds."""
    own = max((s.rtol or 0.0 for _, _, s in cases_of(op)), default=0.0) * dtype.real.eps / dtypes.float32.eps
    return max(least(dtype), own, BESSEL if op.name.startswith(("bessel_j", "bessel_y")) else 0.0)


def random_in_training(model: Model) -> set[str]:
    """Outputs that depend on numbers drawn in training."""
    tainted: set[Value] = set()
    for node in model.graph:
        if _draws(node) or any(v in tainted for v in node.inputs):
            tainted.update(node.outputs)
    names = zip(model.signature.output_names, model.graph.outputs, strict=True)
    return {name for name, value in names if value in tainted} | random_outputs(model)


def _draws(node: Node) -> bool:
    return node.op.random or any(_draws(inner) for body in node.bodies.values() for inner in body)
