"""Forms of operators that few files have: run-time dropout, larger transposed convolutions, half ranges, mel weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import Evaluator
from tests.importers.onnx.models import BOOL, FLOAT, agree, floats, model, node, op_names

F16, BF16 = onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16


def refusal(proto: onnx.ModelProto) -> str:
    with pytest.raises(ConversionError) as error:
        load(proto)
    return str(error.value)


# -- transposed convolutions ----------------------------------------------------------------------------------------
def transposed(more: int, stride: int, extra: int = 0, **attributes: Any) -> onnx.ModelProto:
    full = 3 * stride + extra + 3
    made = node(
        "ConvTranspose",
        "x w b",
        "y",
        strides=[stride],
        output_padding=[extra],
        output_shape=[full + more],
        **attributes,
    )
    return model([made], [("x", FLOAT, [1, 2, 4])], ["y"], {"w": floats(2, 3, 3), "b": floats(3)})


@pytest.mark.parametrize("auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER"])
def test_an_output_larger_than_the_whole_result(auto_pad: str) -> None:
    for more, stride, extra in ((1, 2, 0), (2, 3, 0), (1, 3, 0), (1, 3, 1), (0, 3, 1), (-2, 3, 1)):
        agree(transposed(more, stride, extra, auto_pad=auto_pad), {"x": floats(1, 2, 4)})
    assert "have to add" in refusal(transposed(1, 1, auto_pad=auto_pad))
    assert "have to add" in refusal(transposed(1, 2, 1, auto_pad=auto_pad))
    if auto_pad != "NOTSET":  # windows that leave gaps: as many elements as strides, says the text
        gaps = node("ConvTranspose", "x w", "y", strides=[3], auto_pad=auto_pad)
        assert "have to add" in refusal(model([gaps], [("x", FLOAT, [1, 2, 4])], ["y"], {"w": floats(2, 3, 1)}))


# -- dropout --------------------------------------------------------------------------------------------------------
def dropping(outputs: str, ratio: bool, kind: int = FLOAT) -> onnx.ModelProto:
    inputs = [("x", kind, [4, 500]), *([("r", FLOAT, [])] if ratio else []), ("t", BOOL, [])]
    names = f"y@{onnx.TensorProto.DataType.Name(kind)}", "m@BOOL"
    return model(
        [node("Dropout", "x r t" if ratio else "x _ t", outputs)], inputs, names[: len(outputs.split())], opset=13
    )


@pytest.mark.parametrize("ratio", [None, 0.0, 0.2, 1.0])
@pytest.mark.parametrize("kind", [FLOAT, F16, onnx.TensorProto.DOUBLE])
def test_dropout_that_the_run_switches(ratio: float | None, kind: int) -> None:
    x = np.abs(floats(4, 500)).astype(onnx.helper.tensor_dtype_to_np_dtype(kind)) + 1
    given: dict[str, np.ndarray] = {"x": x} | ({} if ratio is None else {"r": np.array(ratio, np.float32)})
    share = 0.5 if ratio is None else ratio
    taken = load(dropping("y m", ratio is not None, kind))
    y, mask = Evaluator("exact").run(taken, {**given, "t": np.array(False)}).values()
    assert mask.all() and np.array_equal(y, x)
    y, mask = Evaluator("exact").run(taken, {**given, "t": np.array(True)}).values()
    assert abs(mask.mean() - (1 - share)) < 0.05 and not y[~mask].any() and y.dtype == x.dtype
    np.testing.assert_allclose(
        y[mask], (x[mask] / (1 - share)).astype(x.dtype) if mask.any() else [], rtol=2e-3 if kind == F16 else 1e-6
    )
    assert "bernoulli" in op_names(load(dropping("y", ratio is not None, kind)))


def test_dropout_of_float64_divides_in_float64() -> None:
    x = np.abs(floats(4, 500)).astype(np.float64) + 1
    given = {"x": x, "r": np.array(0.3, np.float32), "t": np.array(True)}
    y, mask = Evaluator("exact").run(load(dropping("y m", True, onnx.TensorProto.DOUBLE)), given).values()
    np.testing.assert_allclose(y[mask], x[mask] / (1 - np.float64(np.float32(0.3))), rtol=1e-15)
    half = {**given, "x": x.astype(np.float16)}  # in float32, and rounded once
    y, mask = Evaluator("exact").run(load(dropping("y m", True, F16)), half).values()
    want = half["x"][mask].astype(np.float32) / (1 - np.float32(0.3))
    np.testing.assert_array_equal(y[mask], want.astype(np.float16))


@pytest.mark.parametrize("opset", [7, 10, 11, 12, 13])
def test_the_mask_of_what_is_not_dropped(opset: int) -> None:
    """All true since opset 12. Before, ONNX Runtime has zeros and the text nothing: refused where something reads it."""
    made, declared, mask = node("Dropout", "x", "y m"), [("x", FLOAT, [3, 4])], "m@BOOL" if opset >= 10 else "m"
    agree(model([made], declared, ["y"], opset=opset), {"x": floats(3, 4)})
    asked = model([made], declared, ["y", mask], opset=opset)
    if opset < 12:
        assert "what its mask holds in inference" in refusal(asked)
    else:
        (kept,) = [n for n in agree(asked, {"x": floats(3, 4)}).graph if n.op.name == "dropout"]
        assert kept.attrs["frozen"]
    used = model([made, node("Not", "m", "z")], declared, ["y", "z@BOOL"], opset=opset)
    if 10 <= opset < 12:
        assert "what its mask holds in inference" in refusal(used)
    elif opset >= 12:
        agree(used, {"x": floats(3, 4)})


@pytest.mark.parametrize("ratio", [0.2, None])
def test_dropout_that_never_stops(ratio: float | None) -> None:
    """With a constant training_mode it drops in inference too; a mask, or a ratio that the run knows, is drawn apart."""
    x, on = np.abs(floats(4, 500)) + 1, {"t": np.array(True)}
    share = 0.5 if ratio is None else ratio
    stored = on if ratio is None else on | {"r": np.array(ratio, np.float32)}
    names = "x _ t" if ratio is None else "x r t"
    taken = load(model([node("Dropout", names, "y")], [("x", FLOAT, [4, 500])], ["y"], stored, opset=13))
    (kept,) = [n for n in taken.graph if n.op.name == "dropout"]
    assert kept.attrs["always"] and kept.attrs["p"] == share
    (y,) = Evaluator("exact").run(taken, {"x": x}).values()
    assert abs((y != 0).mean() - (1 - share)) < 0.05
    np.testing.assert_allclose(y[y != 0], x[y != 0] / np.float32(1 - share), rtol=1e-6)
    declared = [("x", FLOAT, [4, 500]), ("r", FLOAT, [])]
    given = {"x": x, "r": np.array(share, np.float32)}
    for made in (node("Dropout", "x r t", "y m"), node("Dropout", "x r t", "y")):
        drawn = load(model([made], declared, ["y", "m@BOOL"][: len(made.output)], on, opset=13))
        assert "bernoulli" in op_names(drawn)
        (y, *_) = Evaluator("exact").run(drawn, given).values()
        assert abs((y != 0).mean() - (1 - share)) < 0.05
    masked = load(model([node("Dropout", names, "y m")], [("x", FLOAT, [4, 500])], ["y", "m@BOOL"], stored, opset=13))
    y, mask = Evaluator("exact").run(masked, {"x": x}).values()
    assert mask.dtype == bool and np.array_equal(mask, y != 0) and not mask.all()


def test_outputs_that_nothing_reads_do_not_count() -> None:
    """Statistics that a batch norm in inference leaves unsaid: refused where something reads them, a branch too."""
    stored = {n: np.abs(floats(3, seed=i)) + 1 for i, n in enumerate("sbmv")}
    made, declared = node("BatchNormalization", "x s b m v", "y p q"), [("x", FLOAT, (2, 3))]
    taken = load(model([made], declared, ["y"], stored, opset=15))
    plain = model([node("BatchNormalization", "x s b m v", "y")], declared, ["y"], stored, opset=15)
    x = {"x": floats(2, 3)}
    np.testing.assert_array_equal(*(list(Evaluator("exact").run(t, x).values())[0] for t in (taken, agree(plain, x))))
    branches = [
        onnx.helper.make_graph(
            [node("Identity", n, "z")], n, [], [onnx.helper.make_tensor_value_info("z", FLOAT, None)]
        )
        for n in ("y", "p")
    ]
    chosen = node("If", "c", "w", then_branch=branches[0], else_branch=branches[1])
    read = model([made, chosen], [*declared, ("c", BOOL, ())], ["w"], stored, opset=15)
    assert "its output 1, which is for training" in refusal(read)
    assert "its output 2, which is for training" in refusal(model([made], declared, ["y", "q"], stored, opset=15))


# -- ranges ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("code", [F16, BF16])
@pytest.mark.parametrize("known", [False, True])
def test_half_ranges_count_in_float32(code: int, known: bool) -> None:
    """Sums that half types would round are rounded once, at the end."""
    kind = onnx.helper.tensor_dtype_to_np_dtype(code)
    bounds = {"a": np.array(256.0, kind), "b": np.array(261.0, np.float32).astype(kind), "d": np.array(0.75, kind)}
    declared = [] if known else [(n, code, []) for n in "abd"]
    name = onnx.TensorProto.DataType.Name(code)
    proto = model([node("Range", "a b d", "y")], declared, [f"y@{name}"], bounds if known else {}, opset=27)
    (found,) = Evaluator("exact").run(load(proto), {} if known else bounds).values()
    start, stop, step = (v.astype(np.float32) for v in bounds.values())
    want = (np.arange(int(np.ceil((stop - start) / step)), dtype=np.float32) * step + start).astype(kind)
    assert found.dtype == kind and np.array_equal(found, want)


# -- mel weights ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "setting", [(8, 16, 8192, 0.0, 4096.0), (5, 64, 16000, 100.0, 7000.0), (40, 512, 16000, 20.0, 8000.0)]
)
def test_mel_weights(setting: tuple[Any, ...]) -> None:
    kinds = (np.int64, np.int64, np.int64, np.float32, np.float32)
    stored = {n: np.array(v, k) for n, v, k in zip("abcde", setting, kinds)}
    agree(model([node("MelWeightMatrix", "a b c d e", "y")], [], ["y"], stored), {})


def test_mel_weights_beyond_the_spectrum_are_refused() -> None:
    stored = {n: np.array(v) for n, v in zip("abc", (4, 16, 8000))} | {"d": np.float32(0), "e": np.float32(9000)}
    assert "do not fit" in refusal(model([node("MelWeightMatrix", "a b c d e", "y")], [], ["y"], stored))


# -- squeezing ------------------------------------------------------------------------------------------------------
def test_squeeze_without_axes_keeps_symbolic_ones() -> None:
    """Which is assumed, and checked where the model runs: 1 there would make another rank."""
    taken = load(model([node("Squeeze", "x", "y")], [("x", FLOAT, ["n", 1, 3, 1])], ["y"]))
    assert [str(d) for d in taken.graph.outputs[0].type.shape] == ["n", "3"]
    assert [a.relation for a in taken.assumptions] and "Squeeze" in taken.assumptions[0].why
    agree(model([node("Squeeze", "x", "y")], [("x", FLOAT, ["n", 1, 3, 1])], ["y"]), {"x": floats(2, 1, 3, 1)}, taken)
    nodes = [node("NonZero", "x", "i"), node("Squeeze", "i", "y")]
    assert "depends on the run" in refusal(model(nodes, [("x", FLOAT, [1, 4])], ["y@INT64"]))
