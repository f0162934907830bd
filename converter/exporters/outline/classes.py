"""Classes: instances whose code is the same but for settings share one class with constructor arguments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Call, Expr, Hole, IfElse, Lit, Name, Tup, transform, walk
from converter.exporters.code.names import Namespace, identifier
from converter.exporters.code.printer import Printer
from converter.exporters.outline.dialect import Child, Dialect


@dataclass(eq=False)
class Draft:
    """The class of one instance before sharing: `init` statements, children, methods; settings are holes. `code` is what
    the methods do, whatever their variables are called (empty: as written). `attributes` are names that no argument may be
    kept under: those of weights, children and the base class.

    Children named by numbers make it a subclass of a sequential container: they are passed to `super().__init__`.
    """

    wish: str
    init: list[s.Stmt] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    methods: list[s.FunctionDef] = field(default_factory=list)
    doc: str = ""
    code: str = ""
    attributes: frozenset[str] = frozenset()

    def key(self) -> str:
        """Text that two drafts share exactly when one class can serve both; children count by attribute alone."""
        printer = Printer(width=1 << 30, hole=lambda h: f"\0{h.hint}")
        lines = printer.block([*self.init, *([] if self.code else self.methods)])
        return "\n".join([self.wish, *(c.attr for c in self.children), *lines, self.code])


@dataclass(eq=False)
class Parameter:
    """One constructor argument: its name, and its value for each instance (None: any)."""

    name: str
    values: list[Expr | None]
    annotation: str
    default: Expr | None = None
    is_module: bool = False


@dataclass(eq=False)
class Shared:
    """A finished class, and the expression that constructs each instance."""

    definition: s.ClassDef
    ctors: list[Expr]


def holes_of(statements: Iterable[s.Stmt]) -> list[Hole]:
    """Holes in the order they are printed."""
    found: list[Hole] = []
    printer = Printer(width=1 << 30, hole=lambda h: found.append(h) or "\0")  # type: ignore[func-returns-value]
    printer.block(list(statements))
    return found


def expression_holes(expr: Expr) -> list[Hole]:
    """Holes of an expression in the order they are printed."""
    return holes_of([s.Do(expr)])


def skeleton(expr: Expr) -> str:
    """The expression's text with holes blanked."""
    return Printer(width=1 << 30, hole=lambda h: f"\0{h.hint}").flat(expr)


def share(drafts: list[Draft], name: str, dialect: Dialect) -> Shared:
    """One class for drafts with equal keys."""
    return _Sharing(drafts, name, dialect).run()


class _Sharing:
    """Works on the drafts' holes by position: slot i of each draft is the same place in the code."""

    def __init__(self, drafts: list[Draft], name: str, dialect: Dialect) -> None:
        self.drafts = drafts
        self.dialect = dialect
        self.name = name
        self.parameters: list[Parameter] = []
        self.names = Namespace({"self"})
        self.attributes = Namespace(drafts[0].attributes)
        self.in_forward: dict[str, str] = {}  # arguments that the methods read, and the attributes that keep them

    def run(self) -> Shared:
        first = self.drafts[0]
        children = self._children()
        init = self._statements([d.init for d in self.drafts], first.init, inside=True)
        methods = self._statements([list(d.methods) for d in self.drafts], list(first.methods), inside=False)
        self._order_parameters()
        definition = self._definition(first, init, children, methods)
        return Shared(definition, [self._construct(i) for i in range(len(self.drafts))])

    # -- holes to literals or arguments -----------------------------------------------------------------------------
    def _statements(self, all_statements: list[list[s.Stmt]], mine: list[s.Stmt], inside: bool) -> list[s.Stmt]:
        slots = list(zip(*(holes_of(body) for body in all_statements), strict=True))
        found = {id(slot[0]): self._fill(slot, "", inside) for slot in slots}
        for stmt in mine:
            s.rewrite(stmt, lambda e: found.get(id(e)) if isinstance(e, Hole) else _drop_defaults(e, found))
        return mine

    def _children(self) -> list[Child]:
        out = []
        for position, child in enumerate(self.drafts[0].children):
            ctors = [d.children[position].ctor for d in self.drafts]
            if len({skeleton(c) for c in ctors}) == 1:
                out.append(Child(child.attr, self._filled(ctors, child.attr)))
            else:
                out.append(Child(child.attr, self._passed(ctors, child.attr)))
        return out

    def _filled(self, ctors: list[Expr], attr: str) -> Expr:
        slots = zip(*(expression_holes(c) for c in ctors), strict=True)
        found = {id(slot[0]): self._fill(slot, attr, True) for slot in slots}
        return transform(ctors[0], lambda e: found.get(id(e)) if isinstance(e, Hole) else _drop_defaults(e, found))

    def _passed(self, ctors: list[Expr], attr: str) -> Expr:
        """A child whose construction differs in kind is handed in by whoever constructs the class."""
        identity = self.dialect.identity
        optional = any(c == identity for c in ctors)
        given = [c for c in ctors if c != identity]
        if optional and len({skeleton(c) for c in given}) == 1:
            return self._switched(ctors, attr, identity)
        name = self.names.new(_module_name(attr, given))
        module = self.dialect.module
        annotation = f"{module} | None" if optional else module
        values: list[Expr | None] = [None if c == identity else c for c in ctors]
        self.parameters.append(Parameter(name, values, annotation, Lit(None) if optional else None, is_module=True))
        return s_or(Name(name), identity) if optional else Name(name)

    def _switched(self, ctors: list[Expr], attr: str, identity: Expr) -> Expr:
        """A child that is there or not, built the same way wherever it is: a flag."""
        name = self.names.new(identifier(attr))
        there = [c != identity for c in ctors]
        first = next(c for c in ctors if c != identity)
        holes = [expression_holes(c) if yes else None for c, yes in zip(ctors, there)]
        found = {}
        for position, hole in enumerate(expression_holes(first)):
            values = [None if own is None else own[position].value for own in holes]
            found[id(hole)] = self._place(values, hole, attr, True)
        built = transform(first, lambda e: found.get(id(e)) if isinstance(e, Hole) else _drop_defaults(e, found))
        self.parameters.append(Parameter(name, [Lit(yes) for yes in there], "bool", Lit(False)))
        return IfElse(Name(name), built, identity)

    def _fill(self, slot: tuple[Hole, ...], owner: str, inside: bool) -> Expr:
        return self._place([h.value for h in slot], slot[0], owner, inside)

    def _place(self, values: list[Expr | None], hole: Hole, owner: str, inside: bool) -> Expr:
        """A literal where all instances that care agree, else an argument."""
        cared = [v for v in values if v is not None]
        if all(v == cared[0] for v in cared):
            return cared[0]
        parameter = self._parameter(values, hole, owner, inside)
        if inside:
            return Name(parameter.name)
        if parameter.name not in self.in_forward:
            self.in_forward[parameter.name] = self.attributes.new(parameter.name)
        return Name(f"self.{self.in_forward[parameter.name]}")

    def _parameter(self, values: list[Expr | None], hole: Hole, owner: str, inside: bool) -> Parameter:
        for known in self.parameters:
            if not known.is_module and all(v is None or v == k for v, k in zip(values, known.values)):
                return known
        wish = identifier(hole.hint)
        if wish in self.names.taken and owner and not owner.isdigit():
            wish = f"{identifier(owner)}_{wish}"
        filler = next(v for v in values if v is not None)
        values = [filler if v is None else v for v in values]
        name = Namespace(self.names.taken if inside else self.names.taken | self.attributes.taken).new(wish)
        self.names.taken.add(name)
        parameter = Parameter(name, values, _annotation(values), hole.default)
        if hole.default is not None and not any(v == hole.default for v in values):
            parameter.default = None
        self.parameters.append(parameter)
        return parameter

    def _order_parameters(self) -> None:
        self.parameters.sort(key=lambda p: p.default is not None)  # stable: required ones first

    # -- the class --------------------------------------------------------------------------------------------------
    def _definition(self, first: Draft, init: list[s.Stmt], children: list[Child], methods: list[s.Stmt]) -> s.ClassDef:
        params = [s.Param("self")]
        params += [s.Param(p.name, p.annotation, p.default) for p in self.parameters]
        body = self.dialect.constructor(init, children, self.in_forward)
        needed = len(body) > 1 or len(params) > 1 or not methods or any(c.attr.isdigit() for c in children)
        needed = needed or not self.dialect.inherits
        init_method: list[s.Stmt] = [s.FunctionDef("__init__", params, body, "None")] if needed else []
        members: list[s.Stmt] = [*init_method, *methods]
        return s.ClassDef(self.name, (self.dialect.base_of(children),), first.doc, members)

    def _construct(self, index: int) -> Expr:
        args: list[Expr] = []
        kwargs: list[tuple[str, Expr]] = []
        for p in self.parameters:
            value = p.values[index]
            if p.is_module:
                kwargs += [] if value is None else [(p.name, value)]
            elif p.default is None:
                args.append(Hole(value or Lit(None), p.name))
            else:
                kwargs.append((p.name, Hole(value or Lit(None), p.name, p.default)))
        required = [(p.name, p.values[index]) for p in self.parameters if p.is_module and p.default is None]
        order = {p.name: i for i, p in enumerate(self.parameters)}
        if required:
            names = [p.name for p in self.parameters if p.default is None and not p.is_module]
            kwargs += list(zip(names, args))
            args = []
        return Call(Name(self.name), tuple(args), tuple(sorted(kwargs, key=lambda kv: order[kv[0]])))


def _module_name(attr: str, ctors: list[Expr]) -> str:
    """What a module that is handed in is called; one named by a number goes by what it is."""
    if not attr.isdigit():
        return identifier(attr)
    plain = all(isinstance(c, Call) and not c.args and len(c.kwargs) < 2 for c in ctors)
    return "activation" if plain else f"module_{attr}"


def s_or(left: Expr, right: Expr) -> Expr:
    """`left or right`."""
    from converter.exporters.code.expr import Binary

    return Binary("or", left, right)


def _drop_defaults(expr: Expr, found: dict[int, Expr]) -> Expr | None:
    """Leave out keyword arguments that are constant and equal to their default."""
    if not isinstance(expr, Call) or not any(isinstance(v, Hole) and v.default is not None for _, v in expr.kwargs):
        return None

    def visit(part: Expr) -> Expr | None:
        return found.get(id(part)) if isinstance(part, Hole) else _drop_defaults(part, found)

    kept = [
        (k, transform(v, visit))
        for k, v in expr.kwargs
        if not (isinstance(v, Hole) and v.default is not None and found.get(id(v), v.value) == v.default)
    ]
    return Call(transform(expr.func, visit), tuple(transform(a, visit) for a in expr.args), tuple(kept))


def _annotation(values: list[Expr | None]) -> str:
    kinds = []
    for value in values:
        kind = _kind(value) if value is not None else ""
        if kind and kind not in kinds:
            kinds.append(kind)
    if kinds == ["int", "float"] or kinds == ["float", "int"]:
        kinds = ["float"]
    return " | ".join(kinds)


def _kind(value: Expr) -> str:
    if isinstance(value, Lit):
        return "None" if value.value is None else type(value.value).__name__
    if isinstance(value, Tup):
        inner = sorted({_kind(i) for i in value.items})
        return f"tuple[{', '.join(_kind(i) for i in value.items)}]" if inner else "tuple"
    if isinstance(value, Name) and value.id.startswith("torch."):
        return "torch.dtype"
    return ""


def finish(expr: Expr) -> Expr:
    """Holes become their values, defaults are left out: for code that one instance alone has."""
    found = {id(h): finish(h.value) for h in walk(expr) if isinstance(h, Hole)}
    return transform(expr, lambda e: e.value if isinstance(e, Hole) else _drop_defaults(e, found))
