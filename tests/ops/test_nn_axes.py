"""Layouts, paddings and symbolic sizes of the spatial ops, generated over their samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ir.ops import get
from ir.ops.axes import explicit_padding, output_size, window_outputs
from ir.types import evaluate_dim, symbol, type_of
from tests.ops.nn_samples import Case, cases, close

SPATIAL = (
    "conv", "conv_transpose", "max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "group_norm", "instance_norm",
    "lrn", "resize",
)  # fmt: skip
OPS = (
    *SPATIAL,
    "batch_norm",
    "layer_norm",
    "rms_norm",
    "normalize",
    "attention",
    "embedding",
    "lstm",
    "gru",
    "rnn",
    "dropout",
    "linear",
    "matmul",
    "einsum",
)


def _swapped(case: Case) -> Case:
    """The same application with the channels of the data on the other side."""
    to_last = case.attrs["layout"] == "channels_first"
    sample = case.sample
    x = case.operands["x"]
    moved = np.moveaxis(x, 1, -1) if to_last else np.moveaxis(x, -1, 1)
    operands = (np.ascontiguousarray(moved), *sample.operands[1:])
    attrs = {**sample.attrs, "layout": "channels_last" if to_last else "channels_first"}
    return Case(case.op, type(sample)(operands, attrs), case.index)


@pytest.mark.parametrize("name", SPATIAL)
def test_both_layouts_agree(name: str) -> None:
    seen = set()
    for case in cases(name):
        seen.add(case.attrs["layout"])
        (here,), (there,) = case.run(), _swapped(case).run()
        back = np.moveaxis(there, -1, 1) if case.attrs["layout"] == "channels_first" else np.moveaxis(there, 1, -1)
        close(back, here, where=case)
    assert seen == {"channels_first", "channels_last"}


@pytest.mark.parametrize("name", OPS)
def test_inferred_types_are_those_computed(name: str) -> None:
    for case in cases(name):
        assert tuple(type_of(x) for x in case.run()) == case.infer(), case


@pytest.mark.parametrize("name", [name for name in OPS if name != "einsum"])  # its operands are one variadic
def test_symbolic_sizes_evaluate_to_the_computed_ones(name: str) -> None:
    symbolic = 0
    for case in cases(name):
        if not case.sample.dynamic:
            continue
        env: dict[str, int] = {}
        types: dict = {}
        names = [s.name for s in case.op.operands]
        for key, value in case.operands.items():
            if value is not None:
                types[key] = tuple(type_of(v) for v in value) if isinstance(value, tuple) else type_of(value)
        for operand, axis in case.sample.dynamic:
            t = types[names[operand]]
            size = t.shape[axis]
            name_of = f"s{size}"  # equal sizes get one symbol, as an importer would find them
            env[name_of] = size
            types[names[operand]] = t.with_shape(symbol(name_of) if a == axis else d for a, d in enumerate(t.shape))
        inferred = case.op.infer_types(types, case.attrs, {})
        for out, t in zip(case.run(), inferred, strict=True):
            assert tuple(evaluate_dim(d, env) for d in t.shape) == out.shape, (case, t)
            symbolic += not t.is_static
    assert symbolic, f"no sample of {name} has a symbolic result"


@pytest.mark.parametrize("name", OPS)
def test_refused_samples_raise_as_declared(name: str) -> None:
    refused = list(cases(name, errors=True))
    assert refused, f"no sample of {name} shows what it refuses"
    for case in refused:
        assert case.sample.error is not None
        with pytest.raises(case.sample.error):
            case.infer()
            case.run()


def test_attributes_take_several_values() -> None:
    for name in OPS:
        op = get(name)
        rows = [c.attrs for c in cases(name)]
        for spec in op.attributes:
            assert len({repr(r[spec.name]) for r in rows}) > 1, f"{name}.{spec.name} never varies"


def _fits(start: int, window: int, dilation: int, low: int, high: int) -> bool:
    return start >= low and start + (window - 1) * dilation < high


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_output_size_counts_the_windows_that_fit(ceil_mode: bool) -> None:
    for size, window, stride, dilation, before, after in itertools.product(
        range(1, 9), (1, 2, 3), (1, 2, 3), (1, 2), (0, 1), (0, 1, 2)
    ):
        extent = (window - 1) * dilation + 1
        if size + before + after < extent:
            with pytest.raises(ValueError, match="does not fit"):
                output_size(size, extent, stride, (before, after), ceil_mode)
            continue
        starts = range(-before, size + after, stride)
        full = [s for s in starts if _fits(s, window, dilation, -before, size + after)]
        expected = len(full)
        if ceil_mode and after >= extent:
            continue  # a window of padding alone: pools refuse it
        if ceil_mode and full[-1] + extent < size + after and full[-1] + stride < size:
            expected += 1
        assert output_size(size, extent, stride, (before, after), ceil_mode) == expected


@pytest.mark.parametrize("padding", ["same_upper", "same_lower"])
def test_same_padding_gives_ceil_of_size_over_stride(padding: str) -> None:
    n = symbol("n")
    for size, window, stride, dilation in itertools.product(range(1, 12), (1, 2, 3, 5), (1, 2, 3), (1, 2)):
        (out,), ((before, after),) = window_outputs((size,), (window,), (stride,), (dilation,), padding)  # type: ignore[arg-type]
        assert out == -(-size // stride)
        extent = (window - 1) * dilation + 1
        assert before + after == max((out - 1) * stride + extent - size, 0)
        assert (after - before if padding == "same_upper" else before - after) in (0, 1)
        ((low, high),) = explicit_padding(padding, (n,), (window,), (stride,), (dilation,))  # type: ignore[arg-type]
        assert (evaluate_dim(low, {"n": size}), evaluate_dim(high, {"n": size})) == (before, after)


def test_paddings_that_mean_nothing_are_refused() -> None:
    for padding, message in ((((1, 1), (1, 1)), "for each of 1"), (((-1, 0),), "negative")):
        with pytest.raises(ValueError, match=message):
            explicit_padding(padding, (5,), (3,), (1,), (1,))
    with pytest.raises(ValueError, match="one spatial axis"):
        explicit_padding("causal", (5, 5), (3, 3), (1, 1), (1, 1))


FIRST = {"layout": "channels_first"}
WINDOW = {"padding": "valid", "ceil_mode": False, **FIRST}
STACK = {"layers": 1, "direction": "forward", "bias": True, "dropout": 0.0, "batch_first": False, "frozen": False}
DEFAULTS = {
    "conv": {"padding": "valid", "groups": 1, **FIRST},
    "conv_transpose": {"groups": 1, **FIRST},
    "max_pool": WINDOW,
    "avg_pool": {**WINDOW, "dilations": (), "include_pad": True, "divisor": None},
    "adaptive_avg_pool": FIRST,
    "adaptive_max_pool": FIRST,
    "batch_norm": {"axis": 1, "eps": 1e-5, "momentum": 0.1, "unbiased": True, "frozen": False},
    "layer_norm": {"axes": (-1,), "eps": 1e-5},
    "rms_norm": {"axes": (-1,), "eps": 1e-5},
    "group_norm": {"eps": 1e-5, **FIRST},
    "instance_norm": {"eps": 1e-5, **FIRST},
    "lrn": {"alpha": 1e-4, "beta": 0.75, "k": 1.0, "wider": "after", **FIRST},
    "normalize": {"p": 2.0, "axis": 1, "eps": 1e-12},
    "attention": {"scale": None, "causal": False, "grouped": False, "dropout": 0.0, "frozen": False},
    "embedding": {"padding_idx": None, "neg": "invalid"},
    "dropout": {"broadcast_axes": (), "frozen": False, "always": False},
    "lstm": {**STACK, "projection": 0},
    "gru": {**STACK, "linear_before_reset": True},
    "rnn": {**STACK, "nonlinearity": "tanh"},
    "resize": {
        "sizes": None, "scales": None, "mode": "nearest", "coordinates": "half_pixel", "nearest": "round_prefer_floor",
        "cubic_a": -0.75, "exclude_outside": False, "antialias": False, **FIRST,
    },
    "linear": {}, "matmul": {}, "einsum": {},
}  # fmt: skip


@pytest.mark.parametrize("name", OPS)
def test_defaults(name: str) -> None:
    """Importers leave attributes out and exporters print only what differs: a default never moves."""
    assert {a.name: a.default for a in get(name).attributes if not a.required} == DEFAULTS[name]
