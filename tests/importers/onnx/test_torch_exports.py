"""Files as PyTorch's own exporter writes them: dynamic sizes, module paths and parameters survive."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from converter.importers.onnx import load
from fixtures.zoo import registry
from ir.core import Model
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.onnx.models import runtime

SIZES = ((2, 8), (1, 5), (3, 11))
SAME_PARAMETERS = {"vit_b_16", "lstm_classifier", "bert"}
"""Models of which the exporter folds, merges and doubles no parameter."""
SCOPES = {
    "resnet50": "layer1.0.conv1",
    "vit_b_16": "encoder.layers.encoder_layer_0.ln_1",
    "lstm_classifier": "lstm",
    "llama": "layers.0.mlp.gate_proj",
    "bert": "encoder.layer.0.attention.self.query",
}


class _Positional(torch.nn.Module):
    """A module that takes its keyword arguments in order."""

    def __init__(self, module: torch.nn.Module, names: list[str]) -> None:
        super().__init__()
        self.inner, self.names = module, names

    def forward(self, *args: torch.Tensor) -> Any:
        return self.inner(**dict(zip(self.names, args, strict=True)))


def named(zoo: registry.ZooModel, batch: int, length: int, seed: int) -> dict[str, torch.Tensor]:
    made = zoo.make_inputs(batch, length, seed)
    return dict(made) if isinstance(made, dict) else dict(zip((s.name for s in zoo.specs), made, strict=True))


def exported(name: str) -> tuple[registry.ZooModel, onnx.ModelProto]:
    zoo = registry.build(name)
    names = [s.name for s in zoo.specs]
    args = tuple(named(zoo, 2, 8, 0).values())
    dynamic = {s.name: {k: d for k, d in enumerate(s.dims) if isinstance(d, str)} for s in zoo.specs}
    module = _Positional(zoo.module, names).eval() if zoo.by_keyword else zoo.module
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, args, file, input_names=names, dynamic_axes=dynamic, opset_version=14, dynamo=False)
    return zoo, onnx.load_from_string(file.getvalue())


@pytest.mark.parametrize("name", SCOPES)
def test_exported_model(name: str) -> None:
    zoo, proto = exported(name)
    model = load(proto)
    check(model)
    for batch, length in SIZES:
        inputs = {k: v.numpy() for k, v in named(zoo, batch, length, 1).items()}
        for got, want in zip(Evaluator().run(model, inputs).values(), runtime(proto, inputs), strict=True):
            assert got.shape == want.shape
            assert np.abs(got - want).max() <= 1e-5 * (np.abs(want).max() + 1)
    assert any(n.origin.scope.endswith(SCOPES[name]) for n in model.nodes())
    if name in SAME_PARAMETERS:
        _check_parameters(zoo, model)


def _check_parameters(zoo: registry.ZooModel, model: Model) -> None:
    have = sorted(tuple(sorted(p.shape)) for p in zoo.module.parameters())
    assert sorted(tuple(sorted(int(d) for d in w.type.shape)) for w in model.parameters()) == have
