"""Python numbers whose value only a tensor knows: computed with tensors, as TorchScript computes them.

A `Number` is an int, float or bool taken out of a tensor (`int(x.sum())`); a `SizeTensor` is the reverse, a tensor that
holds a size known as a number (tracing writes sizes so).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from converter.importers.base import Refusal

_DTYPES = {"int": "int64", "float": "float64", "bool": "bool"}
_LIMIT = 2**63


@dataclass(frozen=True, eq=False)
class Number:
    """An int, float or bool (`kind`) held in a 0-d tensor of int64, float64 or bool."""

    tensor: Any
    kind: str

    def item(self) -> Any:
        """The number as torch.export holds one it does not know: a new size symbol."""
        return self.tensor.item()


@dataclass(frozen=True, eq=False)
class SizeTensor:
    """A 0-d int64 tensor whose value is known: an int or an expression of sizes."""

    value: Any

    def tensor(self) -> Any:
        """As a tensor."""
        import torch

        return torch.scalar_tensor(self.value, dtype=torch.int64)


def kind_of(value: Any) -> str:
    """`int`, `float` or `bool` of a number, symbolic or not; empty for anything else."""
    if isinstance(value, Number):
        return value.kind
    if isinstance(value, bool) or type(value).__name__ == "SymBool":
        return "bool"
    if isinstance(value, int) or type(value).__name__ == "SymInt":
        return "int"
    return "float" if isinstance(value, float) or type(value).__name__ == "SymFloat" else ""


def number(tensor: Any, kind: str = "") -> Any:
    """The number in a tensor of one element, as `int(t)`, `float(t)`, `bool(t)` or `t.item()` give it.

    A constant of the program is read at once.
    """
    import torch

    if isinstance(tensor, SizeTensor):
        return convert(tensor.value, kind or "int")
    if kind == "":
        kind = "bool" if tensor.dtype == torch.bool else "float" if tensor.dtype.is_floating_point else "int"
    if tensor.dtype.is_complex:
        raise Refusal("a complex number out of a tensor")
    if is_constant(tensor) and tensor.numel() == 1:
        return convert(tensor._isomorph_constant, kind)
    scalar = tensor if tensor.dim() == 0 else tensor.reshape(())
    if kind == "bool":
        return Number(scalar if scalar.dtype == torch.bool else scalar != 0, kind)
    return Number(scalar.to(getattr(torch, _DTYPES[kind])), kind)


def is_constant(tensor: Any) -> bool:
    """Whether a tensor is a constant of the program, with real values, while everything else is traced."""
    return hasattr(tensor, "_isomorph_constant")


def tensor_of(value: Any, kind: str) -> Any:
    """A number as a 0-d tensor of the dtype of `kind`."""
    import torch

    dtype = getattr(torch, _DTYPES[kind])
    if isinstance(value, Number):
        return value.tensor if value.kind == kind else value.tensor.to(dtype)
    return torch.scalar_tensor(value, dtype=dtype)


def convert(value: Any, kind: str) -> Any:
    """`int(value)`, `float(value)` or `bool(value)`; sizes stay symbolic."""
    import torch

    have = kind_of(value)
    if have == kind:
        return value
    if isinstance(value, Number):
        if kind == "bool":
            return Number(value.tensor != 0, "bool")
        return Number(value.tensor.to(getattr(torch, _DTYPES[kind])), kind)
    if kind == "float":
        return torch.sym_float(value) if have == "int" else float(value)
    if kind == "int":
        return torch.sym_int(value) if have == "float" else int(value)
    return value != 0


# -- arithmetic -------------------------------------------------------------------------------------------------------
def _floats(name: str) -> Callable[..., Any]:
    def compute(x: Any) -> Any:
        if type(x).__name__ in ("SymInt", "SymFloat"):
            import torch

            if name == "sqrt":
                return torch._sym_sqrt(x)
            raise Refusal(f"{name} of a size")
        return getattr(math, name)(x)

    return compute


def _maximum(a: Any, b: Any) -> Any:
    import torch

    return torch.sym_max(a, b)


def _minimum(a: Any, b: Any) -> Any:
    import torch

    return torch.sym_min(a, b)


def _whole(up: bool) -> Callable[[Any], Any]:
    def compute(x: Any) -> Any:
        if isinstance(x, int) or type(x).__name__ == "SymInt":
            return x
        return math.ceil(x) if up else math.floor(x)

    return compute


_PLAIN: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "floordiv": operator.floordiv,
    "remainder": operator.mod, "neg": operator.neg, "abs": abs, "pow": operator.pow, "max": _maximum, "min": _minimum,
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    "__and__": operator.and_, "__or__": operator.or_, "__xor__": operator.xor, "__lshift__": operator.lshift,
    "__rshift__": operator.rshift, "ceil": _whole(True), "floor": _whole(False), "round": round,
    **{n: _floats(n) for n in ("sqrt", "exp", "log", "log2", "log10", "sin", "cos", "tanh", "log1p", "expm1")},
}  # fmt: skip
_COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge"}
_TENSOR = {
    "floordiv": "floor_divide", "div": "true_divide", "max": "maximum", "min": "minimum",
    "__and__": "bitwise_and", "__or__": "bitwise_or", "__xor__": "bitwise_xor",
}  # fmt: skip


def knows(name: str) -> bool:
    """Whether the arithmetic of numbers has this name."""
    return name in _PLAIN


def compute(name: str, args: Sequence[Any], returns: str) -> Any:
    """`args` combined as TorchScript does it for numbers; `returns` is the schema's result: int, float, bool, number.

    Raises Refusal where an integer leaves 64 bits, or a number known only at run time meets what tensors do not do.
    """
    if any(isinstance(a, Number) for a in args):
        return _on_tensors(name, args, returns)
    result = _PLAIN[name](*args)
    if isinstance(result, int) and not -_LIMIT <= result < _LIMIT:
        raise Refusal(f"the integer {result} does not fit 64 bits")
    return convert(result, returns) if returns in _DTYPES else result


def _on_tensors(name: str, args: Sequence[Any], returns: str) -> Number:
    import torch

    kinds = [kind_of(a) for a in args]
    if "" in kinds:
        raise Refusal(f"{name} of a number known only at run time and something that is no number")
    kind = "float" if "float" in kinds or name == "div" else "int" if "int" in kinds or name not in _COMPARISONS else "bool"
    if name in ("__and__", "__or__", "__xor__") and set(kinds) == {"bool"}:
        kind = "bool"
    if name not in ("sqrt", "exp", "log", "ceil", "floor", "add", "sub", "mul", "neg", "abs", "remainder", *_TENSOR, *_COMPARISONS):
        raise Refusal(f"{name} of a number known only at run time")
    if name in ("sqrt", "exp", "log"):
        kind = "float"
    out = getattr(torch, _TENSOR.get(name, name))(*(tensor_of(a, kind) for a in args))
    found = "bool" if out.dtype == torch.bool else "float" if out.dtype.is_floating_point else "int"
    return convert(Number(out, found), returns) if returns in _DTYPES else Number(out, found)


def logical_not(value: Any) -> Any:
    """`not value`."""
    if isinstance(value, Number):
        import torch

        return Number(torch.logical_not(convert(value, "bool").tensor), "bool")
    return ~value if type(value).__name__ == "SymBool" else not value
