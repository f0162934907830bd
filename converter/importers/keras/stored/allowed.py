"""What a configuration of Keras 3 names, read as data: everything in it is a built-in of Keras, or nothing is loaded."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.errors import ConversionError, Unsupported, UntrustedSource, UsageError
from converter.importers.base import ImportOptions, Planner

_RUNS_CODE = {
    "Lambda": "its function is byte-code", "TFSMLayer": "it loads a SavedModel from a path", "TorchModuleWrapper": "it unpickles a module",
    "JaxLayer": "it holds a function", "FlaxLayer": "it holds a module", "Pipeline": "it holds layers of preprocessing",
}  # fmt: skip
_TABLES = ("StringLookup", "TextVectorization")
_MODELS = {
    "keras": ("Sequential", "Functional"), "keras.models": ("Sequential", "Functional"),
    "keras.src.models.functional": ("Functional",), "keras.src.models.sequential": ("Sequential",),
}  # fmt: skip
_DATA = ("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__")
_TRUST = "pass trust=True (--trust) only if you know the file"
_DEEPEST = 200


@dataclass(frozen=True)
class Named:
    """A class or function that a configuration names, and where."""

    module: str | None
    name: str
    registered: str | None
    place: str
    is_function: bool = False

    def __str__(self) -> str:
        return f"{self.module}.{self.name}" if self.module else self.name


def check(path: Path, config: Any, options: ImportOptions) -> None:
    """Go through a configuration before Keras sees it.

    Raises UntrustedSource where it names code or anything that is not of Keras, ConversionError for layers that are no
    tensor arithmetic, or (trusted) for classes that nothing in this process registered.
    """
    foreign, plan = [], Planner(str(path))
    for named in walk(path, config):
        if named.name in _TABLES and named.module == "keras.layers":
            reason = "text or a table of words, which is no tensor arithmetic"
            plan.add(Unsupported(named.name, reason, named.place, advice="convert the model behind it"))
        elif not is_known(named):
            foreign.append(named)
    if foreign and not options.trust:
        first = foreign[0]
        why = _RUNS_CODE.get(first.name, "no class or function of Keras")
        others = ", ".join(dict.fromkeys(str(n) for n in foreign if n.name != first.name))
        more = f" (and {others})" if others else ""
        raise UntrustedSource(f"{path}: {first.place} is a {first}: {why}{more}; reading it would run code: {_TRUST}")
    plan.check()
    _check_registered(path, foreign)


def _check_registered(path: Path, foreign: list[Named]) -> None:
    """Of a trusted file, the classes that Keras can find: its own, and those that this process has registered."""
    from keras import saving

    missing = []
    for named in foreign:
        own = (named.module or "").split(".")[0] == "keras" and named.name in _RUNS_CODE or named.name == "__lambda__"
        names = (named.registered, named.name, f"{named.module}>{named.name}")
        if not own and not any(n and saving.get_registered_object(n) is not None for n in names):
            missing.append(
                Unsupported(
                    str(named), "a class of the user's own that this process does not have", named.place,
                    advice="import its module, with @keras.saving.register_keras_serializable() on it, and pass the live model",
                )
            )  # fmt: skip
    if missing:
        raise ConversionError(f"{path} cannot be read: {len(missing)} things of the user's own in it", missing)


def walk(path: Path, config: Any) -> Iterator[Named]:
    """Every class and function named anywhere in a configuration. Raises UsageError where it is nested too deep, or names
    something in a way that no Keras writes."""
    stack: list[tuple[Any, str, int]] = [(config, "the model", 0)]
    while stack:
        item, place, depth = stack.pop()
        if depth > _DEEPEST:
            raise UsageError(f"{path}: a configuration nested more than {_DEEPEST} deep")
        if isinstance(item, list):
            stack.extend((x, place, depth + 1) for x in reversed(item))
        if not isinstance(item, dict):
            continue
        if "class_name" in item:
            inner = item.get("config")
            here = inner.get("name") if isinstance(inner, dict) else None
            place = str(here or item.get("name") or place)
            if isinstance(inner, dict) and isinstance(inner.get("vocabulary"), str):
                raise UsageError(f"{path}: the vocabulary of {place} is the file {inner['vocabulary']!r}, outside the model")
            found = _named(path, item, place)
            if found is not None:
                yield found
        stack.extend((v, place, depth + 1) for v in reversed(item.values()))


def _named(path: Path, item: dict[str, Any], place: str) -> Named | None:
    name, module, registered = item["class_name"], item.get("module"), item.get("registered_name")
    texts = [name, *(x for x in (module, registered) if x is not None)]
    if not all(isinstance(x, str) for x in texts):
        raise UsageError(f"{path}: {place} has a class that is no name")
    if name in _DATA and module is None and registered is None:
        return None
    if name == "function":
        inner = item.get("config")
        return Named(module, str(inner), registered, place, is_function=True)
    return Named(module, name, registered, place)


def is_known(named: Named) -> bool:
    """Whether it is, by exact name, a layer, model, operation, initializer, ... of the installed Keras, that runs nothing."""
    if named.is_function:
        return named.module == "builtins" and named.name in _functions() and named.registered in (None, named.name)
    if named.registered not in (None, named.name) or named.name in _RUNS_CODE:
        return False
    return named.module is not None and named.name in _classes().get(named.module, ())


@functools.cache
def _functions() -> frozenset[str]:
    from keras.src import activations

    return frozenset(activations.ALL_OBJECTS_DICT)


@functools.cache
def _classes() -> dict[str, frozenset[str]]:
    """Names that may be loaded, by module."""
    import keras
    from keras.src.ops.operation import Operation

    def public(space: Any, base: type) -> frozenset[str]:
        names = (n for n, c in vars(space).items() if inspect.isclass(c) and issubclass(c, base))
        return frozenset(n for n in names if not n.startswith("_"))

    policies = public(keras.dtype_policies, keras.DTypePolicy)
    found = {
        "keras.layers": public(keras.layers, keras.Layer) - {"Layer", "Wrapper"} - set(_RUNS_CODE),
        "keras.initializers": public(keras.initializers, keras.Initializer),
        "keras.regularizers": public(keras.regularizers, keras.Regularizer),
        "keras.constraints": public(keras.constraints, keras.constraints.Constraint),
        "keras.dtype_policies": policies,
        "keras.random": frozenset({"SeedGenerator"}),
        **{m: frozenset(names) for m, names in _MODELS.items()},
    }
    found["keras"] = found["keras"] | policies
    for module in [m for m in sys.modules if m.startswith(("keras.src.ops.", "keras.src.activations."))]:
        own = vars(sys.modules[module]).values()
        operations = (
            c.__name__ for c in own if inspect.isclass(c) and issubclass(c, Operation) and c.__module__ == module
        )
        found[module] = frozenset(operations) - {"Operation"}
    for module in [m for m in sys.modules if m.startswith("keras.src.applications.")]:  # layers of their own
        found[module] = frozenset(
            n for n in public(sys.modules[module], keras.Layer) if vars(sys.modules[module])[n].__module__ == module
        )
    return found


def operation_module(name: str) -> str | None:
    """The module of an operation of keras.ops by its class's name; None where there is none or there are several."""
    found = [m for m, names in _classes().items() if m.startswith("keras.src.ops.") and name in names]
    return found[0] if len(found) == 1 else None
