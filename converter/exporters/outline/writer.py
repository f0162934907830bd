"""The classes of a package: a draft for every module instance, then one class for all that are alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Generator, Name, Star
from converter.exporters.code.names import Namespace, class_name
from converter.exporters.outline.classes import Draft, share
from converter.exporters.outline.context import Buffer, Shared
from converter.exporters.outline.dialect import Child
from converter.exporters.outline.instances import Instance, Path
from converter.exporters.outline.method import Method, MethodWriter
from converter.exporters.outline.plain import is_plain
from converter.exporters.outline.regions import Region
from ir.core import Model, Node

LONGEST_LIST = 1000
"""Modules named by numbers up to here are a list, whose gaps are filled with identities."""


class CallsDiffer(Exception):
    """One module is called twice with different code: the later call has to be dissolved."""

    def __init__(self, region: Region) -> None:
        self.region = region
        super().__init__(".".join(region.path))


@dataclass(eq=False)
class ClassWriter:
    """Turns the instance tree into class definitions and constructor expressions; a framework's own says how containers,
    weights and constants are written."""

    shared: Shared
    tree: Instance
    reserved: set[str]
    definitions: list[s.ClassDef] = field(default_factory=list)
    large: dict[str, Buffer] = field(default_factory=dict)
    _ctors: dict[Instance, Expr] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _methods: dict[Instance, Method] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = Namespace(self.reserved)
        self._by_key: dict[str, list[Instance]] = {}
        self._by_height = False  # whether a class of the source holds others that hold it, at another place

    def run(self) -> None:
        """Write every class below the root, inner ones first."""
        self._write_methods()
        classes = [i for i in self.tree.walk() if i is not self.tree and self._is_class(i)]
        inner: dict[str, set[str]] = {}
        for instance in classes:
            below = {self._key(c) for c in instance.walk() if c is not instance and self._is_class(c)}
            inner.setdefault(self._key(instance), set()).update(below)
        self._by_height = _has_cycle(inner)
        for instance in classes:
            self._by_key.setdefault(self._key(instance), []).append(instance)
        for key in self._by_key:
            self._ensure(key, ())

    # -- kinds of instances -----------------------------------------------------------------------------------------
    def _is_class(self, instance: Instance) -> bool:
        return instance.form is None and container(instance) is None and not self._is_sequential(instance)

    def _key(self, instance: Instance) -> str:
        """Instances of one key are candidates for one class: the source's class, and how deep it nests in itself."""
        wish = self._wish(instance)
        if self._by_height:
            return f"{wish}#{self._height(instance)}"
        inner = [self._nesting(c, wish) for c in instance.children.values()]
        return f"{wish}#{max(inner, default=0)}"

    def _nesting(self, instance: Instance, wish: str) -> int:
        below = max((self._nesting(c, wish) for c in instance.children.values()), default=0)
        return below + (self._is_class(instance) and self._wish(instance) == wish)

    def _height(self, instance: Instance) -> int:
        """How many classes deep an instance is."""
        below = max((self._height(c) for c in instance.children.values()), default=0)
        return below + self._is_class(instance)

    def _wish(self, instance: Instance) -> str:
        if instance.cls:
            return class_name(instance.cls)
        parts = [p for p in instance.path if not p.isdigit()]
        return class_name(parts[-1] if parts else "block")

    def _is_sequential(self, instance: Instance) -> bool:
        return bool(instance.regions) and instance.cls in ("", "Sequential") and self.is_chain(instance)

    def is_chain(self, instance: Instance) -> bool:
        """Whether every call hands one value through all children in order, and nothing else happens."""
        children = in_order(instance)
        if instance.weights or not children:
            return False
        return all(self._chains(region, [c.path for c in children]) for region in instance.regions)

    def _chains(self, region: Region, paths: list[Path]) -> bool:
        value = region.inputs[0] if len(region.inputs) == 1 else None
        visited: list[Path] = []
        for item in region.items:
            path = item.path if isinstance(item, Region) else self._leaf_path(region, item)
            inputs = item.inputs if isinstance(item, Region) else list(item.inputs[:1])
            outputs = item.outputs if isinstance(item, Region) else list(item.outputs[:1])
            if path is None or len(inputs) != 1 or inputs[0] is not value or len(outputs) != 1:
                return False
            if isinstance(item, Region) and (self.shared.sizes[item] or self.shared.extra_weights[item]):
                return False
            visited.append(path)
            value = outputs[0]
        return visited == paths and region.outputs == [value]

    def _leaf_path(self, region: Region, node: Node) -> Path | None:
        """Where the module of a node lies that is called on its first operand and nothing more."""
        instance = self.shared.leaves.get(node)
        return instance.path if instance is not None and is_plain(self.shared, region, node) else None

    # -- methods ----------------------------------------------------------------------------------------------------
    def _write_methods(self) -> None:
        """Write the forward of every module, inner ones first: outer ones must know what the inner ones ask for."""
        for region in self.shared.regions:
            if region.steps:
                method = MethodWriter(self.shared, region, self.reserved).write()
                instance = self.tree.at(region.path)
                known = self._methods.setdefault(instance, method)
                if known is not method and not _alike(known, method):
                    raise CallsDiffer(region)

    # -- constructors -----------------------------------------------------------------------------------------------
    def ctor(self, instance: Instance) -> Expr:
        """The expression that constructs an instance."""
        if instance not in self._ctors:
            if instance.form is not None:
                self._ctors[instance] = instance.form.ctor
            elif self._is_sequential(instance):
                self._ctors[instance] = self.sequential(instance)
            else:
                kind = container(instance)
                if kind is None:
                    raise KeyError(f"no class was written for {instance.name}")
                self._ctors[instance] = self.holder(instance, kind)
        return self._ctors[instance]

    def sequential(self, instance: Instance) -> Expr:
        """The container that hands one value through its children."""
        raise NotImplementedError

    def holder(self, instance: Instance, kind: str) -> Expr:
        """The list or dict of modules, or the list of parameters."""
        raise NotImplementedError

    def numbered(self, children: list[Instance]) -> list[Expr]:
        """Constructors by position; a module that left no trace in the graph keeps its number as an identity."""
        by_number = {int(c.path[-1]): self.ctor(c) for c in children}
        return [by_number.get(i, self.shared.dialect.identity) for i in range(max(by_number) + 1)]

    # -- classes ----------------------------------------------------------------------------------------------------
    def _ensure(self, key: str, trail: tuple[str, ...]) -> None:
        if key in self._done or key in trail:
            return
        for instance in self._by_key[key]:
            for inner in instance.walk():
                if inner is not instance and self._is_class(inner):
                    self._ensure(self._key(inner), (*trail, key))
        self._done.add(key)
        groups: dict[str, list[tuple[Instance, Draft]]] = {}
        for instance in self._by_key[key]:
            draft = self.draft(instance)
            groups.setdefault(draft.key(), []).append((instance, draft))
        for members in groups.values():
            self._share(members)

    def _share(self, members: list[tuple[Instance, Draft]]) -> None:
        drafts = [d for _, d in members]
        first = members[0][0]
        drafts[0].doc = _doc([i for i, _ in members])
        shared = share(drafts, self.names.new(self._wish(first)), self.shared.dialect)
        self.definitions.append(shared.definition)
        for (instance, _), ctor in zip(members, shared.ctors):
            self._ctors[instance] = ctor

    def draft(self, instance: Instance) -> Draft:
        """The class of one instance, settings as holes."""
        method = None if self.is_plain_sequence(instance) else self._methods.get(instance)
        buffers = method.buffers if method else []
        init = self.weight_statements(instance) + self.buffer_statements(instance, buffers)
        dialect = self.shared.dialect
        methods = [s.FunctionDef(dialect.forward, method.params, method.body, method.returns)] if method else []
        children, code = self.children_of(instance), method.key if method else ""
        attributes = dialect.attributes | set(instance.weights) | {c.attr for c in children} | {b.attr for b in buffers}
        return Draft(self._wish(instance), init, children, methods, code=code, attributes=attributes)

    def is_plain_sequence(self, instance: Instance) -> bool:
        """Whether the container's own forward, child after child, is all that happens."""
        return all(n.isdigit() for n in instance.children) and bool(instance.regions) and self.is_chain(instance)

    def children_of(self, instance: Instance) -> list[Child]:
        """Children in order of use, those named by numbers first and complete."""
        numbered = _in_numbers(instance)
        found = [Child(str(i), ctor) for i, ctor in enumerate(self.numbered(numbered))] if numbered else []
        return found + [Child(c.path[-1], self.ctor(c)) for c in _by_use(instance) if not c.path[-1].isdigit()]

    def weight_statements(self, instance: Instance) -> list[s.Stmt]:
        """Parameters and buffers of the instance itself."""
        raise NotImplementedError

    def buffer_statements(self, instance: Instance, buffers: list[Buffer]) -> list[s.Stmt]:
        """Constants: small ones in the source, large ones in the weights file (and in `large`)."""
        raise NotImplementedError

    def ties(self) -> list[s.Stmt]:
        """Assignments of the root's constructor that make tied weights one."""
        raise NotImplementedError

    def frozen(self) -> list[s.Stmt]:
        """What the root's constructor says of parameters that are not trained."""
        raise NotImplementedError

    def compress(self, expr: Expr) -> Expr:
        """The expression with runs of equal constructors as loops."""
        raise NotImplementedError


def _has_cycle(inner: Mapping[str, set[str]]) -> bool:
    """Whether any name leads back to itself."""
    left = {name: set(below) for name, below in inner.items()}
    while ready := [name for name, below in left.items() if not below & left.keys()]:
        for name in ready:
            del left[name]
    return bool(left)


def container(instance: Instance) -> str | None:
    """`ModuleList`, `ModuleDict` or `ParameterList` where the instance is a mere holder."""
    if instance.regions or not instance.path:
        return None
    names, weights = list(instance.children), list(instance.weights)
    if names and not weights:
        if all(n.isdigit() for n in names):
            return "ModuleList" if max(map(int, names)) < LONGEST_LIST else "ModuleDict"
        return "ModuleDict" if instance.cls == "ModuleDict" else None
    if weights and not names and all(w.isdigit() for w in weights):
        return "ParameterList"
    return None


def container_at(tree: Instance, path: Path) -> str | None:
    """What holder lies at a path below the root."""
    here: Instance | None = tree
    for name in path:
        here = here.children.get(name) if here is not None else None
    return container(here) if here is not None else None


def in_order(instance: Instance) -> list[Instance]:
    """Children by number where all are numbered, else by first use."""
    children = list(instance.children.values())
    if all(c.path[-1].isdigit() for c in children):
        return sorted(children, key=lambda c: int(c.path[-1]))
    return _by_use(instance)


def _in_numbers(instance: Instance) -> list[Instance]:
    return sorted((c for c in instance.children.values() if c.path[-1].isdigit()), key=lambda c: int(c.path[-1]))


def _by_use(instance: Instance) -> list[Instance]:
    return sorted(instance.children.values(), key=lambda c: c.first)


def _alike(a: Method, b: Method) -> bool:
    """Whether two calls of one module run the same code with the same settings."""
    from converter.exporters.code.printer import Printer

    texts = [Printer().block([s.FunctionDef("forward", m.params, m.body, m.returns)]) for m in (a, b)]
    same_buffers = [x.value.tobytes() for x in a.buffers] == [x.value.tobytes() for x in b.buffers]
    return texts[0] == texts[1] and same_buffers


def _doc(instances: list[Instance]) -> str:
    first = instances[0].name
    if len(instances) == 1:
        return f"`{first}`."
    if len(instances) == 2:
        return f"`{first}` and `{instances[1].name}`."
    return f"`{first}` to `{instances[-1].name}` ({len(instances)} modules)."


def runs(items: list[Expr], identity: Expr) -> list[Expr]:
    """Runs of equal constructors as a generator: `*(Block(64) for _ in range(3))`."""
    out: list[Expr] = []
    i = 0
    while i < len(items):
        j = i
        while j < len(items) and items[j] == items[i]:
            j += 1
        if j - i >= 2 and items[i] != identity:
            out.append(Star(Generator(items[i], "_", Name("range")(j - i))))
        else:
            out += items[i:j]
        i = j
    return out


def frozen_names(model: Model) -> list[str]:
    """What to freeze: parameters, and whole modules where everything below is frozen."""
    frozen = [w.name for w in model.parameters() if w.trainable is False and w.type.dtype.is_float]
    free = [n for w in model.parameters() if w.trainable is not False for n in (w.name, *w.aliases)]
    chosen: dict[str, None] = {}
    for name in frozen:
        parts = name.split(".")
        prefixes = [".".join(parts[:i]) for i in range(1, len(parts))]
        whole = next((p for p in prefixes if not any(f.startswith(p + ".") for f in free)), name)
        chosen[whole] = None
    return list(chosen)
