"""One layer as a model: how a row of the tables becomes a Keras model, its inputs, and what must be equal.

A row names a class of `keras.layers`, the shapes of its inputs without the batch, and the layer's arguments. The weights
are random, so that no default (zeros, ones) hides a mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converter.importers.base import ImportOptions
from converter.importers.keras import load
from converter.runtimes.live_keras import LiveKerasRunner, moving_variables
from ir.core import Model
from ir.eval import Evaluator
from ir.verify import check
from tests.ops.harness import assert_close

Shape = tuple[Any, ...]
BATCHES = (3, 1, 4)


@dataclass(frozen=True)
class Case:
    """One row. `ints` makes inputs integers below it; `call` says how the layer is called on its inputs (None: on the
    only one, or the list of all). `random` marks layers whose training mode draws. A size None in a shape is open, and
    `open` what it is in the samples. `backend` is the only one that runs the row,
    `fixed` the only batch size."""

    layer: str
    shapes: tuple[Shape, ...]
    args: dict[str, Any]
    ints: int = 0
    call: Callable[[Any, list[Any]], Any] | None = None
    random: bool = False
    dtype: str = "float32"
    open: int = 7
    low: float | None = None
    rtol: float | None = None
    prepare: Callable[[Any], Any] | None = None
    refused: str = ""
    backend: str = ""
    fixed: int = 0
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For messages: `Conv2D(filters=4, ...)`."""
        return f"{self.layer}({', '.join(f'{k}={_word(v)}' for k, v in self.args.items())}) on {list(self.shapes)}"


def _word(value: Any) -> str:
    return value if isinstance(value, str) else type(value).__name__ if hasattr(value, "call") else repr(value)


def row(layer: str, /, *shapes: Shape, **args: Any) -> Case:
    """A case: fields of `Case` by their names with an underscore behind, all else are the layer's arguments."""
    own = {k[:-1]: args.pop(k) for k in list(args) if k.endswith("_")}
    return Case(layer, shapes, args, **own)


def build(case: Case) -> Any:
    """The model; weights random and the same every time."""
    import keras

    keras.utils.set_random_seed(3)
    arguments = {k: v() if callable(v) and getattr(v, "__name__", "") == "made" else v for k, v in case.args.items()}
    layer = getattr(keras.layers, case.layer)(**arguments)
    if case.prepare is not None:
        case.prepare(layer)
    kind = "int32" if case.ints else case.dtype
    batch = case.fixed or None
    inputs = [keras.Input(batch_shape=(batch, *s), dtype=kind, name=f"x{i}") for i, s in enumerate(case.shapes)]
    call = case.call or (lambda one, xs: one(xs[0] if len(xs) == 1 else xs))
    model = keras.Model(inputs, call(layer, inputs))
    randomise(model)
    return model


def made(build_one: Callable[[], Any]) -> Callable[[], Any]:
    """An argument that is made anew for every model: a cell, an inner layer."""

    def made() -> Any:
        return build_one()

    return made


def randomise(model: Any) -> None:
    """Small random numbers in every float weight; variances stay positive."""
    rng = np.random.default_rng(5)
    for variable in model.weights:
        if "float" not in variable.dtype:
            continue
        numbers = rng.uniform(-0.6, 0.6, variable.shape)
        if "variance" in variable.name or variable.name in ("gamma", "scale"):
            numbers = np.abs(numbers) + 0.4
        variable.assign(numbers.astype("float32"))


def sample(case: Case, batch: int, seed: int = 0) -> list[np.ndarray]:
    """Inputs of one batch size."""
    rng = np.random.default_rng(seed + batch)
    shapes = [(case.fixed or batch, *(case.open if n is None else n for n in s)) for s in case.shapes]
    if case.ints:
        return [rng.integers(0, case.ints, s).astype("int32") for s in shapes]
    from ir.types import dtype

    kind = dtype(case.dtype).numpy
    if case.low is not None:
        return [rng.uniform(case.low, case.low + 1, s).astype(kind) for s in shapes]
    return [rng.standard_normal(s).astype(kind) for s in shapes]


def read(case: Case, model: Any) -> Model:
    """The model in the IR, verified."""
    found = load(model, None, options=ImportOptions(trust=True))
    check(found)
    assert case.random or not [n for n in found.notes if "as it is in training" in n], found.notes
    return found


def compare(case: Case, model: Any, found: Model, training: bool = False, batches: Sequence[int] = BATCHES) -> None:
    """Exact evaluation equals Keras' answer at every batch size, in value, dtype and shape; in training the variables
    that Keras changes as well. Whatever Keras changes is put back."""
    for batch in batches:
        arrays = sample(case, batch)
        given = dict(zip(found.input_types, arrays, strict=True))
        want, moved = keras_answer(model, found, arrays, training)
        got, state = Evaluator("exact", training=training).run_with_state(found, given)
        for name, array in want.items():
            _equal(f"{name}, batch {batch}", got[name], array, case)
        names = {name for name, _ in moved}
        assert set(state) >= names, f"not moved: {names - set(state)}"
        for name, array in moved:
            _equal(f"{name} after a call, batch {batch}", state[name], array, case)


def _equal(name: str, got: np.ndarray, want: np.ndarray, case: Case) -> None:
    from ir.types import dtype

    assert got.dtype == want.dtype, f"{name}: {got.dtype}, Keras gives {want.dtype}"
    assert got.shape == want.shape, f"{name}: {got.shape}, Keras gives {want.shape}"
    try:
        assert_close(got, want, dtype(want.dtype), case.rtol)
    except AssertionError as error:
        raise AssertionError(f"{name}: {error}") from None


def keras_answer(
    model: Any, found: Model, arrays: Sequence[np.ndarray], training: bool
) -> tuple[dict[str, np.ndarray], list[tuple[str, np.ndarray]]]:
    """Outputs by name, and (name, new value) of every variable that the call changed; all are put back."""
    import keras

    ops = keras.ops
    before = [(v, np.array(ops.convert_to_numpy(v.value))) for v in changing(model)]
    try:
        if training:
            result = model([ops.convert_to_tensor(a) for a in arrays], training=True)
            leaves = [np.asarray(ops.convert_to_numpy(x)) for x in keras.tree.flatten(result)]
            want = dict(zip(found.signature.output_names, leaves, strict=True))
        else:
            want = LiveKerasRunner(model, found)(dict(zip(found.input_types, arrays, strict=True)))
        moved = list(_moved(model, found, before))
    finally:
        for variable, value in before:
            variable.assign(value)
    return want, moved


def changing(model: Any) -> list[Any]:
    """The variables that a call may change, each once."""
    found = {id(v): v for v in (*model.variables, *moving_variables(model))}
    return list(found.values())


def _moved(model: Any, found: Model, before: list[tuple[Any, np.ndarray]]) -> Iterator[tuple[str, np.ndarray]]:
    from converter.importers.keras.scopes import Scopes

    names = Scopes(model).variables
    for variable, value in before:
        now = np.array(variable.value)
        if "seed" not in variable.name and not np.array_equal(now, value):
            yield names[id(variable)][0], now


__all__ = ["BATCHES", "Case", "build", "changing", "compare", "keras_answer", "made", "read", "row", "sample"]
