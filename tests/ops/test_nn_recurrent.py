"""Recurrent ops against PyTorch in float64 (packed sequences for lengths) and against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.eval import Evaluator
from tests.ops.harness import decomposed_model, model_of
from tests.ops.nn_ort import run_op
from tests.ops.nn_samples import Case, cases, close

NAMES = ("lstm", "gru", "rnn")
GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def _silent(case: Case) -> bool:
    """No dropout is drawn."""
    return not (case.sample.training and case.attrs["dropout"] and not case.attrs["frozen"])


def _torch_module(torch: Any, case: Case) -> Any:
    a, x = case.attrs, case.operands["x"]
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[case.op.name]
    extra = {"proj_size": a["projection"]} if case.op.name == "lstm" else {}
    extra |= {"nonlinearity": a["nonlinearity"]} if case.op.name == "rnn" else {}
    module = kind(
        x.shape[2], a["hidden_size"], num_layers=a["layers"], bias=a["bias"], batch_first=a["batch_first"],
        bidirectional=a["direction"] == "bidirectional", dtype=torch.float64, **extra,
    )  # fmt: skip
    names = [n for group in module._all_weights for n in group]
    assert len(names) == len(case.operands["weights"])
    module.load_state_dict({n: torch.from_numpy(w) for n, w in zip(names, case.operands["weights"])})
    return module


def _torch_result(torch: Any, case: Case) -> list[np.ndarray]:
    a, o = case.attrs, case.operands
    module = _torch_module(torch, case)
    x = torch.from_numpy(o["x"].copy())
    given = [o["initial_h"], *([o["initial_c"]] if case.op.name == "lstm" else [])]
    sizes = [a.get("projection") or a["hidden_size"], a["hidden_size"]]
    cells, batch = a["layers"] * (1 + (a["direction"] == "bidirectional")), x.shape[0 if a["batch_first"] else 1]
    states = [
        torch.zeros(cells, batch, n, dtype=torch.float64) if g is None else torch.from_numpy(g)
        for g, n in zip(given, sizes)
    ]
    state = tuple(states) if len(states) > 1 else states[0]
    if o["lengths"] is None:
        out, final = module(x, state)
    else:
        rnn = torch.nn.utils.rnn
        packed = rnn.pack_padded_sequence(
            x, torch.from_numpy(o["lengths"].astype(np.int64)), a["batch_first"], enforce_sorted=False
        )
        out, final = module(packed, state)
        out, _ = rnn.pad_packed_sequence(out, a["batch_first"], total_length=x.shape[1 if a["batch_first"] else 0])
    return [t.detach().numpy() for t in (out, *(final if isinstance(final, tuple) else (final,)))]


@pytest.mark.parametrize("name", NAMES)
def test_against_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    seen = []
    for case in cases(name):
        a, o = case.attrs, case.operands
        empty = 0 in o["x"].shape or (o["lengths"] is not None and 0 in o["lengths"])
        if a["direction"] == "reverse" or not a.get("linear_before_reset", True) or empty or not _silent(case):
            continue
        for have, want in zip(case.run(), _torch_result(torch, case), strict=True):
            close(have, want, where=case)
        seen.append((a["direction"], a["layers"], o["lengths"] is not None, a.get("projection", 0) > 0))
    assert {(d, p) for d, _, p, _ in seen} >= {("forward", True), ("bidirectional", True), ("bidirectional", False)}
    assert name != "lstm" or ("bidirectional", 2, False, True) in seen


def _onnx_order(name: str, w: np.ndarray) -> np.ndarray:
    """Gates reordered: ONNX has i, o, f, c and z, r, h."""
    parts = np.split(w, GATES[name])
    order = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}[name]
    return np.concatenate([parts[i] for i in order])


def _onnx_inputs(case: Case) -> dict[str, np.ndarray | None]:
    a, o, name = case.attrs, case.operands, case.op.name
    dirs, each = (2 if a["direction"] == "bidirectional" else 1), 4 if a["bias"] else 2
    groups = [o["weights"][i * each : (i + 1) * each] for i in range(dirs)]
    stack = {
        "w": np.stack([_onnx_order(name, g[0]) for g in groups]), "r": np.stack([_onnx_order(name, g[1]) for g in groups]),
        "b": np.stack([np.concatenate([_onnx_order(name, v) for v in g[2:]]) for g in groups]) if a["bias"] else None,
    }  # fmt: skip
    x = np.swapaxes(o["x"], 0, 1) if a["batch_first"] else o["x"]
    lengths = None if o["lengths"] is None else o["lengths"].astype(np.int32)
    given = {"x": x, **stack, "lengths": lengths, "h0": o["initial_h"]}
    if name == "lstm":
        given["c0"] = o["initial_c"]
    return {k: None if v is None else v if k == "lengths" else v.astype(np.float32) for k, v in given.items()}


@pytest.mark.parametrize("name", NAMES)
def test_against_onnxruntime(name: str) -> None:
    seen = set()
    for case in cases(name):
        a, o = case.attrs, case.operands
        if a["layers"] > 1 or a.get("projection") or 0 in o["x"].shape:
            continue
        if o["lengths"] is not None and 0 in o["lengths"]:
            continue  # its final state is the initial one; the runtime gives zeros
        attrs: dict[str, Any] = {"hidden_size": a["hidden_size"], "direction": a["direction"]}
        if name == "gru":
            attrs["linear_before_reset"] = int(a["linear_before_reset"])
        if name == "rnn":
            attrs["activations"] = [a["nonlinearity"].capitalize()] * (2 if a["direction"] == "bidirectional" else 1)
        outputs = ("y", "yh", "yc") if name == "lstm" else ("y", "yh")
        want = run_op(name.upper(), _onnx_inputs(case), attrs, 22, outputs)
        y = np.moveaxis(want[0], 1, 2).reshape(*o["x"].shape[:2] if not a["batch_first"] else o["x"].shape[1::-1], -1)
        want[0] = np.swapaxes(y, 0, 1) if a["batch_first"] else y
        for have, expected in zip(case.run(), want, strict=True):
            close(have, expected.astype(np.float64), 1e-4, 1e-5, case)
        seen.add((a["direction"], o["lengths"] is not None, a.get("linear_before_reset")))
    assert {d for d, _, _ in seen} == {"forward", "reverse", "bidirectional"}
    assert ("reverse", True, False if name == "gru" else None) in seen


@pytest.mark.parametrize("name", NAMES)
def test_lengths_are_single_runs(name: str) -> None:
    """Each sequence of a batch with lengths is what it is alone, cut to its length."""
    for case in cases(name):
        lengths, a = case.operands["lengths"], case.attrs
        if lengths is None:
            continue
        results = case.run()
        time, batch = (1, 0) if a["batch_first"] else (0, 1)
        for i, n in enumerate(lengths):
            alone = {"lengths": None}
            for key in ("initial_h", "initial_c"):
                if case.operands.get(key) is not None:
                    alone[key] = case.operands[key][:, i : i + 1]
            alone["x"] = np.take(np.take(case.operands["x"], [i], batch), range(n), time)
            single = Case(case.op, case.sample, case.index)
            single.operands = {**case.operands, **alone}
            out, *finals = single.run()
            whole = np.take(results[0], [i], batch)
            close(np.take(whole, range(n), time), out, where=case)
            assert not np.take(whole, range(n, whole.shape[time]), time).any(), case
            for have, want in zip(results[1:], finals, strict=True):
                close(have[:, i : i + 1], want, where=case)


def test_dropout_between_layers_only_in_training() -> None:
    for name in NAMES:
        (case,) = [
            c
            for c in cases(name)
            if not _silent(c)
            and c.attrs.get("linear_before_reset", True)
            and c.attrs.get("nonlinearity", "tanh") == "tanh"
        ]
        still = case.run(training=False)
        assert not np.allclose(case.run()[0], still[0])
        first = slice(0, 2)  # the first layer's final states see no dropout
        close(case.run()[1][first], still[1][first])
        assert not np.allclose(case.run()[1][2:], still[1][2:])


@pytest.mark.parametrize("name", NAMES)
def test_decomposition_takes_any_batch_and_time(name: str) -> None:
    """The scan of a model with symbolic sizes runs at other sizes than those it was made with."""
    for case in cases(name):
        if not _silent(case) or case.operands["lengths"] is not None or 0 in case.operands["x"].shape:
            continue
        model, inputs = decomposed_model(case.op, case.sample, dynamic=_batch_and_time(case))
        plain, _ = model_of(case.op, case.sample, dynamic=_batch_and_time(case))
        assert any(node.op.name == "scan" for node in model.graph)
        time, batch = (1, 0) if case.attrs["batch_first"] else (0, 1)
        for steps, count in ((1, 2), (7, 5)):
            other = dict(inputs)
            other["x"] = np.resize(
                np.resize(inputs["x"], (9, 9, 6)), (steps, count, 6) if time == 0 else (count, steps, 6)
            )
            for key in ("initial_h", "initial_c"):
                if key in other:
                    other[key] = np.resize(inputs[key], (len(inputs[key]), count, inputs[key].shape[2]))
            assert other["x"].shape[batch] == count
            want, have = (Evaluator().run(m, other) for m in (plain, model))
            for key in want:
                close(have[key], want[key], where=case)


def _batch_and_time(case: Case) -> tuple[tuple[int, int], ...]:
    """The symbolic axes: batch and time of the input, batch of the states."""
    states = [
        i for i, s in enumerate(case.op.operands) if s.name.startswith("initial") and case.operands[s.name] is not None
    ]
    return (*case.sample.dynamic, *((i, 1) for i in states))
