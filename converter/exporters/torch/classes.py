"""Classes of `nn.Module`: containers, parameters, buffers."""

from __future__ import annotations

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Call, Dct, Expr, Hole, Lit, Lst, Name, Star, hole, lift, transform
from converter.exporters.outline.context import Buffer
from converter.exporters.outline.instances import Instance
from converter.exporters.outline.writer import ClassWriter, frozen_names, in_order, runs
from converter.exporters.torch.constants import tensor_literal, torch_dtype
from ir.types import TensorType, dtypes, type_of

IDENTITY = Call(Name("nn.Identity"))
_INLINE_ELEMENTS = 64


class TorchClasses(ClassWriter):
    """Turns the instance tree into modules of PyTorch."""

    def sequential(self, instance: Instance) -> Expr:
        children = in_order(instance)
        if all(c.path[-1].isdigit() for c in children):
            return Call(Name("nn.Sequential"), tuple(self.numbered(children)))
        pairs = Dct(tuple((Lit(c.path[-1]), self.ctor(c)) for c in children))
        return Call(Name("nn.Sequential"), (Call(Name("OrderedDict"), (pairs,)),))

    def holder(self, instance: Instance, kind: str) -> Expr:
        children = in_order(instance)
        if kind == "ModuleList":
            return Call(Name("nn.ModuleList"), (Lst(tuple(self.numbered(children))),))
        if kind == "ModuleDict":
            return Call(Name("nn.ModuleDict"), (Dct(tuple((Lit(c.path[-1]), self.ctor(c)) for c in children)),))
        ordered = sorted(instance.weights, key=int)
        return Call(Name("nn.ParameterList"), (Lst(tuple(self._parameter(instance.weights[w]) for w in ordered)),))

    def weight_statements(self, instance: Instance) -> list[s.Stmt]:
        """Parameters and buffers of the instance itself."""
        out: list[s.Stmt] = []
        for attr, name in instance.weights.items():
            weight = self.shared.model.weights[name]
            if weight.kind == "parameter":
                out.append(s.Assign(Name(f"self.{attr}"), self._parameter(name)))
            else:
                persistent = weight.kind == "buffer" and weight.persistent
                kwargs = (("persistent", hole(persistent, "persistent", True)),)
                out.append(s.Do(Call(Name("self.register_buffer"), (Lit(attr), _empty(weight.type)), kwargs)))
        return out

    def _parameter(self, name: str) -> Expr:
        weight = self.shared.model.weights[name]
        floats = weight.type.dtype.is_float or weight.type.dtype.is_complex
        kwargs = () if floats else (("requires_grad", lift(False)),)
        return Call(Name("nn.Parameter"), (_empty(weight.type),), kwargs)

    def buffer_statements(self, instance: Instance, buffers: list[Buffer]) -> list[s.Stmt]:
        """Constants: small ones in the source, large ones in the weights file; never part of the state dict."""
        out: list[s.Stmt] = []
        for buffer in buffers:
            type_ = type_of(buffer.value)
            if buffer.value.size <= _INLINE_ELEMENTS:
                value: Expr = Hole(tensor_literal(buffer.value, type_.dtype), buffer.attr)
            else:
                value = _empty(type_)
                self.large[".".join((*instance.path, buffer.attr))] = buffer
            out.append(
                s.Do(Call(Name("self.register_buffer"), (Lit(buffer.attr), value), (("persistent", lift(False)),)))
            )
        return out

    def ties(self) -> list[s.Stmt]:
        """`self.head.weight = self.table.weight`."""
        weights = self.shared.model.weights.values()
        return [s.Assign(self._at(alias), self._at(w.name)) for w in weights for alias in w.aliases]

    def frozen(self) -> list[s.Stmt]:
        """`requires_grad_(False)` for frozen parameters, on whole modules where everything below is frozen; and for what is
        constant and a parameter of a module all the same."""
        names = [*frozen_names(self.shared.model), *self._constant_parameters()]
        return [s.Do(self._at(n).requires_grad_(False)) for n in names]

    def _constant_parameters(self) -> list[str]:
        found: dict[str, None] = {}
        for instance in self.shared.leaves.values():
            for attr, value in (instance.form.weights if instance.form else {}).items():
                weight = self.shared.model.weight_of(value)
                constant = weight is not None and weight.kind == "constant" and weight.type.dtype.is_float
                if constant and not attr.startswith("running_"):
                    found[".".join((*instance.path, attr))] = None
        return list(found)

    def _at(self, name: str) -> Expr:
        return self.shared.attribute(name.split("."))

    def compress(self, expr: Expr) -> Expr:
        """Runs of equal constructors in a call or list become a generator: `*(Block(64) for _ in range(3))`."""
        return compress(expr)


def _empty(type_: TensorType) -> Expr:
    dims = tuple(hole(int(d), f"dim{i}" if type_.rank > 1 else "size") for i, d in enumerate(type_.shape))
    dtype = () if type_.dtype == dtypes.float32 else (("dtype", torch_dtype(type_.dtype)),)
    return Call(Name("torch.empty"), dims or (lift(()),), dtype)


def compress(expr: Expr) -> Expr:
    """Runs of equal constructors in a call or list become a generator: `*(Block(64) for _ in range(3))`."""

    def visit(part: Expr) -> Expr | None:
        if isinstance(part, Call) and part.func == Name("nn.Sequential"):
            return Call(part.func, tuple(runs([compress(a) for a in part.args], IDENTITY)), part.kwargs)
        if (
            isinstance(part, Call)
            and part.func == Name("nn.ModuleList")
            and part.args
            and isinstance(part.args[0], Lst)
        ):
            items = runs([compress(i) for i in part.args[0].items], IDENTITY)
            whole = items[0] if len(items) == 1 else None
            inner = whole.value if isinstance(whole, Star) else Lst(tuple(items))
            return Call(part.func, (inner,))
        return None

    return transform(expr, visit)
