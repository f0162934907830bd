"""From a functionalised ExportedProgram to an ir.Model."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from converter.errors import ConversionError, Unsupported
from converter.importers.base import ImportOptions, Planner, Refusal, place_of
from converter.importers.torch import checks, control, refused
from converter.importers.torch.context import Call, TorchContext
from converter.importers.torch.context import rule as rules
from converter.importers.torch.dims import Sizes
from converter.importers.torch.dtypes import ir_dtype, to_numpy
from converter.importers.torch.scalars import convert_integer, convert_number
from converter.importers.torch.scopes import Scopes
from converter.importers.torch.weights import SMALL, Weights
from ir.core import Model, Value
from ir.types import Assumption, Dim, TensorType
from ir.types.dim import recording_assumptions


class Reader:
    """Reads the nodes of one program in order. Refusals are collected; `finish` raises them all."""

    def __init__(self, program: Any, model: Model, weights: Weights, sizes: Sizes, scopes: Scopes, plan: Planner,
                 options: ImportOptions) -> None:  # fmt: skip
        self.program = program
        self.model = model
        self.weights = weights
        self.scopes = scopes
        self.plan = plan
        self.c = TorchContext(model, plan, options, sizes)
        self.inputs: dict[str, Value] = {}

    # -- inputs -------------------------------------------------------------------------------------------------
    def bind_inputs(self, names: Mapping[str, str]) -> None:
        """Create graph inputs in the order of `names` (placeholder name -> flat leaf name) and bind the rest."""
        placeholders = {n.name: n for n in self.program.graph.nodes if n.op == "placeholder"}
        for placeholder, leaf in names.items():
            meta = placeholders[placeholder].meta["val"]
            kind = TensorType(ir_dtype(meta.dtype), self.c.shape_of(meta))
            self.c.env[placeholders[placeholder]] = self.model.graph.add_input(kind, leaf)
        for spec in self.program.graph_signature.input_specs:
            node = placeholders.get(getattr(spec.arg, "name", ""))
            if node is not None and node not in self.c.env:
                self._bind(node, spec)

    def _bind(self, node: Any, spec: Any) -> None:
        kind = spec.kind.name
        if kind in ("PARAMETER", "BUFFER") and spec.target in self.weights:
            self.c.env[node] = self.weights.value(spec.target)
        elif kind in ("CONSTANT_TENSOR", "BUFFER", "PARAMETER"):
            self._bind_constant(node, spec.target, self.program.constants[spec.target])
        elif kind != "USER_INPUT":
            self.plan.add(Unsupported(f"input {node.name}", f"a {kind.lower().replace('_', ' ')} cannot be converted"))

    def _bind_constant(self, node: Any, name: str, tensor: Any) -> None:
        if tensor.numel() <= SMALL:
            with self.c.at(self.scopes.origin(node)):
                self.c.env[node] = self.c.b.constant(to_numpy(tensor), ir_dtype(tensor.dtype))
        else:
            self.c.env[node] = self.weights.constant(name, tensor)

    # -- nodes --------------------------------------------------------------------------------------------------
    def read(self) -> list[Any]:
        """Convert every node; returns the fx nodes (or literals) the program returns."""
        with recording_assumptions() as assumed:
            outputs = self._nodes(self.program.graph)
        self._keep_assumptions(assumed)
        return outputs

    def _nodes(self, graph: Any) -> list[Any]:
        outputs: list[Any] = []
        for node in graph.nodes:
            if node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                returned = node.args[0]
                outputs = list(returned) if isinstance(returned, (list, tuple)) else [returned]
            elif node.op not in ("placeholder", "get_attr"):  # get_attr: bodies of control flow
                self._missing(node, f"{node.op} {node.target}")
        return outputs

    def _keep_assumptions(self, assumed: list[Assumption]) -> None:
        for item in dict.fromkeys(assumed):
            left, right = self.c.sizes.example(item.left), self.c.sizes.example(item.right)
            if left is not None and right is not None and left != right:
                raise ConversionError(f"internal: {item} does not hold for the example inputs ({left} and {right})")
            self.model.assumptions.append(item)

    def _call(self, node: Any) -> None:
        target = str(node.target)
        if checks.is_check(target):
            if lost := checks.unkept(node):
                self.c.note(f"{place_of(self.scopes.origin(node))}: {lost}")
            return
        if node.target is operator.getitem:
            self._getitem(node)
        elif _is_size(node.meta.get("val")) and not target.startswith(("aten.item", "aten._local_scalar_dense")):
            if any(item in self.c.numbers for item in node.all_input_nodes) and not isinstance(node.meta["val"], bool):
                self._number(node, convert_integer)
            return  # else read through meta["val"] where it is used
        else:
            self._convert(node, target)

    def _getitem(self, node: Any) -> None:
        whole, index = node.args
        parts = self.c.env.get(whole)
        if not isinstance(parts, (list, tuple)):
            raise ConversionError(f"internal: {whole} has no parts to take number {index} of")
        self.c.env[node] = parts[index]

    def _convert(self, node: Any, target: str) -> None:
        if type(node.meta.get("val")).__name__ == "SymFloat" and not target.startswith("aten."):
            self._number(node)
            return
        if not hasattr(node.target, "_schema") and "HigherOrderOperator" in {b.__name__ for b in type(node.target).__mro__}:
            self._control(node)
            return
        found = rules.get(target)
        origin = self.scopes.origin(node, found.name if found else "")
        if found is None:
            self._missing(node, target)
            return
        before = len(self.plan.items)
        with self.plan.collecting(target, place_of(origin), found.file), self.c.at(origin):
            call = Call(self.c, node)
            result = found.fn(self.c, call)
            unread = call.unread()
            if unread:
                self.c.refuse(f"argument {', '.join(unread)} is not handled", op=_with_arguments(target, call, unread))
            self._store(node, result)
        if len(self.plan.items) > before:
            self._poison(node)

    def _control(self, node: Any) -> None:
        origin = self.scopes.origin(node, "control")
        before = len(self.plan.items)
        with self.plan.collecting(origin.op, place_of(origin), control.__name__), self.c.at(origin):
            self._store(node, control.convert(self.c, node, self._nodes))
        if len(self.plan.items) > before:
            self._poison(node)

    def _number(self, node: Any, convert: Callable[[TorchContext, Any], Value] = convert_number) -> None:
        origin = self.scopes.origin(node, "number")
        with self.plan.collecting(origin.op, place_of(origin)), self.c.at(origin):
            self.c.env[node] = convert(self.c, node)

    def _missing(self, node: Any, target: str) -> None:
        place, why = place_of(self.scopes.origin(node)), refused.reason(target)
        self.plan.add(rules.missing(target, place) if why is None else Unsupported(target, why[0], place, advice=why[1]))
        self._poison(node)

    def _poison(self, node: Any) -> None:
        """Stand-ins for the results of a refused node, so that the nodes after it are examined too."""
        meta = node.meta.get("val")
        try:
            parts = [self._stand_in(m) for m in (meta if isinstance(meta, (list, tuple)) else [meta])]
        except Refusal:
            parts = []
        if parts:
            self.c.env[node] = parts if isinstance(meta, (list, tuple)) else parts[0]

    def _stand_in(self, meta: Any) -> Value | None:
        if not hasattr(meta, "dtype"):
            return None
        return Value(TensorType(ir_dtype(meta.dtype), self.c.shape_of(meta)), "refused", kind="input")

    # -- results ------------------------------------------------------------------------------------------------
    def _store(self, node: Any, result: Any) -> None:
        meta = node.meta.get("val")
        if isinstance(result, Value):
            self._check(node, result, meta)
            if not result.name and result.producer is not None:
                result.name = node.name
        else:
            for i, (value, m) in enumerate(zip(result, meta, strict=True)):
                if value is not None and m is not None:
                    self._check(node, value, m)
                    value.name = value.name or f"{node.name}_{i}"
        self.c.env[node] = result

    def _check(self, node: Any, value: Value, meta: Any) -> None:
        """Hold the inferred type against torch's: a difference is a fault of the rule, never passed on."""
        if not hasattr(meta, "dtype"):
            return
        if value.type.dtype != ir_dtype(meta.dtype) or value.type.rank != meta.dim():
            raise Refusal(f"gives {value.type} where torch gives {meta.dtype}{list(meta.shape)}")
        for mine, size in zip(value.type.shape, meta.shape, strict=True):
            self._unify(mine, size)

    def _unify(self, mine: Dim, size: Any) -> None:
        name = str(size.node.expr) if hasattr(size, "node") else ""
        if name.startswith("u") and name.isidentifier() and name not in self.c.sizes.by_symbol:
            self.c.sizes.bind(name, mine)
            return
        theirs = self.c.sizes.dim(size)
        a, b = self.c.sizes.example(mine), self.c.sizes.example(theirs)
        if mine != theirs and a is not None and b is not None and a != b:
            raise Refusal(f"gives size {mine} where torch gives {theirs}")

    # -- outputs ------------------------------------------------------------------------------------------------
    def finish(self, outputs: list[Any]) -> Iterator[tuple[str, Any]]:
        """Set the state entries; yields `(kind, item)` for every user output in order."""
        for spec, item in zip(self.program.graph_signature.output_specs, outputs, strict=True):
            kind = spec.kind.name
            if kind == "BUFFER_MUTATION" and spec.target in self.weights:
                self.c.state[self.weights.primary[spec.target]] = self.c.value(item)
            elif kind == "USER_OUTPUT":
                yield kind, item
            elif kind == "USER_INPUT_MUTATION":
                self.plan.add(Unsupported(
                    f"input {spec.target}", "the model writes into this input in place",
                    advice=f"work on a copy: {spec.target} = {spec.target}.clone()",
                ))  # fmt: skip
            elif kind == "PARAMETER_MUTATION":
                self.plan.add(Unsupported(
                    f"parameter {spec.target}", "the model writes into this parameter in its forward",
                    advice="do it once, before the conversion, or keep what changes in a buffer",
                ))  # fmt: skip
            else:
                self.plan.add(Unsupported(f"output {spec.target or item}", f"a {kind.lower()} cannot be converted"))

    def output_value(self, item: Any) -> Value | None:
        """The tensor of a returned item; a returned size becomes a 0-d int64; None for a plain Python value."""
        found = self.c.env.get(item) if hasattr(item, "meta") else None
        if isinstance(found, Value):
            return self.c.value(item)
        meta = item.meta.get("val") if hasattr(item, "meta") else item
        if hasattr(meta, "node") and type(meta).__name__ == "SymInt":
            return self.c.b.dim(size=self.c.sizes.dim(meta))
        return None


def _is_size(meta: Any) -> bool:
    return isinstance(meta, (bool, int)) or type(meta).__name__ in ("SymInt", "SymBool")


def _with_arguments(target: str, call: Call, names: list[str]) -> str:
    return f"{target} with {', '.join(f'{n}={call.raw(n)}' for n in names)}"
