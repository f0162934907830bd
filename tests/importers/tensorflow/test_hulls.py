"""Modules of saved graphs whose nodes have no scopes, and the order in which loaded functions give their results."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

import converter
from converter.prepare import prepare
from fixtures.tensorflow.base import Conv, Dense, seeded, signature, spec
from fixtures.tensorflow.vision import small_vit
from ir.core import Model


def scopes(model: Model) -> Counter[str]:
    """How many nodes lie in each module."""
    return Counter(n.origin.scope for n in model.graph if n.op.name != "constant")


def results(model: Model, module: str) -> int:
    """How many values of a module are read outside of it."""
    inside = {n for n in model.graph if f"{n.origin.scope}.".startswith(f"{module}.")}
    return sum(any(u.user not in inside for u in v.uses) for n in inside for v in n.outputs)


def test_blocks_of_a_saved_transformer(tmp_path: Path) -> None:
    """Every block is alike; what is between queries and the last product is the attention's, the last sum the block's."""
    with seeded():
        net = small_vit()
    tf.saved_model.save(net, str(tmp_path), signatures=net.call.get_concrete_function())
    model = converter.load(tmp_path)
    prepare(model, target="torch")
    assert [results(model, m) for m in ("blocks", "blocks.0", "blocks.1", "blocks.2.attention")] == [1, 1, 1, 1]
    found = scopes(model)
    blocks = [
        {s.removeprefix(f"blocks.{i}"): n for s, n in found.items() if s.startswith(f"blocks.{i}")} for i in range(3)
    ]
    assert blocks[0] == blocks[1] == blocks[2]
    assert {"", ".attention", ".attention.query", ".attention.out", ".norm1", ".norm2", ".up", ".down"} <= set(
        blocks[0]
    )
    assert {s.partition(".")[0] for s in found} == {"", "blocks", "norm", "head"}


class Crossed(tf.Module):
    """Two holders whose variables are read in turn, and a layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.conv = Pair(), Pair(), Conv(4, 4)

    @signature(spec(None, 5, 5, 4))
    def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        x = self.conv(tf.nn.relu(self.conv(x)))
        return {"y": self.right.last(self.left.last(self.right.first(self.left.first(x)))), "a": x, "m": -x, "k": x + 1}


class Pair(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = Dense(4, 4), Dense(4, 4)


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("crossed")
    tf.saved_model.save(Crossed(), str(path))
    return path


def test_what_lies_across_is_no_module(crossed: Path) -> None:
    found = scopes(converter.load(crossed))
    assert {s for s in found if s} == {"conv", "left.first", "left.last", "right.first", "right.last"}


def test_loaded_functions_give_results_in_the_order_of_their_names(crossed: Path) -> None:
    loaded = tf.saved_model.load(str(crossed))
    for source in (loaded, loaded.signatures["serving_default"], crossed):
        assert list(converter.load(source).output_types) == ["a", "k", "m", "y"]
