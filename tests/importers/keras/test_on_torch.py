"""Layers that mean something else on PyTorch's backend than on the others, in a process of that backend."""

from __future__ import annotations

from pathlib import Path

from tests.warm import SERVERS, python

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import keras
import numpy as np
from keras import layers
from converter import ConversionError
from tests.importers.keras.harness import agree

rng = np.random.default_rng(0)


def tell(name, shape, layer, kind="float32"):
    given = keras.Input(shape, dtype=kind)
    net = keras.Model(given, layer(given))
    try:
        agree(net, [rng.standard_normal([2, *(n or 7 for n in shape)]).astype(kind)])
    except ConversionError as error:
        print(name, "refused:", error.unsupported[0].reason)
    else:
        print(name, "equal")


for rank in (1, 2, 3):
    pool = getattr(layers, f"AveragePooling{rank}D")
    tell(f"pool {rank}", (*(6, 7, 8)[:rank], 3), pool(3, strides=2, padding="same"))
tell("open pool", (None, 7, 3), layers.AveragePooling2D(3, strides=2, padding="same"))
for mode in ("one_hot", "multi_hot", "count"):
    ids = keras.Input((1 if mode == "one_hot" else 4,), dtype="int32")
    agree(keras.Model(ids, layers.CategoryEncoding(6, output_mode=mode)(ids)), [rng.integers(0, 6, (3, *ids.shape[1:])).astype("int32")])
    print(mode, "equal")
for layer in (layers.Dense(3, dtype="float64"), layers.BatchNormalization(dtype="float64"), layers.UnitNormalization(dtype="float64"),
              layers.LayerNormalization(dtype="float64"), layers.Softmax(dtype="float64")):
    tell(type(layer).__name__, (4,), layer, "float64")
"""
HALVED = "refused: float64 on torch, where Keras computes a part of this layer in float32"


def test_what_torch_computes_in_its_own_way() -> None:
    """Edges that an average counts again, doubles that Keras' promotion makes floats of."""
    environment = {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"}
    done = python(SERVERS["torch"], "-W", "ignore", "-c", SCRIPT, environment=environment, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [
        "pool 1 equal", "pool 2 equal", "pool 3 equal",
        "open pool refused: average pooling with same padding of an open size on torch, where the padding's form decides what is "
        "averaged",
        "one_hot equal", "multi_hot equal", "count equal",
        f"Dense {HALVED}", f"BatchNormalization {HALVED}", f"UnitNormalization {HALVED}", f"LayerNormalization {HALVED}", "Softmax equal",
    ]  # fmt: skip
