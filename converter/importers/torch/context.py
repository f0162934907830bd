"""What a rule sees: one call of an ATen op with its arguments by name, and helpers for dtypes and literals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from converter.importers.base import Context, ImportOptions, Planner, Refusal, RuleTable
from converter.importers.torch.dims import BIG, Sizes
from converter.importers.torch.dtypes import ir_dtype, torch_dtype
from ir.core import Model, Value
from ir.types import Dim, DimExpr, DType, dtypes

Result = Value | Sequence[Value | None]
"""What a rule gives: one value, or one for each result of the op (None for a result that cannot be had)."""
RuleFn = Callable[["TorchContext", "Call"], Result]
rule: RuleTable[RuleFn] = RuleTable("converter/importers/torch")
"""Every rule by the overload's full name: `aten.add.Tensor`."""

_IRRELEVANT = {"memory_format", "device", "pin_memory", "non_blocking", "copy", "implicit", "generator"}
"""Arguments that cannot change a value (where they can, as `generator` of random ops, the rule refuses)."""


class TorchContext(Context):
    """A context with the values of fx nodes."""

    def __init__(self, model: Model, plan: Planner, options: ImportOptions, sizes: Sizes) -> None:
        super().__init__(model, plan, options)
        self.sizes = sizes
        self.env: dict[Any, Any] = {}
        self.numbers: set[Any] = set()  # fx nodes of integers that are no sizes: any sign
        self.differentiable: dict[Value, bool] = {}  # what is known of values: may a gradient pass?
        self.state: dict[str, Value] = {}  # next value of a weight, by name, as far as the graph has been read
        self._places: dict[Any, dict[str, list[Any]]] = {}

    def value(self, item: Any) -> Value:
        """The value of an fx node that holds one tensor; of a weight: the one that it has by now."""
        found = self.env.get(item)
        if not isinstance(found, Value):
            raise Refusal(f"{item} is no tensor here")
        return self.state.get(found.name, found) if found.is_weight and item.op == "placeholder" else found

    def stored(self, item: Any) -> str:
        """The name of the weight that an fx node is, not a copy; refused where it is none."""
        while str(item.target) in ("aten.alias.default", "aten.detach.default"):
            item = item.args[0]
        found = self.env.get(item)
        if item.op == "placeholder" and isinstance(found, Value) and found.is_weight:
            return found.name
        raise Refusal("running statistics that are computed rather than stored")

    def move(self, node: Any, name: str, now: Value) -> None:
        """Give a weight its next value, as an op does that writes into it without a word: what reads the weight after the
        fx node `node` reads that."""
        self.state[name] = now
        for place in self._placeholders(node.graph).get(name, ()):
            views = [u for u in place.users if u < node and _shares_memory(u)]
            if any(node < reader for view in views for reader in view.users):
                self.refuse(f"a view of {name} that is read after the layer has moved it", "take the view afterwards")

    def _placeholders(self, graph: Any) -> dict[str, list[Any]]:
        """The placeholders of a graph by the name of the weight that they are."""
        if graph not in self._places:
            found = self._places[graph] = {}
            for place in graph.find_nodes(op="placeholder"):
                value = self.env.get(place)
                if isinstance(value, Value) and value.is_weight:
                    found.setdefault(value.name, []).append(place)
        return self._places[graph]

    def cast(self, value: Value, to: DType) -> Value:
        """`value` in another dtype; itself when it has it already. A complex number is true unless it is 0."""
        if to.is_bool and value.type.dtype.is_complex:
            return self.b.not_equal(value, self.constant(0, value.type.dtype))
        return value if value.type.dtype == to else self.b.cast(value, to=to)

    def constant(self, number: bool | int | float | complex, dtype: DType) -> Value:
        """A 0-d constant, converted as torch converts Python numbers."""
        import numpy as np

        if dtype.is_integer and isinstance(number, (int, float)):
            wrapped = int(number) & ((1 << dtype.bits) - 1)
            if dtype.kind == "int" and wrapped >= 1 << (dtype.bits - 1):
                wrapped -= 1 << dtype.bits
            number = wrapped
        with np.errstate(over="ignore"):
            return self.b.constant(number, dtype)

    def size_value(self, size: Dim, dtype: DType) -> Value:
        """A size as a 0-d tensor."""
        return self.constant(size, dtype) if isinstance(size, int) else self.cast(self.b.dim(size=size), dtype)

    def shape_of(self, meta: Any) -> tuple[Dim, ...]:
        """The shape of a fake tensor."""
        return self.sizes.shape(meta)


class Call:
    """One op call. Arguments are read by their schema names; those nobody reads must have their defaults."""

    def __init__(self, c: TorchContext, node: Any) -> None:
        self.c = c
        self.node = node
        self.meta = node.meta.get("val")
        schema = node.target._schema
        self._given: dict[str, Any] = {}
        self._defaults: dict[str, Any] = {}
        for i, spec in enumerate(schema.arguments):
            if spec.has_default_value():
                self._defaults[spec.name] = spec.default_value
            if i < len(node.args):
                self._given[spec.name] = node.args[i]
            elif spec.name in node.kwargs:
                self._given[spec.name] = node.kwargs[spec.name]
        self._read: set[str] = set()

    # -- raw ----------------------------------------------------------------------------------------------------
    def raw(self, name: str) -> Any:
        """The argument as torch holds it: an fx node, a literal, a list of either."""
        self._read.add(name)
        if name in self._given:
            return self._given[name]
        if name in self._defaults:
            return self._defaults[name]
        raise Refusal(f"argument {name} is missing")

    def has(self, name: str) -> bool:
        """Whether the op's schema has this argument."""
        return name in self._given or name in self._defaults

    def is_tensor(self, name: str) -> bool:
        """Whether the argument is an fx node that holds a tensor."""
        import torch

        item = self.raw(name)
        return hasattr(item, "meta") and isinstance(item.meta.get("val"), torch.Tensor)

    def unread(self) -> list[str]:
        """Names of arguments that differ from their defaults and that the rule never looked at."""
        return [
            name
            for name, value in self._given.items()
            if name not in self._read and name not in _IRRELEVANT
            and not (name in self._defaults and _equal(value, self._defaults[name]))
            and not (name == "layout" and str(value) == "torch.strided")
        ]  # fmt: skip

    # -- tensors ------------------------------------------------------------------------------------------------
    def value(self, name: str) -> Value:
        """A required tensor."""
        return self.c.value(self.raw(name))

    def optional(self, name: str) -> Value | None:
        """A tensor or None."""
        item = self.raw(name)
        return None if item is None else self.c.value(item)

    def values(self, name: str) -> list[Value]:
        """A list of tensors."""
        return [self.c.value(item) for item in self.raw(name)]

    def meta_of(self, name: str) -> Any:
        """The fake tensor (or literal) behind an argument, for torch's own promotion rules."""
        item = self.raw(name)
        return item.meta["val"] if hasattr(item, "meta") else item

    def operand(self, name: str, dtype: DType) -> Value:
        """A tensor, number or size as a value of `dtype`."""
        return self.as_operand(self.raw(name), dtype)

    def as_operand(self, item: Any, dtype: DType) -> Value:
        """As `operand`, for an item of the argument list."""
        if isinstance(self.c.env.get(item) if hasattr(item, "meta") else None, Value):
            return self.c.cast(self.c.value(item), dtype)
        if hasattr(item, "meta"):
            return self.c.size_value(self._size(item), dtype)
        if isinstance(item, (bool, int, float, complex)):
            return self.c.constant(item, dtype)
        raise Refusal(f"{item!r} cannot be an operand")

    # -- literals -----------------------------------------------------------------------------------------------
    def lit(self, name: str) -> Any:
        """A Python literal: number, bool, string, None, or a tuple of them."""
        item = self.raw(name)
        if isinstance(item, (list, tuple)):
            return tuple(self._literal(name, x) for x in item)
        return self._literal(name, item)

    def _literal(self, name: str, item: Any) -> Any:
        if item is None or isinstance(item, (bool, int, float, complex, str)):
            return item
        if hasattr(item, "meta") and isinstance(item.meta.get("val"), (bool, int, float)):
            return item.meta["val"]
        raise Refusal(f"{name}={item} must be a fixed value")

    def _size(self, item: Any) -> Dim:
        value = item.meta.get("val") if hasattr(item, "meta") else item
        if isinstance(value, int) or (hasattr(value, "node") and type(value).__name__ == "SymInt"):
            return self.c.sizes.dim(value)
        raise Refusal(f"{item} is no size")

    def dim(self, name: str) -> Dim:
        """A size or index: an int or an expression of sizes."""
        return self._size(self.raw(name))

    def dims(self, name: str) -> tuple[Dim, ...]:
        """A list of sizes."""
        item = self.raw(name)
        return tuple(self._size(x) for x in item)

    def bound(self, name: str) -> Dim | None:
        """A slice bound: None and torch's "to the end" are open."""
        item = self.raw(name)
        if item is None:
            return None
        size = self._size(item)
        return None if isinstance(size, int) and size >= BIG else size

    def ints(self, name: str, rank: int | None = None) -> tuple[int, ...]:
        """A list of fixed integers; one integer stands for `rank` equal ones, as torch has it."""
        item = self.lit(name)
        out = tuple(item) if isinstance(item, tuple) else (item,)
        if not all(isinstance(x, int) for x in out):
            raise Refusal(f"{name}={item} must be integers")
        return out * rank if rank is not None and len(out) == 1 else out

    def axes(self, name: str, rank: int) -> tuple[int, ...] | None:
        """Reduction axes: None or an empty list means all. Negative axes are resolved."""
        item = self.raw(name)
        if item is None or (isinstance(item, (list, tuple)) and not item):
            return None
        return tuple(a % max(rank, 1) for a in self.ints(name)) if rank else None

    def axis(self, name: str, rank: int) -> int:
        """One axis, non-negative."""
        found = self.lit(name)
        if not isinstance(found, int):
            raise Refusal(f"{name}={found!r} must be an axis")
        return found % max(rank, 1)

    # -- types --------------------------------------------------------------------------------------------------
    @property
    def dtype(self) -> DType:
        """The dtype torch gives the (first) result."""
        meta = self.meta[0] if isinstance(self.meta, (list, tuple)) else self.meta
        return ir_dtype(meta.dtype)

    @property
    def shape(self) -> tuple[Dim, ...]:
        """The shape torch gives the (first) result."""
        meta = self.meta[0] if isinstance(self.meta, (list, tuple)) else self.meta
        return self.c.shape_of(meta)

    def dtype_arg(self, name: str = "dtype") -> DType | None:
        """An optional dtype argument."""
        item = self.raw(name)
        return None if item is None else ir_dtype(item)

    def promoted(self, *names: str) -> DType:
        """The dtype torch computes in when these arguments meet (tensor, 0-d tensor and number ranks)."""
        from torch._prims_common import ELEMENTWISE_TYPE_PROMOTION_KIND, elementwise_dtypes

        metas = [m for n in names if (m := self.meta_of(n)) is not None]
        kind = ELEMENTWISE_TYPE_PROMOTION_KIND.DEFAULT
        return ir_dtype(elementwise_dtypes(*metas, type_promotion_kind=kind)[1])


def _shares_memory(node: Any) -> bool:
    """Whether the result of an fx node shares the memory of its operand."""
    return any(r.alias_info is not None for r in getattr(getattr(node.target, "_schema", None), "returns", ()))


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b if isinstance(a, bool) or isinstance(b, bool) else a == b


def is_static(dims: Sequence[Dim]) -> bool:
    """Whether all dims are integers."""
    return not any(isinstance(d, DimExpr) for d in dims)


__all__ = ["Call", "Result", "TorchContext", "dtypes", "is_static", "rule", "torch_dtype"]
