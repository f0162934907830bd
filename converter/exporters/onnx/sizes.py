"""Sizes known only at run time, computed in the graph from the shapes that decide them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ir.types import Dim, DimExpr, TensorType, dtypes, substitute, symbols
from ir.types.dim import Func, Symbol, bounds

if TYPE_CHECKING:
    from converter.exporters.onnx.context import Context, Frame, Tensor


class Sizes:
    """Emits sizes as int64 tensors. Each expression is computed once per graph; constants are folded."""

    def __init__(self, context: Context) -> None:
        self.c = context

    # -- where symbols come from ------------------------------------------------------------------------------
    def define(self, tensor: Tensor, type: TensorType) -> None:
        """Make known which symbols the shape of a tensor decides. The first tensor that has a symbol keeps it."""
        for axis, dim in enumerate(type.shape):
            if isinstance(dim, DimExpr) and dim.is_symbol and not self._known(dim.symbol.name):
                self.c.frame.sources[dim.symbol.name] = (tensor, axis)
        for axis, dim in enumerate(type.shape):
            if isinstance(dim, DimExpr) and not dim.is_symbol:
                self._define_solved(tensor, axis, dim)

    def bind(self, name: str, scalar: Tensor) -> None:
        """Make known that a symbol has the value of a 0-d integer tensor."""
        if not self._known(name):
            self.c.frame.sources[name] = (self.c.cast(scalar, dtypes.int64), None)

    def _define_solved(self, tensor: Tensor, axis: int, dim: DimExpr) -> None:
        """`a * n + b` decides n when nothing else does."""
        unknown = [s.name for s in symbols(dim) if not self._known(s.name)]
        if len(unknown) != 1:
            return
        offset, slope = substitute(dim, {unknown[0]: 0}), linear_coefficient(dim, unknown[0])
        if slope is not None:
            self.c.frame.sources[unknown[0]] = (tensor, (axis, slope, offset))

    def known(self, dim: Dim) -> bool:
        """Whether shapes met so far decide a size."""
        return isinstance(dim, int) or all(self._known(s.name) for s in symbols(dim))

    def _known(self, name: str) -> bool:
        return self.c.frame.find(lambda f: f.sources.get(name), (name,)) is not None

    # -- emitting -----------------------------------------------------------------------------------------------
    def scalar(self, dim: Dim) -> Tensor:
        """A 0-d int64 tensor."""
        if isinstance(dim, int):
            return self.c.const(dim, dtypes.int64)
        return self._once(("scalar", dim), lambda: self.c.op("Squeeze", self.one(dim), self.c.ints([0])))

    def vector(self, dims: Sequence[Dim]) -> Tensor:
        """A 1-D int64 tensor. Neighbouring axes of one tensor are read by one Shape node."""
        if all(isinstance(d, int) for d in dims):
            return self.c.ints([d for d in dims if isinstance(d, int)])
        pieces: list[Tensor] = []
        i = 0
        while i < len(dims):
            piece, i = self._run(dims, i)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else self.c.op("Concat", *pieces, axis=0)

    def one(self, dim: Dim) -> Tensor:
        """A 1-D int64 tensor of one element."""
        if isinstance(dim, int):
            return self.c.ints([dim])
        return self._once(("one", dim), lambda: self._compute(dim))

    def _run(self, dims: Sequence[Dim], start: int) -> tuple[Tensor, int]:
        """The longest run of integers, or of neighbouring axes of one tensor, from `start`; and where it ends."""
        end = start
        while end < len(dims) and isinstance(dims[end], int):
            end += 1
        if end > start:
            return self.c.ints([d for d in dims[start:end] if isinstance(d, int)]), end
        place = self._place(dims[start])
        if place is None:
            return self.one(dims[start]), start + 1
        end = start + 1
        while end < len(dims) and self._place(dims[end]) == (place[0], place[1] + end - start):
            end += 1
        return self._shape(place[0], place[1], place[1] + end - start), end

    def _place(self, dim: Dim) -> tuple[Tensor, int] | None:
        """Tensor and axis whose size is the bare symbol `dim`."""
        if not isinstance(dim, DimExpr) or not dim.is_symbol:
            return None
        tensor, axis = self._source(dim.symbol.name)
        return (tensor, axis) if isinstance(axis, int) else None

    def _source(self, name: str) -> tuple[Tensor, Any]:
        found = self.c.frame.find(lambda f: f.sources.get(name), (name,))
        if found is None:
            self.c.refuse(f"the size {name} is needed before any tensor's shape decides it")
        return found

    def _shape(self, tensor: Tensor, start: int, end: int) -> Tensor:
        """Sizes of the axes start .. end - 1."""

        def emit() -> Tensor:
            if self.c.opset >= 15:
                return self.c.op("Shape", tensor, start=start, end=end)
            whole = self._once(("shape", tensor.name), lambda: self.c.op("Shape", tensor))
            return self.c.op("Gather", whole, self.c.ints(range(start, end)), axis=0)

        return self._once(("shape", tensor.name, start, end), emit)

    def _once(self, key: Any, emit: Any) -> Tensor:
        def read(frame: Frame) -> Any:
            return frame.cache.get(key)

        found = self.c.frame.find(read, [s.name for part in key if isinstance(part, DimExpr) for s in symbols(part)])
        if found is None:
            found = self.c.frame.cache[key] = emit()
        return found

    def _compute(self, dim: DimExpr) -> Tensor:
        total: Tensor | None = None
        for mono, coef in dim.terms:
            if not mono:
                term = self.c.ints([abs(coef)])
            else:
                term = self._product(mono, abs(coef))
            if total is None:
                total = term if coef > 0 else self.c.op("Neg", term)
            else:
                total = self.c.op("Add" if coef > 0 else "Sub", total, term)
        assert total is not None
        return total

    def _product(self, mono: Any, coef: int) -> Tensor:
        out: Tensor | None = None
        for atom, power in mono:
            factor = self._atom(atom)
            for _ in range(power):
                out = factor if out is None else self.c.op("Mul", out, factor)
        assert out is not None
        return out if coef == 1 else self.c.op("Mul", out, self.c.ints([coef]))

    def _atom(self, atom: Symbol | Func) -> Tensor:
        if isinstance(atom, Symbol):
            return self._once(("symbol", atom.name), lambda: self._symbol(atom.name))
        return self._once(("func", atom), lambda: self._func(atom))

    def _symbol(self, name: str) -> Tensor:
        tensor, axis = self._source(name)
        if axis is None:
            return self.c.op("Unsqueeze", tensor, self.c.ints([0]))
        if isinstance(axis, int):
            return self._shape(tensor, axis, axis + 1)
        position, slope, offset = axis
        size = self._shape(tensor, position, position + 1)
        rest = size if offset == 0 else self.c.op("Sub", size, self.one(offset))
        return self.c.op("Div", rest, self.c.ints([slope])) if slope != 1 else rest

    def _func(self, atom: Func) -> Tensor:
        left, right = self.one(atom.args[0]), self.one(atom.args[1])
        if atom.kind in ("min", "max"):
            return self.c.op(atom.kind.capitalize(), left, right)
        if atom.kind == "mod":
            return self.c.op("Mod", left, right, fmod=0)
        low, divisor = bounds(atom.args[0])[0], bounds(atom.args[1])[0]
        if low is None or low < 0 or divisor is None or divisor < 0:  # Div truncates: make it exact first
            left = self.c.op("Sub", left, self.c.op("Mod", left, right, fmod=0))
        return self.c.op("Div", left, right)


def linear_coefficient(dim: DimExpr, name: str) -> int | None:
    """The integer a where `dim` is a * name + something without it; None where it is not of that form."""
    slope: int | None = None
    for mono, coef in dim.terms:
        inside = {s.name for atom, _ in mono for s in _atom_symbols(atom)}
        if name not in inside:
            continue
        if len(mono) != 1 or mono[0][1] != 1 or not isinstance(mono[0][0], Symbol) or slope is not None:
            return None
        slope = coef
    return slope


def _atom_symbols(atom: Symbol | Func) -> list[Symbol]:
    if isinstance(atom, Symbol):
        return [atom]
    return [s for arg in atom.args for s in symbols(arg)]
