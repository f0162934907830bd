"""What a case of an operation is, and what became of it on the running backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from converter.errors import ConversionError
from tests.importers.keras.harness import agree, function, resized

RNG_SEED = 7


@dataclass(frozen=True)
class Case:
    """A function of keras.ops whose model holds operation `op`, on example arrays; the first axis is open.

    `sizes` are further sizes of the open axis. `live` runs it as the `call` of a layer: keys of subscripts and functions
    of loops that a functional model cannot hold. `refused`: this backend cannot be followed, by design. `notes` are told on
    TensorFlow. `keras_fails` names backends on which Keras' own implementation raises, `left_open` those that promise no one answer.
    """

    op: str
    name: str
    call: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    sizes: tuple[int, ...] = (1, 4)
    dynamic: tuple[int, ...] = (0,)
    live: bool = False
    refused: bool = False
    keras_fails: tuple[str, ...] = ()
    left_open: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.op}: {self.name}"


def model_of(case: Case) -> Any:
    """The Keras model of a case."""
    if not case.live:
        return function(case.call, *case.arrays, dynamic=case.dynamic)
    return function(lambda *xs: live_layer(case.call)(list(xs)), *case.arrays, dynamic=case.dynamic)


def live_layer(call: Callable[..., Any]) -> Any:
    import keras

    class Live(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return call(*inputs)

        def compute_output_spec(self, inputs: Any) -> Any:
            from keras import tree
            from keras.src import backend

            concrete = [np.zeros([d or 3 for d in t.shape], t.dtype) for t in inputs]
            found = call(*(backend.convert_to_tensor(a) for a in concrete))
            return tree.map_structure(
                lambda t: keras.KerasTensor(t.shape, backend.standardize_dtype(t.dtype)) if hasattr(t, "shape") else t,
                found,
            )

    return Live()


def samples(case: Case) -> list[list[np.ndarray]]:
    """The example, and the example at other sizes of the open axis."""
    found = [list(case.arrays)]
    return found + [resized(case.arrays, 0, n) for n in case.sizes if case.dynamic]


def outcome(case: Case) -> str:
    """`equal`, `refused: why`, `keras: why` where Keras itself fails, or `wrong: why`."""
    from keras import config

    if config.backend() in case.left_open:
        return f"open: {config.backend()} promises no one answer"
    try:
        net = model_of(case)
        for sample in samples(case):
            net(sample)
    except Exception as error:  # noqa: BLE001 - whatever a backend raises
        return f"keras: {type(error).__name__} {_line(error)}"
    if not case.live and not any(type(o).__name__ == case.op for o in net.operations):
        return f"wrong: the model holds no {case.op}"
    try:
        read = agree(net, *samples(case))
    except ConversionError as error:
        return f"refused: {'; '.join(u.reason for u in error.unsupported) or _line(error)}"
    except Exception as error:  # noqa: BLE001 - every failure is named
        return f"wrong: {type(error).__name__} {_line(error)}"
    known = config.backend() == "tensorflow"  # a loop is Python's own on PyTorch
    if case.live and known and not any(f"keras.ops.{case.op}" == n.origin.op for n in read.nodes()):
        return f"wrong: nothing was read of {case.op}"
    missing = [t for t in case.notes if known and not any(t in n for n in read.notes)]
    return f"wrong: no note of {missing[0]!r}" if missing else "equal"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def failures(cases: Sequence[Case]) -> list[str]:
    """What each case that is not as it should be became. Many are tried as one model, those of a batch that fails alone."""
    rest = []
    for group in batches(cases, key=lambda case: case):
        if len(group) == 1 or not together(group):
            rest += group
    found = []
    for case in rest:
        result = outcome(case)
        good = result.startswith(_expected(case))
        if not good:
            found.append(f"{case}: {result}")
    return found


BATCH = 24
Item = TypeVar("Item")


def batches(items: Sequence[Item], key: Callable[[Item], Case]) -> Iterator[list[Item]]:
    """Those whose cases may be tried as one model in groups of at most `BATCH`, every other alone."""
    groups: dict[object, list[Item]] = {}
    for i, item in enumerate(items):
        case = key(item)
        alone = case.live or case.refused or case.notes or case.keras_fails or case.left_open
        groups.setdefault(i if alone else _key(case), []).append(item)
    for group in groups.values():
        yield from (group[i : i + BATCH] for i in range(0, len(group), BATCH))


def _expected(case: Case) -> str:
    from keras import config

    return "keras" if config.backend() in case.keras_fails else "refused" if case.refused else "equal"


def _key(case: Case) -> tuple[object, ...]:
    return case.sizes, case.dynamic, bool(case.dynamic) and case.arrays[0].shape[0]


def together(cases: Sequence[Case]) -> bool:
    """Whether cases agree as the outputs of one model."""
    places: dict[tuple[object, ...], int] = {}
    arrays: list[np.ndarray] = []
    taken = []
    for case in cases:
        own = []
        for a in case.arrays:
            mark = a.dtype.name, a.shape, a.tobytes()
            if mark not in places:
                places[mark] = len(arrays)
                arrays.append(a)
            own.append(places[mark])
        taken.append(own)

    def call(*xs: Any) -> list[Any]:
        return [case.call(*(xs[i] for i in own)) for case, own in zip(cases, taken, strict=True)]

    whole = Case("", "", call, tuple(arrays), cases[0].sizes, cases[0].dynamic)
    try:
        net = model_of(whole)
        names = {type(o).__name__ for o in net.operations}
        agree(net, *samples(whole))
    except Exception:  # noqa: BLE001 - each is tried alone then
        return False
    return all(c.op in names for c in cases)


# -- arrays -------------------------------------------------------------------------------------------------------------
FLOATS = ("float32", "float64", "float16", "bfloat16")
INTS = ("int32", "int64", "int8", "uint8", "int16", "uint16", "uint32")


def array(*shape: int, dtype: str = "float32", low: float = -3, high: float = 3, seed: int = RNG_SEED) -> np.ndarray:
    """Random numbers between bounds (whole ones for integers, none below 0 for unsigned ones)."""
    import ml_dtypes  # noqa: F401 - bfloat16 by name

    rng = np.random.default_rng(seed + len(shape))
    if dtype == "bool":
        return rng.random(shape) > 0.5
    if dtype.startswith(("int", "uint")):
        start = max(int(low), 0) if dtype.startswith("uint") else int(low)
        return rng.integers(start, int(high) + 1, shape).astype(dtype)
    if dtype.startswith("complex"):
        return (rng.uniform(low, high, shape) + 1j * rng.uniform(low, high, shape)).astype(dtype)
    return rng.uniform(low, high, shape).astype(np.dtype(dtype))


def edges(dtype: str = "float32") -> np.ndarray:
    """NaN, infinities and zeros of both signs, among others."""
    return np.array([[0.0, -0.0, 1.0], [-1.0, np.inf, -np.inf], [np.nan, 2.5, -2.5], [0.5, 1.5, -0.5]], np.dtype(dtype))


def by_op(cases: Sequence[Case]) -> Iterator[tuple[str, list[Case]]]:
    """The cases of each operation."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.op, []).append(case)
    yield from groups.items()
