"""Walking a TensorFlow graph: tensors to references, nodes through rules, functions inlined, everything refused collected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.errors import Unsupported, UsageError
from converter.importers.base import ImportOptions, Planner, Refusal, Rule, place_of
from converter.importers.partial.importer import PartialImporter, Poisoned
from converter.importers.partial.values import Ref, Stored
from converter.importers.tensorflow import effects, quantised, shapes, texts
from converter.importers.tensorflow.attributes import decoded
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.handles import Strings
from converter.importers.tensorflow.order import live_nodes
from converter.importers.tensorflow.recorder import Record
from converter.importers.tensorflow.scopes import Places, hint
from converter.importers.tensorflow.state import State
from converter.importers.tensorflow.table import rule as RULES
from converter.importers.tensorflow.wiring import Body, Key, Library, Wired
from ir.core import Builder, Model, Origin, Path, Value
from ir.data import Weight

NODE_LIMIT = 2_000_000
"""Nodes imported at most, functions inlined: nested functions can grow a small file without end."""
DEPTH_LIMIT = 100

INLINE = 16
"""Floating constants up to this many elements become literals of the graph."""
LITERALS = 64
"""Integers and booleans up to this many elements become literals; longer ones are weights of kind `constant`."""

REFUSED = object()
"""Stands for a result of a function whose maker was refused."""

Object = "Ref | SequenceRef | Handle | Compound | Strings"


class Frame:
    """Tensors of one graph or function body, and where its nodes go. A function sees nothing of what calls it.

    `record` is what was seen while the function was traced, `serial` tells one call of a function from another.
    """

    def __init__(
        self, builder: Builder, body: Body, path: Path = (), record: Record | None = None, serial: int = 0
    ) -> None:
        self.builder = builder
        self.body = body
        self.path = path
        self.record = record
        self.serial = serial
        self.names: dict[Key, Any] = {}
        self.poisoned: set[str] = set()  # nodes that were refused
        self.caller: Frame | None = None  # the frame of the node that calls this function, and that node
        self.call = ""

    def find(self, key: Key) -> Any:
        """What a tensor of the source stands for; raises Poisoned or UsageError."""
        if key[0] in self.poisoned:
            raise Poisoned(key[0])
        if key not in self.names:
            raise UsageError(f"{self.body.name}: the tensor {key[0]}:{key[1]} is read but nothing defines it")
        return self.names[key]


class GraphImporter(PartialImporter):
    """The state of one import. `library` holds the functions, `state` what variables are after assignments so far."""

    def __init__(self, library: Library, model: Model, plan: Planner, options: ImportOptions) -> None:
        super().__init__(model, plan, options)
        self.library = library
        self.state = State(self.weight_of)
        self.frozen = False  # whether constants may be the weights of the model: nothing else holds them
        self.active: list[str] = []  # functions being inlined, outermost first
        self.records: dict[str, Record] = {}  # by function
        self.places = Places({})
        self._count = 0
        self._frames = 0
        self._effects = effects.Effects(library, model.notes)

    # -- graphs -----------------------------------------------------------------------------------------------
    def run(self, frame: Frame) -> None:
        """Import the nodes that the frame's graph needs; what the graph is given is in `frame.names` already."""
        body = frame.body
        known = {name for name, _ in frame.names} | frame.poisoned
        for wired in live_nodes(body, known, self._effects):
            self._count += 1
            if self._count > NODE_LIMIT:
                raise UsageError(
                    f"{body.name}: the model grows beyond {NODE_LIMIT} nodes once its functions are inlined"
                )
            self.node(wired, frame)
        for name, reason in self.state.check(frame):
            node = body.nodes[name].node
            self.plan.add(Unsupported(node.op, reason, self._place(node, frame)))

    def enter(
        self, name: str, builder: Builder, path: Path, arguments: Sequence[Any], caller: Frame, call: str
    ) -> Frame:
        """A frame for a function of the library that the node `call` of a frame calls, its arguments bound (None: one whose
        maker was refused). Raises Refusal where they do not fit."""
        body = self.library.body(name)
        if len(arguments) != len(body.arguments):
            raise Refusal(f"the function {name} takes {len(body.arguments)} arguments, {len(arguments)} are given")
        self._frames += 1
        frame = Frame(builder, body, path, self.records.get(name), self._frames)
        frame.caller, frame.call = caller, call
        for argument, given in zip(body.arguments, arguments, strict=True):
            if given is None:
                frame.poisoned.add(argument)
            else:
                frame.names[(argument, 0)] = given
        return frame

    def call(self, name: str, frame: Frame, call: str, arguments: Sequence[Any]) -> list[Any]:
        """Inline a function that a node calls in the frame's graph; its results in order, REFUSED where they were."""
        inner = self.enter(name, frame.builder, self.places.inside(frame, call), arguments, frame, call)
        self.run_function(name, inner)
        return [REFUSED if key[0] in inner.poisoned else inner.find(key) for key in inner.body.outputs]

    def run_function(self, name: str, frame: Frame) -> None:
        """Import a function's nodes. Raises UsageError when it calls itself."""
        if name in self.active:
            loop = [*self.active[self.active.index(name) :], name]
            raise UsageError(f"functions call themselves: {' -> '.join(loop)}")
        if len(self.active) >= DEPTH_LIMIT:
            raise Refusal(f"functions are nested more than {DEPTH_LIMIT} deep")
        self.active.append(name)
        try:
            self.run(frame)
        finally:
            self.active.pop()

    def is_used(self, frame: Frame, node: Any, index: int) -> bool:
        """Whether anything in the frame's graph reads the node's output `index`."""
        return (node.name, index) in frame.body.reads

    # -- nodes ------------------------------------------------------------------------------------------------
    def node(self, wired: Wired, frame: Frame) -> None:
        """Import one node: its outputs are bound, or it is poisoned when it is refused."""
        node = wired.node
        frame.poisoned.add(node.name)
        if node.op in self.library.functions:
            with self.plan.collecting(node.op, self._place(node, frame)):
                results = self.call(node.op, frame, node.name, self._arguments(wired, frame))
                self._bind_all(wired, frame, results)
            return
        rule, declared = RULES.get(node.op), self.library.definition(node.op)
        if rule is None or declared is None:
            self.plan.add(self._missing(node, frame, declared is not None))
            return
        origin = Origin(node.op, node.name, self.places.path(frame, node.name), self._line(node, frame), rule.name)
        with self.plan.collecting(node.op, place_of(origin), rule.file):
            try:
                inputs = [frame.find(k) for k in effects.read(wired)]
            except Poisoned:
                return
            attrs = {k: decoded(v) for k, v in node.attr.items()}
            context = TensorflowContext(self, frame, wired, declared, inputs, attrs)
            with context.at(origin):
                self._bind_all(wired, frame, self._apply(context, rule))

    def _arguments(self, wired: Wired, frame: Frame) -> list[Any]:
        return [None if k[0] in frame.poisoned else frame.find(k) for k in wired.inputs]

    def _apply(self, context: TensorflowContext, rule: Rule[Any]) -> list[Any]:
        context.inputs, dress = quantised.opened(context.op, context.inputs)
        if dress is None:
            context.inputs, dress = texts.opened(context.op, context.inputs, context.b, context.value)
        results = self._results(context, rule)
        return results if dress is None else [dress(self._named(r, context.node.name)) for r in results]

    @staticmethod
    def _results(context: TensorflowContext, rule: Rule[Any]) -> list[Any]:
        if (folded := shapes.evaluate(context)) is not None:
            return list(folded)
        try:
            result = rule.fn(context)
        except Poisoned:
            return []
        except (IndexError, OverflowError) as error:
            context.refuse(f"does not fit the IR: {error}")
        if unread := context.unread():
            context.refuse(f"nothing reads the attribute {', '.join(unread)}")
        return list(result) if isinstance(result, (tuple, list)) else [] if result is None else [result]

    def _bind_all(self, wired: Wired, frame: Frame, results: list[Any]) -> None:
        """Bind a node's outputs. A result that is None stands for one that is not computed: it must not be read; of a
        function whose results were refused nothing is bound, since that has been told."""
        name = wired.name
        if any(r is REFUSED for r in results):
            return
        for i, result in enumerate(results):
            if result is not None:
                frame.names[(name, i)] = self._named(result, name)
        missing = [i for i in self._read_outputs(wired, frame) if (name, i) not in frame.names]
        if missing and results:
            raise Refusal(f"its output {', '.join(map(str, missing))} is read and not computed")
        if not missing:
            frame.poisoned.discard(name)

    def _read_outputs(self, wired: Wired, frame: Frame) -> list[int]:
        declared = self.library.definition(wired.node.op)
        count = 0 if declared is None else declared.outputs(wired.node)
        return [i for i in range(count) if self.is_used(frame, wired.node, i)]

    def _named(self, result: Any, name: str) -> Any:
        if not isinstance(result, Value):
            return result
        if result.kind == "node" and not result.name:
            result.name = hint(name)
        return Ref(result.type, result)

    def _missing(self, node: Any, frame: Frame, exists: bool) -> Unsupported:
        place = self._place(node, frame)
        if exists:
            return RULES.missing(node.op, place)
        return Unsupported(node.op, "no such op in the installed TensorFlow", place)

    def _place(self, node: Any, frame: Frame) -> str:
        path = self.places.path(frame, node.name)
        return place_of(Origin(name=node.name, path=path, line=self._line(node, frame)))

    @staticmethod
    def _line(node: Any, frame: Frame) -> str:
        return "" if frame.record is None else frame.record.lines.get(node.name, "")

    # -- values -----------------------------------------------------------------------------------------------
    def hint(self, name: str) -> str:
        return hint(name)

    def is_literal(self, stored: Stored, ref: Ref) -> bool:
        if stored.record is not None:
            return False
        if self.frozen and ref.dtype.is_float:
            return ref.type.rank == 0
        count = 1
        for d in ref.type.shape:
            count *= int(d)
        return count <= (INLINE if ref.dtype.is_float or ref.dtype.is_complex else LITERALS)

    def make_weight(self, stored: Stored, frame: Any) -> Value:
        record = stored.record or {"kind": "constant", "trainable": None}
        name = self.free_name(stored.name)
        aliases = tuple(record.get("aliases", ()))
        return self.model.add_weight(Weight(name, stored.data, record["kind"], record["trainable"], aliases))

    def weight_of(self, ref: Ref) -> Value:
        """Stored bytes as a weight."""
        if ref.stored is None:
            raise AssertionError(f"{ref!r} is not stored")
        return self._weight(ref.stored, None)

    def tensor(self, found: Any, frame: Frame) -> Value:
        """What a name stands for as a value; raises Refusal for what is no tensor."""
        if isinstance(found, Ref):
            return self.value(found, frame)
        advice = "name other tensors as outputs" if isinstance(found, (Strings, texts.Text, texts.Decimals)) else ""
        raise Refusal(f"it is a {getattr(found, 'what', 'sequence')}, not a tensor", advice)
