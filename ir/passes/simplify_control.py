"""Rules on control flow that constants decide."""

from __future__ import annotations

from ir.core.binding import binders
from ir.core.builder import Builder
from ir.core.graph import Node, Value
from ir.core.walk import copy_node
from ir.passes.base import home
from ir.passes.constants import uniform
from ir.passes.simplify_rules import Outcome, fail, hit, rule
from ir.verify import types_agree


@rule("cond")
def cond_decided(node: Node, b: Builder) -> Outcome:
    decided = uniform(node.operand("predicate"))
    if decided is None:
        return None
    body = node.bodies["then" if decided else "else"]
    if any(n.graph is body for n in binders(body)):
        return fail("the branch binds sizes under names of its own")
    mapping: dict[Value, Value] = dict(zip(body.inputs, node.operands["captures"], strict=True))
    results = [mapping.get(v, v) for v in body.outputs]
    if not all(types_agree(old.type, new.type) for old, new in zip(node.outputs, results, strict=True)):
        return fail("the branch's sizes are not certainly those of the result")
    for inner in body:
        copy = home(node).insert_before(node, copy_node(inner, mapping))
        copy.origin = copy.origin.by("simplify")
    return hit([mapping.get(v, v) for v in body.outputs], f"the predicate is always {decided}")
