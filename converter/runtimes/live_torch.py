"""Runs a live PyTorch module or exported program, by the signature its importer found."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from converter.frameworks import require
from converter.runtimes.base import InTurn, RuntimeFailure, check_inputs, flatten_result
from ir.core import Model
from ir.core.signature import call_arguments
from ir.types import TensorType, dtype


class LiveTorchRunner(InTurn):
    """An `nn.Module` (run in eval mode without gradients; its own modes are restored) or an `ExportedProgram`."""

    def __init__(self, source: Any, model: Model) -> None:
        self._torch = require("torch")
        self.name = "torch"
        self._module = source if isinstance(source, self._torch.nn.Module) else source.module()
        self._live = isinstance(source, self._torch.nn.Module)
        self._signature = model.signature
        self.input_types: Mapping[str, TensorType] = model.input_types

    def in_turn(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """The outputs of each call. Raises UsageError on misfitting inputs, RuntimeFailure when the module raises."""
        for inputs in calls:
            check_inputs(inputs, self.input_types)
        modes = {m: m.training for m in self._module.modules()} if self._live else {}
        buffers = {k: v.detach().clone() for k, v in self._module.named_buffers()}
        mha = self._torch.backends.mha
        fast = mha.get_fastpath_enabled()
        try:
            mha.set_fastpath_enabled(False)  # it writes zeros at padded positions, only while gradients are off
            if self._live:
                self._module.eval()
            with self._torch.no_grad():
                module = self._at_first()
                return [self._call(module, inputs) for inputs in calls]
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise RuntimeFailure(f"the PyTorch module failed: {str(error).splitlines()[0]}") from error
        finally:
            mha.set_fastpath_enabled(fast)
            for m, training in modes.items():
                m.training = training
            for name, value in self._module.named_buffers():
                if name in buffers:
                    value.detach().copy_(buffers[name])

    def _call(self, module: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        leaves = {name: to_tensor(self._torch, array) for name, array in inputs.items()}
        args, kwargs = call_arguments(self._signature, leaves)
        found = flatten_result(module(*args, **kwargs), self._torch.is_tensor, self._signature.output_names)
        return {name: _result_array(self._torch, value) for name, value in found.items()}

    def _at_first(self) -> Any:
        """What is called: a TorchScript program keeps state in its attributes, so calls in turn get a copy."""
        return copy.deepcopy(self._module) if isinstance(self._module, self._torch.jit.ScriptModule) else self._module

    def close(self) -> None:
        """Nothing to free."""


def to_tensor(torch: Any, array: np.ndarray) -> Any:
    """A tensor with the array's dtype (bfloat16 and float8 by reinterpreting the bytes)."""
    kind = getattr(torch, "bool" if array.dtype == np.bool_ else dtype(array.dtype).name)
    if array.dtype.isbuiltin == 1:
        return torch.from_numpy(np.array(array, order="C", copy=True))
    raw = np.array(array, order="C", copy=True).view(f"i{array.dtype.itemsize}")
    return torch.from_numpy(raw).view(kind)


def _result_array(torch: Any, value: Any) -> np.ndarray:
    """A result; Python numbers, as sizes are, have Python's precision."""
    return to_array(torch, value) if torch.is_tensor(value) else np.asarray(value)


def to_array(torch: Any, tensor: Any) -> np.ndarray:
    """The tensor's values as an array of the same dtype."""
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    name = str(tensor.dtype).removeprefix("torch.")
    kind = dtype(name).numpy
    if kind.isbuiltin == 1:
        return tensor.numpy().copy()
    raw = tensor.view(torch.int16 if kind.itemsize == 2 else torch.int8).numpy()
    return raw.copy().view(kind)
