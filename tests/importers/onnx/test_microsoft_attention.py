"""Attention and rotary embedding of ONNX Runtime's own domain, against its kernels."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import Evaluator
from tests.importers.onnx.models import agree, floats, runtime
from tests.importers.onnx.test_microsoft import one, q, refusal, s, same


def masks(batch: int, length: int, total: int, shown: bool) -> dict[str, np.ndarray | None]:
    """Masks of every form; `shown`: every query sees the first key (where all is hidden by -10000, scores lose their digits)."""
    keep = np.random.default_rng(5).integers(0, 2, (batch, length, total)).astype(np.int32)
    keep[0, 1] = 0
    keep[:, :, 0] |= shown
    ends = np.array([total, total - 2, total - 1], np.int32)[:batch]
    starts = np.array([0, 0 if shown else 1, 0 if shown else 2], np.int32)[:batch]
    return {
        "none": None, "keys": keep[:, 0], "pairs": keep, "ends": ends,
        "ranges": np.concatenate([ends, starts]),
        "hidden": np.eye(1, total, dtype=np.int32).repeat(batch, 0) * shown,
    }  # fmt: skip


@pytest.mark.parametrize("mask", ["none", "keys", "pairs", "ends", "ranges", "hidden"])
@pytest.mark.parametrize("past", [0, 6])
@pytest.mark.parametrize("causal", [0, 1])
def test_attention(mask: str, past: int, causal: int) -> None:
    batch, length, heads, size = 3, 4, 2, 5
    given: dict[str, Any] = {
        "x": floats(batch, length, 5), "w": floats(5, 30, seed=1), "b": floats(30, seed=2), "m": None,
        "p": floats(2, batch, heads, past, size, seed=3) if past else None,
    }  # fmt: skip
    for bias in (None,) if past else (None, floats(1, heads, length, length, seed=4)):
        for extra in ({}, {"scale": 0.3, "mask_filter_value": -3.0}):
            made = {**given, "m": masks(batch, length, past + length, not extra)[mask], "a": bias}
            ops = same("Attention", made, "y p_" if past else "y", num_heads=heads, unidirectional=causal, **extra)
            assert ops.count("tril") == (1 if past and causal else 0), "without a past the op itself is causal"


def test_attention_of_wider_values() -> None:
    given = {"x": floats(2, 4, 5), "w": floats(5, 20, seed=1), "b": floats(20, seed=2)}
    assert "attention" in same("Attention", given, num_heads=2, qkv_hidden_sizes=[6, 6, 8])
    for attributes in ({}, {"qkv_hidden_sizes": [10, 10]}, {"qkv_hidden_sizes": [6, 6, 6]}):
        assert "do not make 20" in refusal("Attention", given, num_heads=2, **attributes)
    for name in ("do_rotary", "past_present_share_buffer"):
        assert "do_rotary" in refusal("Attention", given, num_heads=2, **{name: 1})
    shared = given | {"w": floats(5, 18), "b": floats(18), "m": None, "p": floats(2, 2, 2, 4, 3)}
    assert "share a buffer" in refusal("Attention", shared | {"a": None, "n": np.array([4], np.int32)}, num_heads=2)


@pytest.mark.parametrize("mask", ["none", "keys", "pairs", "ends", "hidden"])
@pytest.mark.parametrize("past", [0, 6])
@pytest.mark.parametrize("causal", [0, 1])
def test_multi_head_attention(mask: str, past: int, causal: int) -> None:
    batch, length, heads, size = 3, 4, 2, 5
    for keys, values in ((length, size), (3, size), (7, 4)):
        if keys > length and (past or causal):
            continue
        given: dict[str, Any] = {
            "q": floats(batch, length, heads * size), "k": floats(batch, keys, heads * size, seed=1),
            "v": floats(batch, keys, heads * values, seed=2), "b": floats(heads * (2 * size + values), seed=3),
            "m": None, "a": floats(1, heads, length, past + keys, seed=4),
            "pk": floats(batch, heads, past, size, seed=5) if past else None,
            "pv": floats(batch, heads, past, size, seed=6) if past else None,
        }  # fmt: skip
        for extra in ({}, {"scale": 0.3, "mask_filter_value": -3.0}):
            for left_out in ((), ("a",), ("b",)):
                made = {k: None if k in left_out else v for k, v in given.items()}
                made["m"] = masks(batch, length, past + keys, not extra)[mask]
                outputs = "y k_ v_" if past else "y"
                same("MultiHeadAttention", made, outputs, num_heads=heads, unidirectional=causal, **extra)


def test_a_hidden_key_loses_what_the_operator_states() -> None:
    """Keys that a bias lowers by as much weigh the same. The scores are 0, for 10000 leaves few digits of others."""
    keep = np.array([[1, 0, 1, 0, 1]], np.int32)
    given: dict[str, Any] = {"q": np.zeros((1, 4, 6), np.float32), "k": floats(1, 5, 6), "v": floats(1, 5, 6, seed=1)}
    given |= {"b": None, "m": keep, "a": np.float32(-10000) * keep[:, None, None].repeat(4, 2).astype(np.float32)}
    same("MultiHeadAttention", given, num_heads=2)


def test_cross_attention_over_split_heads() -> None:
    given = {"q": floats(2, 4, 6), "k": floats(2, 2, 5, 3, seed=1), "v": floats(2, 2, 5, 3, seed=2)}
    assert "attention" in same("MultiHeadAttention", given, num_heads=2)


def test_what_is_not_done_of_multi_head_attention() -> None:
    given: dict[str, Any] = {"q": floats(2, 4, 6), "k": floats(2, 4, 6), "v": floats(2, 4, 6)}

    def why(more: dict[str, Any], **attributes: Any) -> str:
        return refusal("MultiHeadAttention", given | more, **{"num_heads": 2} | attributes)

    assert "qk" in why({}, outputs="y _ _ s")
    for packed in (
        {"q": floats(2, 4, 2, 3, 3), "k": None, "v": None},
        {"k": floats(2, 4, 2, 2, 3), "v": None},
        {"k": None},
    ):
        assert "one tensor" in why(packed)
    assert "one tensor" in why({"q": floats(2, 4, 2, 3, 3)})
    for mask in (np.zeros(8, np.int32), np.zeros((2, 5), np.int32), np.zeros((2, 1, 4, 4), np.int32)):
        assert "none of the forms" in why({"b": None, "m": mask})
    shared = dict.fromkeys("bma") | {"pk": floats(2, 2, 3, 3), "pv": floats(2, 2, 3, 3)}
    assert "share a buffer" in why(shared | {"n": np.array([3], np.int32)})
    assert "share a buffer" in why(shared | {"n": None, "i": np.zeros((2, 1, 7), np.int32)})
    assert "5 keys for 4 queries" in why({"k": floats(2, 5, 6), "v": floats(2, 5, 6)}, unidirectional=1)
    for heads in (0, 4):
        assert f"do not divide into {heads} heads" in why({}, num_heads=heads)
    split = {"k": floats(2, 2, 4, 3), "v": floats(2, 2, 4, 3), "b": floats(18)}
    assert "projection is over" in why(split)
    same("MultiHeadAttention", given, num_heads=1)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("part", [0, 4])
def test_rotary_embedding(interleaved: int, flat: bool, part: int) -> None:
    heads, size = 3, 8
    x = floats(2, 5, heads * size) if flat else floats(2, heads, 5, size)
    cos, sin = (floats(9, (part or size) // 2, seed=i) for i in (1, 2))
    extra = {"rotary_embedding_dim": part, "num_heads": heads} if part else {}
    for positions in (np.array([[0, 3, 8, 1, 6], [2, 2, 5, 7, 1]]), np.array([4])):
        same("RotaryEmbedding", {"x": x, "p": positions, "c": cos, "s": sin}, interleaved=interleaved, **extra)


def test_what_is_not_done_of_rotary_embedding() -> None:
    given = {"x": floats(2, 3, 4, 8), "p": np.array([0]), "c": floats(9, 4), "s": floats(9, 4)}
    assert "is_packed_batching=1" in refusal("RotaryEmbedding", given, is_packed_batching=1)
    assert "scale=2.0" in refusal("RotaryEmbedding", given, scale=2.0)
    assert "without num_heads" in refusal("RotaryEmbedding", given, rotary_embedding_dim=8)
    flat = {**given, "x": floats(2, 4, 24)}
    assert "without num_heads" in refusal("RotaryEmbedding", flat, rotary_embedding_dim=8)
    assert "sizes 4 and 2 differ" in refusal("RotaryEmbedding", flat, num_heads=6)
    same("RotaryEmbedding", flat, num_heads=3)
    for place in (-1, 9):
        proto, inputs = one("RotaryEmbedding", {**given, "p": np.array([place])})
        for run in (runtime, lambda p, i: Evaluator("exact").run(load(p), i)):
            with pytest.raises(Exception, match="range"):
                run(proto, inputs)


# -- quantised ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mask", ["none", "ends", "keys"])
@pytest.mark.parametrize("past", [0, 3])
def test_quantised_attention(mask: str, past: int) -> None:
    for causal, columns in itertools.product((0, 1), (False, True)):
        given: dict[str, Any] = {
            "x": q(2, 4, 5), "_w": q(5, 18, kind="int8", half=True), "_b": floats(18), "_s": s(0.01),
            "_t": np.abs(floats(18, seed=1)) / 50 if columns else s(0.02),
            "m": masks(2, 4, 4 + past, True)[mask], "_y": np.array(9, np.uint8),
            "_z": np.zeros(18, np.int8) if columns else np.array(3, np.int8), "p": floats(2, 2, 2, past, 3) if past else None,
        }  # fmt: skip
        same("QAttention", given, "y p_" if past else "y", num_heads=2, unidirectional=causal)


# -- sizes that only the run knows ----------------------------------------------------------------------------------
def dynamic(proto: Any, inputs: dict[str, np.ndarray], **sizes: tuple[Any, ...]) -> tuple[Any, dict[str, np.ndarray]]:
    """The model with names in the place of some sizes of its inputs."""
    for value in proto.graph.input:
        for place, size in zip(value.type.tensor_type.shape.dim, sizes.get(value.name, ()), strict=False):
            if isinstance(size, str):
                place.dim_param = size
    return proto, inputs


def test_attention_over_sizes_of_the_run() -> None:
    """Batch and lengths may be; the number of features that heads divide may not."""
    shape = ("batch", "length", 6)
    given = {k: floats(2, 4, 6, seed=i) for i, k in enumerate("qkv")}
    for causal in (0, 1):
        agree(
            *dynamic(*one("MultiHeadAttention", given, num_heads=2, unidirectional=causal), q=shape, k=shape, v=shape)
        )
    past = {"b": None, "m": None, "a": None, "pk": floats(2, 2, 3, 3), "pv": floats(2, 2, 3, 3, seed=1)}
    cache = ("batch", 2, "past", 3)
    proto, inputs = one("MultiHeadAttention", given | past, "y k_ v_", num_heads=2, unidirectional=1)
    agree(*dynamic(proto, inputs, q=shape, k=shape, v=shape, pk=cache, pv=cache))
    wide = ("batch", "length", "wide")
    for more in ({}, {"b": floats(18)}):
        proto, inputs = one("MultiHeadAttention", given | more, num_heads=2)
        with pytest.raises(ConversionError, match="wide features do not divide"):
            load(dynamic(proto, inputs, q=wide)[0])
    packed = {"x": floats(2, 4, 5), "w": floats(5, 18, seed=1), "b": floats(18, seed=2)}
    agree(*dynamic(*one("Attention", packed, num_heads=2), x=("batch", "length", 5)))
    proto, inputs = one("Attention", packed, num_heads=2)
    with pytest.raises(ConversionError, match="do not make wide"):
        load(dynamic(proto, inputs, w=(5, "wide"), b=("wide",))[0])
