"""What the recognising passes share: numbers as the declared type rounds them, products whatever their order, and the
table of their rules.

A pattern is replaced only where nothing else reads its insides, all its nodes belong to one call of one module, and
every shape is proven by the types.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ir.core.graph import Node, Value
from ir.core.model import Model
from ir.core.walk import walk
from ir.passes.base import Rewriter
from ir.passes.constants import uniform
from ir.passes.simplify_rules import Fail, Hit, RuleFunction, made_by, together


def number(value: Value) -> float | None:
    """The number in a constant of one element; None for anything else."""
    found = uniform(value) if all(d == 1 for d in value.type.shape) else None
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def is_number(value: Value, wanted: float) -> bool:
    """Whether a value is `wanted`, exactly as its dtype rounds it."""
    found = number(value)
    return found is not None and found == float(np.asarray(wanted).astype(value.type.dtype.numpy))


def shortest(value: Value) -> float | None:
    """The number in a constant of one element, as the shortest decimal that its dtype rounds to it: 1e-05."""
    found = number(value)
    return None if found is None else float(str(np.asarray(found).astype(value.type.dtype.numpy)))


def either(node: Node) -> Iterator[tuple[Value, Value]]:
    """Both orders of a binary node's operands."""
    x, y = node.operand("x"), node.operand("y")
    yield x, y
    yield y, x


def inner(value: Value, root: Node, *ops: str) -> Node | None:
    """The node of one of these ops that makes `value`, where only one place reads it and it is in the module of `root`."""
    node = made_by(value, *ops)
    return node if node is not None and len(value.uses) == 1 and together(node, root) else None


@dataclass
class Product:
    """A tree of `mul` and `div` nodes as one product: its factors, the numbers among them, and numbers divided by.

    `late` tells that a number is applied to a product of two factors or more: that product may overflow although the
    scaled one does not.
    """

    factors: list[Value] = field(default_factory=list)
    numbers: list[Value] = field(default_factory=list)
    divisors: list[Value] = field(default_factory=list)
    late: bool = False

    @property
    def plain(self) -> bool:
        """Whether no number is among the factors."""
        return not self.numbers and not self.divisors

    def scaled_by(self, factor: float, divisor: float) -> bool:
        """Whether the numbers amount to this factor or this divisor, once."""
        if len(self.numbers) + len(self.divisors) != 1:
            return False
        return any(is_number(v, factor) for v in self.numbers) or any(is_number(v, divisor) for v in self.divisors)


def product(root: Node) -> Product:
    """The product that `root` (a `mul` or `div`) computes, as far as its insides are its own."""
    found = Product()
    _collect(root, root, found)
    return found


def _collect(node: Node, root: Node, found: Product) -> int:
    """Add what a node multiplies; returns its number of factors. A quotient by a tensor is one factor."""
    x, y = node.operand("x"), node.operand("y")
    if node.op.name == "div":
        if number(y) is None:
            found.factors.append(node.output)
            return 1
        found.divisors.append(y)
        counts = [_operand(x, root, found), 0]
    else:
        counts = [_operand(v, root, found) for v in (x, y)]
    found.late |= 0 in counts and max(counts) > 1
    return sum(counts)


def _operand(value: Value, root: Node, found: Product) -> int:
    node = inner(value, root, "mul", "div")
    if node is not None:
        return _collect(node, root, found)
    if number(value) is not None:
        found.numbers.append(value)
        return 0
    found.factors.append(value)
    return 1


def apply_rules(model: Model, rules: dict[str, list[RuleFunction]], name: str) -> bool:
    """Apply the first rule that hits each node until none does, logging as pass `name`; whether anything changed."""
    rewriter = Rewriter(model, name)
    queue = deque(walk(model.graph))
    while queue:
        node = queue.popleft()
        if node.graph is None:
            continue
        for rule in rules.get(node.op.name, ()):
            outcome = rule(node, rewriter.builder(node))
            if isinstance(outcome, Hit):
                readers = [u for v in node.outputs for u in v.users]
                rewriter.replace(node, outcome.values, rule.__name__, outcome.reason)
                queue.extend([v.producer for v in outcome.values if v.producer is not None] + readers)
                break
            if isinstance(outcome, Fail):
                rewriter.miss(node, rule.__name__, outcome.reason)
    return rewriter.changed
