"""Keras, diverted: while a model is read, what its code does with traced tensors, variables and sizes comes to the tracer.

Keras' own Python runs (calls of layers, masks, autocasting, functional graphs, the user's `call`); only where it would hand
work to the backend, the tracer takes over. Everything is put back afterwards.
"""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from converter.errors import EnvironmentMissing
from converter.importers.keras.tensors import Size, tensor_class

_PARTS = ("core", "numpy", "nn", "math", "linalg", "image", "random")
"""Modules of a backend that hold functions on tensors."""
_PLAIN = frozenset(
    """
is_tensor standardize_dtype standardize_shape result_type any_symbolic_tensors is_keras_tensor get_keras_mask set_keras_mask
in_stateless_scope get_stateless_scope in_symbolic_scope get_autocast_scope is_float_dtype is_int_dtype epsilon floatx
image_data_format standardize_data_format backend set_floatx set_epsilon set_image_data_format name_scope cudnn_ok
""".split()
)
"""Functions of a backend that compute nothing."""


class Tracer(Protocol):
    """What the diverted code calls; while it stands `aside`, the backend answers itself."""

    aside: bool

    def call_op(self, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation of `keras.ops` on traced tensors."""

    def call_layer(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A layer, its arguments converted and completed by Keras."""

    def call_backend(self, part: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function of the backend on traced tensors, variables or sizes, or a random one."""

    def lift(self, item: Any) -> Any:
        """A tensor of the backend as a traced one; anything else as it is."""

    def read(self, variable: Any) -> Any:
        """The current value of a variable as a traced tensor."""

    def assign(self, variable: Any, value: Any) -> Any:
        """A variable gets a value."""

    def adds_loss(self, layer: Any) -> None:
        """A layer adds a term to the loss of the model."""


@contextlib.contextmanager
def diverted(tracer: Tracer) -> Iterator[None]:
    """Inside the block everything comes to `tracer`."""
    import keras
    from keras import config

    undo: list[Callable[[], None]] = []

    def put(owner: Any, name: str, new: Any) -> None:
        old = owner.__dict__[name]  # methods as they are defined here, not as they are inherited
        setattr(owner, name, new)
        undo.append(lambda: setattr(owner, name, old))

    filtering = config.is_traceback_filtering_enabled()
    try:
        config.disable_traceback_filtering()
        _divert_operations(tracer, put)
        _divert_variables(tracer, put)
        _divert_backend(tracer, put)
    except (AttributeError, KeyError) as error:
        _restore(undo, filtering, config)
        raise EnvironmentMissing(f"this version of Keras ({keras.__version__}) cannot be read from: {error}") from None
    try:
        yield
    finally:
        _restore(undo, filtering, config)


def _restore(undo: list[Callable[[], None]], filtering: bool, config: Any) -> None:
    while undo:
        undo.pop()()
    if filtering:
        config.enable_traceback_filtering()


Put = Callable[[Any, str, Any], None]


def _divert_operations(tracer: Tracer, put: Put) -> None:
    from keras.src.layers import layer as layer_module
    from keras.src.ops.operation import Operation

    def symbolic_op(op: Any, *args: Any, **kwargs: Any) -> Any:
        return tracer.call_op(op, args, kwargs)

    def symbolic_layer(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return tracer.call_layer(layer, args, kwargs)

    original = layer_module.Layer.__dict__["__call__"]

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        """A layer that is called on tensors without history (position ids, say) belongs to the model all the same."""
        from keras import tree

        args, kwargs = tree.map_structure(tracer.lift, (args, kwargs))
        return original(layer, *args, **kwargs)

    put(Operation, "symbolic_call", symbolic_op)
    put(layer_module.Layer, "symbolic_call", symbolic_layer)
    put(layer_module.Layer, "__call__", call)
    put(layer_module.Layer, "add_loss", lambda layer, _: tracer.adds_loss(layer))
    put(layer_module, "Node", lambda **_: None)  # the user's layers keep no record of being read
    for module in _modules():
        if "any_symbolic_tensors" in module.__dict__ and "backend" not in module.__name__.split("."):
            put(module, "any_symbolic_tensors", _any_symbolic)


def _any_symbolic(args: Any = None, kwargs: Any = None) -> bool:
    """Whether anything in the arguments is traced, or a variable."""
    concerned = (tensor_class(), _variable_class())
    return any(isinstance(x, concerned) for x in _leaves((args, kwargs)))


def _divert_variables(tracer: Tracer, put: Put) -> None:
    """Reading one gives a traced tensor: what turns it into numbers fails there."""
    base = _variable_class()
    put(base, "value", property(tracer.read))
    put(base, "assign", lambda variable, value: tracer.assign(variable, value))  # a function: it is bound to a variable


def _variable_class() -> Any:
    from keras.src.backend.common.variables import Variable

    return Variable


# -- the backend ------------------------------------------------------------------------------------------------------
def _divert_backend(tracer: Tracer, put: Put) -> None:
    from keras.src import backend

    proxy = _Part(backend, "", tracer)
    for module in _modules():
        if module.__name__.startswith("keras.src.backend."):
            continue
        for name in ("backend", "backend_module"):
            if module.__dict__.get(name) is backend:
                put(module, name, proxy)
    dynamic = sys.modules["keras.src.utils.backend_utils"].DynamicBackend  # what preprocessing layers call
    put(dynamic, "__getattr__", lambda _, name: getattr(proxy, name))
    put(sys.modules["keras.src.ops"], "random", proxy.random)  # as layers call it: the backend's own module
    put(sys.modules["keras.src.backend.common.variables"], "backend", proxy)
    put(
        sys.modules["keras.src.utils.backend_utils"].DynamicBackend, "__getattr__", lambda _, name: getattr(proxy, name)
    )


class _Part:
    """A module of the backend whose functions come to the tracer where their arguments concern it."""

    def __init__(self, module: Any, part: str, tracer: Tracer) -> None:
        self.__module, self.__part, self.__tracer = module, part, tracer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__module, name)
        if isinstance(found, types.ModuleType):
            return _Part(found, name, self.__tracer) if name in _PARTS else found
        if isinstance(found, type) or not callable(found) or name in _PLAIN:
            return found
        return self.__function(name, found)

    def __function(self, name: str, found: Callable[..., Any]) -> Callable[..., Any]:
        part, tracer = self.__part, self.__tracer
        concerned = (tensor_class(), _variable_class(), Size)

        def call(*args: Any, **kwargs: Any) -> Any:
            if not tracer.aside and (
                part == "random" or any(isinstance(x, concerned) for x in _leaves((args, kwargs)))
            ):
                return tracer.call_backend(part, name, args, kwargs)
            return found(*args, **kwargs)

        return call


def _leaves(item: Any) -> Iterator[Any]:
    """Everything inside nested tuples, lists and dicts (slices, too)."""
    if isinstance(item, (tuple, list)):
        for child in item:
            yield from _leaves(child)
    elif isinstance(item, dict):
        for child in item.values():
            yield from _leaves(child)
    elif isinstance(item, slice):
        yield from _leaves((item.start, item.stop, item.step))
    else:
        yield item


def _modules() -> list[Any]:
    return [m for n, m in list(sys.modules.items()) if n.startswith("keras.src.") and m is not None]
