"""Resizing against PyTorch in float64 and against ONNX Runtime, which has every coordinate system."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ir.ops import get
from ir.ops.axes import spatial_axes, to_channels_first
from ir.ops.resize import output_sizes, single_coordinates, source_coordinates
from ir.types import symbol
from tests.ops.nn_ort import run_op
from tests.ops.nn_samples import Case, cases, close


def _first(case: Case) -> np.ndarray:
    return np.ascontiguousarray(to_channels_first(case.operands["x"], case.attrs["layout"]))


def _torch_mode(case: Case) -> dict[str, Any] | None:
    """The arguments of `interpolate` that mean the same, or None."""
    a, spatial = case.attrs, case.operands["x"].ndim - 2
    if a["mode"] == "area":
        return {"mode": "area"}
    if a["mode"] == "nearest":
        names = {
            ("asymmetric", "floor"): "nearest",
            ("half_pixel", "round_prefer_ceil"): "nearest-exact",
            ("tf_half_pixel_for_nn", "floor"): "nearest-exact",
        }
        name = names.get((a["coordinates"], a["nearest"]))
        return None if name is None else {"mode": name}
    corners = {"half_pixel": False, "align_corners": True}.get(a["coordinates"])
    if (
        corners is None
        or a["exclude_outside"] != a["antialias"]
        or (a["mode"] == "cubic" and (spatial != 2 or a["cubic_a"] != (-0.5 if a["antialias"] else -0.75)))
    ):
        return None
    name = "bicubic" if a["mode"] == "cubic" else {1: "linear", 2: "bilinear", 3: "trilinear"}[spatial]
    return {"mode": name, "align_corners": corners, "antialias": a["antialias"]}


def _kept(case: Case) -> list[bool]:
    """Which axes keep their sizes under a factor that is not 1."""
    sizes, scales = _first(case).shape[2:], case.attrs["scales"] or ()
    return [s != 1 and int(n * s) == n for n, s in zip(sizes, scales)]


def test_against_torch() -> None:
    torch = pytest.importorskip("torch")
    seen = set()
    for case in cases("resize"):
        a, x, how = case.attrs, _first(case), _torch_mode(case)
        if how is None or not x.size or x.dtype == np.int64 or x.ndim > 5:
            continue
        if a["sizes"] is not None and a["scales"] is not None:
            continue  # PyTorch takes one or the other
        if a["sizes"] is not None and 0 in a["sizes"]:
            continue  # refused by PyTorch, as by ONNX Runtime
        if a["mode"] == "linear" and any(_kept(case)):
            continue  # PyTorch copies along an axis that keeps its size, whatever the factor
        scaled = {"size": a["sizes"]} if a["sizes"] is not None else {"scale_factor": a["scales"]}
        expected = torch.nn.functional.interpolate(torch.from_numpy(x), **scaled, **how)
        close(to_channels_first(case.run()[0], a["layout"]), expected.numpy(), where=case)
        seen.add((how["mode"], how.get("antialias", False), a["scales"] is None))
    assert {mode for mode, _, _ in seen} == {
        "area",
        "nearest",
        "nearest-exact",
        "linear",
        "bilinear",
        "bicubic",
        "trilinear",
    }
    assert {("bilinear", True, True), ("bicubic", True, True), ("bilinear", True, False)} <= seen


def test_nearest_of_every_size_is_that_of_torch() -> None:
    torch = pytest.importorskip("torch")
    for size in range(1, 24):
        x = torch.arange(size, dtype=torch.float64)[None, None]
        for out in range(1, 40):
            for mode, system in (("nearest", "asymmetric"), ("nearest-exact", "tf_half_pixel_for_nn")):
                at = np.minimum(np.floor(source_coordinates(size, out, None, system)), size - 1)  # type: ignore[arg-type]
                assert torch.nn.functional.interpolate(x, size=out, mode=mode)[0, 0].tolist() == at.tolist(), (
                    size,
                    out,
                    mode,
                )


def test_quotients_against_torch() -> None:
    torch = pytest.importorskip("torch")
    modes = {"asymmetric": "nearest", "half_pixel": "nearest-exact"}
    rounded = 0
    for case in cases("resize"):
        a, x = case.attrs, _first(case)
        if a["nearest"] != "quotient":
            continue
        how = {"size": a["sizes"]} if a["sizes"] is not None else {"scale_factor": a["scales"]}
        expected = torch.nn.functional.interpolate(torch.from_numpy(x), mode=modes[a["coordinates"]], **how)
        np.testing.assert_array_equal(case.run()[0], expected.numpy())
        rounding = "floor" if a["coordinates"] == "asymmetric" else "round_prefer_ceil"
        exact = Case(case.op, replace(case.sample, attrs={**case.sample.attrs, "nearest": rounding}), case.index)
        rounded += not np.array_equal(exact.run()[0], expected.numpy())
    assert rounded >= 3


ORT_MODES = {"nearest": "nearest", "linear": "linear", "cubic": "cubic"}


def test_against_onnxruntime() -> None:
    seen = set()
    for case in cases("resize"):
        a, x = case.attrs, _first(case)
        if a["mode"] == "area" or not x.size or x.dtype == np.int64 or (a["sizes"] and a["scales"]):
            continue
        if a["nearest"] == "quotient":
            continue
        data = x if x.dtype == np.uint8 else x.astype(np.float32)
        spec: dict[str, np.ndarray | None] = {"x": data, "roi": None}
        if a["sizes"] is not None:
            spec |= {"scales": None, "sizes": np.array([*x.shape[:2], *a["sizes"]], np.int64)}
        else:
            spec |= {"scales": np.array([1, 1, *a["scales"]], np.float32)}
        attrs = {
            "mode": a["mode"], "coordinate_transformation_mode": a["coordinates"], "cubic_coeff_a": a["cubic_a"],
            "exclude_outside": int(a["exclude_outside"]), "antialias": int(a["antialias"]),
        }  # fmt: skip
        if a["mode"] == "nearest":
            attrs["nearest_mode"] = a["nearest"]
        if a["coordinates"] == "tf_half_pixel_for_nn" and a["sizes"] == x.shape[2:]:
            continue  # the runtime copies an input of the right size; the formula moves by half an element
        if any(_kept(case)) and output_sizes(x.shape[2:], None, a["scales"]) == x.shape[2:]:
            continue  # so it does by factors
        if a["sizes"] is not None and 0 in a["sizes"]:
            continue  # refused by the runtime
        (expected,) = run_op("Resize", spec, attrs, opset=19)
        close(
            to_channels_first(case.run()[0], a["layout"]).astype(np.float64),
            expected.astype(np.float64),
            1e-4,
            1e-5,
            case,
        )
        seen.add(
            (
                a["mode"],
                a["coordinates"],
                a["nearest"] if a["mode"] == "nearest" else "",
                a["antialias"],
                a["exclude_outside"],
            )
        )
    assert len([s for s in seen if s[0] == "nearest"]) >= 24
    assert len(seen) > 40


def test_size_of_a_symbolic_axis_is_exact_or_refused() -> None:
    h = symbol("h")
    assert str(output_sizes((h,), None, (1.5,))[0]) == "(3 * h) // 2"
    assert output_sizes((h,), None, (2.0,)) == (2 * h,)
    assert str(output_sizes((h,), None, (1 + 2.0**-16,))[0]) == "(65537 * h) // 65536"
    for scale in (0.7, 1 + 2.0**-17):
        with pytest.raises(ValueError, match="depends on rounding"):
            output_sizes((h,), None, (scale,))


def test_scales_rule_the_coordinates_where_sizes_are_given_too() -> None:
    """A size that floor(size * scale) gives changes nothing; another size keeps the factor."""
    compared = 0
    for case in cases("resize"):
        a, x = case.attrs, case.operands["x"]
        if a["scales"] is None or a["sizes"] is not None or a["mode"] == "area":
            continue
        out = output_sizes([x.shape[i] for i in spatial_axes(a["layout"], x.ndim)], None, a["scales"])
        again = Case(case.op, replace(case.sample, attrs={**case.sample.attrs, "sizes": out}), case.index)
        close(again.run()[0], case.run()[0], where=case)
        compared += 1
    assert compared > 8
    assert source_coordinates(5, 3, 0.7, "asymmetric").tolist() == [0, 1 / 0.7, 2 / 0.7]
    assert source_coordinates(5, 3, None, "asymmetric").tolist() == [0, 5 / 3, 10 / 3]


def _resized(x: np.ndarray, **attrs: Any) -> np.ndarray:
    op = get("resize")
    return op.evaluate(x, **op.complete(attrs))


@pytest.mark.parametrize("system", ["half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"])
def test_coordinates_of_narrow_floats_are_float32(system: Any) -> None:
    axes = ((301, 457, None), (301, 97, None), (5, 200, 1.7), (200, 1, 0.7), (1, 1, None), (7, 0, None))
    for size, out, scale in axes:
        exact, got = (find(size, out, scale, system) for find in (source_coordinates, single_coordinates))
        assert got.shape == (out,) and (got.dtype == np.float32 or not out)
        np.testing.assert_allclose(got, exact, rtol=3e-7, atol=2e-5)  # a few last bits of the largest term


def test_corners_of_narrow_floats_are_those_of_torch_to_the_last_bit() -> None:
    """The elements 0 and 1 in turn make of each position its fraction."""
    torch = pytest.importorskip("torch")
    x = (np.arange(301) % 2).astype(np.float32)[None, None]
    for out in (97, 457, 800):
        want = torch.nn.functional.interpolate(torch.from_numpy(x), size=out, mode="linear", align_corners=True)
        got = _resized(x, sizes=(out,), mode="linear", coordinates="align_corners")
        np.testing.assert_array_equal(got, want.numpy())


@pytest.mark.parametrize(("size", "scale"), [(8, 1.0), (9, 0.75), (21, 2.5), (5, 1.0)])
def test_picks_by_a_factor_that_gives_other_sizes_stay_inside(size: int, scale: float) -> None:
    """The factor rules where both are given, as in ATen's own functions; behind the end lies the last element."""
    torch = pytest.importorskip("torch")
    x = np.arange(5.0)[None, None]
    functions = {
        "asymmetric": torch.ops.aten.upsample_nearest1d.default,
        "half_pixel": torch.ops.aten._upsample_nearest_exact1d.default,
    }
    for system, function in functions.items():
        got = _resized(x, sizes=(size,), scales=(scale,), coordinates=system, nearest="quotient")
        np.testing.assert_array_equal(got, function(torch.from_numpy(x), [size], scale).numpy())


@pytest.mark.parametrize(("mode", "reach"), [("linear", 1), ("cubic", 2)])
@pytest.mark.parametrize("exclude", [False, True])
def test_an_antialiased_element_reads_what_its_kernel_reaches(mode: str, reach: int, exclude: bool) -> None:
    """An infinite element makes those outputs no numbers, or infinite, that lie less than the kernel's reach from it."""
    size, out = 23, 8  # no element lies at exactly the reach
    inside = np.arange(size)
    for place in range(size):
        x = np.where(inside == place, np.inf, 1.0)[None, None]
        with np.errstate(invalid="ignore"):
            got = _resized(x, sizes=(out,), mode=mode, antialias=True, exclude_outside=exclude, cubic_a=-0.5)[0, 0]
        centre = (np.arange(out) + 0.5) * size / out
        near = np.abs(place + 0.5 - centre) < reach * size / out
        if place in (0, size - 1) and not exclude:
            continue  # repeated beyond the edge
        np.testing.assert_array_equal(~np.isfinite(got), near, err_msg=str(place))


def test_an_antialiased_axis_may_end_up_empty() -> None:
    x = np.ones((1, 2, 4, 5))
    for exclude in (False, True):
        got = _resized(x, sizes=(0, 3), mode="linear", antialias=True, exclude_outside=exclude)
        assert got.shape == (1, 2, 0, 3)
