"""A source of TensorFlow read into the IR, against TensorFlow's own result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from converter.importers.tensorflow import load
from ir.core import Model
from ir.core.signature import call_arguments, result_tree
from ir.eval import Evaluator
from ir.verify import check

Case = Mapping[str, np.ndarray]


def spec(*shape: int | None, dtype: str = "float32", name: str | None = None) -> Any:
    """A TensorSpec."""
    import tensorflow as tf

    return tf.TensorSpec(shape, tf.as_dtype(dtype), name)


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal numbers in float32."""
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def agree(
    source: Any,
    cases: Iterable[Case],
    inputs: Any = None,
    variables: Iterable[Any] = (),
    order: Callable[[Any], list[str]] = list,
    **options: Any,
) -> Model:
    """Read a live source and compare it with TensorFlow on every case; gives the model.

    `variables` are put back before each call, and compared with the model's state after it. `order` is that of the results,
    from TensorFlow's.
    """
    import tensorflow as tf

    from converter.importers.base import ImportOptions

    model = load(source, inputs, options=ImportOptions(**options))
    check(model)
    held = [(v, v.numpy()) for v in variables]
    for case in cases:
        args, kwargs = call_arguments(model.signature, {n: tf.constant(a) for n, a in case.items()})
        want = dict(result_tree(source(*args, **kwargs), tf.is_tensor)[1])
        after = [v.numpy() for v, before in held if not np.array_equal(v.numpy(), before)]
        for variable, value in held:
            variable.assign(value)
        found = Evaluator("exact").run(model, dict(case))
        assert list(found) == order(want)
        for name, value in found.items():
            same(name, value, want[name].numpy())
        for value in after:
            assert any(
                np.allclose(value, s, 1e-5, 1e-6) for s in states(model, case).values() if s.shape == value.shape
            )
    return model


def same(name: str, found: np.ndarray, expected: np.ndarray) -> None:
    """Equal shape and type, and values but for rounding."""
    assert found.shape == expected.shape and found.dtype == expected.dtype, (name, found.shape, expected.shape)
    np.testing.assert_allclose(found, expected, 1e-5, 1e-5, err_msg=name)


def states(model: Model, case: Case) -> dict[str, np.ndarray]:
    """The model's weights after one call."""
    from ir.core import copy_model
    from ir.core.signature import Branch, Leaf

    twin = copy_model(model)
    names = list(model.state)
    twin.graph.set_outputs([*twin.graph.outputs, *(twin.state[n] for n in names)])
    leaves = [*map(Leaf, model.signature.output_names), *(Leaf(f"state {n}") for n in names)]
    from dataclasses import replace

    twin.signature = replace(twin.signature, result=Branch("tuple", tuple(leaves)))
    found = Evaluator("exact").run(twin, dict(case))
    return {n: found[f"state {n}"] for n in names}
