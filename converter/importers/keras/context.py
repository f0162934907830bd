"""What a rule sees: builder, values of Keras' tensors, variables and numbers, dtypes as Keras promotes them."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.importers.base import Context, ImportOptions, Planner, Refusal, RuleTable
from converter.importers.keras.scopes import Scopes
from converter.importers.keras.tensors import Size, expr_of, make_size, tensor_class
from converter.importers.keras.weights import Weights
from ir.core import Builder, Graph, Model, Node, Value
from ir.types import Dim, DType, dtype, dtypes

if TYPE_CHECKING:
    from converter.importers.keras.tracer import KerasTracer

RuleFn = Callable[..., Any]
rule: RuleTable[RuleFn] = RuleTable("converter/importers/keras")
"""Every rule by what it serves: `ops.Add` (a class of keras.ops), `layers.Dense`, `backend.numpy.zeros` (functions that make
tensors of sizes), `random.uniform`.

A rule takes the context, the operation or layer, and the arguments of its call; it gives a value, a tensor, or a nest of
them. Functions of the backend have no operation: they take the context and the arguments.
"""


class SizeBuilder(Builder):
    """Makes nodes whose attributes hold expressions where the code gives sizes that have one."""

    def node(self, record: Any, *args: Any, **kwargs: Any) -> Node:
        return super().node(record, *args, **{k: _expressed(v) for k, v in kwargs.items()})


def _expressed(item: Any) -> Any:
    if isinstance(item, Size):
        return item.expr
    return tuple(_expressed(x) for x in item) if type(item) is tuple else item


class Behind(Exception):
    """A rule met the result of an earlier refusal: there is nothing new to report."""


class Unruled(Exception):
    """A rule of a layer leaves this form of it to the layer's own `call`."""


class KerasContext(Context):
    """A context with the tensors of a traced model."""

    tracer: KerasTracer

    def __init__(self, model: Model, plan: Planner, options: ImportOptions, scopes: Scopes, weights: Weights,
                 sizes: dict[str, int], training: bool) -> None:  # fmt: skip
        super().__init__(model, plan, options)
        self.b = SizeBuilder(model.graph)
        self.scopes = scopes
        self.weights = weights
        self.sizes = sizes
        self.training = training
        self.paired = False  # in a layer whose halves run forwards and backwards
        self.bodies = 0  # how many bodies deep the builder is
        self._data_sizes = 0
        _backend_kinds()  # before the backend is diverted

    # -- values -----------------------------------------------------------------------------------------------------
    def value(self, item: Any, to: DType | str | None = None) -> Value:
        """A tensor, variable, array, number or size as a value, cast to a dtype if one is given.

        A Python number takes that dtype without a detour; it needs one.
        """
        if isinstance(item, (bool, int, float, complex)) and not isinstance(item, Size):
            if to is None:
                raise Refusal(f"the number {item!r} without a dtype")
            return self.number(item, dtype(to))
        found = self._tensor(item)
        return found if to is None else self.cast(found, to)

    def _tensor(self, item: Any) -> Value:
        if isinstance(item, Size):
            return self.b.cast(self.b.dim(size=item.expr), to=dtypes.int32)
        if isinstance(item, Value):
            return item
        if isinstance(item, tensor_class()):
            if item.value is None:
                raise Behind
            return item.value
        if is_variable(item):
            return self.variable(item)
        if isinstance(item, (list, tuple)) and any(isinstance(x, (tensor_class(), Size)) for x in item):
            return self._stacked(item)
        return self.array(to_numpy(item))

    def _stacked(self, items: Sequence[Any]) -> Value:
        """A list of tensors and numbers, as `convert_to_tensor` takes it."""
        kind = self.result_type(*items)
        return self.b.stack([self.value(x, kind) for x in items], axis=0)

    def optional(self, item: Any, to: DType | str | None = None) -> Value | None:
        """A value, or None."""
        return None if item is None else self.value(item, to)

    def array(self, array: np.ndarray) -> Value:
        """A constant: in the code where it is small, else among the weights."""
        have = dtype(array.dtype)
        array = array if kept(have) == have else array.astype(kept(have).numpy)
        return self.weights.constant(self.b, array)

    def number(self, number: Any, kind: DType) -> Value:
        """A Python number as a 0-d constant of a dtype, converted as NumPy converts."""
        kind = kept(kind)
        if kind.is_integer and isinstance(number, float) and not number.is_integer():
            raise Refusal(f"{number!r} as {kind}")
        with np.errstate(over="ignore"):
            return self.b.constant(number, kind)

    def variable(self, variable: Any) -> Value:
        """A variable's current value in the dtype of the surrounding autocast scope."""
        from keras.src.backend import get_autocast_scope

        value = self.weights.plain(self.b, variable)
        scope = get_autocast_scope()
        floats = value.type.dtype.is_float
        if variable._autocast and scope is not None and scope.dtype is not None and floats:
            return self.cast(value, scope.dtype)
        return value

    def weight(self, item: Any, roles: str, wanted: str) -> Value:
        """A weight whose axes Keras calls `roles` in the order `wanted`: stored so where all agree, else transposed."""
        if is_variable(item) and self.weights.turn(item, roles, wanted):
            return self.cast_weight(item, self.weights.stored(item))
        value = self.value(item)
        from ir.data.weights import role_permutation

        perm = role_permutation(roles, wanted, value.type.rank)
        return value if perm == tuple(range(len(perm))) else self.b.transpose(value, perm=perm)

    def cast_weight(self, variable: Any, value: Value) -> Value:
        """A stored weight in the dtype that the autocast scope asks for."""
        return self.cast(value, variable.dtype)

    def cast(self, value: Value, to: DType | str) -> Value:
        """`value` in another dtype; itself when it has it."""
        kind = kept(dtype(to))
        if value.type.dtype == kind:
            return value
        if kind.is_integer and value.type.dtype.is_float and saturates(kind):
            self.note(SATURATES.format(kind=kind))
        return self.b.cast(value, to=kind)

    # -- results ----------------------------------------------------------------------------------------------------
    def tensor(self, value: Value) -> Any:
        """A value as Keras code sees it."""
        value = self.cast(value, value.type.dtype)
        kind = value.type.dtype
        shape = tuple(self.size(d) for d in value.type.shape)
        return tensor_class()(value, shape, "bool" if kind.is_bool else kind.name)

    def size(self, dim: Dim) -> int:
        """A size as Keras code sees it."""
        return make_size(dim, self.sizes)

    def dim(self, size: Any) -> Dim:
        """A size that code gives, as the IR has it. Refused where a tensor decides it."""
        if isinstance(size, (int, np.integer)):
            return expr_of(int(size) if not isinstance(size, int) else size)
        if isinstance(size, tensor_class()):
            node = size.value.producer if size.value is not None else None
            while node is not None and node.op.name == "cast":
                node = node.operand("x").producer
            if node is not None and node.op.name == "dim":
                return node.attrs["size"]
            raise Refusal("a size that is computed from the numbers of a tensor")
        if isinstance(size, float) and size.is_integer():
            return int(size)
        array = to_numpy(size)
        if array.ndim == 0 and array.dtype.kind in "iu":
            return int(array)
        raise Refusal(f"{size!r} is no size")

    def dims(self, sizes: Any) -> tuple[Dim, ...]:
        """A shape."""
        if isinstance(sizes, (tuple, list)):
            return tuple(self.dim(s) for s in sizes)
        if isinstance(sizes, (tensor_class(), Size, int)):
            return (self.dim(sizes),)
        return tuple(int(s) for s in to_numpy(sizes).reshape(-1))

    def fresh_size(self, hint: str = "found") -> str:
        """The name of a size that the model computes."""
        self._data_sizes += 1
        name = f"{hint}_{self._data_sizes}"
        self.sizes.setdefault(name, 7 + self._data_sizes)  # another number where one is tried
        return name

    # -- dtypes -----------------------------------------------------------------------------------------------------
    def result_type(self, *items: Any) -> str:
        """The dtype in which Keras computes when these meet: tensors, variables, numbers (weak), dtype names."""
        from keras.src.backend.common import dtypes as promotion

        kinds = [self.dtype_of(x) for x in items]
        named = {k for k in kinds if isinstance(k, str)}
        if len(named) == 1 and all(isinstance(k, str) or _fits(k, next(iter(named))) for k in kinds):
            return named.pop()  # also where Keras would make 32 bits of 64, which torch itself does not
        return promotion.result_type(*kinds)

    def dtype_of(self, item: Any) -> Any:
        """The dtype of an operand in Keras' terms; the Python type of a number."""
        if isinstance(item, Value):
            return "bool" if item.type.dtype.is_bool else item.type.dtype.name
        if isinstance(item, Size):
            return "int32"
        if isinstance(item, (bool, int, float)):
            return type(item)
        if isinstance(item, (str, type)):
            return item
        if isinstance(item, (list, tuple)):
            return self.result_type(*item) if item else "float32"
        from keras.src.backend import standardize_dtype

        return standardize_dtype(item.dtype)

    # -- bodies and scopes ------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def within(self, graph: Graph) -> Iterator[None]:
        """Nodes made inside the block belong to a body."""
        outer, self.b = self.b, SizeBuilder(graph, origin=self.b.origin)
        self.bodies += 1
        try:
            yield
        finally:
            self.b = outer
            self.bodies -= 1

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Nodes made inside the block belong to whoever called the current layer: a fused activation, say."""
        with self.scopes.left(), self.b.at(self.scopes.origin(self.b.origin)):
            yield


SATURATES = (
    "a float that {kind} does not hold: JAX takes the nearest that it holds (0 for NaN), TensorFlow does so or keeps the low bits, "
    "by where it stands; in the converted model it becomes what the target makes of it"
)


def saturates(kind: DType) -> bool:
    """Whether the running backend may take floats beyond an integer type for its limits: JAX always, TensorFlow on a CPU for
    narrow types, in vectors but not in what is left of them. Elsewhere the processor's conversion decides, as in the IR."""
    from keras import config

    return config.backend() == "jax" or (config.backend() == "tensorflow" and kind.bits <= 16)


def _fits(number: type, kind: str) -> bool:
    """Whether a Python number takes a tensor's dtype without changing it."""
    return "float" in kind or "complex" in kind or number is bool or (number is int and "int" in kind)


@functools.cache
def _backend_kinds() -> dict[str, str]:
    """What the running backend makes of each dtype: JAX keeps 32 bits of 64, PyTorch lacks some unsigned integers."""
    from keras import ops
    from keras.src.backend import standardize_dtype

    found = {}
    for name in ("float64", "int64", "uint64", "uint32", "uint16"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found[name] = standardize_dtype(ops.convert_to_tensor(np.zeros((), name), dtype=name).dtype)
            except (TypeError, ValueError):
                continue
    return found


def kept(kind: DType) -> DType:
    """The dtype that the running backend really has where Keras names this one."""
    return dtype(_backend_kinds().get(kind.name, kind.name))


def is_variable(item: Any) -> bool:
    """Whether an object is a Keras variable."""
    from keras.src.backend.common.variables import Variable

    return isinstance(item, Variable)


def to_numpy(item: Any) -> np.ndarray:
    """A constant tensor of the backend, an array or a number as an array; raises Refusal for anything else."""
    from keras.src import backend

    if isinstance(item, np.ndarray):
        return item
    module = object.__getattribute__(backend, "_Part__module") if type(backend).__name__ == "_Part" else backend
    if module.is_tensor(item):
        return np.asarray(module.convert_to_numpy(item))
    try:
        array = np.asarray(item)
    except (ValueError, TypeError) as error:
        raise Refusal(f"{type(item).__name__} as a tensor: {error}") from None
    if array.dtype == object or array.dtype.kind in "SU":
        raise Refusal(f"a tensor of {type(item).__name__}")
    return array


__all__ = ["Behind", "KerasContext", "RuleFn", "Unruled", "is_variable", "rule", "to_numpy"]
