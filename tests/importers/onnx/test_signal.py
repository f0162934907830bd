"""Windows, mel weights and Fourier transforms, against onnx's reference evaluator, and ONNX Runtime where it is right."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.onnx.models import FLOAT, INT64, agree, floats, model, node, op_names

DOUBLE = TensorProto.DOUBLE
WINDOWS = ("HannWindow", "HammingWindow", "BlackmanWindow")


def refusal(proto: onnx.ModelProto) -> str:
    with pytest.raises(ConversionError) as error:
        load(proto)
    return str(error.value)


def held(proto: onnx.ModelProto, inputs: dict[str, np.ndarray], close: float = 1e-5) -> None:
    """The first output is that of the reference evaluator."""
    taken = load(proto)
    check(taken)
    (found,) = Evaluator("exact").run(taken, inputs).values()
    (want,) = ReferenceEvaluator(proto).run(None, inputs)
    assert (found.dtype, found.shape) == (want.dtype, want.shape)
    np.testing.assert_allclose(found, want, rtol=close, atol=close)


# -- windows --------------------------------------------------------------------------------------------------------
def window(op: str, size: int | None, periodic: int, kind: int = DOUBLE) -> onnx.ModelProto:
    made = node(op, "n", "y", periodic=periodic, output_datatype=kind)
    declared = [("n", INT64, ())] if size is None else []
    stored = {} if size is None else {"n": np.array(size)}
    return model([made], declared, [f"y@{TensorProto.DataType.Name(kind)}"], stored)


@pytest.mark.parametrize("periodic", [0, 1])
@pytest.mark.parametrize("op", WINDOWS)
def test_windows(op: str, periodic: int) -> None:
    """Of every small size: those known at conversion are constants, those of the run come out alike."""
    for size in range(2 - periodic, 8):
        known = window(op, size, periodic)
        assert op_names(load(known)) == ["constant"]
        held(known, {}, close=1e-12)
        held(window(op, None, periodic), {"n": np.array(size)}, close=1e-12)
        agree(window(op, size, periodic, FLOAT), {})


@pytest.mark.parametrize("op", WINDOWS)
def test_windows_without_a_period_are_refused(op: str) -> None:
    for size, periodic in ((0, 1), (0, 0), (1, 0), (-1, 1)):
        assert f"a window of {size} elements is not defined" in refusal(window(op, size, periodic))


# -- mel weights ----------------------------------------------------------------------------------------------------
def mel(*setting: Any) -> onnx.ModelProto:
    kinds = (np.int64, np.int64, np.int64, np.float32, np.float32)
    stored = {n: np.array(v, k) for n, v, k in zip("abcde", setting, kinds, strict=True)}
    return model([node("MelWeightMatrix", "a b c d e", "y")], [], ["y"], stored)


MELS = [
    (0, 16, 8000, 0.0, 4000.0), (1, 16, 8000, 0.0, 4000.0), (2, 16, 8000, 1000.0, 1000.0), (3, 0, 8000, 0.0, 0.0),
    (3, 1, 8000, 0.0, 10.0), (3, 16, 8000, 4000.0, 100.0), (2, 16, 8000, 900.0, 470.0), (7, 8, 8000, 300.0, 3000.0),
    (3, 16, 8000, 4000.0, 4000.0), (5, 64, 16000, 100.0, 7000.0), (9, 20, 8000, 0.0, 3900.0),
]  # fmt: skip


@pytest.mark.parametrize("setting", MELS, ids=str)
def test_mel_weights(setting: tuple[Any, ...]) -> None:
    """No bins, one, several at one place, at the last place of the spectrum, and edges that go down."""
    held(mel(*setting), {})
    agree(mel(*setting), {})


def test_mel_weights_that_fall_from_their_first_bin() -> None:
    """Bins 0, 0 and 3; ONNX Runtime wants the bin of the upper edge itself in the spectrum, too, which no triangle reaches."""
    held(mel(1, 8, 20000, 0.0, 26812.0), {})
    assert np.count_nonzero(ReferenceEvaluator(mel(1, 8, 20000, 0.0, 26812.0)).run(None, {})[0]) == 3


def test_mel_weights_that_do_not_fit_are_refused() -> None:
    assert "-1 mel bins are not defined" in refusal(mel(-1, 16, 8000, 0.0, 4000.0))
    for edges in ((0.0, 8000.0), (-100.0, 4000.0), (5000.0, 100.0), (4500.0, 4500.0)):
        found = refusal(mel(3, 16, 8000, *edges))
        assert f"mel bins from {edges[0]} to {edges[1]} hertz do not fit 9 bins of a spectrum" in found


# -- Fourier transforms ---------------------------------------------------------------------------------------------
def dft(
    opset: int,
    shape: tuple[Any, ...],
    length: int | None = None,
    axis: int | None = None,
    kind: int = FLOAT,
    **attrs: int,
) -> onnx.ModelProto:
    """The axis is an attribute in opset 17 and an operand in opset 20."""
    stored = {} if length is None else {"l": np.array(length)}
    names = f"x {'_' if length is None else 'l'}"
    if axis is not None and opset < 20:
        attrs["axis"] = axis
    elif axis is not None:
        stored["a"], names = np.array(axis), f"{names} a"
    made = node("DFT", names, "y", **attrs)
    return model([made], [("x", kind, shape)], [f"y@{TensorProto.DataType.Name(kind)}"], stored, opset=opset)


@pytest.mark.parametrize("opset", [17, 20])
@pytest.mark.parametrize("inverse, onesided", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_transforms(opset: int, inverse: int, onesided: int) -> None:
    """Along every axis, of real and complex numbers, with as many points, fewer, more and one."""
    parts = ((1,), (2,), (1, 2))[2 if not onesided else inverse]
    for shape, part in product([(5,), (4, 5), (2, 3, 4), (3, 6, 5, 2)], parts):
        for axis, length in product(range(-len(shape) - 1, len(shape)), (None, 1, 2, 3, 6, 7)):
            if axis == -1:
                continue
            given = (*shape, part)
            held(dft(opset, given, length, axis, inverse=inverse, onesided=onesided), {"x": floats(*given)})


def test_transforms_with_what_is_not_said() -> None:
    """The axis is 1 in opset 17 and the last one but one in opset 20; the length is that of the axis."""
    for opset, part in product((17, 20), (1, 2)):
        given = (2, 4, 3, part)
        agree(dft(opset, given), {"x": floats(*given)})
        held(dft(opset, given, kind=DOUBLE), {"x": floats(*given).astype(np.float64)}, close=1e-12)


def test_tables_of_angles_are_exact() -> None:
    """Half turns have no sine, later turns lose no digits, and nothing is transposed along the last axis."""
    taken = load(dft(20, (2, 6, 1)))
    (found,) = Evaluator("exact").run(taken, {"x": floats(2, 6, 1)}).values()
    assert not found[:, (0, 3), 1].any() and found[:, (1, 2, 4, 5), 1].all()
    assert "transpose" not in op_names(taken) and "transpose" in op_names(load(dft(20, (2, 6, 1), axis=0)))
    late = np.zeros((1, 1000, 1))
    late[0, -1] = 1
    held(dft(20, late.shape, kind=DOUBLE), {"x": late}, close=1e-14)


def test_transforms_that_are_not_defined_are_refused() -> None:
    for axis, shape in ((-1, (2, 4, 2)), (2, (2, 4, 2)), (1, (2, 4, 3)), (1, (2, "n", 1))):
        kind = f"float32[{', '.join(map(str, shape))}]"
        found = refusal(dft(20, shape, axis=axis))
        assert f"{kind} along axis {axis % 3} needs a size known beforehand and 1 or 2 parts" in found
    assert "a transform of 0 points" in refusal(dft(20, (2, 4, 1), 0))
    assert "a transform of 2049 points" in refusal(dft(20, (2, 4, 1), 2049))
    load(dft(20, (1, 4, 1), 2048, onesided=1))
    assert "float16 would round its table" in refusal(dft(20, (2, 4, 1), kind=TensorProto.FLOAT16))
    assert "a one-sided inverse transform of 1 parts" in refusal(dft(20, (2, 4, 1), inverse=1, onesided=1))
    assert "a one-sided transform of 2 parts" in refusal(dft(20, (2, 4, 2), onesided=1))


def stft(
    shape: tuple[Any, ...], step: int, window: int | None = None, length: int | None = None, **attrs: int
) -> onnx.ModelProto:
    stored = {"s": np.array(step)}
    names = f"x s {'_' if window is None else 'w'}"
    if window is not None:
        stored["w"] = floats(window, seed=3)
    if length is not None:
        stored["l"], names = np.array(length), f"{names} l"
    return model([node("STFT", names, "y", **attrs)], [("x", FLOAT, shape)], ["y"], stored)


@pytest.mark.parametrize("window, length", [(4, None), (None, 4), (5, 5), (None, None), (1, None), (None, 1), (9, 9)])
def test_framed_transforms(window: int | None, length: int | None) -> None:
    """Of real and complex signals; without a window and a length, one frame of the whole."""
    for part, step in product((1, 2), (1, 2, 3)):
        for onesided in (0, 1)[: 3 - part]:
            proto = stft((2, 9, part), step, window, length, onesided=onesided)
            held(proto, {"x": floats(2, 9, part)})
            if window or length:
                agree(proto, {"x": floats(2, 9, part)})


def test_framed_transforms_that_are_not_defined_are_refused() -> None:
    for shape in ((9,), (2, 9), (2, 9, 3), (2, 9, 1, 1)):
        kind = f"float32[{', '.join(map(str, shape))}]"
        assert f"frames of {kind} need a signal of 3 axes, the last one of 1 or 2 parts" in refusal(
            stft(shape, 2, None, 4)
        )
    assert "frames of n elements" in refusal(stft((2, "n", 1), 2))
    load(stft(("n", 9, 1), 2))
    assert "a window float32[3] for frames of 5 elements" in refusal(stft((2, 9, 1), 2, 3, 5))
    assert "a transform of 0 points" in refusal(stft((2, 9, 1), 2, None, 0))
    assert "step 0 must be positive" in refusal(stft((2, 9, 1), 0, 4))
    assert "windows of 12 do not fit" in refusal(stft((2, 9, 1), 2, 12))
