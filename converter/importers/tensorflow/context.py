"""What a TensorFlow rule works with: operands as values or known content, attributes with their declared defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from converter.importers.partial.context import PartialContext
from converter.importers.partial.values import Ref
from converter.importers.tensorflow.definitions import Definition
from converter.importers.tensorflow.handles import Variable
from converter.importers.tensorflow.quantised import Quantised
from converter.importers.tensorflow.wiring import Wired
from ir.core import Builder, Value
from ir.types import DType, dtypes

if TYPE_CHECKING:
    from converter.importers.tensorflow.graph import Frame, GraphImporter


class TensorflowContext(PartialContext):
    """One node under import.

    `node` is the NodeDef, `op` the name of its raw op, `outputs` the number of its flat outputs. Every attribute that a rule
    does not read is refused after it ran, those aside that have their declared default, that restate types and counts of
    operands, and TensorFlow's own (`_class`, `_output_shapes`): nothing is dropped.
    """

    def __init__(
        self,
        importer: GraphImporter,
        frame: Frame,
        wired: Wired,
        definition: Definition,
        inputs: list[Any],
        attrs: dict[str, Any],
    ) -> None:
        super().__init__(importer.model, importer.plan, importer.options, inputs)
        self.importer, self.frame, self.wired, self.definition = importer, frame, wired, definition
        self.node = wired.node
        self.op: str = self.node.op
        self.outputs = definition.outputs(self.node)
        self.b: Builder = frame.builder
        self._attrs = attrs
        self._read: set[str] = set()

    # -- attributes -------------------------------------------------------------------------------------------
    def attr(self, name: str) -> Any:
        """An attribute: bool, int, float, str, DType (of an attribute of kind `type`), a shape as a tuple (None for an
        unknown size; None for an unknown rank), a list of those, or the name of a function (`Function`); the declared
        default where the node does not give it. A float is kept in float32: where nothing wider is computed, it is the
        shortest number that means the same there. Raises KeyError for an attribute that the op does not have."""
        self._read.add(name)
        found = self._attrs[name] if name in self._attrs else self.definition.defaults[name]
        return float(str(np.float32(found))) if isinstance(found, float) and not self._is_wide() else found

    def _is_wide(self) -> bool:
        """Whether the node computes in more than float32."""
        kinds = [*self._attrs.values(), *(i.type.dtype for i in self.inputs if isinstance(i, Ref))]
        return any(k in (dtypes.float64, dtypes.complex128) for k in kinds if isinstance(k, DType))

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
        """Attributes that the rule did not look at and whose value is another than the declared default."""
        known = self._read | self.definition.inferred
        return [
            n for n, v in self._attrs.items() if n not in known and not n.startswith("_") and not self._is_default(n, v)
        ]

    def _is_default(self, name: str, value: Any) -> bool:
        return name in self.definition.defaults and self.definition.defaults[name] == value

    # -- variables --------------------------------------------------------------------------------------------
    def variable(self, index: int) -> Variable:
        """An operand that is a variable."""
        found = self.inputs[index]
        if not isinstance(found, Variable):
            self.refuse(f"input {index} is no variable of the model")
        return found

    def read_variable(self, index: int) -> Ref:
        """What the variable that is an operand holds at this point of the graph."""
        return self.importer.state.read(self.variable(index), self.frame, self.node.name)

    def assign(self, variable: Variable, value: Value) -> None:
        """Give a variable its next value."""
        self.importer.state.assign(variable, value, self.frame, self.node.name)

    # -- operands ---------------------------------------------------------------------------------------------
    def ref(self, index: int) -> Ref:
        """An operand that is a tensor; refuses any other."""
        found = super().ref(index)
        if not isinstance(found, Ref):
            self.refuse(f"input {index} is a {getattr(found, 'what', 'sequence')}, not a tensor of numbers")
        return found

    def integers(self, index: int) -> tuple[Value, str]:
        """The integers of an operand of a quantised type, and the type's name; refuses any other."""
        found = self.inputs[index]
        if not isinstance(found, Quantised):
            self.refuse(f"input {index} is no tensor of a quantised type")
        return self.value(found.ref), found.kind

    def used(self, index: int) -> bool:
        """Whether anything reads the node's output `index`."""
        return self.importer.is_used(self.frame, self.node, index)

    def dotted_name(self) -> str:
        """A name for a weight that the node holds: its module path, and the last part of its own name."""
        if self.importer.frozen:
            return self.node.name.replace("/", ".")
        return ".".join([*(s.name for s in self.b.origin.path), self.node.name.rsplit("/", 1)[-1].lower()])

    def _made(self, ref: Ref) -> Value:
        return self.importer.value(ref, self.frame)

    def _fresh_symbol(self) -> str:
        return self.importer.fresh_symbol("n")
