"""Batch norms that take the correction of the running variance back are told by what they compute, and by nothing less."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import converter
from ir.eval import Evaluator


class Uncorrected(nn.BatchNorm2d):
    """`old` and `share` are what exact code multiplies by; others are other layers."""

    old, less, reads = 0.0, 1, False

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        count = x.numel() // x.shape[1]
        kept = (1 - self.momentum + self.old) * self.running_var
        mean, var = self.running_mean.clone(), self.running_var.clone()
        y = F.batch_norm(x, mean, var, self.weight, self.bias, True, self.momentum, self.eps)
        var = kept + (var - kept) * ((count - self.less) / count)
        self.num_batches_tracked.add_(1)
        self.running_mean.copy_(mean)
        self.running_var.copy_(var)
        return y * self.num_batches_tracked.to(y.dtype) if self.reads else y


class OtherMomentum(Uncorrected):
    old = 0.01


class OtherCount(Uncorrected):
    less = 2


class Counted(Uncorrected):
    reads = True


@pytest.mark.parametrize(
    ("layer", "told"), [(Uncorrected, True), (Counted, True), (OtherMomentum, False), (OtherCount, False)]
)
@pytest.mark.parametrize("spec", ["float32[batch,3,4,5]", "float32[2,3,4,5]"])
def test_uncorrected(layer: type[Uncorrected], told: bool, spec: str) -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 1), layer(3, momentum=0.2)).eval()
    model = converter.load(net, inputs=[spec])
    assert not any("inference" in note for note in model.notes)
    (norm,) = [n for n in model.graph if n.op.name == "batch_norm"]
    assert norm.attrs["unbiased"] is not told
    assert ("1.num_batches_tracked" in model.state) == (layer is Counted or not told)
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    (name,) = model.input_types
    _, state = Evaluator("exact", training=True).run_with_state(model, {name: x})
    net.train()(torch.from_numpy(x))
    for key in ("running_mean", "running_var"):
        np.testing.assert_allclose(state[f"1.{key}"], getattr(net[1], key).numpy(), rtol=1e-5, atol=1e-6)
