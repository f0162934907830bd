"""The tables of the TensorFlow exporter: rules (IR op -> expression), forms (IR op -> function in a list of modules), and
the orders in which ops take their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from converter.exporters.base import TypedTable
from converter.exporters.outline.instances import Form
from ir.core import Node

Axes = tuple[int, ...]
Orders = Callable[[Node], Mapping[str, Axes]]

HELD = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128".split()
)
TABLE = TypedTable("tensorflow", "converter/exporters/tensorflow/rules_{family}.py", held=HELD, holder="TensorFlow")
FORMS: dict[str, Callable[[Node], Form | None]] = {}
ORDERS: dict[str, Orders] = {}

rule = TABLE.rule


def form(*ops: str) -> Callable[[Callable[[Node], Form | None]], Callable[[Node], Form | None]]:
    """Decorator: register what stands for a node of `ops` in a list of modules; raises ValueError on a second one."""

    def register(fn: Callable[[Node], Form | None]) -> Callable[[Node], Form | None]:
        for op in ops:
            if op in FORMS:
                raise ValueError(f"tensorflow: op {op!r} has two forms")
            FORMS[op] = fn
        return fn

    return register


def order(*ops: str) -> Callable[[Orders], Orders]:
    """Decorator: register in which order of axes a node takes its weights, by operand name: `{"weight": (2, 3, 1, 0)}`.

    A weight that all its readers take in one order is stored so; a rule reads it by `c.turned(value, axes)`.
    """

    def register(fn: Orders) -> Orders:
        for op in ops:
            if op in ORDERS:
                raise ValueError(f"tensorflow: op {op!r} has two orders")
            ORDERS[op] = fn
        return fn

    return register


def form_of(node: Node) -> Form | None:
    """What stands for a node that is a module at a numbered place of its own; None elsewhere."""
    make = FORMS.get(node.op.name)
    numbered = bool(node.origin.path) and node.origin.path[-1].name.isdigit()
    return make(node) if make is not None and numbered else None
