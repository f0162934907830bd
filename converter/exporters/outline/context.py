"""What a rule sees while a method is written: values as expressions, settings as holes, sizes, weights, helpers."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import MISSING, Attr, Expr, Hole, Index, Lit, Name, Slice, Tup, Unary, Var, hole
from converter.exporters.code.names import Namespace, identifier
from converter.exporters.code.numbers import scalar
from converter.exporters.outline.dialect import Dialect
from converter.exporters.outline.instances import Instance, own_name
from converter.exporters.outline.regions import Region
from ir.core import Model, Node, Value
from ir.types import Dim, DimExpr, DType, TensorType
from ir.types.dim import Func, Symbol, symbols

SELF = Name("self")


@dataclass(eq=False)
class Buffer:
    """A constant tensor of a class."""

    attr: str
    value: np.ndarray


@dataclass(eq=False)
class Shared:
    """What all methods of one package share."""

    dialect: Dialect
    model: Model
    tree: Instance
    leaves: Mapping[Node, Instance]
    strict: bool = False
    notes: dict[str, None] = field(default_factory=dict)
    helpers: dict[str, None] = field(default_factory=dict)
    sizes: dict[Region, list[DimExpr]] = field(default_factory=dict)
    size_names: dict[Region, list[str]] = field(default_factory=dict)
    extra_weights: dict[Region, list[Value]] = field(default_factory=dict)
    containers: dict[tuple[str, ...], int] = field(default_factory=dict)
    regions: list[Region] = field(default_factory=list)

    @functools.cached_property
    def entries(self) -> Counter[tuple[Value, str]]:
        """How many regions of a class a value enters."""
        return Counter((value, region.cls) for region in self.regions for value in set(region.inputs))

    def attribute(self, parts: Iterable[str], base: tuple[str, ...] = ()) -> Expr:
        """`self.layers[0].conv` from path parts relative to the module at `base`."""
        expr: Expr = SELF
        at = base
        for part in parts:
            expr = self.dialect.step(self, at, expr, part)
            at = (*at, part)
        return expr

    def context(self, region: Region) -> Context:
        """What writes the method of a region."""
        return self.dialect.context(self, region)


class Context:
    """Writes one method. Rules get it with the node and return the expression of each output.

    A framework's own says how its dtypes, shapes and attribute paths are spelled."""

    def __init__(self, shared: Shared, region: Region) -> None:
        self.shared = shared
        self.model = shared.model
        self.region = region
        self.values: dict[Value, Expr] = {}
        self.body: list[s.Stmt] = []
        self.buffers: list[Buffer] = []
        self._constants: dict[tuple[Any, ...], str] = {}  # names of buffers by content
        self.size_arguments: dict[DimExpr, Var] = {}
        self._sizes: dict[Dim, Var] = {}
        self._size_reads: dict[Var, list[tuple[int, Var]]] = {}
        self._known: list[Value] = []
        self.node: Node | None = None
        self.write: Callable[[Node], None] = _no_writer

    # -- values -----------------------------------------------------------------------------------------------------
    def x(self, value: Value) -> Expr:
        """A value as a tensor expression."""
        if value in self.values:
            return self.values[value]
        if value.is_weight:
            return self.weight(value)
        if value.producer is not None and value.producer.op.name == "constant":
            return self.constant(value.producer.attrs["value"].value, value.type)
        raise KeyError(f"{value!r} is read before it is written")

    def operand(self, node: Node, name: str) -> Expr | None:
        """An operand by name; None when it is absent."""
        value = node.operands[name]
        return None if value is None else self.x(value)

    def literal(self, value: Value) -> Hole | None:
        """The Python number a 0-d constant is, if it is one."""
        if value.producer is None or value.producer.op.name != "constant" or value.type.shape:
            return None
        number = scalar(value.producer.attrs["value"].value, value.type.dtype)
        return None if number is None else hole(number, "value")

    def number_or_x(self, value: Value) -> Expr:
        """A Python number where the value is a constant one, else the tensor."""
        found = self.literal(value)
        return self.x(value) if found is None else found

    def constant(self, array: np.ndarray, type: TensorType) -> Expr:
        """A constant tensor, kept by the class."""
        key = (array.dtype, array.shape, hashlib.blake2b(array.tobytes()).digest())
        if key not in self._constants:
            self._constants[key] = self._attributes.new(f"constant_{len(self.buffers) + 1}")
            self.buffers.append(Buffer(self._constants[key], array))
        return Attr(SELF, self._constants[key])

    @functools.cached_property
    def _attributes(self) -> Namespace:
        """Names of the module's weights and children."""
        weights = (tuple(n.split(".")) for w in self.model.weights.values() for n in (w.name, *w.aliases))
        paths = (*weights, *(i.path for i in self.shared.leaves.values()), *(r.path for r in self.shared.regions))
        own = self.region.path
        return Namespace(p[len(own)] for p in paths if len(p) > len(own) and p[: len(own)] == own)

    def weight(self, value: Value) -> Expr:
        """A weight read in place: `self.block.weight`."""
        parts = own_name(self.model, value, self.region.path)
        if parts is None:
            raise KeyError(f"weight {value.name} does not belong to {'.'.join(self.region.path)}")
        return self.attribute(parts)

    def attribute(self, parts: Iterable[str]) -> Expr:
        """`self.layers[0].conv` from path parts relative to this module."""
        return self.shared.attribute(parts, self.region.path)

    def module(self, instance: Instance) -> Expr:
        """The expression of a module below this one."""
        return self.attribute(instance.path[len(self.region.path) :])

    # -- settings ---------------------------------------------------------------------------------------------------
    def attr(self, name: str, hint: str = "", default: Any = MISSING) -> Hole:
        """An attribute of the current node as a hole."""
        assert self.node is not None
        return hole(self.node.attrs[name], hint or name, default)

    def dtype(self, dtype: DType) -> Expr:
        """A dtype as the framework spells it."""
        raise NotImplementedError

    def shape_of(self, tensor: Expr) -> Expr:
        """The sizes of a tensor."""
        return Attr(tensor, "shape")

    def helper(self, name: str) -> Name:
        """An emitted helper function, printed once at the top of the file."""
        self.shared.helpers[name] = None
        return Name(name)

    @property
    def strict(self) -> bool:
        """Whether emitted code checks what the framework would treat in another way (the strict index policy)."""
        return self.shared.strict

    def note(self, text: str) -> None:
        """Tell the user what the emitted code does not carry over; once however often it applies."""
        self.shared.notes[text] = None

    def parameters(self) -> list[s.Param]:
        """Arguments that the method takes beside its tensors and sizes."""
        return []

    def call_settings(self, region: Region) -> dict[str, Expr]:
        """What the call of an inner module is given beside its tensors and sizes."""
        return {}

    def bare_call(self, call: Any) -> Any:
        """A call without what containers of the framework hand on to each module by themselves."""
        return call

    # -- statements -------------------------------------------------------------------------------------------------
    def assign(self, value: Expr, hint: str = "", strong: bool = False, fold: bool = True, pure: bool = True) -> Var:
        """Bind an expression to a new variable."""
        var = Var(hint, strong, fold=fold)
        self.body.append(s.Assign(var, value, pure))
        return var

    def require(self, test: Expr, message: Expr) -> None:
        """Emit a check: the code raises an error with this message where the test fails."""
        self.body.append(s.Check(test, message))

    def unpack(self, value: Expr, wanted: Iterable[bool], hint: str = "") -> tuple[Expr | None, ...]:
        """Bind the parts of a tuple; those not wanted are `_`, and None in what is returned."""
        parts = [Var(f"{hint}_{i}" if hint else "") if keep else None for i, keep in enumerate(wanted)]
        self.body.append(s.Assign(Tup(tuple(p or Name("_") for p in parts)), value))
        return tuple(parts)

    def name_once(self, value: Expr, hint: str = "") -> Expr:
        """The expression itself when it is a name or number, else a variable: for expressions a rule uses twice."""
        return value if isinstance(value, (Var, Name, Lit)) else self.assign(value, hint)

    @contextmanager
    def block(self) -> Iterator[list[s.Stmt]]:
        """Statements made inside go to a block of their own; sizes first needed there are not known outside."""
        outer, self.body = self.body, []
        known, sizes = len(self._known), dict(self._sizes)
        try:
            yield self.body
        finally:
            self.body = outer
            del self._known[known:]
            lasting = {size for wanted in self._size_reads.values() for _, size in wanted} | set(
                self.size_arguments.values()
            )
            self._sizes = {k: v for k, v in self._sizes.items() if k in sizes or v in lasting}

    # -- sizes ------------------------------------------------------------------------------------------------------
    def know(self, value: Value, expr: Expr) -> None:
        """From here on `value` is `expr`, and its shape may be asked for."""
        self.values[value] = expr
        if isinstance(expr, Var) and value.type.rank:
            self._known.append(value)

    def dim(self, size: Dim, hint: str = "size") -> Expr:
        """A size as an expression: a literal, or computed from shapes at hand; the caller hands in what is not."""
        if not isinstance(size, DimExpr):
            return hole(int(size), hint)
        return self._size(size)

    def shape(self, shape: Iterable[Dim]) -> list[Expr]:
        """The dims of a shape."""
        return [self.dim(d) for d in shape]

    def _size(self, size: DimExpr) -> Expr:
        if size in self._sizes:
            return self._sizes[size]
        found = self._read_from_shape(size)
        if found is None and size.is_symbol:
            found = self._solve(size.symbol) or self._argument(size.symbol)
        return self._polynomial(size) if found is None else found

    def _read_from_shape(self, size: DimExpr) -> Expr | None:
        hint = identifier(str(size)) if size.is_symbol else "size"
        for value in self.region.inputs:
            var = self.values.get(value)
            if isinstance(var, Var) and size in value.type.shape:
                found = self._sizes[size] = Var(hint, strong=True)
                self._size_reads.setdefault(var, []).append((value.type.shape.index(size), found))
                return found
        for value in self._known:
            var = self.values.get(value)
            if isinstance(var, Var) and value not in self.region.inputs and size in value.type.shape:
                read = Index(self.shape_of(var), (Lit(value.type.shape.index(size)),))
                self._sizes[size] = self.assign(read, hint, strong=True)
                return self._sizes[size]
        return None

    def _solve(self, symbol: Symbol) -> Expr | None:
        """The symbol from a dim of the form a * symbol + b."""
        for value in [*self.region.inputs, *self._known]:
            if not isinstance(self.values.get(value), Var):
                continue
            for axis, size in enumerate(value.type.shape):
                solved = _linear(size, symbol)
                if solved is not None:
                    scale, offset = solved
                    read: Expr = Index(self.shape_of(self.values[value]), (Lit(axis),))
                    read = read - offset if offset else read
                    read = read // scale if scale != 1 else read
                    var = self._sizes[_bare(symbol)] = self.assign(read, identifier(symbol.name), strong=True)
                    return var
        return None

    def _argument(self, symbol: Symbol) -> Expr:
        var = Var("size" if self.shared.dialect.sizes_by_name else identifier(symbol.name), strong=True)
        size = _bare(symbol)
        self.size_arguments[size] = self._sizes[size] = var
        return var

    def bind_size(self, symbol: str, value: Expr) -> Var:
        """A data-dependent size becomes known here."""
        var = self.assign(value, identifier(symbol), strong=True, fold=False)
        self._sizes[_bare(Symbol(symbol, opaque=True))] = var
        return var

    def _polynomial(self, size: DimExpr) -> Expr:
        total: Expr | None = None
        for monomial, coefficient in size.terms:
            factors: list[Expr] = [self._atom(atom) for atom, power in monomial for _ in range(power)]
            if abs(coefficient) != 1 or not factors:
                factors.append(Lit(abs(coefficient)))
            term = factors[0]
            for factor in factors[1:]:
                term = term * factor
            if total is None:
                total = Unary("-", term) if coefficient < 0 else term
            else:
                total = total - term if coefficient < 0 else total + term
        assert total is not None
        return total

    def _atom(self, atom: Symbol | Func) -> Expr:
        if isinstance(atom, Symbol):
            return self._size(_bare(atom))
        a, b = (self._size(x) if isinstance(x, DimExpr) else Lit(x) for x in atom.args)
        if atom.kind in ("min", "max"):
            return Name(atom.kind)(a, b)
        return a // b if atom.kind == "floordiv" else a % b

    def size_statements(self) -> list[s.Stmt]:
        """Statements for the top of the method: `batch, length = x.shape[:2]`."""
        out: list[s.Stmt] = []
        for var, wanted in self._size_reads.items():
            rank = next(v.type.rank for v in self.region.inputs if self.values.get(v) is var)
            shape = self.shape_of(var)
            if len(wanted) == 1:
                axis, size = wanted[0]
                out.append(s.Assign(size, Index(shape, (Lit(axis),))))
                continue
            by_axis = dict(wanted)
            last = max(by_axis)
            items = tuple(by_axis.get(i, Name("_")) for i in range(last + 1))
            source = shape if last + 1 == rank else Index(shape, (Slice(None, Lit(last + 1)),))
            out.append(s.Assign(Tup(items), source))
        return out


def _bare(symbol: Symbol) -> DimExpr:
    return DimExpr(((((symbol, 1),), 1),))


def _no_writer(node: Node) -> None:
    raise RuntimeError(f"nothing writes {node!r} here")


def _linear(size: Dim, symbol: Symbol) -> tuple[int, int] | None:
    """(a, b) where size = a * symbol + b with a > 0."""
    if not isinstance(size, DimExpr) or {x.name for x in symbols(size)} != {symbol.name}:
        return None
    terms = dict(size.terms)
    offset = terms.pop((), 0)
    if list(terms) != [((symbol, 1),)]:
        return None
    (scale,) = terms.values()
    return (scale, offset) if scale > 0 else None


__all__ = ["SELF", "Buffer", "Context", "Shared"]
