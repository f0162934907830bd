"""The package's own regression test, as written beside the model."""

from __future__ import annotations

from converter.exporters.code.equivalence import TREES

_SOURCE = '''"""Compares the model with outputs recorded from its source. Run by pytest, or `python test_equivalence.py [cuda]`."""

import importlib.util
import json
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent


def load():
    """The model of this folder, in eval mode."""
    spec = importlib.util.spec_from_file_location(f"{HERE.name}_model", HERE / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load_model()


def samples():
    """Recorded calls, number -> {"input": {name: tensor}, "output": {...}}, and the tolerance of each output."""
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
                tensor = torch.from_numpy(array.view(f"i{array.dtype.itemsize}") if key in kinds else array)
                tensor = tensor.view(getattr(torch, kinds[key])) if key in kinds else tensor
                cases.setdefault(number, {"input": {}, "output": {}})[group][name] = tensor
    return cases, tolerances


@TREES@


def call(model, signature, leaves):
    """Outputs by flat name."""
    args = [build(p["tree"], leaves) for p in signature["parameters"] if not p["keyword_only"]]
    kwargs = {p["name"]: build(p["tree"], leaves) for p in signature["parameters"] if p["keyword_only"]}
    with torch.no_grad():
        return dict(flatten(model(*args, **kwargs), signature["result"]))


def compare(model, device="cpu"):
    """One line for each recorded output; raises AssertionError on the first that differs."""
    model.to(device)
    signature = json.loads((HERE / "metadata.json").read_text())["signature"]
    cases, tolerances = samples()
    start = {name: buffer.clone() for name, buffer in model.named_buffers()}
    lines = []
    for number, case in cases.items():
        for name, buffer in model.named_buffers():  # a call may change the model's state
            buffer.detach().copy_(start[name])
        outputs = call(model, signature, {name: tensor.to(device) for name, tensor in case["input"].items()})
        for name, expected in case["output"].items():
            actual = outputs[name].cpu()
            assert actual.dtype == expected.dtype, f"{name} is {actual.dtype}, expected {expected.dtype}"
            assert actual.shape == expected.shape, f"{name} is {list(actual.shape)}, expected {list(expected.shape)}"
            allowed = tolerances.get(name, 0.0)
            if allowed == float("inf"):
                lines.append(f"sample {number}, {name}: drawn at random; type and shape are right")
                continue
            a, b = (t.to(torch.complex128 if t.is_complex() else torch.float64) for t in (actual, expected))
            same = (a == b) | (a.isnan() & b.isnan())
            error = torch.where(same, 0, (a - b).abs()).max().item() if a.numel() else 0.0
            assert error <= allowed, f"sample {number}, {name}: error {error:.3g} is above {allowed:.3g}"
            lines.append(f"sample {number}, {name}: error {error:.3g}, allowed {allowed:.3g}")
    return lines


def test_equivalence():
    """The recorded outputs are reproduced."""
    assert compare(load()), "samples.npz is missing"


if __name__ == "__main__":
    torch.backends.cudnn.allow_tf32 = False  # as it rounds elsewhere
    print("\\n".join(compare(load(), *sys.argv[1:2])) or "samples.npz is missing: nothing to compare")
'''
TEST_SOURCE = _SOURCE.replace("@TREES@\n", TREES)
