"""The tables of the PyTorch exporter: rules (IR op -> expression) and forms (IR op -> `nn` module)."""

from __future__ import annotations

from collections.abc import Callable

from converter.exporters.base import RuleTable
from converter.exporters.outline.instances import Form
from ir.core import Node

TABLE = RuleTable("torch", "converter/exporters/torch/rules_{family}.py")
FORMS: dict[str, Callable[[Node], Form | None]] = {}

rule = TABLE.rule


def form(*ops: str) -> Callable[[Callable[[Node], Form | None]], Callable[[Node], Form | None]]:
    """Decorator: register how nodes of `ops` become `nn` modules; raises ValueError on a second one for an op."""

    def register(fn: Callable[[Node], Form | None]) -> Callable[[Node], Form | None]:
        for op in ops:
            if op in FORMS:
                raise ValueError(f"torch: op {op!r} has two forms")
            FORMS[op] = fn
        return fn

    return register


def form_of(node: Node) -> Form | None:
    """The `nn` module a node could be, if its weights allow it."""
    make = FORMS.get(node.op.name)
    return make(node) if make is not None else None
