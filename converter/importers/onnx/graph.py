"""Walking an ONNX graph: names to references, nodes through rules, functions inlined, everything refused collected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from converter.errors import Unsupported, UsageError
from converter.importers.base import ImportOptions, Planner, Rule, place_of
from converter.importers.onnx import functions, recorded, refused, shapes
from converter.importers.onnx.attributes import AttributeReader
from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.definitions import MICROSOFT, definition, takes_sequence
from converter.importers.onnx.order import live_nodes, node_label, reads
from converter.importers.onnx.reader import Source, standard_domain
from converter.importers.onnx.scopes import metadata, node_line, node_path
from converter.importers.onnx.table import RULES
from converter.importers.onnx.tensors import read_sparse, read_tensor
from converter.importers.onnx.weights import WEIGHT_KEY, is_literal, parse_record, weight_of
from converter.importers.onnx.wire import Payload
from converter.importers.partial.importer import PartialImporter, Poisoned
from converter.importers.partial.values import Ref, Sequence, Stored
from ir.core import Builder, Model, Origin, Path, Value

if TYPE_CHECKING:
    import onnx

NODE_LIMIT = 2_000_000
"""Nodes imported at most, functions inlined: nested functions can grow a small file without end."""


class Frame:
    """Names visible in one graph or function body, and where its nodes go.

    A name bound to None is an optional operand that is absent; one in `poisoned` belongs to a refused node.
    """

    def __init__(
        self,
        builder: Builder,
        opsets: Mapping[str, int],
        parent: Frame | None = None,
        path: Path = (),
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        self.builder = builder
        self.opsets = opsets
        self.parent = parent
        self.path = path
        self.attrs: Mapping[str, Any] = attrs if attrs is not None else {}
        self.names: dict[str, Any] = {}  # Ref, Sequence or None
        self.poisoned: set[str] = set()
        self.read: set[str] = set()  # names that live nodes or the outputs read

    def find(self, name: str) -> Any:
        """What a name stands for, looked up outwards; raises Poisoned or UsageError."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.poisoned:
                raise Poisoned(name)
            if name in frame.names:
                return frame.names[name]
            frame = frame.parent
        raise UsageError(f"the name {name!r} is read but nothing defines it")

    def visible(self) -> set[str]:
        """Every name that `find` knows."""
        found = self.names.keys() | self.poisoned
        return found if self.parent is None else found | self.parent.visible()

    def inside(self) -> Frame:
        """A nested scope in the same graph: a branch that is always taken."""
        return Frame(self.builder, self.opsets, self, self.path, self.attrs)

    def body(self, builder: Builder) -> Frame:
        """A closed body: it sees no outer name."""
        return Frame(builder, self.opsets, None, self.path, self.attrs)


class GraphImporter(PartialImporter):
    """The state of one import."""

    def __init__(self, source: Source, model: Model, plan: Planner, options: ImportOptions) -> None:
        super().__init__(model, plan, options)
        self.source = source
        self.attributes = AttributeReader(source.folder)
        self.functions = functions.index(source.model)
        self.recorded_file = recorded.read(source.model)
        self.recorded: set[str] = set()
        self.active: list[Any] = []  # functions being inlined, outermost first
        self.instances: dict[tuple[Path, str], int] = {}
        self.fixed: dict[str, bool | int | float] = {}  # inputs that the caller gave a plain value
        self._count = 0

    # -- graphs -----------------------------------------------------------------------------------------------
    def bind_stored(
        self, graph: onnx.GraphProto, frame: Frame, label: str, payloads: Mapping[int, Payload] | None = None
    ) -> None:
        """Bind initialisers, dense and sparse. `payloads` are bytes that the message does not hold, by position."""
        left_out = payloads or {}
        for i, tensor in enumerate(graph.initializer):
            if tensor.name in frame.names:
                raise UsageError(
                    f"{label}: the name {tensor.name!r} is defined twice, the second time by an initialiser"
                )
            with self._tensor_plan(frame, tensor.name):
                record = parse_record(metadata(tensor.metadata_props).get(WEIGHT_KEY))
                data = read_tensor(tensor, self.source.folder, payload=left_out.get(i))
                changes = tensor.name in self.recorded_file.state
                frame.names[tensor.name] = self.stored(tensor.name, data, record, changes)
        for sparse in graph.sparse_initializer:
            name = sparse.values.name
            if name in frame.names:
                raise UsageError(
                    f"{label}: the name {name!r} is defined twice, the second time by a sparse initialiser"
                )
            with self._tensor_plan(frame, name):
                frame.names[name] = self.stored(name, read_sparse(sparse, self.source.folder))

    def _tensor_plan(self, frame: Frame, name: str) -> Any:
        frame.poisoned.add(name)
        return _Unpoison(self.plan.collecting(f"initialiser {name!r}", file=f"{RULES.folder}/tensors.py"), frame, name)

    def run_nodes(self, nodes: Iterable[onnx.NodeProto], outputs: Iterable[str], frame: Frame, label: str) -> None:
        """Import the nodes that `outputs` need."""
        wanted = list(outputs)
        live = live_nodes(nodes, wanted, frame.visible(), label)
        frame.read.update(wanted, *(reads(node) for node in live))
        for node in live:
            self._count += 1
            if self._count > NODE_LIMIT:
                raise UsageError(f"{label}: the model grows beyond {NODE_LIMIT} nodes once its functions are inlined")
            self.node(node, frame)

    def branch(self, graph: onnx.GraphProto, frame: Frame) -> list[Ref | None]:
        """Import a subgraph without inputs in place; returns its outputs."""
        label = f"graph {graph.name!r}"
        self.bind_stored(graph, frame, label)
        self.run_nodes(graph.node, [o.name for o in graph.output], frame, label)
        return [frame.find(o.name) for o in graph.output]

    # -- nodes ------------------------------------------------------------------------------------------------
    def node(self, node: onnx.NodeProto, frame: Frame) -> None:
        """Import one node: its outputs are bound, or poisoned when it is refused."""
        frame.poisoned.update(o for o in node.output if o)
        domain = standard_domain(node.domain)
        if functions.key(node) in self.functions:
            with self.plan.collecting(_op_label(node), self._place(node, frame)):
                functions.call(self, node, frame)
            return
        found = self._rule(node, domain, frame)
        if found is None:
            return
        rule, schema = found
        origin = Origin(
            op=f"{node.op_type}-{schema.since_version}", name=node.name or next((o for o in node.output if o), ""),
            path=frame.path + node_path(node), line=node_line(node), rule=rule.name,
        )  # fmt: skip
        with self.plan.collecting(_op_label(node), place_of(origin), rule.file):
            try:
                context = OnnxContext(self, frame, node, schema, self.attributes.read(node, frame.attrs))
            except Poisoned:
                return
            with context.at(origin):
                self._bind(context, self._apply(context, rule))

    def _apply(self, context: OnnxContext, rule: Rule[Any]) -> list[Any]:
        _check_node(context)
        sequences = [i for i, ref in enumerate(context.inputs) if isinstance(ref, Sequence)]
        if any(not takes_sequence(context.schema, i) for i in sequences):
            context.refuse("it reads a sequence")
        folded = None if sequences else shapes.evaluate(context)
        if folded is not None:
            return [folded]
        try:
            result = rule.fn(context)
        except Poisoned:
            return []
        except (IndexError, OverflowError) as error:
            context.refuse(f"does not fit the IR: {error}")
        if unread := context.unread():
            context.refuse(f"nothing reads the attribute {', '.join(unread)}")
        return list(result) if isinstance(result, (tuple, list)) else [result]

    def _bind(self, context: OnnxContext, results: list[Any]) -> None:
        for i, name in enumerate(context.node.output):
            if not name:
                continue
            if i >= len(results) or results[i] is None:
                if results and name in context.frame.read:
                    context.refuse(f"its output {i}, which is for training or for inspection, is not computed")
                continue
            self.bind(context.frame, name, results[i])

    @staticmethod
    def bind(frame: Frame, name: str, result: Ref | Value | Sequence) -> None:
        """Bind a name to a rule's result."""
        if isinstance(result, Value):
            if result.kind == "node" and not result.name:
                result.name = hint(name)
            result = Ref(result.type, result)
        frame.poisoned.discard(name)
        frame.names[name] = result

    def _rule(self, node: onnx.NodeProto, domain: str, frame: Frame) -> tuple[Rule[Any], onnx.defs.OpSchema] | None:
        """The rule and definition for a node; the plan learns what is missing."""
        place = self._place(node, frame)
        version = frame.opsets.get(domain)
        if version is None:
            self.plan.add(
                Unsupported(_op_label(node), f"the model imports no operator set {domain or 'ai.onnx'!r}", place)
            )
            return None
        schema = definition(node.op_type, version, domain)
        if schema is None:
            self.plan.add(_unknown(node, domain, place))
            return None
        rule = RULES.get((domain, node.op_type, schema.since_version))
        if rule is None:
            reason, advice = refused.why(node.op_type, domain, schema.since_version)
            self.plan.add(Unsupported(f"{_op_label(node)}-{schema.since_version}", reason, place, advice=advice))
            return None
        return rule, schema

    def _place(self, node: onnx.NodeProto, frame: Frame) -> str:
        name = node.name or next((o for o in node.output if o), "")
        return place_of(Origin(name=name, path=frame.path + node_path(node), line=node_line(node))) or node_label(node)

    # -- values -----------------------------------------------------------------------------------------------
    def forgotten(self, name: str) -> None:
        self.recorded.discard(name)

    def is_literal(self, stored: Stored, ref: Ref) -> bool:
        return is_literal(stored, ref.type, self.options.trainable, self.recorded_file.ours)

    def hint(self, name: str) -> str:
        return hint(name)

    def make_weight(self, stored: Stored, frame: Frame) -> Value:
        base = stored.name or "weight"
        if stored.record is not None and isinstance(stored.record.get("name"), str):
            base = stored.record["name"]
        if base in self.model.weights and frame.path:
            base = ".".join([*(s.name for s in frame.path), base])
        name = self.free_name(base)
        value = self.model.add_weight(weight_of(stored, name))
        if stored.record is not None:
            self.recorded.add(name)
        return value


class _Unpoison:
    """Run a collecting block; the name stays poisoned when the block refused."""

    def __init__(self, block: Any, frame: Frame, name: str) -> None:
        self.block, self.frame, self.name = block, frame, name

    def __enter__(self) -> None:
        self.block.__enter__()

    def __exit__(self, *error: Any) -> Any:
        if error[0] is None:
            self.frame.poisoned.discard(self.name)
        return self.block.__exit__(*error)


def _check_node(c: OnnxContext) -> None:
    """Refuse what the definition does not allow: too many operands, unknown or mistyped attributes."""
    schema, node = c.schema, c.node
    given = len(node.input)
    while given and not node.input[given - 1]:
        given -= 1
    if given > schema.max_input or len(node.input) < schema.min_input or len(node.output) > schema.max_output:
        c.refuse(
            f"{given} inputs and {len(node.output)} outputs do not fit the definition of {schema.name}-{schema.since_version}"
        )
    for attribute in node.attribute:
        declared = schema.attributes.get(attribute.name)
        if declared is None:
            c.refuse(f"the attribute {attribute.name} does not exist in {schema.name}-{schema.since_version}")
        if int(declared.type.value) != attribute.type:
            c.refuse(f"the attribute {attribute.name} is of the wrong kind")


def _op_label(node: onnx.NodeProto) -> str:
    domain = standard_domain(node.domain)
    return f"{domain}.{node.op_type}" if domain else node.op_type


def _unknown(node: onnx.NodeProto, domain: str, place: str) -> Unsupported:
    if domain == MICROSOFT or domain in refused.DOMAINS:
        reason, advice = refused.why(node.op_type, domain, 1)
        return Unsupported(_op_label(node), reason, place, advice=advice)
    if domain:
        advice = "export the model without custom operators, or give the operator as a function in the model"
        return Unsupported(
            _op_label(node),
            f"operator of the unknown domain {domain!r}",
            place,
            advice=advice,
            file=f"{RULES.folder}/rules_<family>.py",
        )
    return Unsupported(_op_label(node), "no such operator in this opset of ONNX", place)


_GENERATED = re.compile(r"^(\d+|onnx::\w+|val_\d+|\w*_output_\d+)$")


def hint(name: str) -> str:
    """A readable name for a value from an ONNX name; empty for generated ones."""
    last = name.rsplit("/", 1)[-1].split(":")[0]
    if _GENERATED.match(last) or not last:
        return ""
    cleaned = re.sub(r"\W", "_", last)
    return cleaned if not cleaned[0].isdigit() else ""
