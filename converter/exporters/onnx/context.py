"""What a rule sees: tensors by name, and the means to add nodes, constants and sizes."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from converter.exporters.onnx import NEWEST_OPSET
from converter.exporters.onnx.dtypes import onnx_type, raw_bytes, schema_dtype
from converter.exporters.onnx.kernels import compute_dtype
from converter.exporters.onnx.names import Names, scoped
from converter.exporters.onnx.sizes import Sizes
from ir.core import Graph, Node, Origin, Value
from ir.types import Dim, DType, TensorType, dtypes

if TYPE_CHECKING:
    import onnx

SCOPE_KEY = "isomorph.scope"
"""Node metadata: JSON list of [name, class, call] of the module path."""


class Refusal(Exception):
    """A rule cannot write a node exactly; the message says why."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of the ONNX graph."""

    name: str
    dtype: DType


@dataclass
class Frame:
    """One ONNX graph under construction: the main one or a body. Bodies see the tensors of the frames around them, but for
    the sizes that are `fresh`: symbols that mean something else from here inwards."""

    parent: Frame | None = None
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    values: dict[Value, Tensor] = field(default_factory=dict)
    cache: dict[Any, Any] = field(default_factory=dict)  # tensors made once: casts, sizes
    sources: dict[str, tuple[Tensor, Any]] = field(default_factory=dict)  # symbol -> where its value is read
    fresh: frozenset[str] = frozenset()

    def find(self, read: Callable[[Frame], Any], names: Collection[str] = ()) -> Any:
        """The first answer other than None, from here outwards; as far as the symbols `names` mean the same."""
        frame: Frame | None = self
        while frame is not None:
            if (found := read(frame)) is not None:
                return found
            if not frame.fresh.isdisjoint(names):
                return None
            frame = frame.parent
        return None


@dataclass(frozen=True)
class Formal:
    """An input of a body: the IR value it stands for (None: one that only ONNX has), its type, and a name for it."""

    value: Value | None
    type: TensorType
    hint: str


Bound = Sequence[tuple[Value, Tensor]]
Finish = Callable[[list[Tensor], list[Tensor]], Sequence[tuple[Tensor, TensorType]]]
"""(tensors of the body's outputs, tensors of its inputs) -> what ONNX's body returns, with types."""


class BodyWriter(Protocol):
    """Writes the bodies of control flow."""

    def body(
        self, graph: Graph, label: str, formals: Sequence[Formal], bound: Bound, finish: Finish
    ) -> onnx.GraphProto:
        """A body as a GraphProto."""

    def inline(self, graph: Graph, bound: Bound) -> Any:
        """A body's nodes in the current frame."""


class Context:
    """State of one export. Rules call `x` for operands, `op` for nodes, `const` and `sizes` for constants and sizes."""

    def __init__(self, opset: int, names: Names) -> None:
        self.opset = opset
        self.names = names
        self.frame = Frame()
        self.initializers: list[onnx.TensorProto] = []
        self.notes: list[str] = []
        self.source = ""  # the framework the model was read from, where known
        self.sizes = Sizes(self)
        self.origin = Origin()
        self.bodies: BodyWriter  # set by the writer
        self._constants: dict[tuple[str, tuple[int, ...], bytes], Tensor] = {}

    # -- operands ---------------------------------------------------------------------------------------------
    def value(self, value: Value) -> Tensor:
        """The tensor of an IR value."""
        found = self.frame.find(lambda f: f.values.get(value))
        if found is None:
            raise KeyError(f"{value!r} has no tensor yet")
        return found

    def x(self, node: Node, name: str) -> Tensor:
        """The tensor of a required operand."""
        return self.value(node.operand(name))

    def maybe(self, node: Node, name: str) -> Tensor | None:
        """The tensor of an optional operand, None when it is absent."""
        value = node.operands[name]
        return None if value is None else self.value(value)

    def inputs(self, node: Node) -> list[Tensor]:
        """The tensors of all present operands."""
        return [self.value(v) for v in node.inputs]

    # -- messages ---------------------------------------------------------------------------------------------
    def note(self, text: str) -> None:
        """Tell the user what the ONNX model does not carry over; once however often it applies."""
        if text not in self.notes:
            self.notes.append(text)

    @staticmethod
    def refuse(reason: str) -> Any:
        """Stop this rule: the node cannot be written exactly."""
        raise Refusal(reason)

    def needs(self, opset: int, what: str) -> None:
        """Refuse `what` below an opset."""
        if self.opset < opset:
            self.refuse(f"{what} needs opset {opset}; this export has opset {self.opset}")

    def admits(self, kind: str, variable: str, *types: DType) -> None:
        """Refuse element types that an operator's schema does not list at this opset, naming the one from which it does."""
        for dtype in types:
            opsets = range(self.opset, NEWEST_OPSET + 1)
            first = next((n for n in opsets if dtype.name in _allowed_dtypes(kind, n, variable)), None)
            if first is None:
                self.refuse(f"ONNX's {kind} takes no {dtype}")
            assert first is not None
            self.needs(first, f"{kind} of {dtype}")

    # -- constants --------------------------------------------------------------------------------------------
    def const(self, value: Any, dtype: DType | None = None) -> Tensor:
        """A constant tensor; equal ones are one initialiser."""
        array = np.asarray(value) if dtype is None else np.asarray(value).astype(dtype.numpy)
        kind = dtypes.dtype(array.dtype)
        data = bytes(raw_bytes(array, kind))
        key = (kind.name, array.shape, data)
        if key not in self._constants:
            name = self.names.unique(f"const/{_label(array, kind)}")
            self.initializers.append(_initializer(name, kind, array.shape, data))
            self._constants[key] = Tensor(name, kind)
        return self._constants[key]

    def ints(self, values: Sequence[int]) -> Tensor:
        """A constant int64 vector."""
        return self.const(np.array(list(values), np.int64))

    def like(self, value: Any, peer: Tensor) -> Tensor:
        """A constant scalar of a tensor's dtype."""
        return self.const(value, peer.dtype)

    def dims(self, dims: Sequence[Dim]) -> Tensor:
        """An int64 vector of sizes: constant where all are integers, else computed."""
        return self.sizes.vector(dims)

    # -- nodes ------------------------------------------------------------------------------------------------
    def op(self, kind: str, *inputs: Tensor | None, dtype: DType | None = None, outputs: int = 1, **attrs: Any) -> Any:
        """Add a node and return its output tensor (a tuple of them for several).

        Where the kernel does not take an element type, inputs are cast to a wider one and outputs back. `dtype` is that
        of outputs the schema does not tie to an input. Raises Refusal where no type fits.
        """
        schema = _schema(kind, self.opset)
        variables = self._variables(schema, inputs)
        wide = {var: self._compute(kind, var, schema, d) for var, d in variables.items()}
        given = [
            None if t is None else self.cast(t, wide.get(_variable(schema.inputs, i), t.dtype))
            for i, t in enumerate(inputs)
        ]
        made, results = [], []
        for i in range(outputs):
            var = _variable(schema.outputs, i)
            declared = variables.get(var) or schema_dtype(var) or dtype or _only_dtype(schema, var)
            if declared is None:
                raise AssertionError(f"{kind}: output {i} has no known dtype")
            made.append(Tensor("", wide.get(var, declared)))
            results.append(declared)
        tensors = self.raw(kind, given, [t.dtype for t in made], attrs)
        final = tuple(self.cast(t, d) for t, d in zip(tensors, results, strict=True))
        return final[0] if outputs == 1 else final

    def raw(
        self, kind: str, inputs: Sequence[Tensor | None], dtypes_out: Sequence[DType], attrs: Mapping[str, Any]
    ) -> list[Tensor]:
        """Add a node as it is."""
        from onnx import helper

        name = self.names.unique(scoped(self.origin.path, kind))
        outs = [name] if len(dtypes_out) == 1 else [self.names.unique(f"{name}.{i}") for i in range(len(dtypes_out))]
        listed = [t.name if t is not None else "" for t in inputs]
        least = _schema(kind, self.opset).min_input
        while len(listed) > least and not listed[-1]:
            listed.pop()
        node = helper.make_node(kind, listed, outs, name=name, **{k: v for k, v in attrs.items() if v is not None})
        if self.origin.path:
            prop = node.metadata_props.add()
            prop.key, prop.value = SCOPE_KEY, json.dumps([[s.name, s.cls, s.call] for s in self.origin.path])
        self.frame.nodes.append(node)
        return [Tensor(n, d) for n, d in zip(outs, dtypes_out, strict=True)]

    def cast(self, tensor: Tensor, dtype: DType) -> Tensor:
        """The tensor in another dtype; the same cast is made once."""
        if tensor.dtype == dtype:
            return tensor
        key = ("cast", tensor.name, dtype)
        found = self.frame.find(lambda f: f.cache.get(key))
        if found is None:
            self.admits("Cast", "T1", tensor.dtype)
            self.admits("Cast", "T2", dtype)
            attrs, source = {"to": onnx_type(dtype)}, tensor
            if dtype.is_float and dtype.bits == 8:
                attrs["saturate"] = 0  # the IR's cast overflows to infinity or NaN
                source = self._overflowed(tensor, dtype)
            found = self.frame.cache[key] = self.raw("Cast", [source], [dtype], attrs)[0]
        return found

    def _overflowed(self, tensor: Tensor, dtype: DType) -> Tensor:
        """Infinite where a float of 8 bits overflows: ONNX Runtime takes some of the numbers just above for its largest
        (480 as 448), others for NaN where there is an infinity."""
        if tensor.dtype.is_bool or tensor.dtype.bits <= 8:
            return tensor
        x = tensor if tensor.dtype.is_float else self.cast(tensor, dtypes.float32)
        compare, limit = _overflow(dtype)
        huge = self.op(compare, self.op("Abs", x), self.like(limit, x))
        return self.op("Where", huge, self.op("Mul", self.op("Sign", x), self.like(np.inf, x)), x)

    def _variables(self, schema: Any, inputs: Sequence[Tensor | None]) -> dict[str, DType]:
        names = {c.type_param_str for c in schema.type_constraints}
        found: dict[str, DType] = {}
        for i, tensor in enumerate(inputs):
            if tensor is None:
                continue
            var = _variable(schema.inputs, i)
            if var in names and found.setdefault(var, tensor.dtype) != tensor.dtype:
                raise AssertionError(f"{schema.name}: {var} is {found[var]} and {tensor.dtype}")
        return found

    def _compute(self, kind: str, var: str, schema: Any, dtype: DType) -> DType:
        wide = compute_dtype(kind, var, self.opset, dtype, _allowed_dtypes(kind, self.opset, var))
        if wide is None:
            self.refuse(f"ONNX Runtime has no kernel of {kind} for {dtype}, and no wider type computes it exactly")
        assert wide is not None
        return wide


def _allowed(schema: Any, var: str) -> list[str]:
    return next((list(c.allowed_type_strs) for c in schema.type_constraints if c.type_param_str == var), [])


@functools.cache
def _allowed_dtypes(kind: str, opset: int, var: str) -> frozenset[str]:
    """The dtypes that a type variable of an operator admits, by name."""
    return frozenset(d.name for t in _allowed(_schema(kind, opset), var) if (d := schema_dtype(t)) is not None)


def _only_dtype(schema: Any, var: str) -> DType | None:
    """The dtype of a type variable that admits one."""
    allowed = _allowed(schema, var)
    return schema_dtype(allowed[0]) if len(allowed) == 1 else None


@functools.cache
def _schema(kind: str, opset: int) -> Any:
    from onnx import defs

    return defs.get_schema(kind, opset, "")


def _overflow(dtype: DType) -> tuple[str, float]:
    """The comparison and the number that tell which magnitudes a float of 8 bits has no finite number for."""
    import ml_dtypes

    largest = ml_dtypes.finfo(dtype.numpy).max
    half_step = (float(largest) - float(np.nextafter(largest, dtype.numpy.type(0)))) / 2
    limit = float(largest) + half_step
    return ("Greater" if np.isfinite(np.float32(limit).astype(dtype.numpy)) else "GreaterOrEqual"), limit


def _variable(specs: Any, index: int) -> str:
    return specs[min(index, len(specs) - 1)].type_str


def _initializer(name: str, dtype: DType, shape: Sequence[int], data: bytes) -> onnx.TensorProto:
    from onnx import TensorProto

    return TensorProto(name=name, data_type=onnx_type(dtype), dims=list(shape), raw_data=data)


def _label(array: np.ndarray, dtype: DType) -> str:
    """A short readable name of a constant: `int64[1,-1]`, or its type and shape."""
    if array.size <= 4 and array.ndim <= 1:
        return str(array.tolist()).replace(" ", "") + f":{dtype}"
    return f"{dtype}[{'x'.join(map(str, array.shape))}]"
