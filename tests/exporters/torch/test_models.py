"""Whole models: the emitted code's shape, its numbers, its parameters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from ir.core import copy_model
from ir.passes import standard
from tests.exporters.torch import package
from tests.models.zoo import imported, zoo


def converted(name: str, folder: Path) -> tuple:
    model = copy_model(imported(name)[1])
    standard().run(model)
    module = package.export(model, folder)
    return zoo(name), module, (folder / "model.py").read_text()


def check_numbers(zoo, net) -> None:
    for batch, length in ((3, 7), (2, 5), (1, 9)):
        inputs = zoo.make_inputs(batch, length, seed=1)
        want = zoo(inputs)
        with torch.no_grad():
            got = net(**inputs) if isinstance(inputs, dict) else net(*inputs)
        want, got = (v if torch.is_tensor(v) else next(iter(v.values())) for v in (want, got))
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


def check_parameters(zoo, net) -> None:
    """The source's state loads by name; count, tying and trainability are the same."""
    net.load_state_dict(zoo.module.state_dict())
    mine, theirs = dict(net.named_parameters()), dict(zoo.module.named_parameters())
    assert {k: tuple(p.shape) for k, p in mine.items()} == {k: tuple(p.shape) for k, p in theirs.items()}
    assert {k: p.requires_grad for k, p in mine.items()} == {k: p.requires_grad for k, p in theirs.items()}


@pytest.mark.parametrize("name", ["resnet50", "llama", "mobilenet_v3"])
def test_model(name: str, tmp_path: Path) -> None:
    zoo, module, text = converted(name, tmp_path)
    net = module.load_model()
    check_numbers(zoo, net)
    check_parameters(zoo, net)
    assert not re.search(r"\b(ir|converter|isomorph)\b", text.split("class ", 1)[0])
    module.load_source_weights(net, tmp_path / "weights.safetensors")
    if name == "resnet50":
        assert text.count("class ") == 2 and "class Bottleneck(nn.Module)" in text, "one class for all blocks"
        assert len(text.splitlines()) < 200
    if name == "llama":
        assert "for layer in self.layers:" in text and "self.lm_head.weight = self.embed_tokens.weight" in text
        assert len(text.splitlines()) < 300
