"""Every sample of every op that has a form, as a layer with weights of its own: an `nn` module or not, the same numbers.

In inference and in training, results, statistics after the call, and the parameters' count and flags.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import ir.ops
from converter.exporters.base import ExportOptions
from converter.exporters.torch.package import write_package
from converter.exporters.torch.table import FORMS
from ir.core import Model
from ir.eval import Evaluator
from ir.ops.define import OpDef
from ir.ops.sampler import Sample
from tests.exporters.torch import package
from tests.ops.harness import assert_close, cases_of
from tests.ops.layers import OWNED, has_several_results, layer_of, variants
from tests.written.exporters_torch import as_named

CASES = [case for name in sorted(FORMS) for case in cases_of(ir.ops.get(name))]


@pytest.mark.parametrize(("name", "op", "sample"), CASES, ids=[c[0] for c in CASES])
def test_layer(name, op, sample, tmp_path: Path) -> None:
    model, arrays = as_named(*layer_of(op, sample))
    write_package(model, tmp_path, ExportOptions(index_policy="strict"))
    net = package.load(tmp_path).load_model()
    if sample.attrs.get("always"):
        pytest.skip("it draws in every mode; what it draws is tested with its op")
    parameters = {tuple(w.type.shape) for w in model.weights.values() if w.kind == "parameter"}
    assert {tuple(p.shape) for p in net.parameters()} >= parameters or op.name in ("lstm", "gru", "rnn")
    assert all(p.requires_grad for p in net.parameters())
    assert all(v == 0 for k, v in net.state_dict().items() if k.endswith("num_batches_tracked"))
    for training in (False, True):
        if training and _draws_or_fails(op, sample):
            continue
        check(model, net.train(training), arrays, training, sample)


OWNERS = {o.name for o in ir.ops.all_ops() if o.name in FORMS and OWNED & {s.name for s in o.operands}}
OTHERS = [o.name for o in ir.ops.all_ops() if o.name in OWNERS or has_several_results(o) and o.family != "factor"]
"""Vectors of a factorisation have no fixed sign: what is written for them is recorded."""
FEW = 8


@pytest.mark.parametrize("name", OTHERS)
def test_other_owners(name: str, tmp_path: Path) -> None:
    """What the layer would own handed in, results used in other ways: no module fits, or another."""
    op = ir.ops.get(name)
    for label, _, sample in cases_of(op)[:FEW]:
        for variant, model, arrays in list(variants(op, sample))[1:]:
            model, arrays = as_named(model, arrays)
            folder = tmp_path / f"{label}-{variant}"
            write_package(model, folder, ExportOptions(index_policy="strict"))
            check(model, package.load(folder).load_model(), arrays, False, sample)


def check(model: Model, net: torch.nn.Module, arrays: dict[str, np.ndarray], training: bool, sample: Sample) -> None:
    """One run against the exact evaluation; the statistics it leaves, then put back."""
    wanted, state = Evaluator("exact", training=training).run_with_state(model, arrays)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    got = package.run(net, model, arrays)
    for (key, want), value in zip(wanted.items(), model.graph.outputs, strict=True):
        assert got[key].dtype == want.dtype and got[key].shape == want.shape
        rtol = package.allowed(ir.ops.get(model.name), sample.rtol, value.type.dtype)
        assert_close(*_finite(model, arrays, got[key], want), value.type.dtype, rtol)
    after = {
        k
        for k, v in net.state_dict().items()
        if v.is_floating_point() and not torch.equal(v.nan_to_num(), before[k].nan_to_num())
    }
    assert all("mean" in k or "var" in k for k in after)
    for name, want in state.items():
        assert_close(net.state_dict()[name].numpy(force=True), want, model.weights[name].type.dtype, sample.rtol)
    net.load_state_dict(before)


def _draws_or_fails(op: OpDef, sample: Sample) -> bool:
    """Whether training draws, or has no batch to take statistics of."""
    p = sample.attrs.get("p", 0) if op.name == "dropout" else sample.attrs.get("dropout", 0)
    counts = sample.operands[0].size if op.name == "batch_norm" else 1
    return bool(p) or counts == 0


def _finite(
    model: Model, arrays: dict[str, np.ndarray], got: np.ndarray, want: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where torch's kernels of gelu and hard_swish hold: they overflow near the largest numbers, gelu loses its tail."""
    if model.name not in ("gelu", "hard_swish"):
        return got, want
    x = arrays["x"]
    keep = (np.abs(x) < 1e30) & ((x > -2) if model.name == "gelu" else True)
    return got[keep], want[keep]
