"""What TorchScript computes on Python values: lists, tuples, dicts, strings, None, dtypes, shapes of tensors.

Tables by the schema's full name, or by its name alone where all overloads mean the same in Python.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from converter.importers.base import Refusal
from converter.importers.torch.script import numbers
from converter.importers.torch.script.memory import is_tensor, is_tensorlike
from converter.importers.torch.script.numbers import Number, SizeTensor

_SCALARS = (
    "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex32", "complex64", "complex128", "bool",
    "qint8", "quint8", "qint32", "bfloat16",
)  # fmt: skip
"""Element types by PyTorch's number for them."""
_CPU = "cpu"


def refuse(reason: str, advice: str = "") -> NoReturn:
    """Give up on the step."""
    raise Refusal(reason, advice)


def find(op: str) -> Callable[..., Any] | None:
    """The function for a primitive, by its full name or by its name; None for ATen ops and arithmetic."""
    return _FULL.get(op) or _BASE.get(op.partition(".")[0])


# -- element types and devices ----------------------------------------------------------------------------------------
def dtype_of(code: int) -> Any:
    """The `torch.dtype` that a number stands for."""
    import torch

    if not 0 <= code < len(_SCALARS) or _SCALARS[code].startswith("q"):
        refuse(f"the element type number {code}")
    return getattr(torch, _SCALARS[code])


def code_of(tensor: Any) -> int:
    """The number of a tensor's element type."""
    if isinstance(tensor, SizeTensor):
        return _SCALARS.index("int64")
    name = str(tensor.dtype).removeprefix("torch.")
    return _SCALARS.index(name) if name in _SCALARS else refuse(f"the element type {name} as a number")


def _device(*args: Any) -> Any:
    import torch

    return torch.device(_CPU)


def _no(*args: Any) -> bool:
    return False


# -- tensors to numbers and back --------------------------------------------------------------------------------------
def _number(kind: str) -> Callable[..., Any]:
    def read(value: Any, *rest: Any) -> Any:
        if is_tensor(value) or isinstance(value, SizeTensor):
            return numbers.number(value, kind)
        if isinstance(value, str):
            return {"int": int, "float": float}[kind](value) if kind != "bool" else refuse("bool of a string")
        return numbers.convert(value, kind or numbers.kind_of(value))

    return read


def _tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: Any = False) -> Any:
    """`torch.tensor(data)`: numbers, or nested lists of numbers; a tensor among them is copied into place."""
    import torch

    if requires_grad:
        refuse("a tensor made with requires_grad")
    kind = None if dtype is None else dtype_of(dtype)
    if is_tensor(data):
        return data.clone() if kind is None else data.to(kind, copy=True)
    leaves = _flat(data)
    if kind is None:
        kind = _kind_of(leaves)
    if any(is_tensorlike(v) or type(v).__name__.startswith("Sym") for v in leaves):
        flat = [v.to(kind).reshape(()) if is_tensor(v) else _scalar(v, kind) for v in leaves]
        return torch.stack(flat).reshape(_shape(data)) if isinstance(data, list) else flat[0]
    return torch.tensor(data, dtype=kind)


def _kind_of(leaves: Sequence[Any]) -> Any:
    """The element type of a tensor made of numbers, where none is given."""
    import torch

    kinds = {"complex" if isinstance(v, complex) else numbers.kind_of(v) for v in leaves}
    if "" in kinds or not kinds:
        refuse(f"a tensor made of {'other values than numbers' if kinds else 'an empty list'}", "state its dtype")
    if "complex" in kinds:
        return torch.get_default_dtype().to_complex()
    return torch.get_default_dtype() if "float" in kinds else torch.int64 if "int" in kinds else torch.bool


def _scalar(value: Any, dtype: Any) -> Any:
    import torch

    if isinstance(value, Number):
        return value.tensor.to(dtype)
    return torch.scalar_tensor(value.value if isinstance(value, SizeTensor) else value, dtype=dtype)


def _flat(data: Any) -> list[Any]:
    return [x for item in data for x in _flat(item)] if isinstance(data, (list, tuple)) else [data]


def _shape(data: Any) -> list[int]:
    return [len(data), *_shape(data[0])] if isinstance(data, (list, tuple)) and data else [0] if isinstance(data, list) else []


def _as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Any:
    if is_tensor(data):
        return data if dtype is None else data.to(dtype_of(dtype))
    return _tensor(data, dtype)


def _number_to_tensor(value: Any) -> Any:
    kind = numbers.kind_of(value)
    return SizeTensor(value) if kind == "int" and not isinstance(value, Number) else numbers.tensor_of(value, kind)


def _to(x: Any, *args: Any) -> Any:
    """`x.to(device?, dtype?)`: the element type alone counts."""
    kinds = [a for a in args if isinstance(a, int) and not isinstance(a, bool)]
    return x if not kinds else x.to(dtype_of(kinds[0]))


def _sizes(x: Any) -> list[Any]:
    return [] if isinstance(x, SizeTensor) else list(x.shape)


def _length(x: Any) -> Any:
    return x.shape[0] if is_tensor(x) else len(x)


def _item(container: Any, index: Any) -> Any:
    """`container[index]` of a list, a tuple, a dict or a string."""
    if isinstance(index, Number):
        refuse("an item of a list at a place that only the run knows")
    return container[index]


def _rank(x: Any) -> int:
    return 0 if isinstance(x, SizeTensor) else int(x.dim())


def _select(x: Any, dim: Any, index: Any) -> Any:
    """One slice of a tensor; at a place that only the run knows it is a gather."""
    import torch

    if not isinstance(index, Number):
        return torch.ops.aten.select.int(x, dim, index)
    axis = dim % max(x.dim(), 1)
    return torch.ops.aten.index.Tensor(x, [None] * axis + [index.tensor])


def _same(x: Any, *rest: Any) -> Any:
    return x


def _unwrap(x: Any) -> Any:
    return refuse("None where the program needs a value") if x is None else x


# -- identity and logic -----------------------------------------------------------------------------------------------
def _is(a: Any, b: Any) -> bool:
    """`a is b`, of None and of tensors: those that share no memory are two for certain."""
    import torch

    if a is None or b is None or a is b:
        return a is b
    if is_tensor(a) and is_tensor(b) and not torch._C._is_alias_of(a, b):
        return False
    return refuse("`is` between two values that may be one")


def _is_not(a: Any, b: Any) -> bool:
    return not _is(a, b)


def _equal(a: Any, b: Any) -> Any:
    if any(is_tensorlike(v) for v in (*_flat(a), *_flat(b))):
        refuse("lists of tensors compared")
    return a == b


def _all(items: list[Any]) -> Any:
    return functools.reduce(lambda a, b: numbers.compute("__and__", (a, numbers.convert(b, "bool")), "bool"), items, True)


def _any(items: list[Any]) -> Any:
    return functools.reduce(lambda a, b: numbers.compute("__or__", (a, numbers.convert(b, "bool")), "bool"), items, False)


# -- lists and dicts --------------------------------------------------------------------------------------------------
def _append(items: list[Any], value: Any) -> list[Any]:
    items.append(value)
    return items


def _extend(items: list[Any], values: Sequence[Any]) -> None:
    items.extend(values)


def _set(container: Any, key: Any, value: Any) -> Any:
    if isinstance(key, Number):
        refuse("writes into a list at a place that only the run knows")
    container[key] = value
    return container


def _insert(items: list[Any], place: int, value: Any) -> None:
    items.insert(place, value)


def _pop(container: Any, *args: Any) -> Any:
    return container.pop(*args)


def _clear(container: Any) -> None:
    container.clear()


def _reverse(items: list[Any]) -> None:
    items.reverse()


def _delete(container: Any, key: Any) -> None:
    del container[key]


def _slice(items: Any, start: Any = None, end: Any = None, step: Any = 1) -> Any:
    return items[start:end:step]


def _repeat(a: Any, b: Any) -> Any:
    return a * b


def _extreme(name: str) -> Callable[..., Any]:
    def compute(*args: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], list):
            return functools.reduce(lambda a, b: numbers.compute(name, (a, b), "number"), args[0])
        return numbers.compute(name, args, "number")

    return compute


def _trips(lo: Any, hi: Any, step: Any) -> Any:
    """How often `range(lo, hi, step)` runs."""
    if any(isinstance(v, Number) for v in (lo, hi, step)):
        if step != 1:
            refuse("range with a step and bounds that only the run knows")
        return numbers.compute("max", (numbers.compute("sub", (hi, lo), "int"), 0), "int")
    if all(type(v) is int for v in (lo, hi, step)):
        return len(range(lo, hi, step))
    if step != 1:
        refuse("range over sizes with a step")
    return numbers.compute("max", (hi - lo, 0), "int")


def _derived(index: Any, start: Any, step: Any) -> Any:
    return numbers.compute("add", (start, numbers.compute("mul", (index, step), "int")), "int")


# -- texts ------------------------------------------------------------------------------------------------------------
class Told(str):
    """A text that tells what only the run knows, a size say: for messages; what it decides would be decided for good."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        refuse("a text made of a number that only the run knows, compared or used as a key")

    def __ne__(self, other: object) -> bool:
        return self == other

    def __hash__(self) -> int:
        return self == self

    def __add__(self, other: str) -> Told:
        return Told(f"{self}{other}")

    def __radd__(self, other: str) -> Told:
        return Told(f"{other}{self}")


def _text(value: Any) -> str:
    """`str(value)`."""
    return Told(value) if any(map(_open, _flat(value))) else str(value)


def _open(value: Any) -> bool:
    return is_tensorlike(value) or type(value).__name__.startswith("Sym") or isinstance(value, Told)


def _format(text: str, *args: Any) -> str:
    made = str(text).format(*args)
    return Told(made) if any(map(_open, _flat(args))) else made


def _join(separator: str, parts: Sequence[str]) -> str:
    made = separator.join(parts)
    return Told(made) if any(map(_open, (separator, *parts))) else made


# -- gradients --------------------------------------------------------------------------------------------------------
class GradMode:
    """`torch.no_grad()` or `torch.enable_grad()` in a `with`."""

    def __init__(self, on: bool) -> None:
        self.on = on
        self.contexts: list[Any] = []

    def enter(self) -> None:
        """The `with` begins."""
        import torch

        self.contexts.append(torch.enable_grad() if self.on else torch.no_grad())
        self.contexts[-1].__enter__()

    def exit(self) -> None:
        """The `with` ends."""
        self.contexts.pop().__exit__(None, None, None)


def grad_mode(type: str) -> GradMode:
    """The object that a program makes of a class of this name; raises Refusal for any other."""
    for name, on in (("no_grad", False), ("enable_grad", True)):
        if type.endswith(f"torch.autograd.grad_mode.{name}"):
            return GradMode(on)
    return refuse(f"an object of the class {type}")


# -- tensors that hold sizes ------------------------------------------------------------------------------------------
_ON_SIZES: dict[str, Callable[..., Any]] = {
    "aten::add": operator.add, "aten::sub": operator.sub, "aten::mul": operator.mul, "aten::floor_divide": operator.floordiv,
    "aten::remainder": operator.mod, "aten::rsub": lambda a, b: b - a, "aten::neg": operator.neg,
}  # fmt: skip


def on_sizes(name: str, args: Sequence[Any]) -> SizeTensor | None:
    """Integer arithmetic of tensors that hold sizes, done on the sizes; None where it is anything else."""
    if name == "aten::div" and len(args) == 3 and args[2] == "floor":
        name, args = "aten::floor_divide", args[:2]
    fn = _ON_SIZES.get(name)
    if fn is None:
        return None
    values = [_known(a) for a in args]
    if name in ("aten::add", "aten::sub", "aten::rsub"):
        if len(values) == 3 and values[2] != 1:
            return None
        values = values[:2]
    return None if None in values else SizeTensor(fn(*values))


def _known(value: Any) -> Any:
    if isinstance(value, SizeTensor):
        return value.value
    if numbers.kind_of(value) == "int" and not isinstance(value, Number):
        return value
    if is_tensor(value) and numbers.is_constant(value) and value.dim() == 0 and str(value.dtype) == "torch.int64":
        return numbers.number(value)
    return None


# -- convolutions -----------------------------------------------------------------------------------------------------
def _convolution(
    x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, output_padding: Any, groups: int,
    *flags: Any,
) -> Any:
    """What tracing writes for every convolution, as the op that the layer called."""
    import torch

    rank = len(stride)
    if x.dim() != rank + 2 or not 1 <= rank <= 3:
        refuse("a convolution without a batch axis")
    if transposed:
        form = (torch.ops.aten.conv_transpose1d, torch.ops.aten.conv_transpose2d.input, torch.ops.aten.conv_transpose3d.input)
        return form[rank - 1](x, weight, bias, stride, padding, output_padding, groups, dilation)
    return (torch.ops.aten.conv1d, torch.ops.aten.conv2d, torch.ops.aten.conv3d)[rank - 1](
        x, weight, bias, stride, padding, dilation, groups
    )


# -- recurrent layers -------------------------------------------------------------------------------------------------
def _lstm(
    x: Any, hx: Any, weights: Any, bias: bool, layers: int, dropout: float, train: bool, bidirectional: bool, first: bool
) -> Any:
    """The leaf that keeps batch and time dynamic, as for `nn.LSTM`."""
    from converter.importers.torch import leaves

    hidden, width = int(weights[1].shape[0]) // 4, int(weights[1].shape[1])
    args = (weights, hidden, layers, 0 if width == hidden else width, bias, first, bidirectional, dropout, train)
    return leaves.library().lstm(_batched(x), hx[0], hx[1], None, *args)


def _batched(x: Any) -> Any:
    return x if x.dim() == 3 else refuse("a recurrent layer without a batch axis")


def _gated(name: str) -> Callable[..., Any]:
    def run(
        x: Any, h: Any, weights: Any, bias: bool, layers: int, dropout: float, train: bool, bidirectional: bool, first: bool
    ) -> Any:
        from converter.importers.torch import leaves

        args = (weights, int(weights[1].shape[1]), layers, 0, bias, first, bidirectional, dropout, train)
        ops = leaves.library()
        return ops.gru(_batched(x), h, None, *args) if name == "gru" else ops.rnn(_batched(x), h, None, *args, name.removeprefix("rnn_"))

    return run


_FULL: dict[str, Callable[..., Any]] = {
    "aten::select.int": _select, "aten::add.t": operator.add, "aten::add.str": operator.add, "aten::slice.t": _slice,
    "aten::slice.str": _slice, "aten::mul.left_t": _repeat, "aten::mul.right_": _repeat, "aten::len.t": len,
    "aten::to.prim_dtype": _to, "aten::to.prim_Device": _to, "aten::to.prim_other": lambda x, *rest: x, "aten::size": _sizes,
    "aten::size.int": lambda x, axis: _sizes(x)[axis], "aten::eq.int_list": _equal, "aten::eq.str": operator.eq,
    "aten::eq.device": operator.eq, "aten::ne.str": operator.ne, "aten::ne.int_list": lambda a, b: not _equal(a, b),
    "aten::ne.device": operator.ne, "aten::eq.float_list": _equal, "aten::all.bool": _all, "aten::all.int": _all,
    "aten::any.bool": _any, "aten::any.int": _any, "aten::eq.str_list": _equal, "aten::eq.bool_list": _equal,
    "aten::copy.t": list, "aten::index.list_int": list.index, "aten::count.int": list.count, "aten::copy.Dict_str": dict,
    "aten::lstm.input": _lstm, "aten::gru.input": _gated("gru"), "aten::_convolution": _convolution,
    "aten::_convolution.deprecated": _convolution, "aten::rnn_tanh.input": _gated("rnn_tanh"),
    "aten::rnn_relu.input": _gated("rnn_relu"),
}  # fmt: skip
_BASE: dict[str, Callable[..., Any]] = {
    "prim::dtype": code_of, "prim::device": _device, "aten::device": _device, "prim::layout": lambda x: 0,
    "prim::is_cuda": _no, "prim::is_sparse": _no, "prim::is_quantized": _no, "prim::is_mkldnn": _no, "prim::is_meta": _no,
    "aten::is_autocast_enabled": _no, "aten::is_autocast_cpu_enabled": _no, "prim::is_mps": _no, "prim::is_xla": _no,
    "prim::is_vulkan": _no, "prim::is_nested": _no, "prim::type": lambda d: str(d.type), "prim::data": lambda x: x.detach(),
    "aten::is_floating_point": lambda x: x.is_floating_point(), "aten::is_complex": lambda x: x.is_complex(),
    "aten::dim": _rank, "prim::ndim": _rank, "aten::numel": lambda x: x.numel(), "aten::len": _length, "prim::shape": _sizes,
    "prim::NumToTensor": _number_to_tensor, "prim::TupleIndex": _item, "aten::__getitem__": _item, "aten::_set_item": _set,
    "aten::append": _append, "aten::extend": _extend, "aten::insert": _insert, "aten::pop": _pop, "aten::clear": _clear,
    "aten::reverse": _reverse, "aten::Delete": _delete, "aten::list": list, "aten::dict": dict, "aten::keys": list,
    "aten::values": lambda d: list(d.values()), "aten::items": lambda d: list(d.items()),
    "aten::get": lambda d, *a: d.get(*a), "aten::__contains__": lambda c, v: v in c,
    "aten::update": lambda d, other: d.update(other), "aten::Bool": _number("bool"), "aten::Int": _number("int"),
    "aten::Float": _number("float"), "aten::item": _number(""), "aten::IntImplicit": _number("int"),
    "aten::FloatImplicit": _number("float"), "aten::ScalarImplicit": _number(""), "prim::ImplicitTensorToNum": _number(""),
    "aten::tensor": _tensor, "aten::as_tensor": _as_tensor, "aten::__is__": _is, "aten::__isnot__": _is_not,
    "aten::__not__": numbers.logical_not, "prim::unchecked_cast": _same, "prim::unchecked_unwrap_optional": _same,
    "aten::_unwrap_optional": _unwrap, "aten::cpu": _same, "aten::cuda": _same, "prim::min": _extreme("min"),
    "prim::max": _extreme("max"), "prim::abs": lambda x: abs(x) if is_tensor(x) else numbers.compute("abs", (x,), "number"),
    "aten::__range_length": _trips, "aten::__derive_index": _derived, "aten::format": _format, "aten::str": _text,
    "aten::join": _join, "prim::rangelist": lambda n: list(range(n)),
}  # fmt: skip
