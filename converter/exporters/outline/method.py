"""Writing one method: the forward of a region, from its items."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Call, Expr, Tup, Var
from converter.exporters.code.fold import fold
from converter.exporters.code.names import allocate, bind, identifier
from converter.exporters.code.printer import Printer
from converter.exporters.outline.context import Buffer, Shared
from converter.exporters.outline.instances import Instance, weight_inputs
from converter.exporters.outline.loops import ModuleRun, module_runs
from converter.exporters.outline.regions import Region
from ir.core import Node, Value

HINTS = {
    "matmul": "product", "softmax": "probs", "attention": "attended", "concat": "joined", "stack": "stacked",
    "reduce_mean": "mean", "reduce_var": "var", "reduce_sum": "total", "argmax": "best", "argmin": "best", "cos": "cos",
    "sin": "sin", "arange": "positions", "equal": "mask", "not_equal": "mask", "less": "mask", "less_equal": "mask",
    "greater": "mask", "greater_equal": "mask", "and": "mask", "or": "mask", "not": "mask", "tril": "mask", "triu": "mask",
    "split": "part", "isnan": "mask", "isfinite": "mask", "isinf": "mask", "embedding": "embedded",
    "nonzero": "found", "one_hot": "one_hot",
}  # fmt: skip
"""What a value is called when nothing else suggests a name."""

_SUFFIXES = ("_proj", "_projection", "_layer", "_linear")


@dataclass(eq=False)
class Method:
    """A written method, names bound, and the constants its class must hold; `key` is its code whatever its variables are
    called."""

    params: list[s.Param]
    body: list[s.Stmt]
    returns: str
    buffers: list[Buffer]
    key: str


def _numbered(params: list[Var], body: list[s.Stmt]) -> str:
    """The text of a body with variables numbered in order of appearance, settings left open."""
    numbers = {var: f"v{i}" for i, var in enumerate(params)}
    printer = Printer(
        width=1 << 30, hole=lambda h: f"\0{h.hint}", name_of=lambda v: numbers.setdefault(v, f"v{len(numbers)}")
    )
    return "\n".join(printer.block(body))


class MethodWriter:
    """Writes `forward` for a region. Inner regions must have been written before: they tell the sizes they ask for."""

    def __init__(self, shared: Shared, region: Region, reserved: Iterable[str] = ()) -> None:
        self.shared = shared
        self.region = region
        self.c = shared.context(region)
        self.dialect = shared.dialect
        self.reserved = set(reserved)
        self.fans = _fans(region, shared)
        self.c.write = self.node

    def write(self) -> Method:
        """The forward of a module below the root: one argument per value that enters, sizes last."""
        weights = self.shared.extra_weights[self.region] = weight_inputs(
            self.shared.model, self.region, self.shared.leaves
        )
        variables = [self._argument(v) for v in [*self.region.inputs, *weights]]
        for value, var in zip([*self.region.inputs, *weights], variables):
            self.c.values[value] = var
        self.items()
        outs = [self.c.x(v) for v in self.region.outputs]
        self.c.body.append(s.Return(outs[0] if len(outs) == 1 else Tup(tuple(outs))))
        self.shared.sizes[self.region] = list(self.c.size_arguments)
        sizes = list(self.c.size_arguments.values())
        names, key = self.finish([*variables, *sizes])
        self.shared.size_names[self.region] = [names[v] for v in sizes]
        tensor, number = self.dialect.tensor, self.dialect.number
        params = [
            s.Param("self"),
            *(s.Param(names[v], tensor) for v in variables),
            *(s.Param(names[v], number) for v in sizes),
            *self.c.parameters(),
        ]
        kinds = f"{len(variables)} tensors, {len(sizes)} sizes -> {len(outs)}"
        return Method(params, self.c.body, self._returns(len(outs)), self.c.buffers, f"{kinds}\n{key}")

    def _returns(self, count: int) -> str:
        """The annotation of the result."""
        tensor = self.dialect.tensor
        return tensor if count == 1 or not tensor else f"tuple[{', '.join([tensor] * count)}]"

    def _argument(self, value: Value) -> Var:
        from_outside = value.producer is None and not value.type.dtype.is_float
        shared = value.is_weight or from_outside or _siblings(value, self.region, self.shared)
        hint = _value_hint(value) if shared else ""
        return Var(hint, strong=bool(hint))

    def finish(self, params: list[Var]) -> tuple[dict[Var, str], str]:
        """Fold, choose names and bind them; returns the names, and the code with its variables numbered."""
        body = self.c.body = self.c.size_statements() + self.c.body
        fold(body)
        names = allocate(params, body, self.reserved)
        key = _numbered(params, body)
        bind(body, names)
        return names, key

    # -- items ------------------------------------------------------------------------------------------------------
    def items(self) -> None:
        """Write every item in order; calls along a whole ModuleList become a loop."""
        runs = module_runs(self.region, self.shared)
        position = 0
        while position < len(self.region.items):
            run = runs.get(position)
            if run is not None:
                self._loop(run)
                position += len(run.items)
            else:
                self._item(self.region.items[position])
                position += 1

    def _item(self, item: Node | Region) -> None:
        if isinstance(item, Region):
            target = self.c.module(self._instance(item))
            fan = self._is_fan(item)
            self._bind(item.outputs, self._call(target, item), _call_hint(item.path) if fan else "", fan)
        elif item.outputs and all(value in self.c.values for value in item.outputs):
            return  # a call before has given it already
        elif item in self.shared.leaves:
            self._leaf(item, self.shared.leaves[item])
        else:
            self.node(item)

    def _instance(self, region: Region) -> Instance:
        return Instance(region.path)

    def _call(self, target: Expr, region: Region) -> Expr:
        """The call of an inner module: its values, the weights and sizes it asks for."""
        args = [self.c.x(v) for v in [*region.inputs, *self.shared.extra_weights[region]]]
        sizes = [self.c.dim(size) for size in self.shared.sizes[region]]
        if self.dialect.sizes_by_name:
            named = tuple(zip(self.shared.size_names[region], sizes, strict=True))
            return self.dialect.called(target, tuple(args), (*named, *self.c.call_settings(region).items()))
        return self.dialect.called(target, (*args, *sizes), ())

    def _leaf(self, node: Node, instance: Instance) -> None:
        self.c.node = node
        form = instance.calls[node]
        module = self.c.module(instance)
        result = Call(module, (self.c.x(node.inputs[0]),)) if form.call is None else form.call(self.c, module)
        fan = self._is_fan(node)
        self._bind_node(node, result, _call_hint(instance.path) if fan else HINTS.get(node.op.name, ""), fan)

    def node(self, node: Node) -> None:
        """Write a node by its rule."""
        self.c.node = node
        self._bind_node(node, self.dialect.table[node.op.name].write(self.c, node), self._hint(node), False)

    def _hint(self, node: Node) -> str:
        return _value_hint(node.outputs[0]) if len(node.outputs) == 1 else HINTS.get(node.op.name, "")

    def _bind_node(self, node: Node, result: Expr | tuple[Expr | None, ...] | None, hint: str, strong: bool) -> None:
        if result is None:  # the rule has bound the outputs itself
            return
        if isinstance(result, tuple):
            for value, expr in zip(node.outputs, result, strict=True):
                if expr is not None and value.uses:
                    self._bind([value], expr, hint, strong)
            return
        self._bind(list(node.outputs[:1]) if len(node.outputs) != 1 else list(node.outputs), result, hint, strong)

    def _bind(self, values: list[Value], expr: Expr, hint: str, strong: bool) -> None:
        if len(values) == 1:
            if isinstance(expr, Var):
                self.c.know(values[0], expr)
            else:
                self.c.know(values[0], self.c.assign(expr, hint, strong))
            return
        parts = [Var(f"{hint}_{i}" if hint else "") for i in range(len(values))]
        self.c.body.append(s.Assign(Tup(tuple(parts)), expr))
        for value, var in zip(values, parts):
            self.c.know(value, var)

    def _is_fan(self, item: Node | Region) -> bool:
        """Whether siblings of the same kind read the same value (query, key, value): then names matter."""
        return self.fans.get(_fan_key(item), 0) > 1

    # -- loops ------------------------------------------------------------------------------------------------------
    def _loop(self, run: ModuleRun) -> None:
        """`for layer in self.layers: x = layer(x, ...)`."""
        c = self.c
        carried = Var(mutable=True)
        c.body.append(s.Assign(carried, c.x(run.start)))
        layer = Var(_singular(run.container[-1]), strong=True)
        first = run.items[0]
        c.values[run.start], outer = carried, c.values.get(run.start)
        if isinstance(first, Region):
            call = self._call(layer, first)
        else:
            c.node = first
            form = self.shared.leaves[first].calls[first]
            call = Call(layer, (carried,)) if form.call is None else form.call(c, layer)
            call = call[0] if isinstance(call, tuple) else call
        if outer is not None:
            c.values[run.start] = outer
        container = c.attribute(run.container[len(self.region.path) :])
        c.body.append(s.For(layer, container, [s.Assign(carried, call)]))
        c.know(run.end, carried)


def _siblings(value: Value, region: Region, shared: Shared) -> bool:
    """Whether the value enters several modules of the region's class."""
    return shared.entries[value, region.cls] > 1


def _value_hint(value: Value) -> str:
    if value.producer is None:
        return identifier(value.name.split(".")[-1] if value.is_weight else value.name)
    source = value.producer.inputs[0] if value.producer.op.name in ("slice", "unsqueeze", "reshape") else None
    if source is not None and source.is_weight:  # a slice of a table goes by the table's name
        return identifier(source.name.split(".")[-1])
    return HINTS.get(value.producer.op.name, "")


def _fan_key(item: Node | Region) -> tuple[Value | None, str]:
    """What a module call reads first, and its kind."""
    inputs = list(item.inputs[:1])
    return (inputs[0] if inputs else None), item.cls if isinstance(item, Region) else item.op.name


def _fans(region: Region, shared: Shared) -> dict[tuple[Value | None, str], int]:
    """How many module calls of one kind take the same value first."""
    found: dict[tuple[Value | None, str], int] = {}
    for item in region.items:
        if isinstance(item, Region) or item in shared.leaves:
            key = _fan_key(item)
            found[key] = found.get(key, 0) + 1
    return found


def _call_hint(path: tuple[str, ...]) -> str:
    name = next((p for p in reversed(path) if not p.isdigit()), "")
    for suffix in _SUFFIXES:
        if name.endswith(suffix) and len(name) > len(suffix):
            return identifier(name.removesuffix(suffix))
    return identifier(name) if name else ""


def _singular(name: str) -> str:
    text = identifier(name)
    if text.endswith("ies") and len(text) > 4:
        return text[:-3] + "y"
    return text[:-1] if text.endswith("s") and len(text) > 2 else "layer" if text == "h" else f"{text}_item"
