"""The tables of the Keras exporter: rules (IR op -> expression) and forms (IR op -> layer)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from converter.errors import ConversionError
from converter.exporters.base import TypedTable, refusal
from converter.exporters.code.expr import Call, Expr, Name
from converter.exporters.keras.settings import layer_dtype
from converter.exporters.outline.instances import Form
from ir.core import Node

HELD = frozenset(
    "bool int8 int16 int32 int64 uint8 float16 bfloat16 float32 float64".split()
)  # fmt: skip
"""Element types that mean the same on every backend of Keras: PyTorch's keeps uint16 as int32 and uint32 as int64."""

NATIVE = frozenset({"eig"})
"""Ops that every backend computes with complex numbers, though no model of Keras may hold them: their parts are read."""

TABLE = TypedTable(
    "keras", "converter/exporters/keras/rules_{family}.py", held=HELD, holder="Keras", where="on every backend",
    complex_ops=NATIVE | {"real", "imag"},
)  # fmt: skip
FORMS: dict[str, Callable[[Node], Form | None]] = {}

rule = TABLE.rule


def form(*ops: str) -> Callable[[Callable[[Node], Form | None]], Callable[[Node], Form | None]]:
    """Decorator: register how nodes of `ops` become layers; raises ValueError on a second one for an op."""

    def register(fn: Callable[[Node], Form | None]) -> Callable[[Node], Form | None]:
        for op in ops:
            if op in FORMS:
                raise ValueError(f"keras: op {op!r} has two forms")
            FORMS[op] = fn
        return fn

    return register


def no_place(node: Node) -> ConversionError:
    """The refusal of a layer that no class can hold."""
    what = refusal(node, "its random numbers are a layer's, and no class holds it", TABLE.file_of(node))
    return ConversionError("1 operation cannot be written for keras", (what,))


def form_of(node: Node) -> Form | None:
    """The layer a node could be, if its weights allow it."""
    make = FORMS.get(node.op.name)
    found = make(node) if make is not None else None
    return found if found is None else replace(found, ctor=_typed(found.ctor, node))


def _typed(ctor: Expr, node: Node) -> Expr:
    """The constructor of a layer with `dtype`, which it casts to what it is given: float32 where nothing is said."""
    floats = [v for v in node.outputs if v.type.dtype.is_float]
    if not isinstance(ctor, Call) or not isinstance(ctor.func, Name) or not ctor.func.id.startswith("layers."):
        return ctor
    if not floats or "dtype" in dict(ctor.kwargs):
        return ctor
    return replace(ctor, kwargs=(*ctor.kwargs, *layer_dtype(floats[0]).items()))
