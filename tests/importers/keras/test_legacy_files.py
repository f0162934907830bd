"""Files that real Keras 1.2, 2.0, 2.3 and tf.keras 2.3, 2.4 and 2.15 wrote: on today's Keras they compute what they did then."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ir.eval import Evaluator
from tests.importers.keras import legacy_outputs as legacy
from tests.warm import SERVERS, python

IMPORTED = (
    "_text",
    "_mlp",
    "_convlstm",
    "_states",
    "_cells",
    "_operators",
    "_functional",
    "_turned",
    "_cudnn",
    "_masks",
    "_inside",
)
"""Files that are also taken all the way into the IR: one of each kind, as a model costs a second."""


def test_every_kind_of_file_is_there() -> None:
    kinds = {name.partition("_")[0] for name in legacy.NAMES}
    assert kinds == {"keras1", "keras1tf", "keras205", "keras2", "keras2th", "tf23", "tf24", "tf2"}
    assert len(legacy.NAMES) >= 70
    assert all((legacy.FOLDER / f"{n}{end}").stat().st_size <= 100_000 for n in legacy.NAMES for end in (".h5", ".npz"))


@pytest.mark.parametrize("name", [n for n in legacy.NAMES if n not in legacy.FIRST])
def test_computes_what_it_did(name: str) -> None:
    assert legacy.error(name) <= legacy.BOUND


def test_channels_first_on_a_backend_that_has_them() -> None:
    words = ["-m", "tests.importers.keras.legacy_outputs", *legacy.FIRST, "keras2_text", "keras2_convlstm"]
    done = python(SERVERS["torch"], *words, environment={"KERAS_BACKEND": "torch"}, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    errors = json.loads(done.stdout.splitlines()[-1])
    assert {n: e for n, e in errors.items() if e > legacy.BOUND} == {}
    assert set(errors) >= set(legacy.FIRST)


@pytest.mark.parametrize("name", [n for n in legacy.NAMES if n in legacy.FIRST or n.endswith(IMPORTED)])
def test_the_importer_reads_it_as_well(name: str) -> None:
    from converter.importers.keras import load

    model = load(legacy.opened(name))
    inputs, wanted = legacy.recorded(name)
    feed = {v.name: x.astype(str(v.type.dtype)) for v, x in zip(model.graph.inputs, inputs)}
    found = list(Evaluator().run(model, feed).values())
    assert len(found) == len(wanted)
    for got, want in zip(found, wanted):
        assert got.shape == want.shape
        assert np.abs(got - want).max() <= legacy.BOUND * np.abs(want).max()


def test_the_old_hard_sigmoid_is_another_function() -> None:
    import keras

    model = legacy.opened("keras2_mlp")
    x = np.linspace(-4, 4, 33, dtype=np.float32)
    got = keras.ops.convert_to_numpy(model.layers[1].activation(x))
    np.testing.assert_allclose(got, np.clip(0.2 * x + 0.5, 0, 1), atol=1e-6)
    assert np.abs(got - keras.ops.convert_to_numpy(keras.activations.hard_sigmoid(x))).max() > 0.05


def test_frozen_layers_and_penalties_are_kept() -> None:
    import keras

    frozen = [v.path for layer in legacy.opened("keras1_mlp").layers if not layer.trainable for v in layer.weights]
    assert len(frozen) == 2
    penalty = legacy.opened("keras2_mlp").layers[1].kernel_regularizer
    assert isinstance(penalty, keras.regularizers.L1L2)
    assert (float(penalty.l1), float(penalty.l2)) == pytest.approx((0.01, 0.02))
    inner = legacy.opened("tf2_functional").get_layer("inner")
    assert sum(not layer.trainable for layer in inner.layers if layer.weights) == 1


def test_gru_of_both_kinds() -> None:
    assert [layer.reset_after for layer in legacy.opened("keras2_cells").layers if hasattr(layer, "reset_after")] == [
        True
    ]
    assert [layer.reset_after for layer in legacy.opened("keras2_text").layers if hasattr(layer, "reset_after")] == [
        False
    ]
    assert [layer.reset_after for layer in legacy.opened("tf2_text").layers if hasattr(layer, "reset_after")] == [True]
