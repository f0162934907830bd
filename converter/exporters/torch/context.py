"""What a rule of PyTorch's sees: the names of its modules, its dtypes, the device at hand."""

from __future__ import annotations

from converter.exporters.code.expr import Attr, Expr, Name, Var
from converter.exporters.outline import context
from converter.exporters.outline.context import SELF, Buffer, Shared
from converter.exporters.outline.instances import own_name
from ir.types import DType

F = Name("F")
NN = Name("nn")
TORCH = Name("torch")


class Context(context.Context):
    """Writes one method of a module."""

    def dtype(self, dtype: DType) -> Expr:
        """`torch.float32`."""
        return Name(f"torch.{'bool' if dtype.is_bool else dtype.name}")

    def device(self) -> dict[str, Expr]:
        """`device=x.device` for tensors made from nothing, taken from whatever tensor is at hand."""
        for value in [*self.region.inputs, *self._known]:
            if isinstance(self.values.get(value), Var):
                return {"device": Attr(self.values[value], "device")}
        for weight in self.model.weights:
            parts = own_name(self.model, self.model.weight_value(weight), self.region.path)
            if parts is not None:
                return {"device": Attr(self.attribute(parts), "device")}
        return {}


__all__ = ["NN", "SELF", "TORCH", "Buffer", "Context", "F", "Shared"]
