"""Cases of raw ops: functions of TensorFlow read into the IR, against TensorFlow's own results.

A case is one raw op on example operands. Many cases are the outputs of one concrete function, which is traced twice:
with every size known, and with sizes left open. Cases of a function that fails are tried alone, and each is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ml_dtypes
import numpy as np

from converter.errors import ConversionError
from ir.core import Model
from ir.eval import EvaluationError, Evaluator
from ir.verify import check
from tests.ops.harness import assert_close

BATCH = 40
"""Cases that share a concrete function."""


@dataclass(frozen=True, eq=False)
class Fixed:
    """An operand that is a constant of the graph."""

    array: np.ndarray


def fixed(content: Any, dtype: str = "int32") -> Fixed:
    """A constant operand, of int32 where nothing else is said: sizes, axes, positions."""
    return Fixed(np.asarray(content, dtype))


@dataclass(frozen=True, eq=False)
class Case:
    """The raw op `op` on operands by the names of its arguments: arrays that are inputs, `Fixed` ones, lists of either.

    The axes `open` of every input are of unknown size in the second trace; there the case also runs at each of `sizes`
    as the size of these axes. A case with `open=()` runs with known sizes alone. `refused` is a part of the reason why
    it is not converted, `raises` says that TensorFlow and what was read both fail when they run, `notes` are told.
    `rtol` is for ops whose definition cancels digits. `then` makes of the op's results, in TensorFlow, what is compared:
    of results that are no one answer, what is the same of all. `quantised` names the quantised types of operands that are
    given as integers; results of such types are compared as integers.
    """

    op: str
    name: str
    operands: Mapping[str, Any]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    open: tuple[int, ...] = (0,)
    sizes: tuple[int, ...] = ()
    refused: str = ""
    raises: bool = False
    notes: tuple[str, ...] = ()
    rtol: float | None = None
    then: Callable[[list[Any]], list[Any]] | None = None
    quantised: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.op}: {self.name}"

    def inputs(self) -> list[np.ndarray]:
        """The arrays that are inputs, in order."""
        found = []
        for operand in self.operands.values():
            found += [np.asarray(o) for o in (operand if isinstance(operand, list) else [operand]) if _is_input(o)]
        return found

    def call(self, values: Iterable[Any]) -> list[Any]:
        """The op's results on tensors for the inputs."""
        import tensorflow as tf

        left = iter(values)

        def one(operand: Any) -> Any:
            return next(left) if _is_input(operand) else tf.constant(operand.array)

        given = {n: [one(x) for x in o] if isinstance(o, list) else one(o) for n, o in self.operands.items()}
        for name, kind in self.quantised.items():
            given[name] = tf.nest.map_structure(lambda x, kind=kind: tf.bitcast(x, kind), given[name])
        results = tf.nest.flatten(getattr(tf.raw_ops, self.op)(**given, **self.attrs))
        found = [tf.bitcast(r, INSIDE[r.dtype.name]) if r.dtype.name in INSIDE else r for r in results]
        return found if self.then is None else self.then(found)

    @property
    def alone(self) -> bool:
        """Whether it must not share a function."""
        return bool(self.refused or self.raises or self.notes or self.rtol)


def _is_input(operand: Any) -> bool:
    return isinstance(operand, (np.ndarray, np.generic))


def failures(cases: Iterable[Case]) -> list[str]:
    """What is wrong with each case that is not as it should be."""
    rows = _once_open(cases)
    groups: dict[Any, list[Case]] = {}
    for case in rows:
        key = (case.open, case.sizes, tuple(a.shape for a in case.inputs()) if case.sizes else None)
        groups.setdefault(key if not case.alone else case, []).append(case)
    found = []
    for group in groups.values():
        for i in range(0, len(group), BATCH):
            batch = group[i : i + BATCH]
            if len(batch) > 1 and not _outcome(batch):
                continue
            found += [f"{case}: {wrong}" for case in batch if (wrong := _outcome([case]))]
    return found


def _once_open(cases: Iterable[Case]) -> list[Case]:
    """The cases; those that differ from an earlier one in dtypes alone run with known sizes alone."""
    seen = set()
    rows = []
    for case in cases:
        fixed_ones = [
            o for v in case.operands.values() for o in (v if isinstance(v, list) else [v]) if not _is_input(o)
        ]
        places = tuple(f.array.tobytes() for f in fixed_ones if f.array.dtype.name in ("int32", "int64"))
        settings = tuple(sorted((k, str(v)) for k, v in case.attrs.items() if not _names_dtype(v)))
        form = case.op, tuple(a.shape for a in case.inputs()), places, settings
        rows.append(replace(case, open=(), sizes=()) if form in seen and not case.refused else case)
        seen.add(form)
    return rows


def _names_dtype(setting: Any) -> bool:
    return isinstance(setting, str) and setting in (*FLOATS, *INTS, *COMPLEX, "bool")


def _outcome(cases: Sequence[Case]) -> str:
    """Why cases do not agree as the results of one function; empty where all is as it should be."""
    from tensorflow import errors

    try:
        for opened in (False, True) if cases[0].open else (False,):
            if wrong := _tried(cases, opened):
                return f"{'open' if opened else 'known'} sizes: {wrong}"
    except (errors.OpError, TypeError, ValueError) as error:
        return f"TensorFlow cannot run it: {line(error)}"
    except Exception as error:  # noqa: BLE001 - every failure is named
        return f"{type(error).__name__} {line(error)}"
    return ""


def _tried(cases: Sequence[Case], opened: bool) -> str:
    arrays, places = _shared(cases)
    traced = _function(cases, arrays, places, cases[0].open if opened else ())
    only = cases[0]
    try:
        model = load(traced, _specs(arrays, only.open) if opened else None)
    except ConversionError as error:
        reasons = "; ".join(u.reason for u in error.unsupported) or line(error)
        return "" if only.refused and only.refused in reasons else f"refused: {reasons}"
    except Exception as error:  # noqa: BLE001 - a crash is a failure of ours
        return f"reading crashed: {type(error).__name__} {line(error)}"
    if only.refused:
        return f"it was not refused: {only.refused!r}"
    if missing := [t for t in only.notes if not any(t in n for n in model.notes)]:
        return f"no note of {missing[0]!r}, only {model.notes}"
    for size in (None, *(only.sizes if opened else ())):
        given = arrays if size is None else [resized(a, only.open, size) for a in arrays]
        if wrong := compared(model, traced, given, only.rtol, only.raises):
            return wrong if size is None else f"size {size}: {wrong}"
    return ""


def compared(
    model: Model, traced: Any, arrays: Sequence[np.ndarray], rtol: float | None = None, raises: bool = False
) -> str:
    """How the evaluation of what was read differs from TensorFlow's own results; empty where it does not."""
    import tensorflow as tf

    try:
        want = [t.numpy() for t in tf.nest.flatten(traced(*(tf.constant(a) for a in arrays)))]
    except tf.errors.OpError as error:
        if not raises:
            return f"TensorFlow cannot run it: {line(error)}"
        want = None
    given = dict(zip(model.input_types, arrays, strict=True))
    try:
        got = list(Evaluator("exact").run(model, given).values())
    except (EvaluationError, ValueError, IndexError) as error:
        return "" if want is None else f"evaluation fails: {line(error)}"
    if want is None or raises:
        return "evaluation does not fail" if want is None else "TensorFlow does not fail"
    if len(got) != len(want):
        return f"{len(got)} results for {len(want)}"
    for i, (mine, theirs) in enumerate(zip(got, want, strict=True)):
        if mine.dtype != theirs.dtype or mine.shape != theirs.shape:
            return f"result {i}: {mine.dtype}{list(mine.shape)}, TensorFlow gives {theirs.dtype}{list(theirs.shape)}"
        try:
            assert_close(mine, theirs, list(model.output_types.values())[i].dtype, rtol)
        except AssertionError as error:
            return f"result {i}: {line(error)}"
    return ""


def load(traced: Any, inputs: Any = None) -> Model:
    """Read a concrete function, and check what was read."""
    from converter.importers.tensorflow import load as read

    model = read(traced, inputs)
    check(model)
    return model


def _shared(cases: Sequence[Case]) -> tuple[list[np.ndarray], list[list[int]]]:
    """The different inputs of cases, and which of them each case takes."""
    arrays: list[np.ndarray] = []
    known: dict[Any, int] = {}
    places = []
    for case in cases:
        own = []
        for a in case.inputs():
            mark = a.dtype.name, a.shape, a.tobytes()
            if mark not in known:
                known[mark] = len(arrays)
                arrays.append(a)
            own.append(known[mark])
        places.append(own)
    return arrays, places


def _function(cases: Sequence[Case], arrays: Sequence[np.ndarray], places: Any, opened: Sequence[int]) -> Any:
    """One concrete function for all cases; its results are a flat list."""
    import tensorflow as tf

    specs = [
        tf.TensorSpec([None if i in _axes(a, opened) else n for i, n in enumerate(a.shape)], a.dtype, f"x{k}")
        for k, a in enumerate(arrays)
    ]

    def call(*xs: Any) -> list[Any]:
        results = []
        for case, own in zip(cases, places, strict=True):
            results += case.call(xs[i] for i in own)
        return results

    return tf.function(call, autograph=False).get_concrete_function(*specs)


def _specs(arrays: Sequence[np.ndarray], opened: Sequence[int]) -> list[str]:
    """The inputs with a name for every open size: sizes that are equal in the example share one."""
    return [
        f"{a.dtype.name}[{','.join(f'n{n}' if i in _axes(a, opened) else str(n) for i, n in enumerate(a.shape))}]"
        for a in arrays
    ]


def _axes(array: np.ndarray, axes: Sequence[int]) -> set[int]:
    """Axes that are open: those of size 1, which stand for broadcasting, stay."""
    return {a % array.ndim for a in axes if -array.ndim <= a < array.ndim and array.shape[a] > 1}


def resized(array: np.ndarray, axes: Sequence[int], size: int) -> np.ndarray:
    """The array with another size of some axes, its elements repeated."""
    for axis in _axes(array, axes):
        array = np.take(array, np.arange(size) % array.shape[axis], axis)
    return array


def line(error: Exception | str) -> str:
    """An error on one line; of a long one its end, where TensorFlow says what it is."""
    text = " ".join(str(error).split())
    return text if len(text) < 400 else f"... {text[-400:]}"


# -- arrays -------------------------------------------------------------------------------------------------------------
FLOATS = ("float32", "float64", "float16", "bfloat16")
INTS = ("int32", "int64", "int8", "uint8", "int16", "uint16", "uint32", "uint64")
COMPLEX = ("complex64", "complex128")
INSIDE = {"qint8": "int8", "quint8": "uint8", "qint16": "int16", "quint16": "uint16", "qint32": "int32"}
"""The integers of quantised types."""
SPECIALS = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 2.5, -2.5, 0.5, 1.5, -0.5)


def array(*shape: int, dtype: str = "float32", low: float = -3, high: float = 3, seed: int = 7) -> np.ndarray:
    """Random numbers between bounds (whole ones for integers, none below 0 for unsigned ones)."""
    rng = np.random.default_rng(seed + len(shape))
    if dtype == "bool":
        return rng.random(shape) > 0.5
    if dtype.startswith(("int", "uint")):
        start = max(int(low), 0) if dtype.startswith("uint") else int(low)
        return rng.integers(start, int(high) + 1, shape).astype(dtype)
    if dtype.startswith("complex"):
        return (rng.uniform(low, high, shape) + 1j * rng.uniform(low, high, shape)).astype(dtype)
    return rng.uniform(low, high, shape).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


def edges(dtype: str = "float32") -> np.ndarray:
    """NaN, infinities and zeros of both signs for floats; the ends of the range for integers."""
    if dtype in FLOATS:
        return np.array(SPECIALS).astype(array(1, dtype=dtype).dtype).reshape(4, 3)
    info = np.iinfo(dtype)
    return np.array([[info.min, info.max], [info.max // 2 + 1, 1]], dtype)


def kinds(op: str, attr: str = "T", among: Sequence[str] = (*FLOATS, *INTS, *COMPLEX, "bool")) -> list[str]:
    """The dtypes for which the installed TensorFlow registers a kernel of an op on the CPU."""
    from tensorflow import dtypes
    from tensorflow.python.framework.kernels import get_registered_kernels_for_op
    from tensorflow.python.framework.op_def_registry import get

    declared = next(a.allowed_values.list.type for a in get(op).attr if a.name == attr)
    if declared:
        among = [k for k in among if dtypes.as_dtype(k).as_datatype_enum in declared]
    found = set()
    for kernel in get_registered_kernels_for_op(op).kernel:
        allowed = [c.allowed_values.list.type for c in kernel.constraint if c.name == attr]
        if kernel.device_type in ("CPU", "DEFAULT"):
            found |= {dtypes.as_dtype(t).name for t in allowed[0]} if allowed else set(among)
    return [k for k in among if k in found]


Table = Callable[[], Iterator[Case]]
