"""Attention and rotary embedding beyond ONNX's node tests: masks that are too short, windows, and what is refused."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, NotImplemented

from converter.importers.onnx import load
from tests.importers.onnx.models import FLOAT, agree, floats, model, node, runtime
from tests.importers.onnx.test_attribute_values import evaluate, refusal

F16, BF16, F64 = TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE
SHAPES = {"q": (2, 2, 4, 4), "k": (2, 2, 3, 4), "v": (2, 2, 3, 5), "m": (4, 2), "pk": (2, 2, 2, 4), "pv": (2, 2, 2, 5)}
QKV = {n: floats(*SHAPES[n], seed=i) for i, n in enumerate("qkv")}
PAST = {n: floats(*SHAPES[n], seed=i) for i, n in enumerate(("pk", "pv"), 5)}
NAMES = "q k v m pk pv n".split()


def attention(given: dict[str, np.ndarray], opset: int = 25, outputs: str = "y", **attributes: Any) -> onnx.ModelProto:
    """A node of the operands that are given, by name."""
    names = " ".join(n if n in given else "_" for n in NAMES).rstrip(" _")
    declared = [(n, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in given.items()]
    kind = TensorProto.DataType.Name(declared[0][1])
    return model(
        [node("Attention", names, outputs, **attributes)],
        declared,
        [f"{o}@{kind}" for o in outputs.split()],
        opset=opset,
    )


def as_defined(given: dict[str, np.ndarray], **attributes: Any) -> None:
    """Import and onnx.reference agree."""
    proto = attention(given, **attributes)
    (found,) = evaluate(proto, given)
    (want,) = ReferenceEvaluator(proto).run(None, given)
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)


# -- masks ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("lead", [(), (4,), (2, 1, 4)])
@pytest.mark.parametrize("boolean", [False, True])
def test_masks_that_are_too_short_hide_the_rest(width: int, lead: tuple[int, ...], boolean: bool) -> None:
    """One of a single key as well: it is not broadcast."""
    mask = floats(*lead, width, seed=7)
    given = QKV | {"m": mask > 0 if boolean else mask}
    agree(attention(given, 25), given)
    as_defined(given, opset=24)
    if width < 3:
        assert "attention mask and keys" in refusal(attention(given, 23))
    elif lead:  # ONNX Runtime's kernel takes no vector
        agree(attention(given, 23), given)


def test_masks_that_are_too_long_are_refused() -> None:
    for opset, width in itertools.product((23, 24, 25), (4, 5)):
        assert "attention mask and keys" in refusal(attention(QKV | {"m": floats(4, width)}, opset))


@pytest.mark.parametrize("keys", [1, 3])
def test_a_mask_of_a_single_key_over_keys_that_the_run_counts(keys: int) -> None:
    given = {"q": QKV["q"], "k": QKV["k"][:, :, :keys], "v": QKV["v"][:, :, :keys], "m": floats(4, 1)}
    declared = [
        (n, FLOAT, [d if n not in "kv" or i != 2 else "t" for i, d in enumerate(a.shape)]) for n, a in given.items()
    ]
    agree(model([node("Attention", "q k v m", "y")], declared, ["y"], opset=25), given)


def test_a_mask_of_the_new_keys_alone() -> None:
    """However many are cached, it is not longer than the keys."""
    sizes = {"q": (2, 2, 4, 4), "k": (2, 2, "m", 4), "v": (2, 2, "m", 5), "pk": (2, 2, "p", 4), "pv": (2, 2, "p", 5)}
    declared = [(n, FLOAT, s) for n, s in sizes.items()] + [("m", FLOAT, (4, "m"))]
    proto = model([node("Attention", "q k v m pk pv", "y a b")], declared, ["y", "a", "b"], opset=25)
    given = QKV | PAST | {"m": floats(4, 3)}
    taken = load(proto)
    assert not taken.assumptions
    agree(proto, given, taken)


# -- windows, caps --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize(("left", "right"), [(-1, 0), (-1, 1), (0, -1), (1, -1), (0, 0), (1, 2)])
def test_windows(left: int, right: int, cached: bool) -> None:
    given = QKV | (PAST if cached else {})
    for causal in (0, 1):
        agree(attention(given, left_window_size=left, right_window_size=right, is_causal=causal), given)


def test_windows_that_are_not_defined() -> None:
    for left, right in ((-2, 0), (0, -2), (-3, -1), (-1, -2), (-2, -2)):
        assert f"windows of {left} and {right}" in refusal(
            attention(QKV, left_window_size=left, right_window_size=right)
        )


def test_caps_below_zero_are_refused() -> None:
    """The runtimes cap nothing there; the formula is even."""
    assert "softcap=-0.5 is not defined" in refusal(attention(QKV, 23, softcap=-0.5))
    agree(attention(QKV, 23, softcap=0.0), QKV)


# -- operands -------------------------------------------------------------------------------------------------------
def test_a_past_is_both_of_keys_and_values() -> None:
    for name in PAST:
        assert "only one of past_key and past_value" in refusal(attention(QKV | {name: PAST[name]}, 23))
    agree(attention(QKV | PAST, 23, "y a b"), QKV | PAST)
    counted = QKV | PAST | {"n": np.array([1, 2])}
    assert "nonpad_kv_seqlen together with past_key" in refusal(attention(counted, 24))


def test_operands_have_one_type() -> None:
    """The definition would take values of another type than the keys."""
    for other in ("k", "v"):
        assert "different types: float32, float64" in refusal(
            attention(QKV | {other: QKV[other].astype(np.float64)}, 23)
        )


@pytest.mark.parametrize(
    ("kind", "taken", "refused"),
    [
        (np.float32, [FLOAT], [F16, BF16, F64]),
        (np.float16, [F16, FLOAT], [BF16, F64]),
        (np.float64, [F64], [FLOAT, F16]),
    ],
)
def test_the_type_of_the_softmax(kind: Any, taken: list[int], refused: list[int]) -> None:
    given = {n: a.astype(kind) for n, a in QKV.items()}
    plain = evaluate(attention(given, 23), given)[0]
    for code in taken:
        (found,) = evaluate(attention(given, 23, softmax_precision=code), given)
        assert found.dtype == kind
        np.testing.assert_array_equal(found, plain)
    for code in refused:
        assert "would round scores" in refusal(attention(given, 23, softmax_precision=code))


def test_heads_side_by_side_need_their_number() -> None:
    flat = {n: a.transpose(0, 2, 1, 3).reshape(2, a.shape[2], -1) for n, a in QKV.items()}
    heads = {"q_num_heads": 2, "kv_num_heads": 2}
    agree(attention(flat, 23, **heads), flat)
    for missing in heads:
        assert f"{missing}=None is not defined" in refusal(
            attention(flat, 23, **{k: v for k, v in heads.items() if k != missing})
        )
    pairs = {n: a[0, 0] for n, a in QKV.items()}
    assert "operand float32[4, 4] with q_num_heads=2" in refusal(attention(pairs, 23, **heads))


def drawn(r: random.Random) -> tuple[int, dict[str, np.ndarray], dict[str, Any]]:
    """An opset, operands and attributes."""
    opset, heads, shared = r.choice((23, 24, 25)), r.choice((2, 4)), r.choice((1, 2))
    queries, past = r.randrange(1, 5), r.choice((0, 0, 2))
    keys = queries if past else r.randrange(1, 5)  # with others, ONNX Runtime leaves out causality for one query
    given = {"q": floats(2, heads, queries, 4), "k": floats(2, shared, keys, 4), "v": floats(2, shared, keys, 6)}
    attributes: dict[str, Any] = {
        "is_causal": r.randrange(2),
        "softcap": r.choice((0.0, 0.5)),
        "scale": r.choice((0.5, 1.0)),
    }
    if r.random() < 0.4:
        given = {n: a.transpose(0, 2, 1, 3).reshape(2, a.shape[2], -1) for n, a in given.items()}
        attributes |= {"q_num_heads": heads, "kv_num_heads": shared}
    if past:
        given |= {"pk": floats(2, shared, past, 4), "pv": floats(2, shared, past, 6)}
    if r.random() < 0.6:
        lead = r.choice(((queries,), (heads, queries), (2, heads, queries), (2, 1, queries), (1, heads, 1)))
        mask = floats(*lead, keys + past)
        given["m"] = mask if r.random() < 0.5 else mask > -0.3
    if opset >= 24 and not past and r.random() < 0.4:
        given["n"] = np.array([r.randrange(1, keys + 1) for _ in range(2)])
    if opset == 25 and r.random() < 0.5:
        attributes |= {"left_window_size": r.randrange(-1, 3), "right_window_size": r.randrange(-1, 3)}
    return opset, given, attributes


def test_forms_at_random() -> None:
    """What ONNX Runtime's kernels refuse is left out; most must remain."""
    r, compared = random.Random("attention"), 0
    for _ in range(80):
        opset, given, attributes = drawn(r)
        proto = attention(given, opset, "y a b" if "pk" in given else "y", **attributes)
        try:
            runtime(proto, given)
        except (Fail, InvalidArgument, NotImplemented):
            continue
        agree(proto, given)
        compared += 1
    assert compared >= 60


# -- rotary embedding -----------------------------------------------------------------------------------------------
def test_features_are_turned_in_pairs() -> None:
    def turning(features: Any, count: int) -> onnx.ModelProto:
        declared = [("x", FLOAT, (2, 3, 4, features)), ("c", FLOAT, (2, 4, 2)), ("s", FLOAT, (2, 4, 2))]
        extra = {"rotary_embedding_dim": count} if count else {}
        return model([node("RotaryEmbedding", "x c s", "y", **extra)], declared, ["y"], opset=23)

    for features, count in ((4, 0), (6, 4), ("f", 4)):
        given = {"x": floats(2, 3, 4, 6 if features == "f" else features), "c": floats(2, 4, 2), "s": floats(2, 4, 2)}
        taken = evaluate(turning(features, count), given)
        want = ReferenceEvaluator(turning(features, count)).run(None, given)
        np.testing.assert_allclose(taken[0], want[0], rtol=1e-5, atol=1e-6)
    assert "turning 3 features" in refusal(turning(6, 3))
    assert "turning 5 features" in refusal(turning(5, 0))
    assert "turning f features" in refusal(turning("f", 0))
