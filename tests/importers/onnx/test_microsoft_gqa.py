"""Grouped attention of ONNX Runtime's own domain: places that are told, sinks, caches of integers, norms of heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, numpy_helper

from converter.importers.onnx import load
from ir.eval import Evaluator
from ir.types import symbol
from tests.importers.onnx.models import agree, floats, node, runtime
from tests.importers.onnx.test_microsoft import one, refusal
from tests.importers.onnx.test_microsoft_attention import dynamic

HEADS = {"num_heads": 4, "kv_num_heads": 2}
SIZE = 16
PLACES: list[dict[str, Any]] = [
    {"seq": [2], "total": 3, "batch": 1, "length": 3, "past": 0}, {"seq": [1, 2], "total": 3, "length": 3, "past": 0},
    {"seq": [2, 2], "total": 3, "length": 3, "past": 9}, {"seq": [2, 4], "total": 5, "past": 9},
    {"seq": [4, 4], "total": 5, "past": 4}, {"seq": [6], "total": 7, "batch": 1, "length": 3, "past": 4},
]  # fmt: skip
"""Prompts (one padded, one into a longer cache), single steps, a continued prompt."""


def operands(
    seq: list[int], total: int, batch: int = 2, length: int = 1, past: int = 0, fixed: bool = True
) -> dict[str, Any]:
    """Every input by name, the optional ones absent."""
    given: dict[str, Any] = {"q": floats(batch, length, 4 * SIZE)}
    given |= {n: floats(batch, length, 2 * SIZE, seed=i) for i, n in enumerate("kv", 1)}
    given |= {n: floats(batch, 2, past, SIZE, seed=i) if past else None for i, n in enumerate(("pk", "pv"), 3)}
    given |= {"n": np.array(seq, np.int32), "_t" if fixed else "t": np.array(total, np.int32)}
    return given | dict.fromkeys(("_c", "_s", "p", "bias", "sink", "ks", "vs", "qn", "kn", "lengths"))


def same(given: dict[str, Any], kinds: str = "FLOAT", **attributes: Any) -> None:
    agree(*one("GroupQueryAttention", given, "y pk_ pv_", kinds, **HEADS, **attributes))


@pytest.mark.parametrize("place", PLACES, ids=str)
@pytest.mark.parametrize("fixed", [False, True])
def test_told_places(place: dict[str, Any], fixed: bool) -> None:
    """Of a first prompt only the first number counts; else each new key has its own, in no order."""
    given = operands(**place, fixed=fixed)
    angles = np.random.default_rng(0).uniform(0, 6, (12, SIZE // 2)).astype(np.float32)
    told = np.array([[5, 2, 9], [1, 7, 3]])[: len(place["seq"]), : place.get("length", 1)]
    same(given | {"_c": np.cos(angles), "_s": np.sin(angles), "p": told}, do_rotary=1)
    same(given | {"p": told})  # which nothing reads


@pytest.mark.parametrize("place", PLACES[1:5], ids=str)
def test_sinks(place: dict[str, Any]) -> None:
    given, sink = operands(**place), np.array([0.5, -1, 2, 30], np.float32)
    same(given | {"sink": sink})
    same(given | {"sink": sink}, smooth_softmax=0, softcap=0.5)
    length, total = place.get("length", 1), place["total"]
    padded = min(place["seq"]) + 1 < length  # rows that the operator leaves unspecified, with a window and a sink
    same(given, smooth_softmax=1, scale=0.3, local_window_size=-1 if padded else 2)
    same(given | {"sink": sink, "bias": floats(1, 4, length, total, seed=5)})
    same(given, causal=0)


@pytest.mark.parametrize("place", PLACES, ids=str)
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("each", ["TENSOR", "CHANNEL"])
def test_caches_of_integers(place: dict[str, Any], bits: int, each: str) -> None:
    """New keys and values are rounded first, and attended to as the cache holds them."""
    given, draw = operands(**place), np.random.default_rng(7)
    shape = (len(place["seq"]), 2, place["past"], SIZE * bits // 8)
    low, high, kind = (-128, 128, np.int8) if bits == 8 else (0, 256, np.uint8)
    given |= {n: draw.integers(low, high, shape).astype(kind) for n in ("pk", "pv")}
    scales = [draw.uniform(0.01, 0.03, (1, 2, 1, SIZE) if each == "CHANNEL" else 1) for _ in range(2)]
    given |= {n: (s * 16 if bits == 4 else s).astype(np.float32) for n, s in zip(("ks", "vs"), scales, strict=True)}
    kinds = f"FLOAT {kind.__name__.upper()} {kind.__name__.upper()}"
    attributes = {"k_quant_type": f"PER_{each}", "v_quant_type": f"PER_{each}", "kv_cache_bit_width": bits}
    same(given, kinds, **attributes)
    if each == "TENSOR":
        angles = np.random.default_rng(0).uniform(0, 6, (12, SIZE // 2)).astype(np.float32)
        same(given | {"_c": np.cos(angles), "_s": np.sin(angles)}, kinds, do_rotary=1, **attributes)


def test_a_bias_beside_a_longer_cache() -> None:
    """Keys that nobody sees yet have none; one of them as well as several."""
    for past in (6, 9):
        same(operands([4, 4], 5, past=past) | {"bias": floats(1, 4, 1, 5)})


def test_other_numbers_of_heads() -> None:
    for heads, own in ((3, 1), (6, 3)):
        given = operands([2, 1], 3, length=3) | {"k": None, "v": None}
        given |= {"q": floats(2, 3, (heads + 2 * own) * SIZE)}
        agree(*one("GroupQueryAttention", given, "y pk_ pv_", num_heads=heads, kv_num_heads=own))


def test_settings_of_what_is_not_there_mean_nothing() -> None:
    given = operands([2, 2], 3, length=3)
    same(given, rotary_interleaved=1, qk_norm_epsilon=0.5, q_norm_epsilon=0.25, k_norm_epsilon=0.125, qk_output=0)
    same(given | {"_t": np.array([3], np.int32)})  # the total may be a vector of one


def test_a_first_prompt_is_its_own_cache() -> None:
    for fixed in (False, True):
        proto, inputs = one("GroupQueryAttention", operands([1, 2], 3, length=3, fixed=fixed), "y pk_ pv_", **HEADS)
        taken = agree(proto, inputs)
        assert not {"gather_elements", "pad", "slice"} & {n.op.name for n in taken.graph}
        assert taken.graph.outputs[1].type.shape == (2, 2, 3, SIZE)


def test_a_cache_that_grows_by_sizes_of_the_run() -> None:
    """The total is worked out from the cache: what comes out is as long as both, with no case to decide."""
    given = operands([4, 4], 5, past=4, fixed=False)
    proto, inputs = one("GroupQueryAttention", given, "y pk_ pv_", **HEADS)
    work = [node("Shape", "pk", "all"), node("Gather", "all two", "held", axis=0), node("Add", "held one", "more")]
    work.append(node("Cast", "more", "t", to=TensorProto.INT32))
    nodes = [*work, *proto.graph.node]
    del proto.graph.node[:], inputs["t"]
    proto.graph.node.extend(nodes)
    proto.graph.initializer.extend([numpy_helper.from_array(np.array(v), n) for n, v in (("two", 2), ("one", 1))])
    proto.graph.input.remove(next(v for v in proto.graph.input if v.name == "t"))
    proto, inputs = dynamic(proto, inputs, pk=(2, 2, "held"), pv=(2, 2, "held"))
    taken = agree(proto, inputs)
    assert all(v.type.shape[2] == symbol("held") + 1 for v in taken.graph.outputs[1:])
    reads = [(n.op.name, n.attrs["bounds"]) for n in taken.graph if n.op.name in ("gather", "gather_elements")]
    assert reads == [("gather_elements", "unchecked")] * 2


@pytest.mark.parametrize("place", [-1, 12])
def test_places_outside_of_the_angles(place: int) -> None:
    angles = {"_c": floats(12, SIZE // 2), "_s": floats(12, SIZE // 2), "p": np.array([[place], [2]])}
    proto, inputs = one("GroupQueryAttention", operands([4, 4], 5, past=4) | angles, "y pk_ pv_", **HEADS, do_rotary=1)
    for run in (runtime, lambda p, i: Evaluator("exact").run(load(p), i)):
        with pytest.raises(Exception, match="out of range"):
            run(proto, inputs)


def test_half_floats_beside_float32_scales() -> None:
    given, draw = operands(**PLACES[3]), np.random.default_rng(7)
    given = {k: v.astype(np.float16) if v is not None and v.dtype == np.float32 else v for k, v in given.items()}
    given |= {n: draw.integers(-128, 128, (2, 2, 9, SIZE)).astype(np.int8) for n in ("pk", "pv")}
    given |= {n: np.array([0.02], np.float32) for n in ("ks", "vs")} | {"sink": floats(4).astype(np.float16)}
    both = {"k_quant_type": "PER_TENSOR", "v_quant_type": "PER_TENSOR", "kv_cache_bit_width": 8}
    proto, inputs = one("GroupQueryAttention", given, "y pk_ pv_", "FLOAT16 INT8 INT8", **HEADS, **both)
    found, want = Evaluator("exact").run(load(proto), inputs).values(), runtime(proto, inputs)
    for got, expected in zip(found, want, strict=True):
        assert got.dtype == expected.dtype
        near = 8 * np.finfo(np.float16).eps if got.dtype == np.float16 else 0
        np.testing.assert_allclose(got.astype(np.float64), expected.astype(np.float64), rtol=near, atol=near)


def test_keys_and_values_of_unlike_scales() -> None:
    """CPUs have no kernel of it: one number is as good as the same number for every channel."""
    given, draw = operands(**PLACES[3]), np.random.default_rng(7)
    given |= {n: draw.integers(-128, 128, (2, 2, 9, SIZE)).astype(np.int8) for n in ("pk", "pv")}
    each, one_number = draw.uniform(0.01, 0.03, (1, 2, 1, SIZE)).astype(np.float32), np.array([0.02], np.float32)
    settings = {"k_quant_type": "PER_CHANNEL", "kv_cache_bit_width": 8}
    runs = (
        Evaluator("exact").run(*_loaded(given | {"ks": each, "vs": v}, **settings, v_quant_type=kind))
        for kind, v in (("PER_TENSOR", one_number), ("PER_CHANNEL", np.full_like(each, 0.02)))
    )
    for got, expected in zip(*(r.values() for r in runs), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("own", [{}, {"qk_norm_epsilon": 0.5}, {"q_norm_epsilon": 0.5}, {"k_norm_epsilon": 0.5}])
def test_norms_of_heads(own: dict[str, float]) -> None:
    """No CPU has a kernel of it: held against heads that were divided before."""
    given = operands(**PLACES[4])
    weights = {"qn": floats(SIZE, seed=8), "kn": floats(SIZE, seed=9)}
    found = Evaluator("exact").run(*_loaded(given | weights, **own))
    shared = own.get("qk_norm_epsilon", 1e-6)

    def normed(name: str, weight: str) -> np.ndarray:
        x = given[name].reshape(2, 1, -1, SIZE).astype(np.float64)
        eps = own.get(f"{name}_norm_epsilon", shared)
        root = np.sqrt(np.square(x).mean(-1, keepdims=True) + eps)
        return (x / root * weights[weight]).reshape(given[name].shape).astype(np.float32)

    before = given | {"q": normed("q", "qn"), "k": normed("k", "kn")}
    want = Evaluator("exact").run(*_loaded(before))
    for got, expected in zip(found.values(), want.values(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def _loaded(given: dict[str, Any], **attributes: Any) -> tuple[Any, dict[str, np.ndarray]]:
    proto, inputs = one("GroupQueryAttention", given, "y pk_ pv_", **HEADS, **attributes)
    return load(proto), inputs


def test_refusals_by_name() -> None:
    given = operands([1], 2, 1, 2)

    def why(more: dict[str, Any], **attributes: Any) -> str:
        return refusal("GroupQueryAttention", given | more, **HEADS, **attributes)

    for angles in ({}, {"_c": floats(3, 8)}, {"_s": floats(3, 8)}):
        assert "needs cos_cache" in why(angles, do_rotary=1)
    for heads, own in ((0, 2), (4, 0)):
        assert "are not defined" in refusal("GroupQueryAttention", given, num_heads=heads, kv_num_heads=own)
    assert "not known to be one number" in why({"_t": np.array([2, 2], np.int32)})
    for total, held in ((1, 0), (3, 0), (4, 3), (6, 3)):
        past = {n: floats(1, 2, held, SIZE) for n in ("pk", "pv")} if held else {}
        assert f"total_sequence_length {total} is neither" in why(past | {"_t": np.array(total, np.int32)})
    assert "smooth_softmax=2" in why({}, smooth_softmax=2)
    assert "local_window_size without causal" in why({}, causal=0, local_window_size=2)
    assert "sliding_window_cache" in why({}, sliding_window_cache=1, local_window_size=2)
    assert "past_value" in why({"pk": floats(1, 2, 1, SIZE)})
    assert "key and value" in why({"v": None})
    assert "k_norm_weight" in why({"qn": floats(SIZE)})
    assert "query_seqlens" in why({"lengths": np.array([2], np.int32)})
    cache = {n: np.zeros((1, 2, 1, SIZE), np.int8) for n in ("pk", "pv")}
    scales = {n: np.ones(1, np.float32) for n in ("ks", "vs")}
    both = {"k_quant_type": "PER_TENSOR", "v_quant_type": "PER_TENSOR", "kv_cache_bit_width": 8}
    for whole in (cache, cache | {"pk": floats(1, 2, 1, SIZE)}, cache | {"pv": floats(1, 2, 1, SIZE)}):
        assert "without k_quant_type" in why(whole)
    assert "needs past_key" in why({}, kv_cache_bit_width=8)
    assert "of 0 bits" in why(cache | scales, k_quant_type="PER_TENSOR", v_quant_type="PER_TENSOR")
    assert "NONE" in why(cache | scales, kv_cache_bit_width=8)
    for one_of in ("pk", "pv"):
        assert "are not defined" in why(cache | scales | {one_of: np.zeros((1, 2, 1, SIZE), np.uint8)}, **both)
    assert "needs past_key" in why(scales, **both)
    for name in ("ks", "vs"):
        assert "needs past_key" in why(cache | {name: scales[name]}, **both)
    assert "of 4 bits" in why(cache | scales, **both | {"kv_cache_bit_width": 4})
    assert "NONE" in why(cache | scales, **both | {"v_quant_type": "NONE"})
    assert "for each channel" in why(cache | scales, **both | {"k_quant_type": "PER_CHANNEL"})
    proto, _ = one("GroupQueryAttention", given, "y pk_ pv_ qk", **HEADS, qk_output=1)
    with pytest.raises(Exception, match="output_qk"):
        load(proto)
