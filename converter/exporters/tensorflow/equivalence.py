"""The package's own regression test, as written beside the model."""

from __future__ import annotations

from converter.exporters.code.equivalence import SAMPLES, TREES

_SOURCE = '''"""Compares the model with outputs recorded from its source. Run by pytest, or `python test_equivalence.py`."""

import importlib.util
import json
from collections import namedtuple
from pathlib import Path

import ml_dtypes  # noqa: F401 - a part of TensorFlow that gives NumPy bfloat16
import numpy as np
import tensorflow as tf

HERE = Path(__file__).resolve().parent


def load():
    """The model of this folder."""
    spec = importlib.util.spec_from_file_location(f"{HERE.name}_model", HERE / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load_model()


@SAMPLES@


@TREES@


def call(model, signature, leaves):
    """Outputs by flat name."""
    leaves = {name: tf.constant(array) for name, array in leaves.items()}
    args = [build(p["tree"], leaves) for p in signature["parameters"] if not p["keyword_only"]]
    kwargs = {p["name"]: build(p["tree"], leaves) for p in signature["parameters"] if p["keyword_only"]}
    return dict(flatten(model(*args, **kwargs), signature["result"]))


def compare(model):
    """One line for each recorded output; raises AssertionError on the first that differs."""
    signature = json.loads((HERE / "metadata.json").read_text())["signature"]
    cases, tolerances = samples()
    start = [(v, v.numpy()) for v in model.variables]
    lines = []
    for number, case in cases.items():
        outputs = call(model, signature, case["input"])
        for variable, value in start:  # a call may change the model's state
            variable.assign(value)
        for name, expected in case["output"].items():
            actual, kind = outputs[name], tf.as_dtype(expected.dtype)
            assert actual.dtype == kind, f"{name} is {actual.dtype.name}, expected {kind.name}"
            assert tuple(actual.shape) == expected.shape, f"{name} is {actual.shape}, expected {expected.shape}"
            allowed = tolerances.get(name, 0.0)
            if allowed == float("inf"):
                lines.append(f"sample {number}, {name}: drawn at random; type and shape are right")
                continue
            wide = np.complex128 if kind.is_complex else np.float64
            a, b = (np.reshape(t, -1).astype(wide) for t in (tf.reshape(actual, [-1]).numpy(), expected))
            same = (a == b) | (np.isnan(a) & np.isnan(b))
            with np.errstate(invalid="ignore"):
                error = float(np.where(same, 0.0, abs(a - b)).max(initial=0.0))
            assert error <= allowed, f"sample {number}, {name}: error {error:.3g} is above {allowed:.3g}"
            lines.append(f"sample {number}, {name}: error {error:.3g}, allowed {allowed:.3g}")
    return lines


def test_equivalence():
    """The recorded outputs are reproduced."""
    assert compare(load()), "samples.npz is missing"


if __name__ == "__main__":
    print("\\n".join(compare(load())) or "samples.npz is missing: nothing to compare")
'''
TEST_SOURCE = _SOURCE.replace("@TREES@\n", TREES).replace("@SAMPLES@\n", SAMPLES)
