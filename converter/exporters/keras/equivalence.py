"""The package's own regression test, as written beside the model."""

from __future__ import annotations

from converter.exporters.code.equivalence import SAMPLES, TREES

_SOURCE = '''"""Compares the model with outputs recorded from its source. Run by pytest, or `python test_equivalence.py`."""

import importlib.util
import json
from collections import namedtuple
from pathlib import Path

import ml_dtypes  # noqa: F401 - a part of Keras that gives NumPy bfloat16
import numpy as np
from keras import backend, ops

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
    leaves = {name: ops.convert_to_tensor(array) for name, array in leaves.items()}
    args = [build(p["tree"], leaves) for p in signature["parameters"] if not p["keyword_only"]]
    kwargs = {p["name"]: build(p["tree"], leaves) for p in signature["parameters"] if p["keyword_only"]}
    return dict(flatten(model(*args, **kwargs), signature["result"]))


def compare(model):
    """One line for each recorded output; raises AssertionError on the first that differs."""
    signature = json.loads((HERE / "metadata.json").read_text())["signature"]
    cases, tolerances = samples()
    start = [(v, ops.convert_to_numpy(v)) for v in model.non_trainable_variables]
    lines = []
    for number, case in cases.items():
        outputs = call(model, signature, case["input"])
        for variable, value in start:  # a call may change the model's state
            variable.assign(value)
        for name, expected in case["output"].items():
            kind = backend.standardize_dtype(ops.convert_to_tensor(expected).dtype)  # JAX may have 32 bits only
            actual = outputs[name]
            found = backend.standardize_dtype(actual.dtype)
            assert found == kind, f"{name} is {found}, expected {kind}"
            assert tuple(actual.shape) == expected.shape, f"{name} is {actual.shape}, expected {expected.shape}"
            allowed = tolerances.get(name, 0.0)
            if allowed == float("inf"):
                lines.append(f"sample {number}, {name}: drawn at random; type and shape are right")
                continue
            flat = np.asarray(ops.convert_to_numpy(ops.reshape(actual, (-1,))))
            a, b = flat.astype(np.float64), expected.reshape(-1).astype(np.float64)
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
