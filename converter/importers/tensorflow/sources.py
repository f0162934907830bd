"""What a live source is: its concrete function, traced anew where that tells which module makes each node."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converter.errors import ConversionError, UsageError
from converter.importers.examples import array_shape, bind, is_leaf, labels_of, spec_of, spread
from converter.importers.tensorflow.recorder import Recorder
from converter.importers.tensorflow.tree import Tree, is_module
from ir.core.signature import tree_of


@dataclass
class Opened:
    """A concrete function, the names of modules and variables, what was recorded while it was traced, and the caller's
    example or spec for each leaf of its inputs by flat name. `whole` says that every variable of the tree belongs to the
    model, read or not."""

    function: Any
    tree: Tree
    recorder: Recorder | None
    given: Mapping[str, Any]
    whole: bool = False


def open_live(source: Any, inputs: Any, dynamic: Mapping[str, Any]) -> Opened:
    """Open a `ConcreteFunction`, a `tf.function`, a method or a `tf.Module`. Raises UsageError for anything else, and
    where inputs are missing or do not fit."""
    tree = Tree()
    source = resolved(source)
    if is_concrete(source):
        return Opened(source, tree, None, _named(_arguments(source), inputs))
    whole = is_module(source)
    function = _callable(source) if whole else source
    owner = source if whole else _owner(function)
    if owner is not None:
        tree.add(owner)
    function = _polymorphic(function)
    given, spec = _call(function, inputs, dynamic)
    recorder = Recorder(tree)
    return Opened(_traced(function, spec, recorder), tree, recorder, given, whole)


def resolved(source: Any) -> Any:
    """What is called of a source: of an object that was loaded from a SavedModel its one function, or its signature."""
    if is_module(source) or is_concrete(source):
        return source
    if hasattr(source, "signatures") and not callable(source):
        signatures = dict(source.signatures)
        if "serving_default" not in signatures and len(signatures) != 1:
            raise UsageError(
                f"the loaded object has no call; give one of its signatures: {', '.join(signatures) or 'none'}"
            )
        return signatures.get("serving_default") or next(iter(signatures.values()))
    called = source.__call__ if hasattr(source, "signatures") else source
    traced = getattr(called, "concrete_functions", None)  # of a function that was loaded
    if traced is None:
        return source
    if len(traced) != 1:
        raise UsageError(
            f"the loaded function was traced for {len(traced)} kinds of inputs: give the concrete function meant"
        )
    return traced[0]


def may_change(source: Any) -> list[Any]:
    """The variables that a call of a live source may assign."""
    source = resolved(source)
    owner = source if is_module(source) else None if is_concrete(source) else _owner(source)
    if owner is not None:
        tree = Tree()
        tree.add(owner)
        return tree.all_variables()
    functions = [source] if is_concrete(source) else source._list_all_concrete_functions()
    return list({id(v): v for f in functions for v in f.graph.variables}.values())


def is_concrete(source: Any) -> bool:
    """Whether a source is a concrete function."""
    return hasattr(source, "structured_input_signature") and hasattr(source, "graph")


def is_polymorphic(source: Any) -> bool:
    """Whether a source is what `tf.function` makes."""
    return hasattr(source, "get_concrete_function") and hasattr(source, "python_function")


def _callable(module: Any) -> Any:
    """What calls a module. Raises UsageError where it has no `__call__`, naming its functions."""
    if callable(module):
        return module.__call__
    known = [n for n in dir(type(module)) if is_polymorphic(getattr(type(module), n, None))]
    raise UsageError(
        f"{type(module).__name__} has no __call__: give one of its functions ({', '.join(known)})"
        if known
        else f"{type(module).__name__} has no __call__ and no tf.function"
    )


def _owner(function: Any) -> Any:
    """The module whose method a function is; None for others."""
    from tensorflow.python.util import tf_decorator

    python = function.python_function if is_polymorphic(function) else function
    found: Any = getattr(tf_decorator.unwrap(python)[1], "__self__", None)
    found = found.target if hasattr(found, "weakrefself_target__") else found
    return found if found is not None and is_module(found) else None


def _polymorphic(function: Any) -> Any:
    """A function as `tf.function`."""
    import tensorflow as tf

    if is_polymorphic(function):
        return function
    if not callable(function):
        raise UsageError(f"a {type(function).__name__} is no function of TensorFlow")
    return tf.function(function)


# -- tracing ------------------------------------------------------------------------------------------------------------
Call = tuple[tuple[Any, ...], dict[str, Any]]


def _traced(function: Any, spec: Call, recorder: Recorder) -> Any:
    """The concrete function for a call, traced anew so that every node is seen being made. A function that cannot be
    traced twice (it makes its variables itself) gives what it has traced already. Raises UsageError with its own words
    where it cannot be traced at all."""
    args, kwargs = spec
    fresh = function._clone(None)
    with recorder.watching():
        try:
            return fresh.get_concrete_function(*args, **kwargs)
        except ConversionError:
            raise
        except Exception as error:  # the user's code runs here
            if isinstance(error, ValueError) and "variables" in str(error):
                return function.get_concrete_function(*args, **kwargs)
            raise UsageError(f"the function cannot be traced: {_own_words(error)}") from error


def _own_words(error: Exception) -> str:
    """What an exception says, without the lines of code that AutoGraph puts before it."""
    name = type(error).__name__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith(f"{name}:")), "")
    return told or f"{name}: {lines[0] if lines else 'no message'}"


def _call(function: Any, inputs: Any, dynamic: Mapping[str, Any]) -> tuple[dict[str, Any], Call]:
    """The caller's leaves by flat name, and the call to trace: specs of tensors, and Python values as they are."""
    arguments = spread(list(inspect.signature(function.python_function).parameters.values()), inputs)
    if function.input_signature is not None:
        if inputs is None:
            return {}, ((), {})
        return _leaves(bind(arguments, inputs)), ((), {})
    if inputs is None:
        return {}, _only_trace(function, arguments)
    bound = bind(arguments, inputs)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for argument, value in bound:
        spec = _specs(value, argument.name, dynamic)
        if argument.kind is argument.KEYWORD_ONLY or len(args) != arguments.index(argument):
            kwargs[argument.name] = spec
        else:
            args.append(spec)
    return _leaves(bound), (tuple(args), kwargs)


def _only_trace(function: Any, arguments: list[inspect.Parameter]) -> Call:
    """The call that a function was traced for, where there is just one."""
    if not [p for p in arguments if p.default is inspect.Parameter.empty]:
        return (), {}
    traced = function._list_all_concrete_functions()
    if len(traced) != 1:
        raise UsageError(
            "the function has no input_signature: give inputs, arrays or specs such as float32[batch,8]"
            if not traced
            else f"the function was traced for {len(traced)} kinds of inputs: give the inputs meant"
        )
    args, kwargs = traced[0].structured_input_signature
    return tuple(args), dict(kwargs)


def _leaves(bound: list[tuple[inspect.Parameter, Any]]) -> dict[str, Any]:
    return {name: leaf for p, value in bound for name, leaf in tree_of(value, p.name, is_leaf)[1]}


def _specs(value: Any, name: str, dynamic: Mapping[str, Any]) -> Any:
    """The same structure with a TensorSpec for each leaf."""
    if is_leaf(value):
        return _tensor_spec(value, name, dynamic.get(name))
    if isinstance(value, Mapping):
        return {k: _specs(v, f"{name}.{k}", dynamic) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_specs(v, f"{name}.{f}", dynamic) for f, v in zip(value._fields, value)))
    if isinstance(value, (list, tuple)):
        return type(value)(_specs(v, f"{name}.{i}", dynamic) for i, v in enumerate(value))
    return value


def _tensor_spec(item: Any, name: str, axes: Any) -> Any:
    import tensorflow as tf

    if isinstance(item, tf.TypeSpec):
        return item
    spec = spec_of(item)
    if spec is not None:
        return tf.TensorSpec([d if isinstance(d, int) else None for d in spec.dims], tf.as_dtype(spec.dtype.name))
    shape = array_shape(item) or ()
    opened = labels_of(axes, len(shape))
    kind = getattr(item.dtype, "name", None) or str(item.dtype).rsplit(".", 1)[-1]
    return tf.TensorSpec([None if i in opened else d for i, d in enumerate(shape)], tf.as_dtype(kind))


# -- concrete functions ---------------------------------------------------------------------------------------------------
def _arguments(function: Any) -> list[inspect.Parameter]:
    kinds = inspect.Parameter
    args, kwargs = function.structured_input_signature
    names = parameter_names(function)
    return [
        *(kinds(n, kinds.POSITIONAL_OR_KEYWORD) for n in names[: len(args)]),
        *(kinds(n, kinds.KEYWORD_ONLY) for n in kwargs),
    ]


def _named(arguments: list[inspect.Parameter], inputs: Any) -> dict[str, Any]:
    return {} if inputs is None else _leaves(bind(arguments, inputs))


def parameter_names(function: Any) -> list[str]:
    """Names of a concrete function's parameters, in order."""
    return [str(p.name) for p in function.function_type.parameters.values()]
