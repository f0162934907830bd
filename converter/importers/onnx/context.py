"""What an ONNX rule works with: operands as values or known content, attributes with their declared defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from converter.importers.base import Context
from converter.importers.onnx.values import Element, Ref, Sequence, is_dim
from ir.core import Builder, Value
from ir.types import Dim, DType, TensorType, dtypes, symbol

if TYPE_CHECKING:
    import onnx

    from converter.importers.onnx.graph import Frame, GraphImporter


class OnnxContext(Context):
    """One node under import.

    Every attribute that a rule does not read is refused after it ran: nothing is dropped. `version` is the opset since
    which the node's definition holds.
    """

    def __init__(
        self,
        importer: GraphImporter,
        frame: Frame,
        node: onnx.NodeProto,
        schema: onnx.defs.OpSchema,
        attrs: dict[str, Any],
    ) -> None:
        super().__init__(importer.model, importer.plan, importer.options)
        self.importer, self.frame, self.node, self.schema = importer, frame, node, schema
        self.b: Builder = frame.builder
        self.version: int = schema.since_version
        self.inputs: list[Any] = [frame.find(n) if n else None for n in node.input]  # Ref, Sequence or None
        self._attrs = attrs
        self._read: set[str] = set()

    # -- attributes -------------------------------------------------------------------------------------------
    def attr(self, name: str) -> Any:
        """An attribute: int, float, str, list, Data, GraphProto; the declared default, or None when there is none."""
        self._read.add(name)
        if name in self._attrs:
            return self._attrs[name]
        declared = self.schema.attributes.get(name)
        if declared is None:
            raise KeyError(f"{self.schema.name}-{self.version} has no attribute {name}")
        if declared.required:
            self.refuse(f"the required attribute {name} is missing")
        return self.importer.attributes.value(declared.default_value) if declared.default_value.name else None

    def gives(self, name: str) -> bool:
        """Whether the node gives an attribute itself."""
        return name in self._attrs

    def only(self, name: str, *allowed: Any, advice: str = "") -> Any:
        """An attribute that has one of some values; refuses others, naming the value."""
        value = self.attr(name)
        if value not in allowed:
            self.refuse(f"{name}={value!r} is none of {', '.join(map(repr, allowed))}", advice)
        return value

    def ignore(self, *names: str) -> None:
        """State that attributes have no effect on what this node computes."""
        self._read.update(names)

    def unread(self) -> list[str]:
        """Attributes on the node that the rule did not look at."""
        return [n for n in self._attrs if n not in self._read]

    # -- operands ---------------------------------------------------------------------------------------------
    def has(self, index: int) -> bool:
        """Whether an optional input is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def ref(self, index: int) -> Ref:
        """An input by position; refuses when it is absent."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if found is None:
            self.refuse(f"input {index} is missing")
        if isinstance(found, Sequence):
            self.refuse(f"input {index} is a sequence")
        return found

    def sequence(self, index: int) -> Sequence:
        """An input that is a sequence; refuses one that is not known element by element."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(found, Sequence):
            self.refuse(f"input {index} is no sequence whose elements are known at conversion")
        return found

    def x(self, index: int = 0) -> Value:
        """An input as a value."""
        return self.value(self.ref(index))

    def opt(self, index: int) -> Value | None:
        """An optional input as a value, None when absent."""
        return self.x(index) if self.has(index) else None

    def xs(self) -> list[Value]:
        """Every input as a value."""
        return [self.x(i) for i in range(len(self.inputs))]

    def value(self, ref: Ref) -> Value:
        """A reference as a value of the current graph."""
        return self.importer.value(ref, self.frame)

    def type(self, index: int = 0) -> TensorType:
        """Type of an input."""
        return self.ref(index).type

    def rank(self, index: int = 0) -> int:
        """Rank of an input."""
        return self.ref(index).type.rank

    def const(self, index: int) -> np.ndarray | None:
        """The content of a small input known at conversion, in its dtype; None when absent or unknown."""
        return self.ref(index).concrete() if self.has(index) else None

    def fixed(self, index: int, what: str) -> np.ndarray:
        """`const`, refusing when the input is only known at run time."""
        found = self.const(index)
        if found is None:
            self.refuse(f"{what} is computed at run time")
        return found

    def ints(self, index: int, what: str) -> tuple[int, ...]:
        """A small integer tensor known at conversion, flat."""
        return tuple(int(v) for v in self.fixed(index, what).reshape(-1))

    def axes(self, attribute: str, index: int, since: int) -> tuple[int, ...] | None:
        """Axes, which were an attribute before version `since` and an input from then on; None when not given."""
        if self.version < since:
            values = self.attr(attribute)
            return None if values is None else tuple(values)
        return self.ints(index, "the axes input") if self.has(index) else None

    def dims(self, index: int, what: str) -> tuple[Dim, ...]:
        """A vector of sizes: integers, size expressions, or opaque sizes bound to the run-time elements."""
        ref = self.ref(index)
        if ref.type.rank > 1 or not ref.dtype.is_integer:
            self.refuse(f"{what} must be a vector of integers, got {ref.type}")
        return tuple(self.dim(e) for e in self.elements(ref, what).reshape(-1))

    def elements(self, ref: Ref, what: str) -> np.ndarray:
        """The elements of a small integer tensor: known ones, and `Element` for those only the run knows."""
        found = ref.elements()
        if found is None:
            self.refuse(f"{what} has a length that is not known at conversion ({ref.type})")
        return found

    def dim(self, element: Any) -> Dim:
        """An element as a size; one that only the run knows is bound to an opaque symbol (and must not be negative)."""
        if is_dim(element):
            return element
        if not isinstance(element, Element):
            self.refuse(f"{element!r} is no size")
        graph = self.b.graph
        if graph not in element.dims:
            name = self.importer.fresh_symbol("n")
            scalar = self.element_value(element)
            if scalar.type.dtype != dtypes.int64:
                scalar = self.b.cast(scalar, to=dtypes.int64)
            self.b.bind_dim(scalar, symbol=name)
            element.dims[graph] = symbol(name, opaque=True)
        return element.dims[graph]

    def element_value(self, element: Element) -> Value:
        """A run-time element as a 0-d value."""
        value = self.value(element.source)
        for position in element.index:
            value = self.b.select(value, axis=0, index=position)
        return value

    # -- results ----------------------------------------------------------------------------------------------
    def used(self, index: int) -> bool:
        """Whether the node names its output `index`."""
        return index < len(self.node.output) and bool(self.node.output[index])

    def no_output(self, index: int, reason: str) -> None:
        """Refuse, with a reason, when an output is named that is not computed."""
        if self.used(index):
            self.refuse(reason)

    def cast(self, value: Value, to: DType) -> Value:
        """A cast, left out where it changes nothing."""
        return value if value.type.dtype == to else self.b.cast(value, to=to)
