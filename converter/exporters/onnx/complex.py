"""Complex numbers: pairs of reals in the file, which inputs and outputs those are, and what the user is told.

ONNX has complex types and ONNX Runtime no kernel for them. In the file such a tensor is a real one with a last axis of
size 2, the real part first, as in torch's `view_as_real`. The file's metadata (`isomorph.complex`) says so, and our own
runner and importer turn it back.
"""

from __future__ import annotations

from converter.errors import Unsupported
from converter.exporters.base import refusal
from ir.core import Model
from ir.passes import DeadCode
from ir.passes.real_pairs import has_complex, split

FILE = "ir/passes/real_pairs_rules.py"


def in_reals(model: Model) -> list[Unsupported]:
    """Turn every complex tensor into a pair of real ones; returns what has no such form."""
    if not has_complex(model):
        return []
    refused = split(model)
    if not refused:
        DeadCode().run(model)  # parts that nothing reads
    return [refusal(node, f"ONNX Runtime has no complex numbers: {why}", FILE) for node, why in refused]


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
