"""Complex numbers: pairs of reals in the file, which inputs and outputs those are, and what the user is told.

ONNX has complex types and ONNX Runtime no kernel for them. In the file such a tensor is a real one with a last axis of
size 2, the real part first, as in torch's `view_as_real`. The file's metadata (`isomorph.complex`) says so, and our own
runner and importer turn it back.
"""

from __future__ import annotations

from ir.core import Model


def complex_ports(model: Model) -> dict[str, str]:
    """Flat name of each complex input and output -> its type."""
    types = {**model.input_types, **model.output_types}
    return {name: t.dtype.name for name, t in types.items() if t.dtype.is_complex}


def complex_notes(ports: dict[str, str]) -> list[str]:
    """The note on them."""
    if not ports:
        return []
    names = ", ".join(ports)
    return [f"{names}: complex, in the ONNX file a real and an imaginary part along a new last axis (view_as_real)"]
