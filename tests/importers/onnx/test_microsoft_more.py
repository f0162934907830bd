"""Operators of ONNX Runtime's own domain, continued: grouped attention, channels last, what GPUs fuse.

Those that only GPU builds have a kernel of are held against their documented formulas, written in NumPy.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import onnx
import pytest

from converter.importers.onnx import load
from ir.eval import Evaluator
from ir.types import dtypes
from tests.importers.onnx.models import FLOAT, agree, floats, model, node, runtime
from tests.importers.onnx.test_microsoft import MS, one, q, refusal, s, same


# -- grouped attention ----------------------------------------------------------------------------------------------
def grouped(
    seq: list[int], total: int, batch: int = 2, length: int = 3, past: int | None = None, packed: bool = False,
    turned: int = 0, size: int = 8, bias: tuple[int, ...] = (), fixed: bool = True, **attributes: Any,
) -> None:  # fmt: skip
    """Import and runtime agree on four heads of queries over two of keys."""
    shape = (batch, length, 2 * size)
    given: dict[str, Any] = {"q": floats(batch, length, 8 * size if packed else 4 * size)}
    given |= {"k": None if packed else floats(*shape, seed=1), "v": None if packed else floats(*shape, seed=2)}
    cache = (
        [None, None] if past is None else [floats(batch, 2, past, size, seed=3), floats(batch, 2, past, size, seed=4)]
    )
    given |= {"pk": cache[0], "pv": cache[1], "n": np.array(seq, np.int32)}
    given |= {"_t" if fixed else "t": np.array(total, np.int32)}
    angles = np.random.default_rng(0).uniform(0, 6, (16, turned // 2)).astype(np.float32)
    given |= {"_c": np.cos(angles) if turned else None, "_s": np.sin(angles) if turned else None, "_p": None}
    given |= {"bias": floats(*bias, seed=5) if bias else None}
    attributes |= {"do_rotary": 1} if turned else {}
    proto, inputs = one("GroupQueryAttention", given, "y pk_ pv_", num_heads=4, kv_num_heads=2, **attributes)
    agree(proto, inputs)


PLACES: list[dict[str, Any]] = [
    {"seq": [2, 2], "total": 3}, {"seq": [1, 2], "total": 3}, {"seq": [2, 2], "total": 3, "past": 9},
    {"seq": [4, 4], "total": 5, "length": 1, "past": 4}, {"seq": [2, 4], "total": 5, "length": 1, "past": 4},
    {"seq": [2, 4], "total": 5, "length": 1, "past": 9}, {"seq": [6], "total": 7, "batch": 1, "past": 4},
    {"seq": [6], "total": 7, "batch": 1, "past": 9},
]  # fmt: skip
"""Prompts (one padded), single steps (of unlike lengths), continued prompts; caches that fit and that are longer."""


@pytest.mark.parametrize("place", PLACES, ids=str)
@pytest.mark.parametrize("fixed", [False, True])
def test_grouped_attention(place: dict[str, Any], fixed: bool) -> None:
    """`seqlens_k` comes at run time, `total_sequence_length` as well or not."""
    grouped(**place, fixed=fixed)
    grouped(**place, fixed=fixed, packed=True, scale=0.3)
    grouped(**place, fixed=fixed, softcap=0.5, scale=0.0)
    for window in (1, 2, 4):
        grouped(**place, fixed=fixed, local_window_size=window)
    for interleaved in (0, 1):
        grouped(**place, fixed=fixed, turned=16, size=16, rotary_interleaved=interleaved)
        grouped(**place, fixed=fixed, turned=16, size=32, packed=True, rotary_interleaved=interleaved)


@pytest.mark.parametrize("lead", [(2, 4), (1, 4), (2, 1), (1, 1)])
def test_grouped_attention_with_a_bias(lead: tuple[int, int]) -> None:
    grouped([2, 2], 3, bias=(*lead, 3, 3))
    grouped([2, 4], 5, length=1, past=4, bias=(*lead, 1, 5))


# -- channels last --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_pools_of_images_with_channels_last(kind: str) -> None:
    x = q(2, 9, 8, 3, kind=kind)
    for extra in ({"pads": [1, 0, 1, 1]}, {"ceil_mode": 1}, {"auto_pad": "SAME_UPPER"}, {"dilations": [2, 1]}):
        same("NhwcMaxPool", {"x": x}, kinds=kind.upper(), kernel_shape=[3, 2], strides=[2, 1], **extra)
    given = {"x": x, "_xs": s(0.25), "_xz": np.array(7, kind), "_ys": s(0.25), "_yz": np.array(61, kind)}
    for include, ceil in itertools.product((0, 1), repeat=2):
        same(
            "QLinearAveragePool", given, kinds=kind.upper(), kernel_shape=[2, 4], strides=[2, 1], pads=[1, 0, 1, 2],
            count_include_pad=include, ceil_mode=ceil, channels_last=1,
        )  # fmt: skip


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("group", [1, 2])
def test_quantised_convolutions(last: int, group: int) -> None:
    x = q(2, 9, 8, 4) if last else q(2, 4, 9, 8)
    given = {
        "x": x, "_xs": s(0.02), "_xz": np.array(120, np.uint8), "_w": q(6, 4 // group, 3, 2, kind="int8", half=True),
        "_ws": np.float32([0.5, 1, 2, 0.25, 0.5, 1]) / 64, "_wz": np.zeros(6, np.int8), "_ys": s(0.5),
        "_yz": np.array(100, np.uint8), "_b": np.arange(6, dtype=np.int32) * 500,
    }  # fmt: skip
    same("QLinearConv", given, kinds="UINT8", pads=[1, 0, 0, 1], strides=[2, 1], group=group, channels_last=last)
    same("QLinearConv", {**given, "_b": None}, kinds="UINT8", dilations=[1, 2], group=group, channels_last=last)


def evaluated(
    op: str, given: dict[str, Any], outputs: str = "y", kinds: str = "FLOAT", **attributes: Any
) -> list[np.ndarray]:
    proto, inputs = one(op, given, outputs, kinds, **attributes)
    return list(Evaluator("exact").run(load(proto), inputs).values())


def near(found: np.ndarray, want: np.ndarray) -> None:
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)


def test_fused_convolutions_with_channels_last() -> None:
    """The weight lies as that of Conv, the images and the sum with channels last: FusedConv moved."""
    x, z, w, b = floats(2, 4, 7, 6), floats(2, 6, 4, 6, seed=1), floats(6, 2, 3, 2, seed=2), floats(6, seed=3)
    options: dict[str, Any] = {
        "group": 2,
        "strides": [2, 1],
        "pads": [1, 0, 1, 1],
        "activation": "LeakyRelu",
        "activation_params": [0.25],
    }
    (want,) = evaluated("FusedConv", {"x": x, "w": w, "b": b, "z": z}, **options)
    last = {"x": x.transpose(0, 2, 3, 1), "w": w, "b": b, "z": z.transpose(0, 2, 3, 1)}
    (found,) = evaluated("NhwcFusedConv", last, **options)
    near(found, want.transpose(0, 2, 3, 1))
    plain = {"x": last["x"], "w": w}
    (found,) = evaluated("NhwcFusedConv", plain, group=2, auto_pad="SAME_UPPER")
    conv = model([node("Conv", "x w", "y", group=2, auto_pad="SAME_UPPER")], [("x", FLOAT, x.shape)], ["y"], {"w": w})
    near(found, Evaluator("exact").run(load(conv), {"x": x})["y"].transpose(0, 2, 3, 1))


@pytest.mark.parametrize("group", [1, 3])
def test_convolutions_with_all_channels_last(group: int) -> None:
    """Without a kernel for CPUs: held against Conv over what was moved."""
    x, w, bias = floats(2, 7, 6, 3), floats(6, 2, 3, 3 // group, seed=1), floats(6, seed=2)
    attributes = {"group": group, "pads": [0, 1, 1, 1], "strides": [2, 1], "kernel_shape": [2, 3]}
    (found,) = evaluated("NhwcConv", {"x": x, "_w": w, "b": bias}, **attributes)
    moved = {"x": x.transpose(0, 3, 1, 2), "w": w.transpose(0, 3, 1, 2), "b": bias}
    declared = [(k, FLOAT, v.shape) for k, v in moved.items()]
    (want,) = runtime(model([node("Conv", "x w b", "y", **attributes)], declared, ["y"]), moved)
    near(found, want.transpose(0, 2, 3, 1))
    as_conv = {"x": x, "w": moved["w"], "b": bias}
    assert "kernel_shape=[2, 3] differs" in refusal("NhwcConv", as_conv, group=group, kernel_shape=[2, 3])


# -- quantised softmax and means ------------------------------------------------------------------------------------
def softmax_of(x: np.ndarray, scale: float, axis: int, opset: int) -> tuple[np.ndarray, np.ndarray]:
    """What the import and the runtime make of a quantised softmax."""
    kind = x.dtype
    given = {
        "x": x,
        "_xs": s(scale),
        "_xz": np.array(3, kind),
        "_ys": s(1 / 256),
        "_yz": np.array(np.iinfo(kind).min, kind),
    }
    made = node("QLinearSoftmax", " ".join(given), "y", domain=MS, axis=axis, opset=opset)
    name = str(kind).upper()
    declared = [("x", onnx.helper.np_dtype_to_tensor_dtype(kind), x.shape)]
    proto = model([made], declared, [f"y@{name}"], {k: v for k, v in given.items() if k != "x"}, domains=[(MS, 1)])
    (found,) = Evaluator("exact").run(load(proto), {"x": x}).values()
    return found, runtime(proto, {"x": x})[0]


@pytest.mark.parametrize("kind", ["uint8", "int8"])
@pytest.mark.parametrize("axis", [1, -1, 2])
def test_quantised_softmax(kind: str, axis: int) -> None:
    """The kernel adds up a table of exponentials: a result may be one step off where a float lies between two."""
    off = []
    for seed, opset, scale in itertools.product(range(4), (12, 13), (0.005, 0.03)):
        found, want = softmax_of(q(2, 3, 4, kind=kind, seed=seed), scale, axis, opset)
        assert found.dtype == want.dtype and found.shape == want.shape
        off.append(np.abs(found.astype(int) - want.astype(int)))
    print(np.max(off), np.mean(off))
    assert np.max(off) <= 1 and np.mean(off) < 0.02


def test_quantised_means() -> None:
    """By the definition: dequantised, averaged, quantised."""
    x = q(2, 3, 4)
    given = {"x": x, "_xs": s(0.5), "_xz": np.array(20, np.uint8), "_ys": s(0.25), "_yz": np.array(9, np.uint8)}
    for axes, keep in itertools.product(([1], [0, 2], [-1]), (0, 1)):
        (found,) = evaluated("QLinearReduceMean", given, kinds="UINT8", axes=axes, keepdims=keep)
        mean = ((x.astype(np.float64) - 20) * 0.5).mean(tuple(axes), keepdims=bool(keep))
        assert found.dtype == np.uint8 and np.array_equal(found, np.clip(np.round(mean / 0.25) + 9, 0, 255))


# -- what GPUs fuse -------------------------------------------------------------------------------------------------
def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def test_sums_with_biases() -> None:
    x, bias, skip = floats(2, 3, 8), floats(8, seed=1), floats(2, 3, 8, seed=2)
    near(evaluated("BiasAdd", {"x": x, "b": bias, "s": skip})[0], x + bias + skip)
    total = x + bias
    near(evaluated("BiasSplitGelu", {"x": x, "b": bias})[0], total[..., :4] * gelu(total[..., 4:]))
    w = floats(8, 5, seed=3)
    for b in (floats(5, seed=4), None):
        t = x @ w + (0 if b is None else b)
        want = 0.5 * t * (1 + np.tanh(math.sqrt(2 / math.pi) * (t + 0.044715 * t**3)))
        near(evaluated("GemmFastGelu", {"x": x, "w": w, "b": b})[0], want)
    assert "no halves" in refusal("BiasSplitGelu", {"x": floats(1, 2, 3), "b": floats(3)})


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_softmax_of_a_sum(axis: int) -> None:
    x = floats(2, 3, 4, 5)
    for shape in ((2, 1, 1, 5), (1, 1, 4, 5), (1, 3, 4, 5)):
        bias = floats(*shape, seed=1)
        total = (x + bias).reshape(*x.shape[: axis % 4], -1)
        e = np.exp(total - total.max(-1, keepdims=True))
        want = (e / e.sum(-1, keepdims=True)).reshape(x.shape)
        near(evaluated("BiasSoftmax", {"x": x, "b": bias}, axis=axis, is_inner_broadcast=1)[0], want)
    assert "another rank" in refusal("BiasSoftmax", {"x": x, "b": floats(4, 5)}, axis=3, is_inner_broadcast=0)
    assert "does not fit" in refusal(
        "BiasSoftmax", {"x": floats(1, 5), "b": floats(4, 5)}, axis=1, is_inner_broadcast=0
    )


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("activation", [0, 1])
def test_group_norms(last: int, activation: int) -> None:
    x, gamma, beta = floats(2, 6, 4, 5), floats(6, seed=1), floats(6, seed=2)

    def place(image: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(image.transpose(0, 2, 3, 1)) if last else image

    def norm(image: np.ndarray) -> np.ndarray:
        parts = image.astype(np.float64).reshape(2, 3, -1)
        parts = (parts - parts.mean(-1, keepdims=True)) / np.sqrt(parts.var(-1, keepdims=True) + 1e-3)
        out = parts.reshape(image.shape) * gamma[:, None, None] + beta[:, None, None]
        return place(out / (1 + np.exp(-out)) if activation else out)

    options: dict[str, Any] = {"groups": 3, "epsilon": 1e-3, "activation": activation, "channels_last": last}
    near(evaluated("GroupNorm", {"x": place(x), "g": gamma, "b": beta}, **options)[0], norm(x))
    half = place(x).astype(np.float16)
    proto, inputs = one("GroupNorm", {"x": half, "g": gamma, "b": beta}, kinds="FLOAT16", **options)
    (found,) = Evaluator("exact").run(load(proto), inputs).values()
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, norm(x), rtol=5e-3, atol=5e-3)
    whole, single, bias = floats(2, 6, 4, 5, seed=3), floats(2, 6, seed=4), floats(6, seed=5)
    for skip, wide, b in itertools.product((whole, single), (False, True), (bias, None)):
        if skip is single:
            shown = single.reshape(2, 1, 1, 6) if wide and last else single
            total = x + single[:, :, None, None]
        else:
            shown, total = place(whole), x + whole
        total = total if b is None else total + b[:, None, None]
        given = {"x": place(x), "g": gamma, "b": beta, "s": shown, "c": b}
        found, summed = evaluated("SkipGroupNorm", given, "y t", **options)
        near(found, norm(total))
        near(summed, place(total))


# -- shapes ---------------------------------------------------------------------------------------------------------
def test_operators_that_became_standard() -> None:
    x = floats(3, 4, 5)
    for upper in (0, 1):
        same("Trilu", {"x": x, "_k": np.array(-1)}, upper=upper)
        same("Trilu", {"x": x, "k": np.array(1)}, upper=upper)
    same("GatherND", {"x": x, "i": np.array([[0, 1], [2, -1]])})
    for axis in (0, 2, -1, -2):
        same("ExpandDims", {"x": x, "_a": np.array(axis, np.int32)})
    for dim, size, step in ((1, 2, 1), (-1, 3, 2), (0, 3, 1)):
        same(
            "UnfoldTensor",
            {
                "x": x,
            },
            dim=dim,
            size=size,
            step=step,
        )
    for metric in ("sqeuclidean", "euclidean"):
        same("CDist", {"a": floats(4, 6), "b": floats(3, 6, seed=1)}, metric=metric)
    assert "metric='cosine'" in refusal("CDist", {"a": floats(4, 6), "b": floats(3, 6)}, metric="cosine")
    grid = np.random.default_rng(0).uniform(-1.2, 1.2, (2, 3, 4, 2)).astype(np.float32)
    for mode, padding, align in itertools.product(
        ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (0, 1)
    ):
        same("GridSample", {"x": floats(2, 3, 5, 6), "g": grid}, mode=mode, padding_mode=padding, align_corners=align)


# -- tables of few bits ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize(("columns", "block"), [(64, 16), (48, 32), (32, 32)])
def test_rows_of_packed_tables(bits: int, zeros: bool, columns: int, block: int) -> None:
    """An index out of range gives zeros."""
    rng, blocks = np.random.default_rng(0), -(-columns // block)
    table = rng.integers(0, 256, (6, columns * bits // 8), np.uint8)
    given: dict[str, Any] = {"_t": table, "i": np.array([[0, 5, -1], [2, -6, 3]]), "_s": floats(6, blocks)}
    given["_z"] = rng.integers(0, 256, (6, -(-blocks * bits // 8)), np.uint8) if zeros else None
    options: dict[str, Any] = {"bits": bits, "block_size": block, "gather_axis": 0, "quantize_axis": 1}
    same("GatherBlockQuantized", given, **options)
    same("GatherBlockQuantized", {**given, "i": np.array([1, 6, -7])}, **options)


@pytest.mark.parametrize("kind", ["int4", "uint4"])
@pytest.mark.parametrize("zeros", [False, True])
def test_rows_of_tables_of_four_bits(kind: str, zeros: bool) -> None:
    rng, low = np.random.default_rng(0), -8 if kind == "int4" else 0
    narrow = dtypes.dtype(kind).numpy
    given: dict[str, Any] = {
        "_t": rng.integers(low, low + 16, (4, 6, 40)).astype(narrow),
        "_i": np.array([[2, 0], [-1, 1]]),
    }
    given |= {"_s": floats(4, 6, 3), "_z": rng.integers(low, low + 16, (4, 6, 3)).astype(narrow) if zeros else None}
    for axis in (0, 1, -2):
        same("GatherBlockQuantized", given, block_size=16, gather_axis=axis, quantize_axis=2)


def test_rows_of_packed_tables_along_another_axis_are_refused() -> None:
    given = {"_t": q(32, 32), "i": np.array([1]), "_s": floats(32, 2)}
    for axes in ({"gather_axis": 1, "quantize_axis": 1}, {"gather_axis": 1, "quantize_axis": 0}):
        assert "another axis" in refusal("GatherBlockQuantized", given, block_size=16, bits=8, **axes)
    assert "do not fit" in refusal("GatherBlockQuantized", given, block_size=32, bits=8, gather_axis=0, quantize_axis=1)
