"""What flows through a model while it is read: symbolic tensors that carry an IR value, and sizes that know their name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.importers.base import Refusal
from converter.importers.keras.decisions import decided
from converter.importers.keras.operators import operators
from ir.types import Dim, DimExpr, symbols
from ir.types.dim import dim_min, evaluate_dim, floordiv, mod, require_same, same

if TYPE_CHECKING:
    from ir.core import Value


class Size(int):
    """A size that depends on an input: an integer (that of the current example) with the expression it stands for.

    Arithmetic keeps the expression; what turns it into a plain integer shows when the model is read again at other
    sizes, and is refused.
    """

    expr: DimExpr

    def __new__(cls, number: int, expr: DimExpr) -> Size:
        made = super().__new__(cls, number)
        made.expr = expr
        return made

    def __hash__(self) -> int:
        return int.__hash__(self)

    def __repr__(self) -> str:
        return f"{self.expr} (here {int(self)})"


def make_size(expr: Dim, sizes: dict[str, int]) -> int:
    """A size as Python code sees it. `sizes` are the numbers of the current example, by symbol."""
    return Size(evaluate_dim(expr, sizes), expr) if isinstance(expr, DimExpr) else expr


def expr_of(size: int) -> Dim:
    """The expression behind a size."""
    return size.expr if isinstance(size, Size) else int(size)


def _operator(name: str, compute: Callable[[Dim, Dim], Dim], swapped: bool = False) -> Callable[[Size, Any], Any]:
    plain: Callable[[int, Any], Any] = getattr(int, name)

    def method(self: Size, other: Any) -> Any:
        number = plain(self, other)
        if not isinstance(other, int) or number is NotImplemented:
            return number
        a, b = expr_of(self), expr_of(other)
        expr = compute(b, a) if swapped else compute(a, b)
        return Size(number, expr) if isinstance(expr, DimExpr) else expr

    return method


def _add(a: Dim, b: Dim) -> Dim:
    return a + b


def _sub(a: Dim, b: Dim) -> Dim:
    return a - b


def _mul(a: Dim, b: Dim) -> Dim:
    return a * b


for _name, _compute in (("add", _add), ("sub", _sub), ("mul", _mul), ("floordiv", floordiv), ("mod", mod)):
    setattr(Size, f"__{_name}__", _operator(f"__{_name}__", _compute))
    setattr(Size, f"__r{_name}__", _operator(f"__r{_name}__", _compute, swapped=True))


def _compared(name: str, less: bool, strict: bool) -> Callable[[Size, Any], Any]:
    plain: Callable[[int, Any], Any] = getattr(int, name)

    def method(self: Size, other: Any) -> Any:
        """As the example has it: where other sizes would decide otherwise, that is an assumption of the model."""
        answer = plain(self, other)
        if isinstance(other, int) and answer is not NotImplemented:
            small, large = (expr_of(self), expr_of(other)) if less else (expr_of(other), expr_of(self))
            if not answer:  # the other way round, and strict where this is not
                small, large = large, small
            least = small + 1 if strict is bool(answer) else small
            if any(s.opaque for d in (least, large) for s in symbols(d)):
                decided(least - 1, large, True, less=True)
            else:
                require_same(least, dim_min(least, large), "the model's code compares these sizes")
        return answer

    return method


for _name, _less, _strict in (("lt", True, True), ("le", True, False), ("gt", False, True), ("ge", False, False)):
    setattr(Size, f"__{_name}__", _compared(f"__{_name}__", _less, _strict))


def _equal(self: Size, other: Any) -> Any:
    """As the example has it: what other sizes would answer is found out when the model has been read."""
    if isinstance(other, float) and other.is_integer():
        other = int(other)
    if not isinstance(other, (int, np.integer)):
        return int.__eq__(self, other)
    answer = int(self) == int(other)
    right = expr_of(other) if isinstance(other, int) else int(other)
    if same(self.expr, right) is None:
        decided(self.expr, right, answer)
    return answer


def _unequal(self: Size, other: Any) -> Any:
    answer = _equal(self, other)
    return answer if answer is NotImplemented else not answer


setattr(Size, "__eq__", _equal)  # noqa: B010 - as the others above
setattr(Size, "__ne__", _unequal)  # noqa: B010
setattr(Size, "__bool__", lambda self: not _equal(self, 0))  # noqa: B010


def _negative(self: Size) -> Any:
    return 0 - self


setattr(Size, "__neg__", _negative)  # noqa: B010 - as the others above


@functools.cache
def tensor_class() -> Any:
    """The class of traced tensors: Keras' symbolic tensor, with a value of the graph (None behind a refusal)."""
    from keras import KerasTensor

    class Traced(KerasTensor):
        """A tensor of the model that is being read."""

        def __init__(self, value: Value | None, shape: Sequence[int], dtype: str) -> None:
            super().__init__((), dtype, record_history=False, name="traced")
            self._shape = tuple(shape)
            self.value = value

        def __array__(self, *_: Any, **__: Any) -> Any:
            raise Refusal("code reads the numbers of a tensor", "use keras.ops on tensors")

        __jax_array__ = __tf_tensor__ = __int__ = __float__ = __index__ = __array__

        def __bool__(self) -> bool:
            raise Refusal("code branches on the numbers of a tensor", "use keras.ops.cond or keras.ops.where")

        def __iter__(self) -> Any:
            from keras import ops

            if not self.shape:
                raise TypeError("iteration over a 0-d tensor")
            if isinstance(self.shape[0], Size):
                raise Refusal(
                    "code iterates over an axis of unknown size", "fix the size of that axis, or use keras.ops.scan"
                )
            return iter(ops.unstack(self))

        def __len__(self) -> int:
            return self.shape[0]

        def astype(self, dtype: Any) -> Any:
            """As backends' own tensors have it."""
            from keras import ops

            return ops.cast(self, dtype)

    for name, method in operators(KerasTensor).items():
        setattr(Traced, name, method)
    return Traced


def is_traced(item: Any) -> bool:
    """Whether an object is a traced tensor; imports nothing."""
    return type(item).__name__ == "Traced" and hasattr(item, "_keras_history") is False and hasattr(item, "value")
