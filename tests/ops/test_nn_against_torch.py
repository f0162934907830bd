"""Convolutions, pools and linear algebra against PyTorch in float64, over the samples of each op."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from ir.ops import get
from ir.ops.axes import explicit_padding, to_channels_first
from tests.ops.nn_samples import Case, cases, close

torch = pytest.importorskip("torch")
F = torch.nn.functional


def _tensor(x: np.ndarray | None) -> Any:
    return None if x is None else torch.from_numpy(np.ascontiguousarray(x))


def _first(case: Case) -> np.ndarray:
    return to_channels_first(case.operands["x"], case.attrs["layout"])


def _check(case: Case, expected: Any) -> None:
    close(to_channels_first(case.run()[0], case.attrs["layout"]), expected.numpy(), where=case)


def _padded(case: Case, x: np.ndarray, window: tuple[int, ...], value: float = 0.0) -> Any:
    """The input with its padding made explicit: PyTorch's own arguments are symmetric."""
    a = case.attrs
    pads = explicit_padding(a["padding"], x.shape[2:], window, a["strides"], a["dilations"] or (1,) * len(window))
    return F.pad(_tensor(x), [p for pair in reversed(pads) for p in pair], value=value)


def test_conv() -> None:
    for case in cases("conv"):
        a, w = case.attrs, case.operands["weight"]
        run = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[w.ndim - 2]
        x = _padded(case, _first(case), w.shape[2:])
        _check(case, run(x, _tensor(w), _tensor(case.operands["bias"]), a["strides"], 0, a["dilations"], a["groups"]))


def test_same_padding_with_dilation_is_that_of_torch() -> None:
    found = 0
    for case in cases("conv"):
        a, o = case.attrs, case.operands
        if a["padding"] == "same_upper" and set(a["strides"]) == {1}:
            run = {1: F.conv1d, 2: F.conv2d}[o["weight"].ndim - 2]
            out = run(
                _tensor(_first(case)), _tensor(o["weight"]), _tensor(o["bias"]), 1, "same", a["dilations"], a["groups"]
            )
            _check(case, out)
            found += 1
    assert found >= 2


def test_conv_transpose() -> None:
    for case in cases("conv_transpose"):
        a, w = case.attrs, case.operands["weight"]
        run = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[w.ndim - 2]
        bias, x = _tensor(case.operands["bias"]), _tensor(_first(case))
        if all(before == after for before, after in a["padding"]) and all(
            e < max(s, d) for e, s, d in zip(a["output_padding"], a["strides"], a["dilations"])
        ):
            expected = run(
                x,
                _tensor(w),
                bias,
                a["strides"],
                [p for p, _ in a["padding"]],
                a["output_padding"],
                a["groups"],
                a["dilations"],
            )
        else:  # PyTorch pads symmetrically: crop the full result
            expected = run(x, _tensor(w), None, a["strides"], 0, 0, a["groups"], a["dilations"])
            pads = zip(a["padding"], a["output_padding"])
            expected = F.pad(expected, [p for (before, after), e in reversed(list(pads)) for p in (-before, e - after)])
            expected = expected if bias is None else expected + bias.reshape(-1, *[1] * (w.ndim - 2))
        _check(case, expected)


def _own_padding(case: Case) -> Any:
    """The symmetric padding that PyTorch takes itself, or None."""
    a = case.attrs
    x = _first(case)
    pads = explicit_padding(a["padding"], x.shape[2:], a["window"], a["strides"], a["dilations"] or (1,) * (x.ndim - 2))
    fits = all(before == after and 2 * before <= w for (before, after), w in zip(pads, a["window"]))
    same = isinstance(a["padding"], str) and a["padding"].startswith("same")
    return [p for p, _ in pads] if fits and not (same and a["ceil_mode"]) else None


def test_max_pool() -> None:
    with_torch = 0
    for case in cases("max_pool"):
        a, x = case.attrs, _first(case)
        run = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[x.ndim - 2]
        own = _own_padding(case)
        if own is not None and x.size and x.dtype == np.float64:
            _check(case, run(_tensor(x), a["window"], a["strides"], own, a["dilations"], a["ceil_mode"]))
            with_torch += 1
        elif not a["ceil_mode"] and x.size:
            padded = _padded(case, x.astype(np.float64), a["window"], -np.inf)
            _check(case, run(padded, a["window"], a["strides"], 0, a["dilations"]).to(_tensor(x).dtype))
            with_torch += 1
    assert with_torch > 15


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_avg_pool(ceil_mode: bool) -> None:
    with_torch = 0
    for case in cases("avg_pool"):
        a, x = case.attrs, _first(case)
        if a["ceil_mode"] != ceil_mode or not x.size or set(a["dilations"]) - {1}:
            continue
        own, ones = _own_padding(case), torch.ones(x.shape, dtype=torch.float64)
        run = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[x.ndim - 2]
        if a["divisor"] is not None and x.ndim == 3:
            continue  # torch's has none over one axis
        divisor = (a["divisor"],) if x.ndim > 3 else ()
        if own is not None:
            _check(case, run(_tensor(x), a["window"], a["strides"], own, ceil_mode, a["include_pad"], *divisor))
            with_torch += 1
        elif not ceil_mode:
            padded = _padded(case, x, a["window"])
            expected = run(padded, a["window"], a["strides"], 0, False, True, *divisor)
            if a["divisor"] is None and not a["include_pad"]:
                expected = expected / run(_padded(case, ones.numpy(), a["window"]), a["window"], a["strides"])
            _check(case, expected)
            with_torch += 1
    assert with_torch >= (8 if ceil_mode else 14)


def test_avg_pool_with_dilation_is_a_depthwise_convolution() -> None:
    found = 0
    for case in cases("avg_pool"):
        a, x = case.attrs, _first(case)
        if not set(a["dilations"]) - {1}:
            continue
        found += 1
        c = x.shape[1]
        kernel = torch.ones((c, 1, *a["window"]), dtype=torch.float64)
        beyond = [p for s in reversed(a["strides"]) for p in (0, s - 1 if a["ceil_mode"] else 0)]
        inside = _padded(case, np.ones_like(x), a["window"], value=float(a["include_pad"]))
        total, count = (
            F.conv2d(F.pad(v, beyond), kernel, None, a["strides"], 0, a["dilations"], c)
            for v in (_padded(case, x, a["window"]), inside)
        )
        _check(case, total / (a["divisor"] or count))
    assert found == 8


@pytest.mark.parametrize("kind", ["avg", "max"])
def test_adaptive_pool(kind: str) -> None:
    for case in cases(f"adaptive_{kind}_pool"):
        x = _first(case)
        if x.dtype != np.float64 or not x.size:
            continue
        run = getattr(F, f"adaptive_{kind}_pool{x.ndim - 2}d")
        size = case.attrs["output_size"]
        _check(case, run(_tensor(x), size if x.ndim > 3 else size[0]))


def test_conv_in_blocks_is_conv_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [case.run()[0] for case in cases("conv")]
    for limit in (1, 3000):
        monkeypatch.setattr("ir.ops.conv._COLUMN_BYTES", limit)
        for case, expected in zip(cases("conv"), whole, strict=True):
            close(case.run()[0], expected, where=case)


def test_conv_needs_little_memory_beyond_its_columns() -> None:
    op = get("conv")
    x, weight = np.ones((2, 64, 96, 96)), np.ones((64, 64, 5, 5))
    tracemalloc.start()
    out = op.evaluate(x, weight, None, (1, 1), "same_upper", (1, 1), 1, "channels_first")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * (48 << 20) + 4 * out.nbytes  # the columns of all 25 elements would take 236 MB
