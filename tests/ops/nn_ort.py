"""Running one ONNX operator in ONNX Runtime, graph optimisation off."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import helper
from onnxruntime.capi import onnxruntime_pybind11_state as errors

_QUIET = onnxruntime.SessionOptions()
_QUIET.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
_QUIET.log_severity_level = 4


def run_op(
    name: str,
    inputs: dict[str, np.ndarray | None],
    attrs: dict[str, Any],
    opset: int,
    outputs: tuple[str, ...] = ("y",),
    kind: Any = None,
) -> list[np.ndarray]:
    """The outputs of one node; absent inputs are None. Raises RuntimeError where the runtime refuses it."""
    given = {k: v for k, v in inputs.items() if v is not None}
    node = helper.make_node(name, [k if k in given else "" for k in inputs], list(outputs), **attrs)
    first = next(iter(given.values()))
    out_kind = helper.np_dtype_to_tensor_dtype(np.dtype(kind or first.dtype))
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in given.items()],
        [helper.make_tensor_value_info(o, out_kind, None) for o in outputs if o],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 9
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), _QUIET, providers=["CPUExecutionProvider"])
        return session.run(None, given)
    except (errors.Fail, errors.NotImplemented, errors.RuntimeException, errors.InvalidArgument) as error:
        raise RuntimeError(str(error)) from error
