"""Shared bytes, merged weights, and models on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ir.core import Branch, Builder, Leaf, Model, Parameter, Signature
from ir.core.equal import model_key
from ir.data import Array, Data, Lazy, Mapped, Weight
from ir.data.store import duplicates, same_storage
from ir.passes.merge_weights import MergeWeights
from ir.saved import load_model, save_model
from ir.types import tensor_type
from ir.verify import verify
from tests.ir.random_graphs import assert_same, random_case

ONES = np.ones(3, np.float32)


def test_same_storage_is_not_same_content() -> None:
    assert same_storage(Array(ONES), Array(ONES))
    assert not same_storage(Array(ONES), Array(ONES.copy()))
    t = tensor_type("float32", 3)
    assert same_storage(Mapped(Path("f"), 8, t), Mapped(Path("f"), 8, t))
    assert not same_storage(Mapped(Path("f"), 8, t), Mapped(Path("f"), 20, t))


def test_duplicates_read_only_what_may_be_one() -> None:
    def fail() -> np.ndarray:
        raise AssertionError("read for nothing")

    tensors: dict[str, Data] = {
        "a": Array(ONES), "b": Array(ONES * 2), "c": Array(ONES.copy()), "d": Lazy(fail, tensor_type("float32", 4)),
        "e": Array(ONES.astype(np.float64)),
    }  # fmt: skip
    assert duplicates(tensors) == {"c": "a"}


def model_of(*weights: Weight) -> Model:
    model = Model("m", Signature((Parameter("x", Leaf("x")),), Branch("tuple", (Leaf("output.0"),))))
    y = model.graph.add_input(tensor_type("float32", 3), "x")
    for weight in weights:
        y = Builder(model.graph).add(y, model.add_weight(weight))
    model.graph.set_outputs([y])
    return model


@pytest.mark.parametrize(
    ("a", "b", "merges"),
    [
        (Weight("a", Array(ONES), trainable=True), Weight("b", Array(ONES), trainable=True), True),
        (Weight("a", Array(ONES), trainable=True), Weight("b", Array(ONES), trainable=False), False),
        (Weight("a", Array(ONES)), Weight("b", Array(ONES.copy())), False),
        (Weight("a", Array(ONES), "buffer"), Weight("b", Array(ONES.copy()), "buffer"), False),
        (Weight("a", Array(ONES), "constant"), Weight("b", Array(ONES.copy()), "constant"), True),
        (Weight("a", Array(ONES), "constant"), Weight("b", Array(ONES * 2), "constant"), False),
        (Weight("a", Array(ONES), "constant"), Weight("b", Array(ONES.copy())), False),
    ],
)
def test_merging(a: Weight, b: Weight, merges: bool) -> None:
    model = model_of(a, b)
    assert MergeWeights().run(model) is merges
    assert verify(model) == []
    if merges:
        assert list(model.weights) == ["a"] and model.weights["a"].aliases == ("b",)
        assert len(model.weight_value("a").uses) == 2
    assert not MergeWeights().run(model)


def test_a_model_on_disk(tmp_path: Path) -> None:
    for seed in range(12):
        case = random_case(seed, 15)
        if case is None:
            continue
        back = load_model(save_model(case.model, tmp_path / str(seed)))
        assert model_key(back, "digests") == model_key(case.model, "digests")
        assert_same(case.run(), case.run(model=back))
    assert len(list(tmp_path.iterdir())) > 5


def test_equal_content_is_written_once_and_stays_two_weights(tmp_path: Path) -> None:
    big = np.zeros(10_000, np.float32)
    weights = [Weight(n, Array(big.copy())) for n in ("a", "b", "c")]
    model = Model("m", Signature((), Branch("tuple", ())))
    for weight in weights:
        model.add_weight(weight)
    back = load_model(save_model(model, tmp_path / "m"))
    assert list(back.weights) == ["a", "b", "c"]
    assert (tmp_path / "m" / "weights.safetensors").stat().st_size < 2 * big.nbytes


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    model = model_of(Weight("a", Array(ONES)))
    save_model(model, tmp_path / "m")
    with pytest.raises(FileExistsError):
        save_model(model, tmp_path / "m")
    save_model(model, tmp_path / "m", overwrite=True)
    (tmp_path / "other").mkdir()
    with pytest.raises(FileExistsError):
        save_model(model, tmp_path / "other", overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "other"]


def test_a_damaged_model_raises(tmp_path: Path) -> None:
    folder = save_model(model_of(Weight("a", Array(ONES))), tmp_path / "m")
    text = (folder / "model.ir").read_text()
    (folder / "model.ir").write_text(text.replace("add(x, @a)", "add(x, x)").replace("x: float32[3]", "x: float32[2]"))
    with pytest.raises(ValueError, match="IR008"):
        load_model(folder)
    (folder / "model.ir").write_text(text.replace("@a: float32[3]", "@a: float32[4]"))
    with pytest.raises(ValueError, match="its bytes are float32"):
        load_model(folder)
    (folder / "model.ir").unlink()
    with pytest.raises(OSError, match="model.ir"):
        load_model(folder)
