"""What old files compute on today's Keras, against what the Keras that wrote them computed.

`python -m tests.importers.keras.legacy_outputs NAME ...` prints a JSON object of errors, for a backend of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from converter.importers.base import ImportOptions
from converter.importers.keras.files import open_source

FOLDER = Path(__file__).resolve().parents[3] / "fixtures" / "keras_legacy"
NAMES = tuple(sorted(p.stem for p in FOLDER.glob("*.h5")))
FIRST = tuple(n for n in NAMES if n.endswith(("_th", "channels_first")))
"""Files with channels first, whose convolutions TensorFlow does not run on a CPU."""

BOUND = 4e-6
"""Both sides are float32 and differ in the order of sums, of at most some hundred terms here: the largest difference seen is
5e-7 of the largest output (four units in the last place), and eight times that is allowed."""


def opened(name: str) -> Any:
    """The live model of a file."""
    return open_source(FOLDER / f"{name}.h5", ImportOptions())


def recorded(name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Inputs and outputs of a file's model, as its own Keras had them."""
    with np.load(FOLDER / f"{name}.npz") as data:
        kinds = [[data[f"{kind}{i}"] for i in range(sum(k.startswith(kind) for k in data))] for kind in ("in", "out")]
    return kinds[0], kinds[1]


def error(name: str) -> float:
    """The largest difference of any output, as a part of that output's largest value."""
    from keras import ops

    inputs, wanted = recorded(name)
    outputs = opened(name)(inputs if len(inputs) > 1 else inputs[0], training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    assert len(outputs) == len(wanted), (len(outputs), len(wanted))
    worst = 0.0
    for got, want in zip((ops.convert_to_numpy(y) for y in outputs), wanted):
        assert got.shape == want.shape, (got.shape, want.shape)
        assert np.isfinite(got).all()
        worst = max(worst, float(np.abs(got - want).max() / np.abs(want).max()))
    return worst


if __name__ == "__main__":
    print(json.dumps({name: error(name) for name in sys.argv[1:]}))
