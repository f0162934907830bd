"""The root module: nested inputs and outputs of the signature, ties, frozen parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Binary, Dct, Expr, Index, Lit, Lst, Name, Tup, Var
from converter.exporters.code.names import identifier
from converter.exporters.outline.classes import finish
from converter.exporters.outline.context import Shared
from converter.exporters.outline.method import MethodWriter
from converter.exporters.outline.regions import Region
from converter.exporters.outline.state import exposed, moves_in_training, open_state
from converter.exporters.outline.tuples import NamedTuples, fields_of
from converter.exporters.outline.writer import ClassWriter
from ir.core import Model, Value
from ir.core.signature import Branch, Constant, Leaf, Tree
from ir.types import symbols


class RootWriter(MethodWriter):
    """The root's forward: arguments as the source takes them, results as the source gives them."""

    def __init__(self, shared: Shared, region: Region, reserved: Iterable[str], tuples: NamedTuples) -> None:
        super().__init__(shared, region, reserved)
        self.tuples = tuples

    def root_method(self) -> s.FunctionDef:
        """The method, names bound."""
        model, c = self.shared.model, self.c
        params: list[tuple[s.Param, Var | None]] = []
        fixed: list[tuple[Var, str, Any]] = []
        star = False
        inputs = {v.name: v for v in model.graph.inputs}
        for parameter in model.signature.parameters:
            var = Var(identifier(parameter.name), strong=True)
            if isinstance(parameter.tree, Leaf):
                c.know(inputs[parameter.tree.name], var)
            else:
                self._unpack(parameter.tree, var, inputs)
            if parameter.keyword_only and not star:
                params.append((s.Param("*", star=True), None))
                star = True
            default = Lit(parameter.tree.value) if isinstance(parameter.tree, Constant) else None
            annotation = self.tuples.annotation(parameter.tree) if self.dialect.tensor else ""
            params.append((s.Param("", annotation, default), var))
            if isinstance(parameter.tree, Constant):
                fixed.append((var, parameter.name, parameter.tree.value))
        _required_before(params)
        self._fixed(fixed)
        self._checks()
        self.items()
        self._state()
        values = dict(zip(model.signature.output_names, model.graph.outputs, strict=True))
        self.c.body.append(s.Return(self._result(model.signature.result, {k: c.x(v) for k, v in values.items()})))
        names, _ = self.finish([v for _, v in params if v is not None])
        for param, bound in params:
            if bound is not None:
                param.name = names[bound]
        returns = self.tuples.annotation(model.signature.result) if self.dialect.tensor else ""
        own = [s.Param("self"), *(p for p, _ in params)]
        star_at = next((i for i, p in enumerate(own) if p.star), len(own))
        own[star_at:star_at] = self.c.parameters()
        return s.FunctionDef(self.dialect.forward, own, self.c.body, returns)

    def _unpack(self, tree: Tree, source: Expr, inputs: dict) -> None:
        if isinstance(tree, Leaf):
            name = tree.name.split(".")[-1]
            value = inputs[tree.name]
            hint = name if not name.isdigit() else f"{tree.name.split('.')[0]}_{name}"
            self.c.know(value, self.c.assign(source, identifier(hint), strong=True, fold=not value.type.rank))
        elif isinstance(tree, Branch):
            named = fields_of(tree)
            keys = tree.keys if tree.kind == "dict" else range(len(tree.children))
            parts = [getattr(source, k) for k in named] if named else [Index(source, (Lit(k),)) for k in keys]
            for part, child in zip(parts, tree.children):
                self._unpack(child, part, inputs)

    def _result(self, tree: Tree, values: dict[str, Expr]) -> Expr:
        if isinstance(tree, Leaf):
            return values[tree.name]
        if isinstance(tree, Constant):
            return Lit(tree.value)
        children = [self._result(c, values) for c in tree.children]
        if tree.kind == "dict":
            return Dct(tuple(zip((Lit(k) for k in tree.keys), children)))
        if name := self.tuples.name(tree):
            return Name(name)(*children)
        return Lst(tuple(children)) if tree.kind == "list" else Tup(tuple(children))

    def _fixed(self, arguments: list[tuple[Var, str, Any]]) -> None:
        """Plain arguments that the conversion fixed are checked: another value would be answered by the wrong model."""
        for var, name, value in arguments:
            message = Lit(f"this model was converted for {name}={value!r}")
            op = "is" if value is None or isinstance(value, bool) else "=="
            self.c.body.append(s.Check(Binary(op, var, Lit(value)), message))

    def _checks(self) -> None:
        """Sizes that the conversion took as equal are checked where they are symbolic on both sides of an input."""
        for assumption in self.shared.model.assumptions:
            left, op, right = assumption.relation
            if not any(sym.opaque for d in (left, right) for sym in symbols(d)):
                message = Lit(f"this model needs {left} {op} {right} ({assumption.why})")
                self.c.require(Binary(op, self.c.dim(left), self.c.dim(right)), message)

    def _state(self) -> None:
        """State that no module keeps by itself is assigned at the end; no gradient reaches back into earlier calls."""
        entries = open_state(self.shared.model, self.shared.leaves, self.dialect.updates)
        for value in exposed(self.shared.model, entries):
            self.c.values[value] = self.c.assign(self.copied(self.c.x(value)), fold=False)
        always: list[s.Stmt] = []
        training: list[s.Stmt] = []
        for name, value in entries.items():
            weight = self.shared.model.weight_value(name)
            target = self.c.weight(weight)
            if self.shared.model.weights[name].kind == "parameter":
                target = self.learned(target)
            block = training if moves_in_training(weight, value) else always
            block.append(s.Do(self.kept(target, self.c.x(value), value)))
        self.c.body += [*always, *self.in_training(training)]

    def copied(self, value: Expr) -> Expr:
        """The value in memory of its own."""
        raise NotImplementedError

    def in_training(self, assigned: list[s.Stmt]) -> list[s.Stmt]:
        """Assignments that change nothing outside training."""
        return assigned

    def learned(self, target: Expr) -> Expr:
        """A parameter as something that can be assigned."""
        return target

    def kept(self, target: Expr, value: Expr, of: Value) -> Expr:
        """The call that assigns a next state."""
        raise NotImplementedError


def _required_before(params: list[tuple[s.Param, Var | None]]) -> None:
    """Python wants defaults last: an argument before one without has none either. Those behind a star may mix."""
    names = [p for p, _ in params]
    stars = [i for i, p in enumerate(names) if p.star]
    positional = names[: stars[0]] if stars else names
    last = max((i for i, p in enumerate(positional) if p.default is None), default=0)
    for param in positional[:last]:
        param.default = None


def root_class(writer: ClassWriter, root: RootWriter, name: str, doc: str) -> s.ClassDef:
    """The root's class: it has one instance, so that every setting is a literal."""
    forward = root.root_method()
    tree, dialect = writer.tree, writer.shared.dialect
    plain = writer.is_plain_sequence(tree) and is_simple(writer.shared.model)
    init = writer.weight_statements(tree) + writer.buffer_statements(tree, root.c.buffers)
    children = writer.children_of(tree)
    body = dialect.root_constructor(init, children, plain, writer.shared.model) + writer.ties() + writer.frozen()
    for stmt in body:
        s.rewrite(stmt, finish)
        s.rewrite(stmt, writer.compress)
    for stmt in forward.body:
        s.rewrite(stmt, finish)
    members: list[s.Stmt] = [s.FunctionDef("__init__", [s.Param("self")], body, "None")]
    return s.ClassDef(name, (dialect.root_base(children, plain),), doc, members if plain else [*members, forward])


def is_simple(model: Model) -> bool:
    """One plain tensor in, one out: what a sequential container's own forward takes and gives."""
    inputs = [p.tree for p in model.signature.parameters]
    return len(inputs) == 1 and isinstance(inputs[0], Leaf) and isinstance(model.signature.result, Leaf)
