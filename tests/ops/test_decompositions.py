"""Decompositions at the edges of what they are chosen by: axes that may be empty, rows that do not exist, no more ops
than needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.eval import EvaluationError, Evaluator
from ir.ops import get
from ir.ops.sampler import Sample
from tests.ops.harness import decomposed_model, model_of


def ops_of(name: str, *operands: Any, **attrs: Any) -> list[str]:
    """The ops that an op decomposes into."""
    return [n.op.name for n in decomposed_model(get(name), Sample(operands, attrs))[0].nodes()]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [0, -1])
def test_an_axis_that_the_run_may_find_empty(name: str, axis: int) -> None:
    sample = Sample((np.ones((3, 4), np.float32),), {"axis": axis})
    dynamic = ((0, axis % 2),)
    own, form = model_of(get(name), sample, dynamic)[0], decomposed_model(get(name), sample, dynamic)[0]
    rng = np.random.default_rng(2)
    for size in (0, 1, 2, 5):
        x = rng.standard_normal((size, 4) if axis == 0 else (3, size)).astype(np.float32)
        want, got = (Evaluator().run(m, {"x": x})["output"] for m in (own, form))
        assert got.shape == x.shape
        np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("size", [1, 2])
def test_an_axis_that_is_not_empty_is_not_padded(name: str, size: int) -> None:
    assert "pad" not in ops_of(name, np.ones((3, size), np.float32), axis=1)


def test_mish_needs_no_threshold() -> None:
    """The softplus of a target that has none will do."""
    (node,) = [n for n in decomposed_model(get("mish"), Sample((np.ones(2),), {}))[0].nodes() if n.op.name == "softplus"]
    assert node.attrs["threshold"] == np.inf


@pytest.mark.parametrize("neg", ["invalid", "from_end"])
@pytest.mark.parametrize("row", [-4, -3, -1, 0, 2, 3])
def test_rows_of_an_embedding_that_do_not_exist(row: int, neg: str) -> None:
    sample = Sample((np.array([0, row]), np.arange(6.0).reshape(3, 2)), {"neg": neg})
    for model, inputs in (model_of(get("embedding"), sample), decomposed_model(get("embedding"), sample)):
        if (-3 if neg == "from_end" else 0) <= row < 3:
            out = Evaluator().run(model, inputs)["output"]
            assert out[1].tolist() == [2.0 * (row % 3), 2.0 * (row % 3) + 1]
        else:
            with pytest.raises(EvaluationError):
                Evaluator().run(model, inputs)


def test_only_what_a_contraction_sums_is_repeated() -> None:
    one, three = np.ones((1, 2), np.float32), np.ones((3, 4), np.float32)
    assert "expand" not in ops_of("einsum", (one, three), equation="bi,bj->bij")
    assert "expand" not in ops_of("einsum", (three, three.T.copy()), equation="bi,ib->b")
    assert "expand" in ops_of("einsum", (np.ones((2, 1), np.float32), three), equation="ab,bj->aj")


def test_reads_at_places_that_are_known_to_exist() -> None:
    """A target that checks indices, or counts them from the end, need do neither."""
    x, at = np.arange(12.0).reshape(3, 4), np.array([-0.5, 0.25, 2.5])
    rows: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("diagonal", (x,), {"offset": 1}), ("unfold", (x,), {"axis": 1, "size": 2, "step": 1}),
        *(("sample_axis", (x, at), {"axis": 0, "mode": mode}) for mode in ("nearest", "linear", "cubic")),
    ]  # fmt: skip
    for name, operands, attrs in rows:
        nodes = decomposed_model(get(name), Sample(operands, attrs))[0].nodes()
        reads = [n.attrs for n in nodes if n.op.name.startswith("gather")]
        assert reads
        assert all(a["neg"] == "invalid" or a["bounds"] == "unchecked" for a in reads), name


@pytest.mark.parametrize("name", ["reduce_var", "reduce_std"])
def test_variance_of_an_open_size_keeps_the_digits_of_its_type(name: str) -> None:
    x = np.random.default_rng(3).standard_normal((7, 2))
    sample = Sample((x,), {"axes": (0,), "correction": 1.0})
    found = Evaluator("exact").run(decomposed_model(get(name), sample, ((0, 0),))[0], {"x": x})["output"]
    np.testing.assert_allclose(found, getattr(np, name.removeprefix("reduce_"))(x, axis=0, ddof=1), rtol=1e-14)


def test_variance_of_many_half_floats() -> None:
    """More elements than the type can count."""
    x = np.tile(np.array([1.0, 3.0], np.float16), 40_000)
    sample = Sample((x,), {"axes": (0,), "correction": 1.0})
    for made in (model_of(get("reduce_var"), sample, ((0, 0),)), decomposed_model(get("reduce_var"), sample, ((0, 0),))):
        assert Evaluator("exact").run(*made)["output"] == 1


def test_one_direction_is_not_joined() -> None:
    weights = (np.ones((2, 3)), np.ones((2, 2)))
    for direction, own in (("forward", weights), ("bidirectional", 2 * weights)):
        attrs = {"kind": "rnn", "hidden_size": 2, "direction": direction, "bias": False}
        assert ("concat" in ops_of("recurrent_layer", np.ones((4, 1, 3)), None, None, None, own, (), **attrs)) == (own != weights)


def test_vectors_of_one_axis_stay() -> None:
    three = np.ones(3)
    for shape, axis in (((3,), 0), ((2, 3), 1)):
        made = ops_of("batch_norm", np.ones(shape), three, three, three, three, axis=axis, frozen=True)
        assert ("unsqueeze" in made) == (len(shape) > 1)


def test_no_bounds_no_op() -> None:
    assert ops_of("clip", np.ones(2), None, None) == []
