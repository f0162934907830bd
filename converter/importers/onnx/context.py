"""What an ONNX rule works with: operands as values or known content, attributes with their declared defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from converter.importers.partial.context import PartialContext
from converter.importers.partial.values import Ref
from ir.core import Builder, Value

if TYPE_CHECKING:
    import onnx

    from converter.importers.onnx.graph import Frame, GraphImporter


class OnnxContext(PartialContext):
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
        super().__init__(importer.model, importer.plan, importer.options, [frame.find(n) if n else None for n in node.input])
        self.importer, self.frame, self.node, self.schema = importer, frame, node, schema
        self.b: Builder = frame.builder
        self.version: int = schema.since_version
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
    def axes(self, attribute: str, index: int, since: int) -> tuple[int, ...] | None:
        """Axes, which were an attribute before version `since` and an input from then on; None when not given."""
        if self.version < since:
            values = self.attr(attribute)
            return None if values is None else tuple(values)
        return self.ints(index, "the axes input") if self.has(index) else None

    def _made(self, ref: Ref) -> Value:
        return self.importer.value(ref, self.frame)

    def _fresh_symbol(self) -> str:
        return self.importer.fresh_symbol("n")

    # -- results ----------------------------------------------------------------------------------------------
    def used(self, index: int) -> bool:
        """Whether anything reads the node's output `index`."""
        return index < len(self.node.output) and self.node.output[index] in self.frame.read

    def no_output(self, index: int, reason: str) -> None:
        """Refuse, with a reason, when an output is read that is not computed."""
        if self.used(index):
            self.refuse(reason)
