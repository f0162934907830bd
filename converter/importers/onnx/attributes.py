"""AttributeProto to Python values, references to a function's attributes resolved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.errors import UsageError
from converter.importers.base import Refusal
from converter.importers.onnx.tensors import read_sparse, read_tensor

if TYPE_CHECKING:
    import onnx


class AttributeReader:
    """Reads attributes; `folder` is where external data of tensor attributes must lie."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def read(self, node: onnx.NodeProto, outer: Mapping[str, Any]) -> dict[str, Any]:
        """All attributes of a node by name. `outer` holds the attributes of the function call that the node is in.

        A reference to an attribute that the call does not give is absent. Raises UsageError on a name given twice.
        """
        found: dict[str, Any] = {}
        for attribute in node.attribute:
            if attribute.name in found:
                raise UsageError(f"{node.op_type} {node.name!r} gives the attribute {attribute.name} twice")
            if not attribute.ref_attr_name:
                found[attribute.name] = self.value(attribute)
            elif attribute.ref_attr_name in outer:
                found[attribute.name] = outer[attribute.ref_attr_name]
        return found

    def value(self, attribute: onnx.AttributeProto) -> Any:
        """int, float, str, Data, GraphProto, or a list of them. Raises Refusal for kinds no rule reads."""
        import onnx

        kinds = onnx.AttributeProto
        simple = {kinds.INT: "i", kinds.GRAPH: "g", kinds.INTS: "ints"}
        if attribute.type == kinds.FLOAT:
            return short(attribute.f)
        if attribute.type == kinds.FLOATS:
            return [short(v) for v in attribute.floats]
        if attribute.type == kinds.STRING:
            return _text(attribute.s, attribute.name)
        if attribute.type == kinds.STRINGS:
            return [_text(s, attribute.name) for s in attribute.strings]
        if attribute.type == kinds.TENSOR:
            return read_tensor(attribute.t, self.folder, attribute.name)
        if attribute.type == kinds.SPARSE_TENSOR:
            return read_sparse(attribute.sparse_tensor, self.folder, attribute.name)
        if attribute.type not in simple:
            raise Refusal(f"the attribute {attribute.name} is of kind {kinds.AttributeType.Name(attribute.type)}")
        found = getattr(attribute, simple[attribute.type])
        return list(found) if attribute.type == kinds.INTS else found


def short(value: float) -> float:
    """The shortest decimal that is the same float32, which is what the file holds: 0.01, not 0.009999999776482582.

    The largest float32 stays as it is: its shortest decimal, 3.4028235e38, is no float32 for those who look closely.
    """
    near = float(str(np.float32(value)))
    return near if abs(near) <= np.finfo(np.float32).max else value


def _text(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"the attribute {name} is no UTF-8 text") from None
