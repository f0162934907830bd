"""Shape and slicing ops against Python, PyTorch and ONNX Runtime, and their symbolic sizes against the real ones."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from onnx import helper
from onnxruntime.capi import onnxruntime_pybind11_state as state

from ir.ops import get
from ir.ops.slicing import slice_range
from ir.types import TensorType, dtypes, evaluate_dim, symbol
from ir.types.dim import recording_assumptions
from ir.types.errors import PositionError
from tests.ops.indexing_model import evaluate


def ort(op: str, *arrays: np.ndarray, opset: int = 21, **attrs: Any) -> np.ndarray:
    """One ONNX node, run by ONNX Runtime."""
    names = [f"x{i}" for i in range(len(arrays))]
    kinds = [helper.np_dtype_to_tensor_dtype(a.dtype) for a in arrays]
    inputs = [helper.make_tensor_value_info(n, k, a.shape) for n, k, a in zip(names, kinds, arrays)]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attrs)], "g", inputs, [helper.make_tensor_value_info("y", kinds[0], None)]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip(names, arrays)))[0]


# -- slices ---------------------------------------------------------------------------------------------------------
BOUNDS = (None, -9, -4, -3, -1, 0, 1, 3, 4, 9)


@pytest.mark.parametrize("step", [1, 2, 3, -1, -2, -3])
def test_slice_sizes_follow_python(step: int) -> None:
    """Static and symbolic: every start, stop and size gives the length (and first position) of Python's slice."""
    n = symbol("n")
    for start, stop in itertools.product(BOUNDS, BOUNDS):
        first, length = slice_range(start, stop, step, n)
        for size in range(8):
            span = range(*slice(start, stop, step).indices(size))
            assert evaluate_dim(length, {"n": size}) == len(span), (start, stop, step, size)
            assert slice_range(start, stop, step, size) == (span.start, len(span))
            if len(span):
                assert evaluate_dim(first, {"n": size}) == span.start, (start, stop, step, size)


def test_symbolic_bounds_count_from_the_front() -> None:
    n, k = symbol("n"), symbol("k")
    assert str(slice_range(1, None, 1, n)[1]) == "max(0, n - 1)"
    assert str(slice_range(None, 5, 1, n)[1]) == "min(5, n)"
    with recording_assumptions() as log:
        _, length = slice_range(k - 1, None, 1, n)
    assert [str(a) for a in log] == ["max(0, k - 1) == k - 1 (a symbolic slice bound is not negative)"]
    assert evaluate_dim(length, {"n": 7, "k": 3}) == 5
    with recording_assumptions() as log:
        slice_range(k, n, 1, n)
    assert not log, "symbols are never negative"
    for start, stop, step in ((k, None, 1), (k, 4, 2), (None, k, 1), (-3, k, 1), (k, None, -1), (None, k, -2), (k, 1, -1)):
        _, length = slice_range(start, stop, step, 5)
        for at in range(8):
            bounds = (at if bound is k else bound for bound in (start, stop))
            assert evaluate_dim(length, {"k": at}) == len(range(5)[slice(*bounds, step)]), (start, stop, step, at)


def test_slice_is_numpy() -> None:
    x = np.arange(60).reshape(3, 4, 5)
    rng = np.random.default_rng(0)
    for _ in range(200):
        pick = [
            (rng.choice(BOUNDS[1:]), rng.choice(BOUNDS[1:]), int(rng.choice([1, 2, -1, -2]))) for _ in range(x.ndim)
        ]
        attrs = {"axes": (2, 0, 1), "starts": [p[0] for p in pick], "stops": [p[1] for p in pick]}
        got = evaluate("slice", {"x": x}, attrs | {"steps": [p[2] for p in pick]})
        two, zero, one = (slice(*p) for p in pick)
        np.testing.assert_array_equal(got, x[zero, one, two])


# -- pads -----------------------------------------------------------------------------------------------------------
PADS = ((2, 1), (3, 3), (4, 0), (5, 0), (4, 5), (9, 2), (2, -2), (-2, 2), (-1, -1), (-1, 3), (-2, -2), (0, 0), (-3, -3))
TORCH_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


@pytest.mark.parametrize("mode", TORCH_MODES)
def test_pad_is_torch_and_onnxruntime(mode: Any) -> None:
    """Where our op gives a result, every framework that gives one gives the same, and at least one does."""
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    answered = 0
    for pair in PADS:
        results = []
        for run in (_pad_torch, _pad_ort):
            try:
                results.append(run(x, pair, mode))
            except (RuntimeError, state.Fail, state.InvalidArgument, state.RuntimeException):
                continue
        try:
            got = evaluate("pad", {"x": x}, {"pads": ((0, 0), pair), "mode": mode})
        except ValueError:
            # torch mirrors the whole axis when the other side is cropped; ONNX Runtime the cropped one
            assert not results or (mode == "reflect" and min(pair) < 0 < max(pair)) or pair == (-2, -2), (pair, results)
            continue
        answered += 1
        assert results or not got.size, pair
        for other in results:
            np.testing.assert_array_equal(got, other, err_msg=f"{mode} {pair}")
    assert answered >= 4


def _pad_torch(x: np.ndarray, pair: tuple[int, int], mode: str) -> np.ndarray:
    return F.pad(torch.from_numpy(x)[None], pair, TORCH_MODES[mode])[0].numpy()


def _pad_ort(x: np.ndarray, pair: tuple[int, int], mode: str) -> np.ndarray:
    return ort("Pad", x, np.array([0, pair[0], 0, pair[1]]), mode=mode)


def test_pad_value_and_symbolic_pads() -> None:
    x = np.ones((2, 2), np.float32)
    got = evaluate("pad", {"x": x}, {"pads": ((1, 0), (0, 2)), "value": -3.5})
    np.testing.assert_array_equal(got, F.pad(torch.from_numpy(x), (0, 2, 1, 0), value=-3.5).numpy())
    n = symbol("n")
    out = get("pad").infer(TensorType(dtypes.float32, (n,)), ((n, -1),), "constant", 0)
    assert str(out) == "float32[2 * n - 1]"


# -- blocks, windows, diagonals -------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize("block", [1, 2, 3])
def test_depth_to_space_is_onnxruntime(mode: str, block: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, 2 * block**2, 3, 4)).astype(np.float32)
    want = ort("DepthToSpace", x, blocksize=block, mode=mode)
    np.testing.assert_array_equal(evaluate("depth_to_space", {"x": x}, {"block": block, "mode": mode}), want)
    last = {"block": block, "mode": mode, "layout": "channels_last"}
    got = evaluate("depth_to_space", {"x": np.ascontiguousarray(x.transpose(0, 2, 3, 1))}, last)
    np.testing.assert_array_equal(got.transpose(0, 3, 1, 2), want)
    if mode == "CRD":
        np.testing.assert_array_equal(want, F.pixel_shuffle(torch.from_numpy(x), block).numpy())


@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_space_to_depth_is_onnxruntime_torch_and_the_inverse(mode: str, layout: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 6)).astype(np.float32)
    want = ort("SpaceToDepth", x, blocksize=2) if mode == "DCR" else F.pixel_unshuffle(torch.from_numpy(x), 2).numpy()
    attrs = {"block": 2, "mode": mode, "layout": layout}
    first = layout == "channels_first"
    given = x if first else np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    got = evaluate("space_to_depth", {"x": given}, attrs)
    np.testing.assert_array_equal(got if first else got.transpose(0, 3, 1, 2), want)
    np.testing.assert_array_equal(evaluate("depth_to_space", {"x": got}, attrs), given)


@pytest.mark.parametrize(("axis", "size", "step"), [(0, 2, 1), (1, 3, 2), (-1, 5, 1), (1, 1, 3), (2, 0, 2), (1, 7, 1)])
def test_unfold_is_torch(axis: int, size: int, step: int) -> None:
    x = np.arange(4 * 7 * 5).reshape(4, 7, 5)
    got = evaluate("unfold", {"x": x}, {"axis": axis, "size": size, "step": step})
    np.testing.assert_array_equal(got, torch.from_numpy(x).unfold(axis, size, step).numpy())


@pytest.mark.parametrize("k", [-5, -1, 0, 2, 6])
def test_triangles_and_diagonals_are_torch(k: int) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    t = torch.from_numpy(x)
    np.testing.assert_array_equal(evaluate("tril", {"x": x}, {"k": k}), torch.tril(t, k).numpy())
    np.testing.assert_array_equal(evaluate("triu", {"x": x}, {"k": k}), torch.triu(t, k).numpy())
    for axes in ((0, 1), (2, 0), (-2, -1)):
        got = evaluate("diagonal", {"x": x}, {"offset": k, "axis1": axes[0], "axis2": axes[1]})
        np.testing.assert_array_equal(got, torch.diagonal(t, k, *axes).numpy())


def test_roll_tile_and_flatten_are_torch() -> None:
    x = np.arange(24).reshape(2, 3, 4)
    t = torch.from_numpy(x)
    for shifts, axes in (((1,), (0,)), ((-7, 5), (2, 1)), ((3, 3), (1, 1))):
        got = evaluate("roll", {"x": x}, {"shifts": shifts, "axes": axes})
        np.testing.assert_array_equal(got, torch.roll(t, shifts, axes).numpy())
    np.testing.assert_array_equal(evaluate("tile", {"x": x}, {"repeats": (2, 1, 3)}), t.tile(2, 1, 3).numpy())
    for start, end in ((0, -1), (1, 2), (0, 1), (2, 2)):
        got = evaluate("flatten", {"x": x}, {"start": start, "end": end})
        np.testing.assert_array_equal(got, torch.flatten(t, start, end).numpy())


@pytest.mark.parametrize("neg", ["invalid", "from_end"])
def test_dynamic_slice_moves_the_block_into_the_data(neg: str) -> None:
    """jax.lax.dynamic_slice: from-end first, then clamped so that the block fits."""
    x = np.arange(7)
    for size, start in itertools.product(range(8), range(-10, 11)):
        at = start + 7 if neg == "from_end" and start < 0 else start
        at = min(max(at, 0), 7 - size)
        attrs = {"bounds": "clip", "neg": neg}
        got = evaluate("dynamic_slice", {"x": x, "starts": (np.array(start),)}, attrs | {"sizes": (size,)})
        np.testing.assert_array_equal(got, x[at : at + size])
        block = np.full(size, -1)
        got = evaluate("dynamic_update_slice", {"x": x, "update": block, "starts": (np.array(start),)}, attrs)
        np.testing.assert_array_equal(got, np.concatenate([x[:at], block, x[at + size :]]))


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
@pytest.mark.parametrize("neg", ["invalid", "from_end"])
def test_lowered_dynamic_slices_are_dynamic_slices(neg: str, kind: Any) -> None:
    """Every start of blocks of every size, that of the whole axis included, where a wrong start is an error or clamped."""
    x = np.arange(4)
    for bounds, size, start in itertools.product(("error", "clip"), range(1, 5), range(-6, 7)):
        if start < 0 and kind == np.uint8:
            continue
        operands, attrs = {"x": x, "starts": (np.array(start, kind),)}, {"sizes": (size,), "bounds": bounds, "neg": neg}
        try:
            want = evaluate("dynamic_slice", operands, attrs)
        except PositionError:
            with pytest.raises(PositionError, match="out of range"):
                evaluate("dynamic_slice", operands, attrs, lowered=True)
            continue
        np.testing.assert_array_equal(evaluate("dynamic_slice", operands, attrs, lowered=True), want)


def test_no_pieces_of_nothing() -> None:
    assert get("split").evaluate(np.zeros((0, 2)), (), 0) == ()
