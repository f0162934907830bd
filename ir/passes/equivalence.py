"""Whether two models certainly mean the same: a proof by rewriting, never by sampling."""

from __future__ import annotations

from collections.abc import Callable

from ir.core.equal import Key, Numbering, attr_key, graph_key, type_key
from ir.core.graph import Value
from ir.core.model import Model, copy_model
from ir.passes.cse import CommonSubexpressions, is_random
from ir.passes.dead_code import DeadCode
from ir.passes.decompose import Decompose
from ir.passes.fold import Fold
from ir.passes.pipeline import Pipeline
from ir.passes.simplify import Simplify


def equivalent(a: Model, b: Model) -> bool:
    """Whether two models compute the same from the same inputs, weights and draws: their graphs are equal after the
    standard passes, or after every op was taken apart as far as it goes. False means "not shown", not "different".

    Weights count by name, constants by their bytes, tensors without elements by their type; the order of nodes does not
    count, except among random ones.
    Neither model is changed. Assumptions are not compared.
    """
    table: dict[Key, int] = {}
    pair = copy_model(a), copy_model(b)
    for passes in (_settle, _take_apart):
        for model in pair:
            passes(model)
        if _meaning(pair[0], table) == _meaning(pair[1], table):
            return True
    return False


def _settle(model: Model) -> None:
    Pipeline((Fold(), Simplify(), CommonSubexpressions(), DeadCode()), fixpoint=True).run(model)


def _take_apart(model: Model) -> None:
    Pipeline((Decompose(lambda node: node.op.decompose is None),)).run(model)
    _settle(model)


def _meaning(model: Model, table: dict[Key, int]) -> Key:
    """A key of what the model returns. `table` numbers the expressions met, so that equal ones of several models get
    equal numbers."""
    ids: dict[Value, int] = {}

    def number(key: Key) -> int:
        return table.setdefault(key, len(table))

    def weight(value: Value) -> Key:
        record = model.weight_of(value)
        data = record.data.digest() if record is not None and record.kind == "constant" else ""
        return ("weight", "" if data else value.name, data, type_key(value.type))

    def read(value: Value) -> int:
        return number(weight(value)) if value.is_weight else ids[value]

    for i, value in enumerate(model.graph.inputs):
        ids[value] = number(("input", i, value.name, type_key(value.type)))
    draws = 0
    for node in model.graph:
        random = is_random(node)
        draws += random
        attrs = tuple((name, attr_key(item)) for name, item in sorted(node.attrs.items()))
        operands = tuple(_operand(node.operands.get(spec.name), read) for spec in node.op.operands)
        bodies = tuple((name, graph_key(body, Numbering(weight=weight))) for name, body in sorted(node.bodies.items()))
        key = (node.op.name, attrs, operands, bodies, draws if random else 0)
        for i, value in enumerate(node.outputs):
            kind = type_key(value.type)
            ids[value] = number(("empty", kind) if 0 in value.type.shape else (key, i, kind))
    state = tuple((name, read(value)) for name, value in sorted(model.state.items()))
    return repr(model.signature), tuple(read(v) for v in model.graph.outputs), state


def _operand(value: object, read: Callable[[Value], int]) -> Key:
    if isinstance(value, tuple):
        return ("values", *(read(v) for v in value))
    return read(value) if isinstance(value, Value) else None
