"""What every exporter shares: its options, its table of rules, and lowering a model to the ops that table can print.

The ladder of an op: its rule; else its decomposition into smaller ops; else a typed refusal that names the file to
extend. `lower` walks the ladder for a whole model and reports every refusal at once, before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from converter.errors import ConversionError, Unsupported, merge
from converter.exporters.empty_results import fill_empty
from converter.exporters.wide_indices import limit_indices
from converter.policies import INDEX_POLICIES as INDEX_POLICIES
from converter.policies import IndexPolicy
from ir.core import Builder, Graph, Model, Node, Value, copy_model

Accepts = Callable[[Node], "str | None"]
"""Says why a rule does not apply to a node; None when it does."""


@dataclass(frozen=True)
class ExportOptions:
    """Options of all exporters; each reads those that concern it.

    `opset` is the ONNX opset (None: the exporter's default), `external_data` forces weights into a file of their own,
    `name` overrides the model's name in what is written. `index_policy`: see `converter.policies`.
    """

    opset: int | None = None
    external_data: bool = False
    name: str | None = None
    index_policy: IndexPolicy = "source"


@dataclass(frozen=True)
class Rule:
    """How an IR op is written. `accepts` limits the nodes it is meant for; others fall through to the decomposition."""

    op: str
    write: Callable[..., Any]
    accepts: Accepts | None = None

    def reason(self, node: Node) -> str | None:
        """Why the rule does not apply to `node`, or None."""
        return self.accepts(node) if self.accepts is not None else None


@dataclass
class RuleTable:
    """Rules of one target, keyed by the IR op's name. Two rules for one op are a mistake of ours and raise.

    `folder` is where the rules of a family lie (`converter/exporters/torch/rules_{family}.py`): refusals name it.
    """

    framework: str
    folder: str
    rules: dict[str, Rule] = field(default_factory=dict)

    def rule(self, *ops: str, accepts: Accepts | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorator: register a function as the rule of each of `ops`; raises ValueError on a second rule for an op."""

        def register(write: Callable[..., Any]) -> Callable[..., Any]:
            for op in ops:
                if op in self.rules:
                    raise ValueError(f"{self.framework}: op {op!r} has two rules, {self.rules[op].write} and {write}")
                self.rules[op] = Rule(op, write, accepts)
            return write

        return register

    def __getitem__(self, op: str) -> Rule:
        return self.rules[op]

    def __contains__(self, op: object) -> bool:
        return op in self.rules

    def refusal(self, node: Node) -> str | None:
        """Why this table cannot write `node` as it is, or None when it can."""
        rule = self.rules.get(node.op.name)
        if rule is None:
            made = "" if node.op.decompose is not None else ", nor any that it could be made of"
            return f"{self.framework} has no operator of it{made}"
        return rule.reason(node)

    def file_of(self, node: Node) -> str:
        """The file in which a rule for `node` belongs."""
        return self.folder.format(family=node.op.family)


@dataclass
class TypedTable(RuleTable):
    """Refuses what no rule can write: values of an element type that `holder`, the framework in words, lacks.

    `held` are the types it has, `where` ends the sentence (`on every backend`). What ops called in `complex_ops` read and
    give may be complex all the same.
    """

    held: frozenset[str] = frozenset()
    holder: str = ""
    where: str = ""
    complex_ops: frozenset[str] = frozenset()

    def refusal(self, node: Node) -> str | None:
        """Why this table cannot write `node` as it is, or None when it can."""
        kinds = [v.type.dtype for v in (*node.inputs, *node.outputs)]
        if node.op.name in self.complex_ops:
            kinds = [k for k in kinds if not k.is_complex]
        lacking = next((k.name for k in kinds if k.name not in self.held), None)
        return super().refusal(node) if lacking is None else self._lacks(lacking)

    def _lacks(self, kinds: str) -> str:
        return f"{self.holder} has no {kinds}" + (f" {self.where}" if self.where else "")

    def check(self, values: Iterable[Value]) -> None:
        """Refuse inputs, outputs and weights of other types; raises ConversionError listing every type."""
        lacking = sorted({v.type.dtype.name for v in values} - self.held)
        if lacking:
            refused = tuple(Unsupported(k, self._lacks(k), place="inputs, outputs and weights") for k in lacking)
            raise ConversionError(self._lacks(", ".join(lacking)), refused)


def lower(model: Model, table: RuleTable, apart: Accepts | None = None) -> Model:
    """A copy of `model` in which a rule applies to every node; raises ConversionError listing all without one.

    `apart` names a reason to take a node apart although a rule applies to it."""
    lowered = copy_model(model)
    limit_indices(lowered)
    fill_empty(lowered, "pool", "fourier")
    refused: list[Unsupported] = []
    _lower_graph(lowered.graph, table, apart or _nothing, refused)
    if refused:
        kinds = merge(refused)
        count = sum(u.count for u in kinds)
        noun = "operation" if count == 1 else "operations"
        raise ConversionError(f"{count} {noun} cannot be written for {table.framework}", kinds)
    return lowered


def unsupported(model: Model, table: RuleTable) -> tuple[Unsupported, ...]:
    """Everything in `model` that neither a rule nor a decomposition can write; empty when all can be."""
    try:
        lower(model, table)
    except ConversionError as error:
        return error.unsupported
    return ()


def _nothing(node: Node) -> str | None:
    return None


def _lower_graph(graph: Graph, table: RuleTable, apart: Accepts, refused: list[Unsupported]) -> None:
    for node in graph:
        _lower_node(node, table, apart, refused)


def _lower_node(node: Node, table: RuleTable, apart: Accepts, refused: list[Unsupported]) -> None:
    reason = table.refusal(node) or apart(node)
    if reason is None:
        for body in node.bodies.values():
            _lower_graph(body, table, apart, refused)
    elif node.op.decompose is None:
        refused.append(refusal(node, reason, table.file_of(node)))
    else:
        try:
            nodes = decompose(node)
        except NotImplementedError as error:  # this application has no decomposition, though others of the op have
            refused.append(refusal(node, f"{reason}; {error}", table.file_of(node)))
            return
        for made in nodes:
            if made.op.name == "identity" and not made.output.uses and made.graph is not None:
                made.graph.remove(made)  # a result that nothing reads, such as statistics that stay
            else:
                _lower_node(made, table, apart, refused)


def refusal(node: Node, reason: str, file: str = "") -> Unsupported:
    """The typed refusal of a node, with the place it came from."""
    return Unsupported(op=node.op.name, reason=reason, place=str(node.origin), file=file)


def decompose(node: Node) -> list[Node]:
    """Replace `node` by its op's decomposition, in place; returns the nodes made, in order.

    Raises ValueError when the op has none, NotImplementedError (and changes nothing) where this application has none.
    """
    if node.op.decompose is None or node.graph is None:
        raise ValueError(f"{node.op.name} has no decomposition")
    made: list[Node] = []
    builder = Builder(node.graph, before=node, origin=node.origin.by("decompose"))
    builder.on_node = made.append
    result = node.op.decompose(builder, **node.operands, **node.attrs, **node.bodies)
    results = result if isinstance(result, tuple) else (result,)
    for old, new in zip(node.outputs, results, strict=True):
        old.replace_all_uses(new)
        new.name = new.name or old.name
    node.graph.remove(node)
    return made
