"""What the call of a library module adds to the bare `module(x)`: padding, flips, channel orders."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Call, Name, Var
from converter.exporters.code.printer import Printer
from converter.exporters.outline.context import Context, Shared
from converter.exporters.outline.instances import Form
from converter.exporters.outline.regions import Region
from ir.core import Node

_MODULE = Name("module")


def form_of(shared: Shared, node: Node) -> Form | None:
    """The module that the node is written as."""
    instance = shared.leaves.get(node)
    return None if instance is None else instance.calls[node]


def is_plain(shared: Shared, region: Region, node: Node) -> bool:
    """Whether calling the node's module on operand one is all that its code does."""
    form = form_of(shared, node)
    if form is None or form.call is None:
        return form is not None
    c, result = _call(shared, region, node, form)
    return not c.body and c.bare_call(result) == Call(_MODULE, (c.values[node.inputs[0]],))


def same_call(shared: Shared, region: Region, a: Node, b: Node) -> bool:
    """Whether one expression, the module apart, calls the modules of both nodes; never where statements are needed."""
    texts = []
    for node in (a, b):
        form = form_of(shared, node)
        if form is None:
            return False
        if form.call is None:
            texts.append("module(x)")
            continue
        c, result = _call(shared, region, node, form)
        if c.body or isinstance(result, tuple):
            return False
        texts.append(Printer(name_of=lambda v: v.hint).flat(result))
    return texts[0] == texts[1]


def _call(shared: Shared, region: Region, node: Node, form: Form) -> tuple[Context, Any]:
    """The form's own call, written in a context of its own with stand-ins for the operands."""
    c = shared.context(region)
    c.node = node
    weights = set(form.weights.values())
    for i, value in enumerate(v for v in node.inputs if v not in weights):
        c.know(value, Var(f"x{i}" if i else "x"))
    assert form.call is not None
    result = form.call(c, _MODULE)
    if isinstance(result, tuple) and all(part is None for part in result[1:]):
        result = result[0]  # a module that updates its statistics by itself has one output
    return c, result
