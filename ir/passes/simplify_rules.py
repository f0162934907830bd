"""The table of simplification rules and the words they are written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ir.core.builder import Builder
from ir.core.graph import Node, Value
from ir.types import Shape, same


@dataclass(frozen=True)
class Hit:
    """The values that take the place of the node's outputs, and why that is exact."""

    values: tuple[Value, ...]
    reason: str


@dataclass(frozen=True)
class Fail:
    """The rule saw its pattern and must leave it."""

    reason: str


Outcome = Hit | Fail | None  # None: the pattern is not there
RuleFunction = Callable[[Node, Builder], Outcome]


@dataclass(frozen=True)
class Rule:
    """A named rule on nodes of some ops. The function builds nodes only once it is sure to hit."""

    name: str
    ops: tuple[str, ...]
    function: RuleFunction


RULES: dict[str, list[Rule]] = {}


def rule(*ops: str) -> Callable[[RuleFunction], RuleFunction]:
    """Register a function as a rule, named after it, for nodes of these ops."""

    def register(function: RuleFunction) -> RuleFunction:
        entry = Rule(function.__name__, ops, function)
        for name in ops:
            RULES.setdefault(name, []).append(entry)
        return function

    return register


def hit(value: Value | Sequence[Value], reason: str) -> Hit:
    """Replace the node by this value, or by these."""
    return Hit((value,) if isinstance(value, Value) else tuple(value), reason)


def fail(reason: str) -> Fail:
    """Leave the node, for this reason."""
    return Fail(reason)


def made_by(value: Value, *ops: str) -> Node | None:
    """The node of one of these ops that makes the value, if there is one."""
    return value.producer if value.producer is not None and value.producer.op.name in ops else None


def together(a: Node, b: Node) -> bool:
    """Whether two nodes belong to the same call of the same module: only such pairs merge."""
    return a.origin.path == b.origin.path


APART = "the two nodes belong to different modules"


def same_shape(a: Shape, b: Shape) -> bool:
    """Whether two shapes are certainly equal."""
    return len(a) == len(b) and all(same(x, y) is True for x, y in zip(a, b, strict=True))


def same_type(value: Value, node: Node) -> bool:
    """Whether a value certainly has the type of the node's only output."""
    return value.type.dtype == node.output.type.dtype and same_shape(value.type.shape, node.output.type.shape)
