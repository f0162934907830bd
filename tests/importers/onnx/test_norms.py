"""Normalisations over types, outputs and statistics that ONNX's node tests lack, against their formulas in float64."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto

from converter.errors import ConversionError, Unsupported
from converter.importers.onnx import load
from ir.eval import Evaluator
from tests.importers.onnx.models import FLOAT, agree, floats, model, node, op_names

BF16, F16, F32, F64 = ml_dtypes.bfloat16, np.float16, np.float32, np.float64


def code_of(kind: Any) -> int:
    return onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))


def refused(proto: onnx.ModelProto) -> Unsupported:
    with pytest.raises(ConversionError) as error:
        load(proto)
    (found,) = error.value.unsupported
    return found


# -- batch normalisation --------------------------------------------------------------------------------------------
NAMES = ("x", "s", "b", "m", "v")


def statistics(x: Any = F32, scale: Any = F32, stats: Any = F32, large: bool = False) -> dict[str, np.ndarray]:
    """Operands; `large` ones are beyond what float16 holds."""
    found = {"x": floats(4, 3, 5).astype(x), "s": floats(3, seed=1).astype(scale), "b": floats(3, seed=2).astype(scale)}
    found |= {"m": floats(3, seed=3).astype(stats), "v": (0.5 + floats(3, seed=4) ** 2).astype(stats)}
    if large:
        found["s"] = np.array([1e5, 2e5, 3e5], scale) if scale is BF16 else found["s"]
        found["v"] = np.array([1e9, 4e9, 2e9], stats) if stats is BF16 else found["v"]
    return found


def normed(given: dict[str, np.ndarray], training: bool) -> onnx.ModelProto:
    made = node("BatchNormalization", "x s b m v", "y n w" if training else "y", epsilon=0.5, momentum=0.75,
                **({"training_mode": 1} if training else {}))  # fmt: skip
    names = [TensorProto.DataType.Name(code_of(given[k].dtype)) for k in "xm"]
    outputs = [f"y@{names[0]}", *([f"n@{names[1]}", f"w@{names[1]}"] if training else [])]
    return model([made], [(k, code_of(v.dtype), v.shape) for k, v in given.items()], outputs, opset=15)


TYPES = [
    (F32, F32, F32), (F16, F32, F32), (F16, F16, F32), (BF16, F32, F32), (F32, F16, F64), (F64, F64, F64), (F16, BF16, BF16),
    (BF16, F16, F32), (BF16, BF16, F16), (F64, F16, BF16), (F32, F64, F16),
]  # fmt: skip


@pytest.mark.parametrize("types", TYPES, ids=lambda t: "-".join(np.dtype(k).name for k in t))
@pytest.mark.parametrize("training", [False, True])
def test_mixed_types_are_computed_in_one_that_holds_them(types: tuple[Any, Any, Any], training: bool) -> None:
    given = statistics(*types, large=BF16 in types[1:] and F64 not in types)
    x, s, b, m, v = (
        given[k].astype(np.float64).reshape(-1, 1) if k != "x" else given[k].astype(np.float64) for k in NAMES
    )
    mean, var = (x.mean((0, 2))[:, None], x.var((0, 2))[:, None]) if training else (m, v)
    want = [(x - mean) / np.sqrt(var + 0.5) * s + b]
    want += [(0.75 * m + 0.25 * mean)[:, 0], (0.75 * v + 0.25 * var)[:, 0]] if training else []
    found = Evaluator("exact").run(load(normed(given, training)), given).values()
    for got, right, kind in zip(found, want, (types[0], types[2], types[2])):
        assert got.dtype == kind
        eps = max(float(ml_dtypes.finfo(kind).eps), np.finfo(F64 if F64 in types else F32).eps * 8)
        with np.errstate(over="ignore"):
            wanted = right.astype(kind)
        np.testing.assert_allclose(got.astype(np.float64), wanted.astype(np.float64), rtol=4 * eps, atol=4 * eps)


@pytest.mark.parametrize("opset", [7, 9])
def test_statistics_as_outputs_of_old_versions_are_refused(opset: int) -> None:
    given = statistics()
    declared = [(k, FLOAT, v.shape) for k, v in given.items()]
    for outputs in ("y m2", "y _ v2", "y _ _ m3", "y _ _ _ v3"):
        made = node("BatchNormalization", "x s b m v", outputs)
        why = refused(model([made], declared, ["y"], opset=opset))
        assert "outputs of statistics are of training" in why.reason and "evaluation mode" in why.advice
    agree(model([node("BatchNormalization", "x s b m v", "y")], declared, ["y"], opset=opset), given)


@pytest.mark.parametrize(("momentum", "want"), [(None, 0.1), (0.75, 0.25), (0.99, 0.01), (0.99999994, 6e-8)])
def test_what_moves_running_statistics(momentum: float | None, want: float) -> None:
    """ONNX weighs the old value, the IR the new one: a small weight keeps its digits."""
    stored = {k: v for k, v in statistics().items() if k != "x"}
    made = node("BatchNormalization", "x s b m v", "y", **({} if momentum is None else {"momentum": momentum}))
    taken = load(model([made], [("x", FLOAT, [4, 3, 5])], ["y"], stored))
    (norm,) = taken.graph
    assert norm.attrs["momentum"] == want and not norm.attrs["frozen"]
    assert taken.state == {"m": norm.outputs[1], "v": norm.outputs[2]}


@pytest.mark.parametrize("other", ["m", "v", "s"])
def test_statistics_that_something_else_reads_stay(other: str) -> None:
    stored = {k: v for k, v in statistics().items() if k != "x"}
    nodes = [node("Neg", other, "z"), node("BatchNormalization", "x s b m v", "y")]
    taken = load(model(nodes, [("x", FLOAT, [4, 3, 5])], ["z", "y"], stored))
    assert [n.attrs["frozen"] for n in taken.graph if n.op.name == "batch_norm"] == [other != "s"]
    assert bool(taken.state) == (other == "s")


@pytest.mark.parametrize("given", ["m", "v", "mv"])
def test_statistics_that_come_at_run_time_stay(given: str) -> None:
    values = statistics()
    stored = {k: v for k, v in values.items() if k not in given and k != "x"}
    inputs = {k: values[k] for k in ("x", *given)}
    proto = model(
        [node("BatchNormalization", "x s b m v", "y")], [(k, FLOAT, v.shape) for k, v in inputs.items()], ["y"], stored
    )
    taken = agree(proto, inputs)
    assert not taken.state and [n.attrs["frozen"] for n in taken.graph] == [True]


# -- others ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [F16, BF16, F32, F64])
@pytest.mark.parametrize("outputs", ["y", "y m", "y _ d", "y m d"])
def test_mean_and_deviation_of_layers(kind: Any, outputs: str) -> None:
    """They are float32, and as exact as that allows where x is wider or narrower."""
    x, scale = (1000 + 4 * floats(2, 3, 4)).astype(kind), floats(3, 4, seed=1).astype(kind)
    name = TensorProto.DataType.Name(code_of(kind))
    made = node("LayerNormalization", "x s", outputs, axis=1, epsilon=0.25)
    declared = [("x", code_of(kind), x.shape), ("s", code_of(kind), scale.shape)]
    proto = model([made], declared, [f"y@{name}", *(o for o in outputs.split()[1:] if o != "_")])
    found = Evaluator("exact").run(load(proto), {"x": x, "s": scale})
    wide = x.astype(np.float64)
    mean, var = wide.mean((1, 2), keepdims=True), wide.var((1, 2), keepdims=True)
    want = {"y": (wide - mean) / np.sqrt(var + 0.25) * scale, "m": mean, "d": 1 / np.sqrt(var + 0.25)}
    assert list(found) == [o for o in outputs.split() if o != "_"]
    for key, got in found.items():
        assert got.dtype == (kind if key == "y" else np.float32)
        eps = float(ml_dtypes.finfo(got.dtype).eps)
        np.testing.assert_allclose(got.astype(np.float64), want[key].astype(np.float64), rtol=200 * eps, atol=200 * eps)


@pytest.mark.parametrize(
    ("shape", "ops"),
    [
        ((3, 4), []), ((3, 1), ["expand"]), ((4,), ["expand"]), ((1,), ["expand"]), ((1, 3, 4), ["reshape"]),
        ((1, 1, 4), ["reshape", "expand"]),
    ],
)  # fmt: skip
def test_scales_have_the_shape_of_the_block(shape: tuple[int, ...], ops: list[str]) -> None:
    made = node("LayerNormalization", "x s", "y", axis=1)
    stored = {"s": floats(*shape, seed=1)}
    taken = agree(model([made], [("x", FLOAT, [2, 3, 4])], ["y"], stored), {"x": floats(2, 3, 4)})
    assert op_names(taken) == [*ops, "layer_norm"]
    why = refused(model([made], [("x", FLOAT, [2, 3, 4])], ["y"], {"s": floats(2, 3, 4)}))
    assert "differs between the blocks [3, 4]" in why.reason


def test_groups_of_channels() -> None:
    """Until version 21 there is one scale for each group."""
    x, scale, bias = floats(2, 6, 5), floats(3, seed=1), floats(3, seed=2)
    made = node("GroupNormalization", "x s b", "y", num_groups=3, epsilon=0.5)
    stored = {"s": scale, "b": bias}
    taken = load(model([made], [("x", FLOAT, x.shape)], ["y"], stored, opset=18))
    parts = x.reshape(2, 3, 10).astype(np.float64)
    parts = (parts - parts.mean(-1, keepdims=True)) / np.sqrt(parts.var(-1, keepdims=True) + 0.5)
    want = (parts * scale[:, None] + bias[:, None]).reshape(x.shape)
    (found,) = Evaluator("exact").run(taken, {"x": x}).values()
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-5)
    for channels in (7, "c"):
        why = refused(model([made], [("x", FLOAT, [2, channels, 5])], ["y"], stored, opset=18))
        assert f"{channels} channels do not divide into 3 groups" in why.reason
