"""Small ONNX models for the importer's tests, and what ONNX Runtime makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from converter.importers.onnx import load
from ir.core import Model
from ir.eval import Evaluator
from ir.verify import check

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
Value = tuple[str, int, Sequence[Any] | None]


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Value],
    outputs: Sequence[str],
    stored: Mapping[str, Any] | None = None,
    opset: int = 17,
    functions: Sequence[onnx.FunctionProto] = (),
    domains: Sequence[tuple[str, int]] = (),
) -> onnx.ModelProto:
    """A model; outputs are declared as floats without shape unless `name:type` says otherwise."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(n, t, s) for n, t, s in inputs],
        [_output(o) for o in outputs],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in (stored or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, v) for d, v in domains)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=10)


def _output(text: str) -> onnx.ValueInfoProto:
    name, _, kind = text.partition("@")
    return helper.make_tensor_value_info(name, getattr(TensorProto, kind or "FLOAT"), None)


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """A node from names separated by blanks; `_` is an absent input or output."""
    taken, made = (["" if n == "_" else n for n in names.split()] for names in (inputs, outputs))
    return helper.make_node(op, taken, made, **attributes)


def runtime(proto: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs according to ONNX Runtime without graph optimisation."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(inputs))


def agree(proto: onnx.ModelProto, inputs: Mapping[str, np.ndarray], imported: Model | None = None) -> Model:
    """Import, verify, evaluate exactly, compare every output with ONNX Runtime; returns the imported model.

    What is read without a check must lie inside.
    """
    taken = imported or load(proto)
    check(taken)
    values: dict[Any, np.ndarray] = {}
    found = Evaluator("exact", observe=values.__setitem__).run(taken, inputs)
    for made in taken.graph:
        if made.op.name in ("gather", "gather_elements") and made.attrs["bounds"] == "unchecked":
            places, size = values[made.operand("indices")], made.operand("data").type.shape[made.attrs["axis"]]
            assert np.all((0 <= places) & (places < size)), f"{made} reads outside of {size}: {places}"
    for (name, got), want in zip(found.items(), runtime(proto, inputs), strict=True):
        assert got.dtype == want.dtype, f"{name}: {got.dtype} instead of {want.dtype}"
        assert got.shape == want.shape, f"{name}: {got.shape} instead of {want.shape}"
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=name)
    return taken


def op_names(taken: Model) -> list[str]:
    """Ops of the main graph, in order."""
    return [n.op.name for n in taken.graph]


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normal float32."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
