"""Reading a model back from its text form.

    text     = "isomorph-ir 1", "model" name, {metadata | module | note | assume}, [weights], signature, graph, [state]
    node     = results "=" op "(" [operand {"," operand}] [";" attribute {"," attribute}] ")", then its bodies
    body     = key "(" inputs ")" ":" {node} "return" [values]

Indentation is for the reader; every graph ends with its `return`. Types are taken as declared: `ir.verify` holds them
against the ops' own inference.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ir.core.graph import Graph, Node, Value
from ir.core.model import Model
from ir.core.origin import Origin
from ir.core.signature import Branch, Constant, Leaf, Parameter, Signature, Tree
from ir.data.weights import Blocks, Data, Pieces, Weight
from ir.ops import registry
from ir.ops.define import OpDef
from ir.text.expressions import Expressions
from ir.text.lexer import Token
from ir.text.origins import parse_origin
from ir.text.printer import FORMAT
from ir.types import Assumption, TensorType

_KINDS = ("parameter", "buffer", "constant")
Scope = dict[str, Value]


class Absent(Data):
    """The bytes of a weight read from text alone: the type is known, reading raises ValueError."""

    def __init__(self, name: str, type: TensorType) -> None:
        self.name = name
        self.type = type

    def numpy(self) -> np.ndarray:
        raise ValueError(f"the text form holds no bytes of weight {self.name!r}")


def parse(text: str, weights: Mapping[str, Data] | None = None) -> Model:
    """The model that `text` describes. `weights` gives the bytes of its weights; without them they are `Absent`.

    Raises TextError, a ValueError with line and column, on anything that is not a model of this format version.
    """
    return _Parser(text, weights).model()


class _Parser(Expressions):
    def __init__(self, text: str, weights: Mapping[str, Data] | None) -> None:
        super().__init__(text)
        self.bytes = weights
        self.result = Model()

    # -- lines ------------------------------------------------------------------------------------------------
    def blank(self) -> None:
        """Step over empty lines and comments."""
        while self.token.kind in ("newline", "comment"):
            self.advance()

    def end_line(self) -> Origin | None:
        """Step over the end of a statement; the origin in its comment, if there is one."""
        origin = parse_origin(self.advance().text) if self.token.kind == "comment" else None
        if self.token.kind != "newline":
            self.fail(f"expected the end of the line, found {self.token}")
        self.blank()
        return origin

    def line(self, word: str) -> bool:
        """Step over the keyword that starts a line if it is next."""
        self.blank()
        return self.take(word)

    # -- model ------------------------------------------------------------------------------------------------
    def model(self) -> Model:
        self.header()
        self.blank()
        self.expect("model")
        self.result.name = self.name("the model's name")
        self.end_line()
        self.head()
        if self.line("weights"):
            self.end_line()
            while self.at("@"):
                self.weight()
        self.signature()
        self.blank()
        self.expect("graph")
        scope = self.graph(self.result.graph)
        if self.line("state"):
            self.end_line()
            while self.at("@"):
                self.state(scope)
        self.blank()
        if self.token.kind != "end":
            self.fail(f"expected the end of the text, found {self.token}")
        return self.result

    def header(self) -> None:
        self.blank()
        start = self.token
        words = [self.advance().text for _ in range(4)]
        if words[:3] != ["isomorph", "-", "ir"]:
            self.fail("not a model in text form: it must start with 'isomorph-ir'", start)
        if words[3] != str(FORMAT):
            self.fail(f"format version {words[3]!r} is not known; this reads version {FORMAT}", start)
        self.end_line()

    def head(self) -> None:
        while True:
            if self.take("metadata"):
                self.result.metadata = self.json()
            elif self.take("module"):
                path = self.name("a module path")
                self.expect(":")
                self.result.modules[path] = self.name("a class name")
            elif self.take("note"):
                self.result.notes.append(self.string())
            elif self.take("assume"):
                left = self.dim()
                self.expect("==")
                right = self.dim()
                self.expect("because")
                self.result.assumptions.append(Assumption(left, right, self.string()))
            else:
                return
            self.end_line()

    def json(self) -> dict[str, Any]:
        start = self.token
        try:
            value, end = json.JSONDecoder().raw_decode(self.text, start.offset)
        except json.JSONDecodeError as error:
            self.fail(f"bad JSON: {error.msg}", start)
        if not isinstance(value, dict):
            self.fail("metadata is a JSON object", start)
        while self.token.kind != "end" and self.token.offset < end:
            self.advance()
        return value

    def weight(self) -> None:
        start = self.expect("@")
        name = self.name("a weight's name")
        self.expect(":")
        type = self.type()
        kind: Any = self.token.text
        if kind not in _KINDS:
            self.fail(f"a weight is one of {', '.join(_KINDS)}, not {self.token}")
        self.advance()
        trainable = True if self.take("trainable") else False if self.take("frozen") else None
        persistent = not self.take("transient")
        aliases = []
        if self.take("also"):
            aliases = [self.alias()]
            while self.take(","):
                aliases.append(self.alias())
        source = self.alias() if self.take("from") else None
        axes = self.permutation(type.rank) if self.take("axes") else None
        blocks = self.blocks(type) if self.take("blocks") else None
        pieces = self.pieces(type) if self.take("pieces") else None
        if name in self.result.weights:
            self.fail(f"weight {name!r} is declared twice", start)
        data = self.data(name, type, start)
        told = (source, axes, blocks, pieces)
        self.result.add_weight(Weight(name, data, kind, trainable, tuple(aliases), persistent, *told))
        self.end_line()

    def permutation(self, rank: int) -> tuple[int, ...]:
        start, found = self.numbers("an axis")
        if sorted(found) != list(range(rank)):
            self.fail(f"({', '.join(map(str, found))}) is no order of {rank} axes", start)
        return found

    def numbers(self, what: str) -> tuple[Any, tuple[int, ...]]:
        """Where a list of numbers in brackets begins, and the numbers."""
        start = self.expect("(")
        found = [self.kind("number", what).text]
        while self.take(","):
            found.append(self.kind("number", what).text)
        self.expect(")")
        if not all(n.isdigit() for n in found):
            self.fail(f"({', '.join(found)}) are no whole numbers", start)
        return start, tuple(int(n) for n in found)

    def blocks(self, type: TensorType) -> Blocks:
        start, axis = self.numbers("an axis")
        sizes = self.numbers("a size")[1]
        order = self.permutation(len(sizes))
        if len(axis) != 1 or axis[0] >= type.rank or math.prod(sizes) not in type.shape:
            self.fail(f"blocks of {sizes} are on no axis of {type}", start)
        return Blocks(axis[0], sizes, order)

    def pieces(self, type: TensorType) -> Pieces:
        start, axis = self.numbers("an axis")
        numbers = self.numbers("a piece")[1]
        row = None
        if self.take("of"):
            self.expect("row")
            row = self.numbers("a row")[1]
        if len(axis) != 1 or axis[0] >= type.rank or sorted(numbers) != list(range(len(numbers))):
            self.fail(f"pieces {numbers} are on no axis of {type}", start)
        if row is not None and len(row) != 1:
            self.fail(f"{row} is not one row", start)
        return Pieces(None if row is None else row[0], axis[0], numbers)

    def alias(self) -> str:
        self.expect("@")
        return self.name("a weight's name")

    def data(self, name: str, type: TensorType, start: Token) -> Data:
        if self.bytes is None:
            return Absent(name, type)
        if name not in self.bytes:
            self.fail(f"no bytes are given for weight {name!r}", start)
        if self.bytes[name].type != type:
            self.fail(f"weight {name!r} is declared {type}, its bytes are {self.bytes[name].type}", start)
        return self.bytes[name]

    def state(self, scope: Scope) -> None:
        start = self.expect("@")
        name = self.name("a weight's name")
        if name not in self.result.weights:
            self.fail(f"no weight {name!r}", start)
        self.expect("=")
        self.result.set_state(name, self.value(scope))
        self.end_line()

    # -- signature --------------------------------------------------------------------------------------------
    def signature(self) -> None:
        self.blank()
        self.expect("signature")
        self.expect("(")
        parameters = tuple(self.items(")", self.parameter))
        self.expect("->")
        self.result.signature = Signature(parameters, self.tree())
        self.end_line()

    def parameter(self) -> Parameter:
        keyword_only = self.take("*")
        name = self.name("a parameter's name")
        return Parameter(name, self.tree() if self.take(":") else Leaf(name), keyword_only)

    def tree(self) -> Tree:
        if self.take("="):
            return Constant(self.unary())
        cls = self.advance() if self.token.kind == "name" else None
        name = cls.text if cls is not None else ""
        for mark, kind in (("(", "tuple"), ("[", "list"), ("{", "dict"), ("<", "namedtuple")):
            if self.take(mark):
                return self.branch(kind, {"(": ")", "[": "]", "{": "}", "<": ">"}[mark], name)
        if cls is None:
            self.fail(f"expected a leaf, '=' or a bracket, found {self.token}")
        return Leaf(name)

    def branch(self, kind: Any, close: str, cls: str) -> Branch:
        if kind in ("tuple", "list"):
            return Branch(kind, tuple(self.items(close, self.tree)), (), cls)
        fields = self.items(close, self.field)
        return Branch(kind, tuple(t for _, t in fields), tuple(k for k, _ in fields), cls)

    def field(self) -> tuple[str | int, Tree]:
        key = self.unary() if self.token.kind == "number" or self.token.text == "-" else self.name("a key")
        self.expect(":")
        return key, self.tree()

    # -- graphs -----------------------------------------------------------------------------------------------
    def graph(self, graph: Graph) -> Scope:
        """Inputs, nodes and `return` of a graph, into `graph`; the values by name."""
        scope: Scope = {}
        self.expect("(")
        for token, type in self.items(")", self.typed):
            self.define(scope, token, graph.add_input(type, token.text))
        self.expect(":")
        self.end_line()
        while not self.take("return"):
            graph.append(self.node(scope))
        ended = self.token.kind in ("newline", "comment")
        outputs = [] if ended else [self.value(scope)]
        while self.take(","):
            outputs.append(self.value(scope))
        graph.set_outputs(outputs)
        self.end_line()
        return scope

    def typed(self) -> tuple[Token, TensorType]:
        token = self.kind("name", "a value's name")
        self.expect(":")
        return token, self.type()

    def define(self, scope: Scope, token: Token, value: Value) -> None:
        if token.text in scope:
            self.fail(f"value {token.text!r} is defined twice", token)
        value.name = token.text
        scope[token.text] = value

    def value(self, scope: Scope) -> Value:
        if self.take("@"):
            token = self.kind("name", "a weight's name")
            if token.text not in self.result.weights:
                self.fail(f"no weight {token.text!r}", token)
            return self.result.weight_value(token.text)
        token = self.kind("name", "a value")
        if token.text not in scope:
            self.fail(f"no value {token.text!r} is defined here", token)
        return scope[token.text]

    def node(self, scope: Scope) -> Node:
        results = self.items(")", self.typed) if self.take("(") else [self.typed()]
        self.expect("=")
        token = self.kind("name", "an op")
        record = self.op(token)
        self.expect("(")
        operands = self.operands(record, scope)
        attrs = self.attributes(record) if self.take(";") else {}
        self.expect(")")
        complete = self.complete(record, attrs, token)
        origin = self.end_line()
        bodies = self.bodies(record)
        node = Node(record, operands, complete, [t for _, t in results], bodies, origin)
        for (name, _), value in zip(results, node.outputs, strict=True):
            self.define(scope, name, value)
        return node

    def op(self, token: Token) -> OpDef:
        try:
            return registry.get(token.text)
        except KeyError as error:
            self.fail(str(error.args[0]), token)

    def complete(self, record: OpDef, attrs: dict[str, Any], token: Token) -> dict[str, Any]:
        try:
            return record.complete(attrs)
        except TypeError as error:
            self.fail(str(error), token)

    def operands(self, record: OpDef, scope: Scope) -> dict[str, Any]:
        found: dict[str, Any] = {s.name: () if s.mode == "variadic" else None for s in record.operands}
        order = [s.name for s in record.operands]
        start, given = self.token, 0
        while not (self.at(";") or self.at(")")):
            name = self.operand_name(order, given)
            found[name] = self.operand(record, name, scope)
            given = order.index(name) + 1
            if not self.take(","):
                break
        missing = [s.name for s in record.operands if s.mode == "required" and found[s.name] is None]
        if missing:
            self.fail(f"{record.name} needs the operand {', '.join(missing)}", start)
        return found

    def operand_name(self, order: list[str], given: int) -> str:
        """The operand that comes next: named by `name=`, else the next in declaration order."""
        following = self.peek()
        if self.token.kind == "name" and following.kind == "punct" and following.text == "=":
            token = self.advance()
            self.expect("=")
            if token.text not in order[given:]:
                known = ", ".join(order[given:]) or "none"
                self.fail(f"no operand {token.text!r} here; expected one of {known}", token)
            return token.text
        if given >= len(order):
            self.fail(f"too many operands: there are {len(order)}")
        return order[given]

    def operand(self, record: OpDef, name: str, scope: Scope) -> Any:
        variadic = record.operand(name).mode == "variadic"
        if variadic != self.at("["):
            self.fail(f"operand {name} of {record.name} is {'a list in brackets' if variadic else 'one value'}")
        if not variadic:
            return self.value(scope)
        self.advance()
        return tuple(self.items("]", lambda: self.value(scope)))

    def attributes(self, record: OpDef) -> dict[str, Any]:
        known = {a.name for a in record.attributes}
        found: dict[str, Any] = {}
        while not self.at(")"):
            token = self.kind("name", "an attribute")
            if token.text not in known:
                self.fail(f"{record.name} has no attribute {token.text!r}", token)
            if token.text in found:
                self.fail(f"attribute {token.text!r} is given twice", token)
            self.expect("=")
            found[token.text] = self.sum()
            if not self.take(","):
                break
        return found

    def bodies(self, record: OpDef) -> dict[str, Graph]:
        found: dict[str, Graph] = {}
        while len(found) < len(record.bodies):
            token = self.kind("name", f"the body {record.bodies[len(found)]} of {record.name}")
            if token.text not in record.bodies or token.text in found:
                known = ", ".join(record.bodies)
                self.fail(f"{record.name} has no body {token.text!r} here; its bodies are {known}", token)
            body = found[token.text] = Graph(token.text)
            self.graph(body)
        return found
