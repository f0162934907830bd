"""Ops that TensorFlow defines and the CPU has no kernel for, against what it computes in another way.

Channels first: against the same op with channels last, between transposes. Dilations: against filters with the gaps in them.
Groups of a gradient: against one gradient a group. Transforms over given axes: against NumPy's. Layers of cuDNN: as Keras
calls them, against its layers on the CPU.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from converter.errors import ConversionError
from ir.eval import Evaluator
from tests.importers.tensorflow import cases_conv, cases_norm, cases_pool
from tests.importers.tensorflow.harness import Case, Fixed, array, load

IMAGES = ("input", "value", "x", "out_backprop")
FORMATS = {4: ("NHWC", "NCHW"), 5: ("NDHWC", "NCDHW")}
OPS = (
    "Conv2D Conv3D DepthwiseConv2dNative Conv2DBackpropInput Conv3DBackpropInputV2 MaxPool MaxPool3D AvgPool AvgPool3D "
    "MaxPoolV2 FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 BiasAdd"
).split()


def _first(values: Any) -> list[Any]:
    """What belongs to the axes of a tensor with channels last, in the order of channels first."""
    return [values[0], values[-1], *values[1:-1]]


def _attrs(case: Case, rank: int) -> dict[str, Any]:
    found = dict(case.attrs)
    for name in ("strides", "dilations", "ksize"):
        if name in found:
            found[name] = _first(found[name])
    if "explicit_paddings" in found:
        pairs = list(zip(found["explicit_paddings"][::2], found["explicit_paddings"][1::2], strict=True))
        found["explicit_paddings"] = [n for pair in _first(pairs) for n in pair]
    return {**found, "data_format": "NCHW" if case.op == "BiasAdd" else FORMATS[rank][1]}


def _operands(case: Case) -> dict[str, Any]:
    found = dict(case.operands)
    for name in ("input_sizes", "ksize", "strides"):
        if isinstance(found.get(name), Fixed):
            found[name] = Fixed(np.array(_first(found[name].array)))
    return found


def _turned(case: Case, given: list[np.ndarray]) -> Any:
    """A concrete function of the case's inputs that has its channels first in between."""
    import tensorflow as tf

    turned = Case(case.op, case.name, _operands(case), _attrs(case, _rank(case)), then=case.then)
    images = [n for n, o in turned.operands.items() if isinstance(o, np.ndarray)]

    def call(*xs: Any) -> list[Any]:
        values = [_moved(tf, x, True) if n in IMAGES else x for n, x in zip(images, xs, strict=True)]
        return [_moved(tf, y, False) if len(y.shape) > 3 else y for y in turned.call(values)]

    specs = [tf.TensorSpec(a.shape, a.dtype) for a in given]
    return tf.function(call, autograph=False).get_concrete_function(*specs)


def _moved(tf: Any, x: Any, first: bool) -> Any:
    rank = len(x.shape)
    return tf.transpose(x, [0, rank - 1, *range(1, rank - 1)] if first else [0, *range(2, rank), 1])


def _rank(case: Case) -> int:
    return next(o.ndim for n, o in case.operands.items() if n in IMAGES)


def _rows() -> list[Case]:
    tables = (*cases_conv.TABLES.values(), *cases_pool.TABLES.values(), *cases_norm.TABLES.values())
    found = []
    for case in (c for table in tables for c in table()):
        half = any(a.dtype.itemsize == 2 for a in case.inputs())
        if case.op in OPS and not case.refused and not half and _rank(case) in FORMATS:
            found.append(case)
    return found


@pytest.mark.parametrize("op", OPS)
def test_channels_first(op: str) -> None:
    import tensorflow as tf

    bad, count = [], 0
    for case in _rows():
        sizes = case.operands.get("input_sizes")
        if case.op != op or isinstance(sizes, np.ndarray):
            continue
        given = case.inputs()
        model = load(_turned(case, given))
        written_out = op == "BiasAdd" or case.attrs.get("is_training")
        assert written_out or any("channels_first" in repr(n.attrs) or n.attrs.get("axis") == 1 for n in model.graph)
        got = list(Evaluator("exact").run(model, dict(zip(model.input_types, given, strict=True))).values())
        want = [t.numpy() for t in case.call(tf.constant(a) for a in given)]
        count += 1
        for mine, theirs in zip(got, want, strict=True):
            if mine.dtype != theirs.dtype or not np.allclose(mine, theirs, 1e-4, 1e-4, equal_nan=True):
                bad.append(str(case))
    assert count and not bad, bad


def _evaluated(call: Callable[..., Any], *given: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    specs = [tf.TensorSpec(a.shape, a.dtype) for a in given]
    model = load(tf.function(call, autograph=False).get_concrete_function(*specs))
    found = Evaluator("exact").run(model, dict(zip(model.input_types, given, strict=True)))
    return np.asarray(next(iter(found.values())))


def _gaps(weight: np.ndarray, dilations: tuple[int, ...]) -> np.ndarray:
    """A filter [window.., in, out] with zeros between its elements."""
    window = [(n - 1) * d + 1 for n, d in zip(weight.shape, dilations)]
    out = np.zeros((*window, *weight.shape[len(window) :]), weight.dtype)
    out[tuple(slice(None, None, d) for d in dilations)] = weight
    return out


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("op", ["Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3DBackpropInputV2"])
def test_dilations(op: str, padding: str) -> None:
    import tensorflow as tf

    raw, back = getattr(tf.raw_ops, op), "Backprop" in op
    flat = "2" in op.removesuffix("V2")
    shape, window, dilations = ((2, 9, 8), (3, 2), (2, 3)) if flat else ((1, 5, 7, 6), (2, 3, 2), (2, 2, 3))
    outs = 3 if op != "DepthwiseConv2dNative" else 2
    weight = array(*window, 4, outs)
    ones = [1] * (len(window) + 2)
    sizes = (*shape, 4)
    if not back:
        x = array(*sizes)
        got = _evaluated(
            lambda x, w: raw(input=x, filter=w, strides=ones, padding=padding, dilations=[1, *dilations, 1]), x, weight
        )
        want = raw(input=x, filter=_gaps(weight, dilations), strides=ones, padding=padding)
    else:
        less = [n if padding == "SAME" else n - (w - 1) * d for n, w, d in zip(shape[1:], window, dilations)]
        y = array(shape[0], *less, outs)
        plain = {"input_sizes": list(sizes), "strides": ones, "padding": padding}
        got = _evaluated(lambda y, w: raw(out_backprop=y, filter=w, dilations=[1, *dilations, 1], **plain), y, weight)
        want = raw(out_backprop=y, filter=_gaps(weight, dilations), **plain)
    np.testing.assert_allclose(got, want, 1e-4, 1e-4)


def test_groups_of_a_gradient() -> None:
    import tensorflow as tf

    raw = tf.raw_ops.Conv2DBackpropInput
    y, weight = array(2, 4, 3, 6), array(3, 2, 2, 6)
    plain = {"strides": [1, 2, 2, 1], "padding": "SAME"}
    got = _evaluated(lambda y, w: raw(input_sizes=[2, 7, 6, 4], filter=w, out_backprop=y, **plain), y, weight)
    parts = [
        raw(input_sizes=[2, 7, 6, 2], filter=weight[..., k : k + 3], out_backprop=y[..., k : k + 3], **plain)
        for k in (0, 3)
    ]
    np.testing.assert_allclose(got, np.concatenate(parts, -1), 1e-4, 1e-4)


def test_transposed_to_the_size_of_another_tensor() -> None:
    """Sizes that are expressions of the input's."""
    import tensorflow as tf

    weight = array(3, 2, 4, 5)

    def call(x: Any) -> Any:
        shape = tf.shape(x)
        sizes = tf.stack([shape[0], shape[1] * 2, shape[2] * 3, 4])
        return tf.nn.conv2d_transpose(x, weight, sizes, (2, 3), "SAME")

    traced = tf.function(call, autograph=False).get_concrete_function(
        tf.TensorSpec([None, None, None, 5], "float32", "x")
    )
    model = load(traced, ["float32[b,h,w,5]"])
    (node,) = [n for n in model.graph if n.op.name == "conv_transpose"]
    assert node.attrs["padding"] == ((0, 1), (0, 0))
    for shape in ((2, 4, 3, 5), (1, 1, 6, 5)):
        x = array(*shape)
        got = next(iter(Evaluator("exact").run(model, {"x": x}).values()))
        np.testing.assert_allclose(got, call(x), 1e-4, 1e-4)


def _call_of(raw: Any, given: dict[str, Any]) -> Callable[[Any], Any]:
    return lambda x: raw(input=x, **given)


@pytest.mark.parametrize("op", ["FFTND", "IFFTND", "RFFTND", "IRFFTND"])
def test_transforms_over_axes(op: str) -> None:
    import tensorflow as tf

    plain = {"fftn": np.fft.fftn, "ifftn": np.fft.ifftn, "rfftn": np.fft.rfftn, "irfftn": np.fft.irfftn}
    reference = plain[op.removesuffix("ND").lower() + "n"]
    x = array(2, 4, 5, 6, dtype="float32" if op == "RFFTND" else "complex64")
    attrs = {"RFFTND": {"Tcomplex": tf.complex64}, "IRFFTND": {"Treal": tf.float32}}.get(op, {})
    for axes, sizes in (((1, 3), (4, 6)), ((0, 1, 2), (2, 3, 8)), ((2,), (5,))):
        given = {"axes": axes, "fft_length": sizes, **attrs}
        got = _evaluated(_call_of(getattr(tf.raw_ops, op), given), x)
        np.testing.assert_allclose(got, reference(x, sizes, axes), 1e-3, 1e-3)


CUDNN = [
    (kind, *flags)
    for kind in ("LSTM", "GRU")
    for flags in ((False, True, False), (True, False, False), (False, True, True))
]
"""Kind of layer, whether the first axis is time, whether all outputs are asked for, whether sequences have lengths."""


@pytest.mark.parametrize("kind,time_major,every,masked", CUDNN)
def test_cudnn(kind: str, time_major: bool, every: bool, masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras' own call of a kernel that only GPUs have."""
    import keras
    import tensorflow as tf

    rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"is_cuda_build": True, "is_rocm_build": False})
    layer = getattr(keras.layers, kind)(4, return_sequences=True, return_state=True)
    x = array(2, 5, 3)
    mask = np.arange(5) < np.array([[3], [5]]) if masked else None
    layer.build(x.shape)
    weights = [array(*w.shape, seed=i) for i, w in enumerate(layer.get_weights())]
    layer.set_weights(weights)
    states = [array(2, 4, seed=k) for k in range(2 if kind == "LSTM" else 1)]
    call = rnn._cudnn_lstm if kind == "LSTM" else rnn._cudnn_gru

    def traced(x: Any, *states: Any) -> list[Any]:
        x = tf.transpose(x, [1, 0, 2]) if time_major else x
        known = None if mask is None else tf.constant(mask.T if time_major else mask)
        given = {"mask": known, "time_major": time_major, "go_backwards": False, "return_sequences": every}
        first = [states[0], states[1]] if kind == "LSTM" else [states[0]]
        last, out, finals = call(x, *first, *map(tf.constant, weights), **given)
        return [tf.transpose(out, [1, 0, 2]) if time_major else out, *finals]

    function = tf.function(traced, autograph=False).get_concrete_function(
        *(tf.TensorSpec([None, *a.shape[1:]], a.dtype) for a in (x, *states))
    )
    model = load(function)
    (node,) = [n for n in model.graph if n.op.name == kind.lower()]
    assert (node.operands["lengths"] is None) == (not masked)
    got = list(Evaluator("exact").run(model, dict(zip(model.input_types, (x, *states), strict=True))).values())
    out, *finals = layer(x, initial_state=[tf.constant(s) for s in states], mask=mask)
    np.testing.assert_allclose(got[1:], [f.numpy() for f in finals], 1e-4, 1e-5)
    want = out.numpy()
    if every and masked:
        want = want * mask[..., None]  # the kernel's zeros behind the end
    np.testing.assert_allclose(got[0], want if every else want[:, -1:], 1e-4, 1e-5)


def _cudnn(x: Any, states: Any, params: Any, lengths: Any = None, **attrs: Any) -> Any:
    """A layer of the first version, or of the third where sequences have lengths."""
    import tensorflow as tf

    given = {"input": x, "input_h": states, "input_c": states, "params": params, "is_training": False, **attrs}
    if lengths is None:
        return tf.raw_ops.CudnnRNNV2(**given)[0]
    return tf.raw_ops.CudnnRNNV3(**given, sequence_lengths=lengths)[0]


@pytest.mark.parametrize("mode", ["rnn_tanh", "rnn_relu"])
def test_cudnn_without_gates(mode: str) -> None:
    """Against cuDNN's formula: f(W x + R h + b + c), the parameters W, R, b, c one after another."""
    x, h, params = array(4, 2, 3), array(1, 2, 5), array(5 * 3 + 5 * 5 + 10)
    w, r, b, c = np.split(params, np.cumsum([15, 25, 5]))
    want, state = [], h[0]
    for step in x:
        total = step @ w.reshape(5, 3).T + b + state @ r.reshape(5, 5).T + c
        state = np.tanh(total) if mode == "rnn_tanh" else np.maximum(total, 0)
        want.append(state)
    attrs = {"rnn_mode": mode, "input_mode": "auto_select"}
    got = _evaluated(lambda x, h, p: _cudnn(x, h, p, **attrs), x, h, params)
    np.testing.assert_allclose(got, want, 1e-5, 1e-5)


@pytest.mark.parametrize(
    "layers,attrs,reason",
    [
        (2, {}, "beyond one layer"),
        (2, {"direction": "bidirectional"}, "beyond one layer"),
        (1, {"input_mode": "skip_input"}, "no product with the input"),
        (1, {"input_mode": "auto_select", "size": 5}, "no product with the input"),
        (1, {"num_proj": 2, "lengths": True}, "a projection"),
        (1, {"count": 7}, "7 parameters for a layer"),
    ],
)
def test_cudnn_is_refused(layers: int, attrs: dict[str, Any], reason: str) -> None:
    own = {k: v for k, v in attrs.items() if k not in ("size", "count", "lengths")}
    x, h = array(4, 2, attrs.get("size", 3)), array(layers, 2, 5)
    params, lengths = array(attrs.get("count", 5 * 3 + 5 * 5 + 10)), np.array([4, 2], "int32")
    with pytest.raises(ConversionError, match=reason):
        _evaluated(
            lambda x, h, p: _cudnn(x, h, p, lengths if "lengths" in attrs else None, rnn_mode="rnn_tanh", **own),
            x,
            h,
            params,
        )


@pytest.mark.parametrize("form", ["Sum", "Prod", "Max", "Min"])
def test_segments_in_order(form: str) -> None:
    """Of which XLA has the only kernel."""
    import tensorflow as tf

    for kind, ids in (("float32", [0, -1, 2, 2]), ("int32", [0, 3, 9, 3]), ("float32", [])):
        data, places = array(len(ids), 2, dtype=kind), np.array(ids, "int32")
        call = _segments_of(getattr(tf.raw_ops, f"Segment{form}V2"))
        want = tf.function(call, autograph=False, jit_compile=True)(data, places)
        np.testing.assert_allclose(_evaluated(call, data, places), want, 1e-6)


def _segments_of(raw: Any) -> Callable[[Any, Any], Any]:
    return lambda x, ids: raw(data=x, segment_ids=ids, num_segments=5)
