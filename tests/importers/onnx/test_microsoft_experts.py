"""Mixtures of experts of ONNX Runtime's own domain, against its kernels, and where CPUs have none against their formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from converter.importers.onnx import load
from ir.eval import Evaluator
from tests.importers.onnx.models import floats, runtime
from tests.importers.onnx.test_microsoft import one, refusal, same

EXPERTS, WIDTH, INNER = 3, 16, 32


def layers(
    fused: bool = False, third: bool = False, shape: tuple[int, ...] = (2, 3), bias: bool = True
) -> dict[str, Any]:
    """Operands of MoE; `fused` has gates and what they let through in one layer."""
    rows, tokens = INNER * (1 + fused), math.prod(shape)
    given: dict[str, Any] = {"x": floats(*shape, WIDTH), "r": floats(tokens, EXPERTS, seed=1)}
    given |= {"w1": floats(EXPERTS, rows, WIDTH, seed=2) / 4, "b1": floats(EXPERTS, rows, seed=4) if bias else None}
    given |= {"w2": floats(EXPERTS, WIDTH, INNER, seed=3) / 4, "b2": floats(EXPERTS, WIDTH, seed=5) if bias else None}
    given |= {"w3": floats(EXPERTS, INNER, WIDTH, seed=6) / 4 if third else None}
    return given | {"b3": floats(EXPERTS, INNER, seed=7) if third and bias else None}


@pytest.mark.parametrize("kind", ["relu", "gelu", "silu", "identity"])
def test_mixtures(kind: str) -> None:
    for k, normal, bias in ((1, 0, True), (2, 1, False), (3, 0, True)):
        same("MoE", layers(bias=bias), activation_type=kind, k=k, normalize_routing_weights=normal)
    same("MoE", layers(shape=(5,)), activation_type=kind, k=2)


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"activation_alpha": 1.702, "activation_beta": 1.0, "swiglu_limit": 0.5},
        {"swiglu_limit": 0.5},
        {"activation_alpha": 2.0},
    ],
)
def test_gated_mixtures(own: dict[str, float]) -> None:
    same("MoE", layers(fused=True), activation_type="swiglu", swiglu_fusion=1, k=2, **own)


def by_formula(given: dict[str, Any], inner: Any) -> np.ndarray:
    """The single best expert's answer for each token, by the operator's text; `inner` of all that the first layers give."""
    wide = {n: None if v is None else v.astype(np.float64) for n, v in given.items()}
    rows, out = wide["x"].reshape(-1, WIDTH), []
    for row, scores in zip(rows, wide["r"], strict=True):
        e = int(scores.argmax())
        first = wide["w1"][e] @ row + wide["b1"][e]
        third = None if wide["w3"] is None else wide["w3"][e] @ row + wide["b3"][e]
        out.append(softmax(scores)[e] * (wide["w2"][e] @ inner(first, third) + wide["b2"][e]))
    return np.reshape(out, given["x"].shape)


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def test_what_only_gpus_have() -> None:
    """Held against the text: gates apart or side by side, GEGLU, the square of ReLU, a limit behind the gate."""
    late = {"swiglu_limit": 0.5, "swiglu_limit_after_activation": 1, "activation_beta": 0.25}
    cases: list[tuple[dict[str, Any], dict[str, Any], Any]] = [
        (layers(third=True), {"activation_type": "swiglu"}, lambda a, c: a * expit(a) * c),
        (layers(fused=True), {"activation_type": "swiglu", "swiglu_fusion": 2},
         lambda a, c: a[:INNER] * expit(a[:INNER]) * a[INNER:]),
        (layers(fused=True), {"activation_type": "swiglu", "swiglu_fusion": 2, "swiglu_limit_after_activation": 1},
         lambda a, c: a[:INNER] * expit(a[:INNER]) * a[INNER:]),
        (layers(fused=True), {"activation_type": "swiglu", "swiglu_fusion": 1, **late},
         lambda a, c: np.minimum(a[::2] * expit(a[::2]), 0.5) * (np.clip(a[1::2], -0.5, 0.5) + 0.25)),
        (layers(fused=True), {"activation_type": "geglu", "swiglu_fusion": 1}, lambda a, c: gelu(a[::2]) * a[1::2]),
        (layers(fused=True), {"activation_type": "geglu", "swiglu_fusion": 2}, lambda a, c: gelu(a[:INNER]) * a[INNER:]),
        (layers(), {"activation_type": "relu2"}, lambda a, c: np.maximum(a, 0) ** 2),
    ]  # fmt: skip
    for given, attributes, inner in cases:
        proto, inputs = one("MoE", given, **attributes)
        (found,) = Evaluator("exact").run(load(proto), inputs).values()
        np.testing.assert_allclose(found, by_formula(given, inner), rtol=1e-4, atol=1e-5, err_msg=str(attributes))


# -- of packed integers ---------------------------------------------------------------------------------------------
def packed(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes in bytes along the last axis, which is filled up, the first in the lowest bits."""
    each = 8 // bits
    full = np.pad(codes, [(0, 0)] * (codes.ndim - 1) + [(0, -codes.shape[-1] % each)])
    parts = full.reshape(*full.shape[:-1], -1, each).astype(np.uint8)
    return sum(parts[..., i] << (bits * i) for i in range(each)).astype(np.uint8)  # type: ignore[union-attr]


def quantised(bits: int, block: int = 0, zeros: bool = False, told: bool = False, width: int = 32) -> tuple[Any, Any]:
    draw, given = np.random.default_rng(0), {"x": floats(2, 3, width), "r": floats(6, EXPERTS, seed=1)}
    points: list[np.ndarray | None] = []
    for n, (rows, columns) in enumerate(((INNER, width), (width, INNER)), 1):
        shape = (EXPERTS, rows, columns // block) if block else (EXPERTS, rows)
        given[f"_w{n}"] = packed(draw.integers(0, 2**bits, (EXPERTS, rows, columns)), bits)
        given[f"_s{n}"] = (draw.uniform(0.5, 1.5, shape) / 2**bits / 2).astype(np.float32)
        given[f"b{n}"] = floats(EXPERTS, rows, seed=n)
        points.append(packed(draw.integers(0, 2**bits, shape), bits) if zeros else None)
    more = dict.fromkeys(("w3", "s3", "b3")) | {"_z1": points[0], "_z2": points[1], "z3": None}
    more["shares"] = np.abs(floats(6, EXPERTS, seed=9)) if told else None
    attributes: dict[str, Any] = {"expert_weight_bits": bits, "weights_prepacked": 0, "k": 2, "activation_type": "silu"}
    return given | more, attributes | ({"block_size": block} if block else {})


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize(("bits", "block"), [(2, 0), (2, 16), (4, 0), (4, 16), (4, 32), (8, 0)])
def test_quantised_mixtures(bits: int, block: int, zeros: bool) -> None:
    given, attributes = quantised(bits, block, zeros)
    same("QMoE", given, normalize_routing_weights=1, **attributes)


@pytest.mark.parametrize("normal", [0, 1])
def test_shares_apart_from_the_scores(normal: int) -> None:
    given, attributes = quantised(4, told=True)
    same("QMoE", given, normalize_routing_weights=normal, **attributes)
    if normal:  # whoever has no share at all gives nothing
        same("QMoE", given | {"shares": np.zeros((6, EXPERTS), np.float32)}, normalize_routing_weights=1, **attributes)


@pytest.mark.parametrize("scales", [np.float16, np.float32])
def test_half_floats(scales: type) -> None:
    given, attributes = quantised(4, 16, zeros=True)
    for name, value in given.items():
        if value is not None and value.dtype == np.float32:
            given[name] = value.astype(scales if name in ("_s1", "_s2") else np.float16)
    proto, inputs = one("QMoE", given, "y", "FLOAT16", normalize_routing_weights=1, **attributes)
    (found,), (want,) = Evaluator("exact").run(load(proto), inputs).values(), runtime(proto, inputs)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, want, rtol=8 * np.finfo(np.float16).eps, atol=8 * np.finfo(np.float16).eps)


def answer(given: dict[str, Any], **attributes: Any) -> np.ndarray:
    proto, inputs = one("QMoE", given, normalize_routing_weights=1, **attributes)
    (found,) = Evaluator("exact").run(load(proto), inputs).values()
    return found


def test_layers_of_other_widths_and_notes() -> None:
    """No CPU has a kernel of layers of unlike widths: held against 8 bits of the same numbers."""
    wide, attributes = quantised(8)
    codes = wide["_w2"] & 15
    narrow = wide | {"_w2": packed(codes, 4)}
    shifted = wide | {"_w2": codes + np.uint8(120)}  # 4 bits stand for the code less 8, 8 bits for the code less 128
    found = answer(narrow, **attributes, fc2_expert_weight_bits=4)
    np.testing.assert_allclose(found, answer(shifted, **attributes), rtol=1e-5, atol=1e-6)
    both = attributes | {"expert_weight_bits": 2, "fc1_expert_weight_bits": 8, "fc2_expert_weight_bits": 4}
    np.testing.assert_array_equal(answer(narrow, **both), found)
    for bits, block, more in ((8, 16, {}), (4, 16, {"accuracy_level": 4})):
        given, attributes = quantised(bits, block)
        notes = load(one("QMoE", given, normalize_routing_weights=1, **attributes, **more)[0]).notes
        assert [n for n in notes if "8 bits" in n]
    for bits, block in ((8, 0), (4, 16)):
        given, attributes = quantised(bits, block)
        assert not load(one("QMoE", given, normalize_routing_weights=1, **attributes)[0]).notes


def unpacked(codes: np.ndarray, bits: int) -> np.ndarray:
    """The numbers of `packed`."""
    parts = [codes >> shift & 2**bits - 1 for shift in range(0, 8, bits)]
    return np.stack(parts, -1).reshape(*codes.shape[:-1], -1)


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize(("bits", "block"), [(4, 0), (4, 16), (2, 16)])
def test_three_layers_of_packed_integers(bits: int, block: int, zeros: bool) -> None:
    """No CPU has a kernel of them: held against MoE, which is held against its text, of the numbers they stand for."""
    given, attributes = quantised(bits, block, zeros)
    draw, shape = np.random.default_rng(1), given["_s1"].shape
    third = draw.integers(0, 2**bits, (EXPERTS, INNER, 32))
    given |= {"w3": packed(third, bits), "s3": draw.uniform(0.1, 0.2, shape).astype(np.float32)}
    given |= {
        "b3": floats(EXPERTS, INNER, seed=5),
        "z3": packed(draw.integers(0, 2**bits, shape), bits) if zeros else None,
    }
    attributes |= {"activation_type": "swiglu", "normalize_routing_weights": 1}
    proto, inputs = one("QMoE", given, **attributes)
    (found,) = Evaluator("exact").run(load(proto), inputs).values()
    whole = {k: given[k] for k in ("x", "r")}
    for n, (w, s, z) in enumerate((("_w1", "_s1", "_z1"), ("_w2", "_s2", "_z2"), ("w3", "s3", "z3")), 1):
        codes, scales = unpacked(given[w], bits).astype(np.float32), given[s]
        points = np.float32(2 ** (bits - 1))
        if zeros:
            points = unpacked(given[z], bits)[..., : scales.shape[-1]].astype(np.float32)
            points = points.repeat(block, -1) if block else points[..., None]
        numbers = (codes - points) * (scales.repeat(block, -1) if block else scales[..., None])
        whole |= {f"w{n}": numbers, f"b{n}": given[f"b{n}"]}
    proto, inputs = one("MoE", whole, k=2, activation_type="swiglu", normalize_routing_weights=1)
    (want,) = Evaluator("exact").run(load(proto), inputs).values()
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-5)


def test_refusals_by_name() -> None:
    plain, (given, attributes) = layers(), quantised(4)
    assert "use_sparse_mixer" in refusal("MoE", plain, use_sparse_mixer=1)
    assert "a third layer" in refusal("MoE", layers(third=True))
    assert "none that the operator names" in refusal("MoE", plain, activation_type="tanh")
    for name, fusion in (("swiglu", 0), ("geglu", 0)):
        assert "does not fit the layers" in refusal("MoE", plain, activation_type=name, swiglu_fusion=fusion)
    assert "does not fit the layers" in refusal("MoE", layers(third=True), activation_type="geglu")
    assert "does not fit the layers" in refusal("MoE", layers(True, True), activation_type="swiglu", swiglu_fusion=1)
    assert "no row for each token" in refusal("MoE", plain | {"r": floats(2, 3, EXPERTS)})

    def why(more: dict[str, Any], **own: Any) -> str:
        return refusal("QMoE", given | more, **attributes | {"normalize_routing_weights": 1} | own)

    assert "not normalised" in why({}, normalize_routing_weights=0)
    assert "one processor's own" in why({}, weights_prepacked=-1)
    assert "quant_type='fp4'" in why({}, quant_type="fp4")
    assert "3 bits" in why({}, expert_weight_bits=3)
    assert "scales of fc1" in why({"_s1": floats(EXPERTS, 3)})
    assert "scales of fc1" in why({}, block_size=16)
    assert "global_scale" in why({"g": floats(EXPERTS)})
