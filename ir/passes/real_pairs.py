"""Turns complex tensors into pairs of real ones, for targets without complex numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ir.core.builder import Builder
from ir.core.graph import Graph, Node, Value
from ir.core.model import Model
from ir.core.walk import walk
from ir.data.weights import Data
from ir.passes.base import Pass, home
from ir.passes.decompose import decompose_node
from ir.passes.log import Rewrite, record
from ir.passes.real_pairs_rules import REFUSED, RULES, is_complex
from ir.types import TensorType

if TYPE_CHECKING:
    from ir.ops.complex_forms import Pair

Refusals = list[tuple[Node, str]]
_REFUSALS = (TypeError, ValueError, NotImplementedError)


@dataclass(frozen=True)
class RealPairs(Pass):
    """Every complex value becomes its real and its imaginary part.

    At the model's borders (inputs, outputs, weights and their next values) the parts lie along a new last axis of size
    2, real first, as in torch's `view_as_real`; names stay. Inside, and in the bodies of loops and branches, they are
    two values. Raises ValueError naming what has no form in reals; `split` tells that without raising.
    """

    name: ClassVar[str] = "real_pairs"
    after: ClassVar[tuple[str, ...]] = ("simplify",)

    def run(self, model: Model) -> bool:
        if not has_complex(model):
            return False
        refused = split(model)
        if refused:
            raise ValueError("; ".join(f"{node.op.name}: {why}" for node, why in refused))
        return True

    def ensures(self, model: Model) -> Iterator[str]:
        if has_complex(model):
            yield "complex numbers are left"


def has_complex(model: Model) -> bool:
    """Whether any value of the model is complex."""
    values = [*model.graph.inputs, *model.outputs, *(model.weight_value(n) for n in model.weights)]
    return any(map(is_complex, values)) or any(_touches(n) for n in walk(model.graph))


def split(model: Model, native: frozenset[str] = frozenset()) -> Refusals:
    """Rewrite the model in place; returns the nodes that have no form in reals, with the reason (the model is then
    not to be used). Ops called in `native` stay where they read real numbers, and nothing but `real` and `imag` reads what
    they give: for targets that compute these ops, and have complex numbers nowhere else."""
    work = _Split(model, native)
    for weight in list(model.weights.values()):
        if weight.type.dtype.is_complex:
            twin = work.border(model.weight_value(weight.name))
            model.update_weight(weight.name, data=_paired(weight.data))
            assert twin.type.dtype.is_complex
    for value in model.graph.inputs:
        if is_complex(value):
            value.type = _paired_type(work.border(value).type)
    work.nodes(model.graph)
    b = Builder(model.graph)
    model.graph.set_outputs([work.joined(v, b) for v in model.outputs])
    for name, value in list(model.state.items()):
        model.set_state(name, work.joined(value, b))
    work.sweep(model.graph)
    return work.refused


def _touches(node: Node) -> bool:
    return any(map(is_complex, (*node.inputs, *node.outputs)))


@dataclass
class _Split:
    """The rewriting of one model. `borders` maps the complex value that nodes read to the input or weight that now holds
    its parts; those are taken apart in each graph that reads them, since bodies are closed."""

    model: Model
    native: frozenset[str] = frozenset()
    pairs: dict[Value, Pair] = field(default_factory=dict)
    borders: dict[Value, Value] = field(default_factory=dict)
    apart: dict[tuple[Graph, Value], Pair] = field(default_factory=dict)
    old: dict[Graph, list[Node]] = field(default_factory=dict)
    refused: Refusals = field(default_factory=list)
    lost: set[Value] = field(default_factory=set)  # outputs of refused nodes: their readers are not looked at

    def border(self, value: Value) -> Value:
        """The complex value that readers of an input or weight read from now on."""
        twin = Value(value.type, value.name, value.kind)
        value.replace_all_uses(twin)
        self.borders[twin] = value
        return twin

    def joined(self, value: Value, b: Builder) -> Value:
        """A value at the model's border."""
        if value in self.lost or not is_complex(value):
            return value
        if value in self.borders:
            return self.borders[value]
        re, im = self.pairs[value]
        return b.stack([re, im], axis=re.type.rank)

    # -- nodes ------------------------------------------------------------------------------------------------------
    def nodes(self, graph: Graph) -> None:
        """Rewrite every node of a graph; the old ones are removed by `sweep`."""
        self.old[graph] = []
        for node in graph:
            self._node(node)

    def sweep(self, graph: Graph) -> None:
        """Remove the nodes on complex numbers, which nothing reads any more."""
        if not self.refused:
            for node in reversed(self.old.pop(graph)):
                graph.remove(node)

    def _node(self, node: Node) -> None:
        if any(v in self.lost for v in node.inputs):
            self.lost.update(node.outputs)
        elif node.bodies and (_touches(node) or any(_touches(n) for body in node.bodies.values() for n in walk(body))):
            self._control(node)
        elif _touches(node):
            self._plain(node)

    def _plain(self, node: Node) -> None:
        rule = RULES.get(node.op.name)
        b = Builder(home(node), before=node, origin=node.origin.by(RealPairs.name))
        if node.op.name in self.native and not any(map(is_complex, node.inputs)):
            values = b.node(node.op, **node.operands, **node.attrs).outputs
            return self._put(node, [(b.real(v), b.imag(v)) if is_complex(v) else v for v in values])
        if rule is None and node.op.decompose is None:
            return self._refuse(node, REFUSED.get(node.op.name, "it has no form in real numbers"))
        made: list[Node] = []
        try:
            if rule is not None:
                results = rule(b, node, lambda v: self._pair(v, b))
                return self._put(node, results if len(node.outputs) > 1 else (results,))
            values = decompose_node(node, b, made)
        except _REFUSALS as error:
            return self._refuse(node, str(error))
        for before, after in zip(node.outputs, values, strict=True):
            before.replace_all_uses(after)
            after.name = after.name or before.name
        home(node).remove(node)
        for item in made:
            self._node(item)

    def _refuse(self, node: Node, why: str) -> None:
        self.refused.append((node, why))
        self.lost.update(node.outputs)

    def _pair(self, value: Value, b: Builder) -> Pair:
        if value not in self.borders:
            return self.pairs[value]
        key = (b.graph, value)
        if key not in self.apart:
            whole = self.borders[value]
            re, im = (b.select(whole, axis=value.type.rank, index=k) for k in (0, 1))
            self.apart[key] = (re, im)
        return self.apart[key]

    def _put(self, node: Node, results: Iterable[Any]) -> None:
        """What stands for the node's outputs from here on."""
        reason = "complex numbers become pairs of reals"
        record(Rewrite(RealPairs.name, node.op.name, reason, repr(node), node.origin))
        for old, new in zip(node.outputs, results, strict=True):
            if is_complex(old):
                self.pairs[old] = re, im = new
                for part, label in ((re, "re"), (im, "im")):
                    if part.kind == "node" and not part.name and old.name:
                        part.name = f"{old.name}.{label}"
            else:
                new.name = new.name or old.name
                old.replace_all_uses(new)
        self.old[home(node)].append(node)

    # -- bodies -----------------------------------------------------------------------------------------------------
    def _control(self, node: Node) -> None:
        """A loop or branch: operands, results and what its bodies take and return are spliced, in order."""
        if node.attrs["symbols"] and any(map(is_complex, node.outputs)):
            return self._refuse(node, "it gives complex tensors of sizes known at run time only")
        b = Builder(home(node), before=node, origin=node.origin.by(RealPairs.name))
        operands = {k: self._spliced(v, b) if isinstance(v, tuple) else v for k, v in node.operands.items()}
        bodies, before = node.bodies, len(self.refused)
        for body in bodies.values():
            self._body(body)
        if len(self.refused) > before:
            self.lost.update(node.outputs)
            return None
        node.bodies = {}
        new = b.node(node.op, **operands, **_spliced_attrs(node), **bodies)
        outs = iter(new.outputs)
        return self._put(node, [(next(outs), next(outs)) if is_complex(v) else next(outs) for v in node.outputs])

    def _spliced(self, values: Iterable[Value], b: Builder) -> tuple[Value, ...]:
        return tuple(part for v in values for part in (self._pair(v, b) if is_complex(v) else (v,)))

    def _body(self, body: Graph) -> None:
        inputs: list[Value] = []
        for value in list(body.inputs):
            if not is_complex(value):
                inputs.append(value)
                continue
            kind = value.type.with_dtype(value.type.dtype.real)
            re, im = (body.add_input(kind, f"{value.name}.{part}") for part in ("re", "im"))
            self.pairs[value] = re, im
            inputs += (re, im)
        before = len(self.refused)
        self.nodes(body)
        if len(self.refused) > before:
            return
        body.set_outputs(self._spliced(body.outputs, Builder(body)))
        self.sweep(body)
        body.inputs[:] = inputs
        for i, value in enumerate(inputs):
            value.index = i


def _spliced_attrs(node: Node) -> dict[str, Any]:
    """The attributes, with an entry of each scanned operand and scan output twice where that becomes a pair."""
    attrs = dict(node.attrs)
    if node.op.name == "scan":
        outputs = node.outputs[len(node.operands["carried"]) :]
        for names, values in (
            (("axes", "reverse"), node.operands["scanned"]),
            (("output_axes", "output_reverse"), outputs),
        ):
            for name in names:
                attrs[name] = tuple(
                    x for x, v in zip(attrs[name], values, strict=False) for _ in range(2 if is_complex(v) else 1)
                )
    return attrs


def _paired_type(kind: TensorType) -> TensorType:
    return TensorType(kind.dtype.real, (*kind.shape, 2))


def _paired(data: Data) -> Data:
    return data.mapped_by(lambda x: np.stack([x.real, x.imag], axis=-1), _paired_type(data.type))
