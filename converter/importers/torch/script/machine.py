"""Runs TorchScript graphs step by step, on real tensors or on those that torch.export traces.

What the program decides from ranks, lengths, None, devices and fixed numbers is decided here; sizes stay symbolic; what
only a tensor knows becomes control flow (`control.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from converter.errors import ConversionError, Unsupported, merge
from converter.importers.base import Refusal
from converter.importers.torch.script import allowed, control, numbers, prims
from converter.importers.torch.script.control import Stopped
from converter.importers.torch.script.graphs import Block, Graphs, Step, at_line
from converter.importers.torch.script.memory import Memory, is_tensor
from converter.importers.torch.script.numbers import Number, SizeTensor

_GRADIENTS = ("aten::is_grad_enabled", "prim::requires_grad")
OWNER = ""
"""Where a body's names keep the module whose method runs: no value of a graph is called so."""


class Machine:
    """One program's interpreter. `scripts` are its modules by path; `notes` tells what the conversion does not carry over."""

    def __init__(self, graphs: Graphs, memory: Memory, scripts: Mapping[str, Any]) -> None:
        self.graphs = graphs
        self.scripts = scripts
        self.memory = memory
        self.notes: list[str] = []
        self.bodies: Callable[[], Iterable[Block]] = list  # every body that a call may reach
        self.depth = 0

    # -- calls --------------------------------------------------------------------------------------------------
    def run(self, module: Any, args: Sequence[Any]) -> Any:
        """A call of the whole program: attributes that it writes are written back at the end."""
        self.memory.begin()
        try:
            result = self.method(module, "forward", args)
            extra = control.changed_values(self) if self.memory.proving else None
            self.memory.end()
        except Stopped as stop:
            raise ConversionError(f"the program stops with an error for these inputs: {stop}") from None
        except Refusal as refusal:
            raise ConversionError("the TorchScript program cannot be converted exactly: 1 thing not supported", [
                Unsupported(refusal.op or "TorchScript", refusal.reason, advice=refusal.advice)]) from None
        result = _returned(result)
        return result if extra is None else (result, extra)

    def method(self, module: Any, name: str, args: Sequence[Any]) -> Any:
        """The result of a method; `args` without the module itself."""
        return self.call(self.graphs.method(self.scripts[module._path], name), (module, *args))

    def call(self, body: Block, args: Sequence[Any]) -> Any:
        """The one result of a body for its arguments."""
        env = dict(zip(body.parameters, args, strict=True))
        env[OWNER] = args[0] if args else None
        self.depth += 1
        if self.depth > 200:
            raise Refusal("methods that call each other more than 200 deep")
        try:
            self.steps(body, env)
        finally:
            self.depth -= 1
        results = [env[name] for name in body.results]
        return results[0] if len(results) == 1 else tuple(results)

    def block(self, body: Block, env: dict[str, Any], args: Sequence[Any] = ()) -> list[Any]:
        """The results of an inner block, which sees the names around it."""
        inner = dict(env)
        inner.update(zip(body.parameters, args, strict=True))
        self.steps(body, inner)
        return [inner[name] for name in body.results]

    def steps(self, body: Block, env: dict[str, Any]) -> None:
        """Run the steps of a body; their results go into `env`."""
        for step in body.steps:
            self.step(step, env)

    def note(self, text: str) -> None:
        """Tell the user something, once."""
        if text not in self.notes:
            self.notes.append(text)

    # -- steps --------------------------------------------------------------------------------------------------
    def step(self, step: Step, env: dict[str, Any]) -> None:
        """One step, in a frame that bears the program's line."""
        file, line = step.line
        try:
            at_line(file, line)(self._step, step, env)
        except Refusal as refusal:
            what = Unsupported(refusal.op or step.op, refusal.reason, step.place, advice=refusal.advice)
            raise ConversionError("the TorchScript program cannot be converted exactly: 1 thing not supported", [what]) from None

    def _step(self, step: Step, env: dict[str, Any]) -> None:
        structural = _STRUCTURE.get(step.op)
        if structural is not None:
            structural(self, step, env)
            return
        result = self.op(step, [env[name] for name in step.inputs])
        if len(step.outputs) == 1:
            env[step.outputs[0]] = result
        elif step.outputs:
            env.update(zip(step.outputs, result, strict=True))

    def op(self, step: Step, args: list[Any]) -> Any:
        """The result of one operation: a primitive of the language, arithmetic of numbers, or an ATen op."""
        name = step.op.partition(".")[0]
        if step.op in _GRADIENTS:
            self.note("the program asks whether gradients are on: it is read as it computes while they are")
            return bool(args[0].requires_grad) if args else True
        found = prims.find(step.op)
        if found is not None:
            return found(*args)
        if any(isinstance(a, SizeTensor) for a in args):
            result = prims.on_sizes(name, args)
            if result is not None:
                return result
        if numbers.knows(name.split("::")[1]) and all(numbers.kind_of(a) for a in args):
            return numbers.compute(name.split("::")[1], args, str(step.schema.returns[0].type))
        if step.schema is not None and name.startswith("aten::"):
            return self._aten(step, args)
        raise self.missing(step)

    def missing(self, step: Step) -> ConversionError:
        """The error for an operation that is not known: all such of the program at once, reached or not."""
        steps = [s for body in self.bodies() for s in body.walk() if not _is_known(s)] or [step]
        found = [Unsupported(s.op, "no counterpart of this TorchScript operation", s.place) for s in steps]
        merged = merge(found)
        count = "1 thing" if len(merged) == 1 else f"{len(merged)} things"
        return ConversionError(f"the TorchScript program cannot be converted exactly: {count} not supported", merged)

    def _aten(self, step: Step, args: list[Any]) -> Any:
        if not allowed.allowed(step.op):
            raise self.missing(step)
        overload = allowed.overload(step.op)
        schema = overload._schema
        written = [a for a, spec in zip(args, schema.arguments, strict=True) if spec.alias_info and spec.alias_info.is_write]
        if any(is_tensor(a) and numbers.is_constant(a) for a in written):
            raise Refusal("writes into a constant of the program, which would last until the next call")
        twin = allowed.on_tensors(step.op) if len(args) > 1 and isinstance(args[1], Number) else None
        if twin is not None:
            overload, args = twin, [args[0], _as_scalar(args[0], args[1]), *args[2:]]
            schema = overload._schema
        positional, keyword = [], {}
        for spec, value in zip(schema.arguments, args, strict=True):
            value = _argument(spec, value)
            if spec.kwarg_only:
                keyword[spec.name] = value
            else:
                positional.append(value)
        return overload(*positional, **keyword)


def _is_known(step: Step) -> bool:
    """Whether a step's operation is one that can run here."""
    name = step.op.partition(".")[0]
    own = step.op in _STRUCTURE or step.op in _GRADIENTS or prims.find(step.op) is not None
    return own or numbers.knows(name.split("::")[1]) or (step.schema is not None and allowed.allowed(step.op))


def _argument(spec: Any, value: Any) -> Any:
    """A value as PyTorch's Python calls take it: dtypes and layouts by object, numbers out of tensors as sizes."""
    kind = str(spec.real_type)
    if isinstance(value, (list, tuple)):
        return [_argument_item(kind, v) for v in value]
    return _argument_item(kind, value)


def _argument_item(kind: str, value: Any) -> Any:
    import torch

    if isinstance(value, SizeTensor):
        return value.tensor() if "Tensor" in kind else value.value
    if isinstance(value, Number):
        return value.tensor if "Tensor" in kind else value.item()
    if value is None:
        return None
    if "ScalarType" in kind and isinstance(value, int):
        return prims.dtype_of(value)
    if "Layout" in kind and isinstance(value, int):
        return torch.strided if value == 0 else prims.refuse("a sparse layout")
    if "MemoryFormat" in kind and isinstance(value, int):
        return (torch.contiguous_format, torch.preserve_format, torch.channels_last, torch.channels_last_3d)[value]
    if "Device" in kind:
        return torch.device("cpu")
    return value


def _as_scalar(x: Any, value: Number) -> Any:
    """A number as a 0-d tensor that takes part in type promotion as the Python number does: its kind counts alone."""
    import torch

    stands_for = {"int": 0, "float": 0.0, "bool": False}[value.kind]
    return value.tensor.to(torch.result_type(x, stands_for))


def _returned(value: Any) -> Any:
    """A result as the caller gets it; raises Refusal for a number that only a tensor knows."""
    if isinstance(value, Number):
        raise Refusal("returns a Python number that depends on the values of a tensor", "return the tensor")
    if isinstance(value, SizeTensor):
        return value.tensor()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_returned(v) for v in value))
    if isinstance(value, (list, tuple)):
        return type(value)(_returned(v) for v in value)
    if isinstance(value, dict):
        return {k: _returned(v) for k, v in value.items()}
    return value


# -- structure --------------------------------------------------------------------------------------------------------
def _constant(m: Machine, step: Step, env: dict[str, Any]) -> None:
    env[step.outputs[0]] = step.data


def _get_attr(m: Machine, step: Step, env: dict[str, Any]) -> None:
    owner = env[step.inputs[0]]
    if not hasattr(owner, "_path"):
        raise Refusal(f"reads the attribute {step.data} of an object that is no module")
    if step.data in owner._modules:
        value = getattr(owner, step.data)
    elif step.data == "training":
        value = bool(owner.training)
    else:
        value = m.memory.read(owner, step.data)
    env[step.outputs[0]] = value


def _set_attr(m: Machine, step: Step, env: dict[str, Any]) -> None:
    owner, value = (env[n] for n in step.inputs)
    if not hasattr(owner, "_path") or step.data == "training":
        raise Refusal(f"writes the attribute {step.data}" + ("" if hasattr(owner, "_path") else " of an object that is no module"))
    m.memory.write(owner, step.data, value.tensor() if isinstance(value, SizeTensor) else value)


def _call_method(m: Machine, step: Step, env: dict[str, Any]) -> None:
    owner, *args = (env[n] for n in step.inputs)
    if isinstance(owner, prims.GradMode):
        env[step.outputs[0]] = None  # its constructor
        return
    if not hasattr(owner, "_path"):
        raise Refusal(f"calls the method {step.data} of an object that is no module")
    own = getattr(env[OWNER], "_path", None) == owner._path
    result = m.method(owner, step.data, args) if own else owner(*args, method=step.data)
    env[step.outputs[0]] = result


def _call_function(m: Machine, step: Step, env: dict[str, Any]) -> None:
    env[step.outputs[0]] = m.call(step.data, [env[n] for n in step.inputs[1:]])


def _tuple(m: Machine, step: Step, env: dict[str, Any]) -> None:
    import collections

    values = tuple(env[n] for n in step.inputs)
    if step.data is not None:
        name, fields = step.data
        values = _named(collections.namedtuple, name, fields)(*values)
    env[step.outputs[0]] = values


_NAMED: dict[Any, Any] = {}


def _named(make: Any, name: str, fields: tuple[str, ...]) -> Any:
    if (name, fields) not in _NAMED:
        _NAMED[(name, fields)] = make(name, fields)
    return _NAMED[(name, fields)]


def _unpack(m: Machine, step: Step, env: dict[str, Any]) -> None:
    values = env[step.inputs[0]]
    if len(values) != len(step.outputs):
        raise Stopped(f"expected {len(step.outputs)} elements but found {len(values)} ({step.place})")
    env.update(zip(step.outputs, values, strict=True))


def _slice_tuple(m: Machine, step: Step, env: dict[str, Any]) -> None:
    begin, end = step.data
    env[step.outputs[0]] = tuple(env[step.inputs[0]])[begin:end]


def _list(m: Machine, step: Step, env: dict[str, Any]) -> None:
    env[step.outputs[0]] = [env[n] for n in step.inputs]


def _dict(m: Machine, step: Step, env: dict[str, Any]) -> None:
    values = [env[n] for n in step.inputs]
    env[step.outputs[0]] = dict(zip(values[::2], values[1::2], strict=True))


def _raise(m: Machine, step: Step, env: dict[str, Any]) -> None:
    text = str(env[step.inputs[0]]) if step.inputs else ""
    raise Stopped(f"{text} ({step.place})" if step.place else text)


def _create(m: Machine, step: Step, env: dict[str, Any]) -> None:
    env[step.outputs[0]] = prims.grad_mode(step.types[0])


def _enter(m: Machine, step: Step, env: dict[str, Any]) -> None:
    env[step.inputs[0]].enter()
    env.update(dict.fromkeys(step.outputs))


def _exit(m: Machine, step: Step, env: dict[str, Any]) -> None:
    env[step.inputs[0]].exit()
    env.update(dict.fromkeys(step.outputs))


def _nothing(m: Machine, step: Step, env: dict[str, Any]) -> None:
    env.update(dict.fromkeys(step.outputs))


def _uninitialized(m: Machine, step: Step, env: dict[str, Any]) -> None:
    env[step.outputs[0]] = control.UNSET


_STRUCTURE = {
    "prim::Constant": _constant, "prim::GetAttr": _get_attr, "prim::SetAttr": _set_attr, "prim::CallMethod": _call_method,
    "prim::CallFunction": _call_function, "prim::If": control.branch, "prim::Loop": control.loop, "prim::TupleConstruct": _tuple,
    "prim::TupleUnpack": _unpack, "prim::ListUnpack": _unpack, "prim::TupleSlice": _slice_tuple, "prim::ListConstruct": _list,
    "prim::DictConstruct": _dict, "prim::RaiseException": _raise, "prim::CreateObject": _create, "prim::Enter": _enter,
    "prim::Exit": _exit, "prim::Print": _nothing, "aten::warn": _nothing, "prim::Uninitialized": _uninitialized,
}  # fmt: skip
