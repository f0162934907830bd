"""One interface over everything that can run a model: NumPy arrays in, NumPy arrays out, by flat name."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from converter.errors import ConversionError, UsageError
from ir.core.signature import result_tree
from ir.types import TensorType


class RuntimeFailure(ConversionError):
    """The model was found but failed while running; the message carries the runtime's own words."""

    exit_code = 4


class Runner(Protocol):
    """A loaded model. `input_types` and results are keyed by flat name, in signature order."""

    name: str
    input_types: Mapping[str, TensorType]

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run once, from the model's own state. Raises UsageError on misfitting inputs, RuntimeFailure when the runtime
        does."""
        ...

    def in_turn(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """Run once on each of `calls`: the first from the model's own state, each other from what the one before left."""
        ...

    def close(self) -> None:
        """Free the process or session."""
        ...


class InTurn(abc.ABC):
    """A runner whose one call is the first of `in_turn`."""

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by flat name. Raises UsageError on misfitting inputs, RuntimeFailure with the runtime's own words."""
        return self.in_turn([inputs])[0]

    @abc.abstractmethod
    def in_turn(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """The outputs of each call, as `Runner` says."""


class AsSource(InTurn):
    """A converted model whose inputs lie otherwise than the source's, fed as the source is.

    `axes` says of such inputs which of the source's axes each of their own is.
    """

    def __init__(self, runner: Runner, axes: Mapping[str, Sequence[int]]) -> None:
        self.name, self.runner, self.axes = runner.name, runner, axes
        self.input_types: Mapping[str, TensorType] = {
            n: _as_source(t, axes[n]) if n in axes else t for n, t in runner.input_types.items()
        }

    def in_turn(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """Run once on each of the source's inputs."""
        return self.runner.in_turn([self.own(inputs) for inputs in calls])

    def own(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The source's inputs as the model takes them."""
        return {n: np.ascontiguousarray(a.transpose(self.axes[n])) if n in self.axes else a for n, a in inputs.items()}

    def close(self) -> None:
        """Free the process or session."""
        self.runner.close()


@contextlib.contextmanager
def apart(runner: Runner) -> Iterator[Runner]:
    """The same model where inputs that end a process do not end this one: in another, unless it runs there already."""
    own: Runner = runner.runner if isinstance(runner, AsSource) else runner
    made: Runner = own.apart() if hasattr(own, "apart") else own
    try:
        yield AsSource(made, runner.axes) if isinstance(runner, AsSource) else made
    finally:
        if made is not own:
            made.close()


def _as_source(t: TensorType, axes: Sequence[int]) -> TensorType:
    return t.with_shape(tuple(t.shape[list(axes).index(i)] for i in range(t.rank)))


def as_source(runner: Runner, types: Mapping[str, TensorType]) -> Runner:
    """A runner that takes the source's inputs, of these types: those that a conversion laid otherwise are turned."""
    axes: Mapping[str, Sequence[int]] = getattr(runner, "input_axes", {})
    moved = {
        n: order
        for n, order in axes.items()
        if n in types and n in runner.input_types and not _fits(runner.input_types[n], types[n], order)
    }
    return AsSource(runner, moved) if moved else runner


def _fits(own: TensorType, wanted: TensorType, order: Sequence[int]) -> bool:
    """Whether an input certainly lies as the source's already: the known sizes say so, and not the other order."""
    if sorted(order) != list(range(own.rank)):
        return True  # a file that another program wrote so
    agrees = [
        t.rank == wanted.rank
        and all(a == b for a, b in zip(t.shape, wanted.shape) if isinstance(a, int) and isinstance(b, int))
        for t in (own, _as_source(own, order))
    ]
    return agrees == [True, False]


def check_inputs(inputs: Mapping[str, np.ndarray], types: Mapping[str, TensorType]) -> None:
    """Raise UsageError where names, dtypes or ranks do not fit the signature, naming every problem at once."""
    from ir.types import dtype

    problems = [f"{name} is missing" for name in types if name not in inputs]
    problems += [f"{name} is no input (inputs: {', '.join(types) or 'none'})" for name in inputs if name not in types]
    for name, expected in types.items():
        if name not in inputs:
            continue
        array = inputs[name]
        fits = dtype(array.dtype) == expected.dtype and array.ndim == expected.rank
        fits = fits and all(not isinstance(d, int) or d == n for d, n in zip(expected.shape, array.shape, strict=True))
        if not fits:
            problems.append(f"{name} must be {expected}, got {array.dtype}{list(array.shape)}")
    if problems:
        raise UsageError("the inputs do not fit: " + "; ".join(problems))


def flatten_result(result: Any, is_leaf: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """A callable's result as flat leaves; raises RuntimeFailure when its structure is not the signature's.

    A Python number is a leaf where the signature has one: a size, or a number read from a tensor. Others are constants.
    """
    _, pairs = result_tree(result, lambda x: is_leaf(x) or isinstance(x, (bool, int, float)))
    found = {name: value for name, value in pairs if is_leaf(value) or name in names}
    if set(found) != set(names):
        raise RuntimeFailure(
            f"the model returned {', '.join(found) or 'nothing'}, its signature says {', '.join(names)}"
        )
    return {name: found[name] for name in names}
