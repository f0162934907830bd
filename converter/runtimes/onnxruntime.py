"""Runs ONNX models in ONNX Runtime, with graph optimisation off unless asked: the runtime is an oracle here."""

from __future__ import annotations

import ctypes
import functools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converter.errors import EnvironmentMissing
from converter.frameworks import require
from converter.runtimes.base import InTurn, RuntimeFailure, check_inputs
from converter.runtimes.onnx_apart import OnnxApart
from ir.data.nibbles import pack_nibbles, unpack_nibbles
from ir.types import TensorType, dtype, dtypes, symbol

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "webgpu": "WebGpuExecutionProvider",
}
_ORT_TYPES = {
    "tensor(float)": dtypes.float32, "tensor(double)": dtypes.float64, "tensor(float16)": dtypes.float16,
    "tensor(bfloat16)": dtypes.bfloat16, "tensor(bool)": dtypes.bool_,
    **{f"tensor({d.name.replace('_', '')})": d for d in dtypes.ALL if d.is_integer or d.name.startswith("float8")},
}  # fmt: skip


class OnnxRunner(InTurn):
    """An ONNX Runtime session over a file or serialised model. bfloat16 goes through OrtValue, which NumPy lacks.

    `fixed` are plain values for inputs that a conversion has fixed: fed at every call, no inputs to the caller. `apart` makes
    a runner of the same in a process of its own.
    """

    def __init__(
        self, model: Path | bytes, provider: str | None = None, optimise: bool = False,
        fixed: Mapping[str, bool | int | float] | None = None,
    ) -> None:  # fmt: skip
        ort = require("onnxruntime")
        wanted = PROVIDERS.get(provider or "cpu", provider or "")
        if wanted not in ort.get_available_providers():
            have = ", ".join(ort.get_available_providers())
            raise EnvironmentMissing(f"ONNX Runtime here has no provider {provider!r} (it has {have})")
        options = ort.SessionOptions()
        options.log_severity_level = 4
        level = ort.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
        self.name = f"onnxruntime-{provider or 'cpu'}"
        try:
            self._session = ort.InferenceSession(
                model if isinstance(model, bytes) else str(model), options, providers=[wanted]
            )
        except Exception as error:  # noqa: BLE001 - the runtime's exception types are not exported
            raise RuntimeFailure(f"ONNX Runtime cannot load the model: {_first_line(error)}") from None
        self._ort = ort
        self._flat = _recorded(self._session, "isomorph.names")  # ONNX has one space of names: some had to change
        kinds = _recorded(self._session, "isomorph.complex")
        self._complex = {name: kind for name, kind in kinds.items() if kind in ("complex64", "complex128")}
        self._named = {self._flat.get(i.name, i.name): i.name for i in self._session.get_inputs()}
        self.input_types: Mapping[str, TensorType] = {
            name: _joined(_type(i), self._complex.get(name))
            for i in self._session.get_inputs() for name in [self._flat.get(i.name, i.name)]
        }  # fmt: skip
        self.input_axes = _input_axes(self._session)
        self._fixed = self._fixed_feeds(fixed or {})
        self._state = _recorded(self._session, "isomorph.state")  # next values of state, beside the outputs
        self._outputs = [o.name for o in self._session.get_outputs() if o.name not in self._state.values()]
        self.apart = functools.partial(
            OnnxApart, self.name, self.input_types, self.input_axes, model, provider, fixed or {}
        )

    def in_turn(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """The outputs of each call. Raises UsageError on misfitting inputs, RuntimeFailure when a kernel does."""
        found, state = [], dict[str, Any]()
        for inputs in calls:
            check_inputs(inputs, self.input_types)
            results = self._run(inputs, state, moving=len(calls) > 1)
            state = {weight: results[output] for weight, output in self._state.items() if output in results}
            arrays = {self._flat.get(n, n): self._array(results[n]) for n in self._outputs}
            found.append({name: self._whole(name, array) for name, array in arrays.items()})
        return found

    def _run(self, inputs: Mapping[str, np.ndarray], state: Mapping[str, Any], moving: bool) -> dict[str, Any]:
        """The values of the outputs, and of the next state if it is `moving`, by the session's names."""
        wanted = [*self._outputs, *(self._state.values() if moving else ())]
        try:
            given = {self._named[name]: self._value(self._parts(name, array)) for name, array in inputs.items()}
            results = self._session.run_with_ort_values(wanted, {**self._fixed, **given, **state})
            return dict(zip(wanted, results, strict=True))
        except Exception as error:  # noqa: BLE001 - the runtime's exception types are not exported
            raise RuntimeFailure(f"ONNX Runtime failed: {_first_line(error)}") from None

    def _fixed_feeds(self, fixed: Mapping[str, bool | int | float]) -> dict[str, Any]:
        """Values for the fixed inputs by the session's names; these are no longer among the input types."""
        feeds = {}
        for name, value in fixed.items():
            declared = self.input_types[name]
            array = np.array(value).astype(declared.dtype.numpy).reshape((1,) * declared.rank)
            feeds[self._named[name]] = self._value(array)
        self.input_types = {n: t for n, t in self.input_types.items() if n not in fixed}
        return feeds

    def _parts(self, name: str, array: np.ndarray) -> np.ndarray:
        """An input as the file takes it: complex numbers as pairs along a last axis."""
        return np.stack([array.real, array.imag], axis=-1) if name in self._complex else array

    def _whole(self, name: str, array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(array).view(self._complex[name])[..., 0] if name in self._complex else array

    def _value(self, array: np.ndarray) -> Any:
        array = np.asarray(array, order="C")
        if array.dtype.isbuiltin == 1:
            return self._ort.OrtValue.ortvalue_from_numpy(array)
        if dtype(array.dtype).bits == 4:
            return self._packed(array)
        from onnx.helper import np_dtype_to_tensor_dtype

        raw = array.view(f"u{array.dtype.itemsize}")
        return self._ort.OrtValue.ortvalue_from_numpy_with_onnx_type(raw, np_dtype_to_tensor_dtype(array.dtype))

    def _packed(self, array: np.ndarray) -> Any:
        """4-bit integers: their bytes are written into a value of the runtime's own."""
        from onnx.helper import np_dtype_to_tensor_dtype

        value = self._ort.OrtValue.ortvalue_from_shape_and_type(array.shape, np_dtype_to_tensor_dtype(array.dtype))
        raw = pack_nibbles(array)
        ctypes.memmove(value.data_ptr(), raw.ctypes.data, raw.nbytes)
        return value

    @staticmethod
    def _array(value: Any) -> np.ndarray:
        kind = _ORT_TYPES[value.data_type()]
        if kind.numpy.isbuiltin == 1:
            return value.numpy()
        # NumPy has no such dtype, so ONNX Runtime refuses `numpy()`: read its CPU buffer instead.
        size = value.tensor_size_in_bytes()
        raw = np.frombuffer((ctypes.c_uint8 * size).from_address(value.data_ptr()), np.uint8).copy()
        if kind.bits == 4:
            return unpack_nibbles(raw, kind, math.prod(value.shape())).reshape(tuple(value.shape()))
        return raw.view(kind.numpy).reshape(tuple(value.shape()))

    def close(self) -> None:
        """Drop the session."""
        del self._session


def _input_axes(session: Any) -> dict[str, list[int]]:
    """Of inputs that our exporter laid otherwise than the source's: which of its axes each of theirs is."""
    recorded = session.get_modelmeta().custom_metadata_map.get("isomorph.source", "{}")
    try:
        axes = json.loads(recorded).get("input_axes", {})
        return {str(name): [int(a) for a in order] for name, order in axes.items()}
    except (ValueError, TypeError, AttributeError):  # a file that another program wrote so
        return {}


def _recorded(session: Any, key: str) -> dict[str, str]:
    """What our exporter noted in the file: `names`, ONNX name -> flat name of an input or output it had to rename;
    `complex`, flat name -> complex type of one that is held as pairs of reals."""
    recorded = session.get_modelmeta().custom_metadata_map.get(key, "{}")
    try:
        names = json.loads(recorded)
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in names.items()} if isinstance(names, dict) else {}


def _joined(held: TensorType, kind: str | None) -> TensorType:
    """The type of an input for the caller, given how the file holds it."""
    return held if kind is None else TensorType(dtype(kind), held.shape[:-1])


def _type(info: Any) -> TensorType:
    kind = _ORT_TYPES.get(info.type)
    if kind is None:
        raise RuntimeFailure(f"input {info.name} is {info.type}, which has no array form here")
    shape = tuple(d if isinstance(d, int) else symbol(d or f"{info.name}_{i}") for i, d in enumerate(info.shape))
    return TensorType(kind, shape)


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)[:500]
