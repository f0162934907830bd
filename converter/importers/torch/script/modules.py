"""A TorchScript module as a plain `nn.Module` of the same tree, whose forward runs the program's graphs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any

from converter.errors import ConversionError
from converter.importers.torch.script.graphs import Block, Graphs, class_path, type_name
from converter.importers.torch.script.machine import Machine
from converter.importers.torch.script.memory import Memory, TensorRef, is_tensor


class Program:
    """A TorchScript module read: `module` is its counterpart, with the same parameters, buffers and names.

    The tensors are the program's own, not copies.
    """

    def __init__(self, script: Any) -> None:
        self.graphs = Graphs()
        self.memory = Memory()
        self.scripts: dict[str, Any] = {}
        self.machine = Machine(self.graphs, self.memory, self.scripts)
        self.module = self._build(script, "")
        self._attributes()
        self._defaults(script)
        self.machine.bodies = lambda: [block for _, block in self.reachable()]

    # -- the tree -----------------------------------------------------------------------------------------------
    def _build(self, script: Any, path: str) -> Any:
        if not hasattr(script, "_c"):
            raise ConversionError(f"{path or 'the program'} is no scripted module")
        self.scripts[path] = script
        module = _module_class(class_path(type_name(script)))()
        module._path, module._program = path, self
        module.training = bool(script.training) if script._c.hasattr("training") else False
        module._script_momentum = script._c.getattr("momentum") if script._c.hasattr("momentum") else 0.1
        for name, tensor in script.named_parameters(recurse=False):
            module.register_parameter(name, _parameter(tensor))
        for name, tensor in script.named_buffers(recurse=False):
            module.register_buffer(name, tensor)
        for name, child in script.named_children():
            module.add_module(name, self._build(child, f"{path}.{name}" if path else name))
        self.memory.modules[path] = module
        return module

    # -- attributes ---------------------------------------------------------------------------------------------
    def _attributes(self) -> None:
        """Attributes that reachable methods read or write, which are neither parameters, buffers nor modules."""
        known = {_identity(t): TensorRef(p, n) for p, m in self.memory.modules.items() for n, t in _registered(m)}
        read, written = self._reachable()
        for path, script in self.scripts.items():
            module, kind = self.memory.modules[path], type_name(script)
            for owner, name in sorted(written):
                if owner == kind:
                    self.memory.written.add((path, name))
            for owner, name in sorted(read | written):
                if owner == kind and name not in module._modules and name not in dict(_registered(module)):
                    self._attribute(module, name, script._c.getattr(name), known)
        self._check_sharing()

    def _attribute(self, module: Any, name: str, value: Any, known: dict[Any, TensorRef]) -> None:
        if name == "training":
            return
        key = (module._path, name)
        if is_tensor(value):
            if key not in self.memory.written and _identity(value) in known:
                self.memory.plain[key] = known[_identity(value)]
            else:
                module.register_buffer(name, value, persistent=False)
        else:
            self.memory.plain[key] = self._linked(module, name, value, known)

    def _linked(self, module: Any, name: str, value: Any, known: dict[Any, TensorRef]) -> Any:
        """A value whose tensors are references to registered ones; others are registered now."""
        if is_tensor(value):
            found = known.get(_identity(value))
            if found is None:
                module.register_buffer(name, value, persistent=False)
                found = known[_identity(value)] = TensorRef(module._path, name)
            return found
        if isinstance(value, (list, tuple)):
            items = [self._linked(module, f"{name}_{i}", v, known) for i, v in enumerate(value)]
            return items if isinstance(value, list) else tuple(items)
        if isinstance(value, dict):
            return {k: self._linked(module, f"{name}_{k}".replace(".", "_"), v, known) for k, v in value.items()}
        return value

    def _reachable(self) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        """(type, attribute) pairs that methods reachable from forward read, and those they write."""
        by_type = {type_name(s): s for s in self.scripts.values()}
        read: set[tuple[str, str]] = set()
        written: set[tuple[str, str]] = set()
        for owner, block in self.reachable(by_type):
            types = _types(owner, block)
            for step in block.walk():
                if step.op == "prim::GetAttr":
                    read.add((types.get(step.inputs[0], ""), step.data))
                elif step.op == "prim::SetAttr":
                    written.add((types.get(step.inputs[0], ""), step.data))
        return read, written

    def reachable(self, by_type: dict[str, Any] | None = None) -> Iterator[tuple[str, Block]]:
        """Type and body of every method that forward may call."""
        by_type = by_type or {type_name(s): s for s in self.scripts.values()}
        waiting, seen = [(type_name(self.scripts[""]), "forward")], set()
        while waiting:
            owner, name = waiting.pop()
            if (owner, name) in seen or owner not in by_type:
                continue
            seen.add((owner, name))
            block = self.graphs.method(by_type[owner], name)
            yield owner, block
            types = _types(owner, block)
            waiting += [(types.get(s.inputs[0], ""), s.data) for s in block.walk() if s.op == "prim::CallMethod"]

    def _check_sharing(self) -> None:
        """A written attribute may not share its memory with another tensor: copies would part."""
        seen: dict[int, str] = {}
        for path, module in self.memory.modules.items():
            for name, tensor in _registered(module):
                label = f"{path}.{name}" if path else name
                if not tensor.numel():
                    continue
                other = seen.setdefault(tensor.untyped_storage().data_ptr(), label)
                own = (path, name) in self.memory.written or tuple(other.rpartition(".")[::2]) in self.memory.written
                if other != label and own:
                    raise ConversionError(f"the program writes {label}, which shares its memory with {other}")

    # -- signature ----------------------------------------------------------------------------------------------
    def _defaults(self, script: Any) -> None:
        """The root's forward takes what the program's does."""
        if not script._c._has_method("forward"):
            raise ConversionError("the TorchScript program has no method forward")
        parameters = []
        for argument in script.forward.schema.arguments[1:]:
            default = argument.default_value if argument.has_default_value() else inspect.Parameter.empty
            parameters.append(inspect.Parameter(argument.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default))
        signature = inspect.Signature([inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *parameters])

        def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            return self._program.machine.run(self, bound.args[1:])

        forward.__signature__ = signature  # type: ignore[attr-defined]
        cls = type(self.module)
        self.module.__class__ = type(cls.__name__, (cls,), {"__module__": cls.__module__, "forward": forward})


def _types(owner: str, block: Block) -> dict[str, str]:
    """Name -> type of the modules in a method's body."""
    found = {block.parameters[0]: owner}
    for step in block.walk():
        for name, kind in zip(step.outputs, step.types, strict=True):
            if kind.startswith("__torch__."):
                found[name] = kind
    return found


def _registered(module: Any) -> Iterator[tuple[str, Any]]:
    yield from module._parameters.items()
    yield from module._buffers.items()


def _identity(tensor: Any) -> Any:
    if tensor.numel() == 0:
        return id(tensor)
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def _parameter(tensor: Any) -> Any:
    from torch import nn

    return tensor if isinstance(tensor, nn.Parameter) else _shared_parameter(tensor)


def _shared_parameter(tensor: Any) -> Any:
    from torch import nn

    found = getattr(tensor, "_isomorph_parameter", None)
    if found is None:
        found = nn.Parameter(tensor.detach(), requires_grad=tensor.requires_grad)
        tensor._isomorph_parameter = found
    return found


@functools.lru_cache(maxsize=4096)
def _module_class(path: str) -> type:
    """A class with the name that the module's class had when it was scripted."""
    from torch import nn

    def forward(self: Any, *args: Any, method: str = "forward") -> Any:
        return self._program.machine.method(self, method, args)

    module, _, name = path.rpartition(".")
    return type(name or "Model", (nn.Module,), {"__module__": module or "__torch__", "forward": forward})
