"""What the regression tests of all packages have in common: nested values from and to flat names."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent

TREES = '''def build(tree, leaves):
    """A nested value of the signature from tensors by flat name."""
    if "leaf" in tree:
        return leaves[tree["leaf"]]
    if "constant" in tree:
        return tree["constant"]
    kind = next(k for k in ("tuple", "list", "dict", "namedtuple") if k in tree)
    children = [build(child, leaves) for child in tree[kind]]
    if kind == "dict":
        return dict(zip(tree["keys"], children))
    if kind == "namedtuple":
        return namedtuple("Fields", tree["keys"], rename=True)(*children)
    return children if kind == "list" else tuple(children)


def flatten(value, tree):
    """(flat name, tensor) pairs of a result."""
    if "leaf" in tree:
        yield tree["leaf"], value
    elif "constant" not in tree:
        kind = next(k for k in ("tuple", "list", "dict", "namedtuple") if k in tree)
        children = [value[k] for k in tree["keys"]] if kind == "dict" else list(value)
        for child, subtree in zip(children, tree[kind]):
            yield from flatten(child, subtree)
'''

SAMPLES = '''def samples():
    """Recorded calls, number -> {"input": {name: array}, "output": {...}}, and the tolerance of each output."""
    path = HERE / "samples.npz"
    cases, tolerances = {}, {}
    if not path.exists():
        return cases, tolerances
    with np.load(path) as archive:
        kinds = json.loads(str(archive["__dtypes__"]))
        for key in archive.files:
            group, _, rest = key.partition(".")
            array = archive[key]
            if group == "tolerance":
                tolerances[rest] = float(array)
            elif key != "__dtypes__":
                number, _, name = rest.partition(".")
                array = array.view(np.dtype(kinds[key])) if key in kinds else array
                cases.setdefault(number, {"input": {}, "output": {}})[group][name] = array
    return cases, tolerances
'''
"""Recorded samples as NumPy arrays."""

_NUMPY_TEST = '''"""Compares the model with outputs recorded from its source. Run by pytest, or `python test_equivalence.py`."""

import importlib.util
import json
from collections import namedtuple
from pathlib import Path

import ml_dtypes  # noqa: F401 - a part of @FRAMEWORK@ that gives NumPy bfloat16
import numpy as np
@IMPORT@

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
    leaves = {name: @TENSOR@ for name, array in leaves.items()}
    args = [build(p["tree"], leaves) for p in signature["parameters"] if not p["keyword_only"]]
    kwargs = {p["name"]: build(p["tree"], leaves) for p in signature["parameters"] if p["keyword_only"]}
    return dict(flatten(model(*args, **kwargs), signature["result"]))


def compare(model):
    """One line for each recorded output; raises AssertionError on the first that differs."""
    signature = json.loads((HERE / "metadata.json").read_text())["signature"]
    cases, tolerances = samples()
    start = @START@
    lines = []
    for number, case in cases.items():
        outputs = call(model, signature, case["input"])
        for variable, value in start:  # a call may change the model's state
            variable.assign(value)
        for name, expected in case["output"].items():
@KIND@            assert tuple(actual.shape) == expected.shape, f"{name} is {actual.shape}, expected {expected.shape}"
            allowed = tolerances.get(name, 0.0)
            if allowed == float("inf"):
                lines.append(f"sample {number}, {name}: drawn at random; type and shape are right")
                continue
@WIDE@            same = (a == b) | (np.isnan(a) & np.isnan(b))
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


@dataclass(frozen=True)
class Spelling:
    """How the test of a package spells what its framework does in its own way, all of it Python source.

    `tensor` makes a tensor of `array`; `start` lists the variables that a call may change, with their values; `kind`
    compares the dtype of `outputs[name]`, which it calls `actual`, with that of `expected`; `wide` makes `a` and `b`, flat
    arrays in float64, of `actual` and `expected`.
    """

    framework: str
    imports: str
    tensor: str
    start: str
    kind: str
    wide: str

    def test(self) -> str:
        """The file: samples are NumPy arrays, and so is what is compared."""
        parts = {
            "@TREES@\n": TREES, "@SAMPLES@\n": SAMPLES, "@FRAMEWORK@": self.framework, "@IMPORT@": self.imports,
            "@TENSOR@": self.tensor, "@START@": self.start, "@KIND@": indent(self.kind, " " * 12), "@WIDE@": indent(self.wide, " " * 12),
        }  # fmt: skip
        source = _NUMPY_TEST
        for mark, text in parts.items():
            source = source.replace(mark, text)
        return source
