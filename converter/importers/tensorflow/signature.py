"""Inputs of a function: the caller's structure over placeholders, and the sizes that are open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from converter.errors import ConversionError, Unsupported, UsageError
from converter.importers.base import Refusal
from converter.importers.examples import array_shape, sizes, spec_of
from converter.importers.names import plain_name
from converter.importers.partial.values import Ref
from converter.importers.tensorflow.wiring import Key
from ir.types import TensorType, dtype, symbols

if TYPE_CHECKING:
    from converter.importers.tensorflow.graph import Frame, GraphImporter


def pack(structure: Any, placeholders: Iterable[Any]) -> tuple[Any, Any]:
    """Positional and keyword arguments with the placeholder in place of each spec of a tensor."""
    import tensorflow as tf

    left = iter(placeholders)
    flat = tf.nest.flatten(structure)
    composite = [s for s in flat if isinstance(s, tf.TypeSpec) and not isinstance(s, tf.TensorSpec)]
    if composite:
        items = [Unsupported(f"input {s!s}", "it is no tensor but an object made of several") for s in composite]
        raise ConversionError("the function cannot be converted exactly: inputs that are no tensors", items)
    found = tf.nest.pack_sequence_as(structure, [next(left) if isinstance(s, tf.TensorSpec) else s for s in flat])
    args, kwargs = found
    return args, kwargs


def ordered(structure: Any) -> Any:
    """With the keys of dictionaries sorted, as `tf.nest` takes them: a SavedModel keeps them in no order at all."""
    if isinstance(structure, dict):
        return {key: ordered(structure[key]) for key in sorted(structure)}
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*map(ordered, structure))
    return type(structure)(map(ordered, structure)) if type(structure) in (list, tuple) else structure


def is_loaded(function: Any) -> bool:
    """Whether a concrete function comes from a SavedModel: it has specs where one that was traced has tensors."""
    import tensorflow as tf

    return any(isinstance(s, tf.TensorSpec) for s in tf.nest.flatten(function.structured_outputs))


def pack_results(function: Any) -> Any:
    """The structured result of a concrete function, tensors of its graph at the leaves."""
    import tensorflow as tf

    structure = ordered(function.structured_outputs) if is_loaded(function) else function.structured_outputs
    left = iter(function.outputs)
    flat = [next(left) if isinstance(s, tf.TensorSpec) else s for s in tf.nest.flatten(structure)]
    return tf.nest.pack_sequence_as(structure, flat) if any(tf.is_symbolic_tensor(s) for s in flat) else structure


class Leaves:
    """Inputs of the model by flat name. `given` are the caller's specs or arrays for some of them."""

    def __init__(self, importer: GraphImporter, given: Mapping[str, Any]) -> None:
        self.importer, self.given = importer, given

    def bind(self, leaves: list[tuple[str, Key, Any, Any]], frame: Frame) -> None:
        """Make each `(name, place in the graph, TensorShape, tf.DType)` an input of the model, in order."""
        for item in self.given.values():
            if (spec := spec_of(item)) is not None:
                self.importer.symbols.update(d for d in spec.dims if isinstance(d, str))
        opened = [name for name, _, shape, _ in leaves if shape.rank and shape[0] is None]
        for name, key, shape, kind in leaves:
            frame.poisoned.add(key[0])
            with self.importer.plan.collecting(f"input {name!r}"):
                value = self.importer.model.graph.add_input(self._type(name, shape, kind, len(opened) == 1), name)
                frame.names[key] = Ref(value.type, value)
                frame.poisoned.discard(key[0])

    def _type(self, name: str, shape: Any, kind: Any, single: bool) -> TensorType:
        try:
            element = dtype(kind.name)
        except TypeError:
            advice = "save the model, and cut the file behind it: --graph-inputs"
            raise Refusal(f"it holds {kind.name}, which is no tensor of numbers", advice) from None
        item = self.given.get(name)
        if shape.rank is None:
            own = array_shape(item) if spec_of(item) is None else (None,) * len(spec_of(item).dims)  # type: ignore[union-attr]
            if own is None:
                raise UsageError(f"the input {name} has no rank: give it: -i {name}:{element}[dim,dim,...]")
            declared: tuple[int | None, ...] = own
        else:
            declared = tuple(shape)
        if (spec := spec_of(item)) is not None and spec.dtype != element:
            raise UsageError(f"the input {name} is {element} in the model, not {spec.dtype}")
        axes = self.importer.options.dynamic.get(name)
        plain = plain_name(name, "x")
        names = [self._name("batch" if i == 0 and single else f"{plain}_{i}", d) for i, d in enumerate(declared)]
        dims, _ = sizes(name, declared, item, axes, names)
        self.importer.symbols.update(s.name for d in dims for s in symbols(d))
        return TensorType(element, dims)

    def _name(self, wanted: str, size: int | None) -> str:
        found, i = wanted, 0
        while size is None and found in self.importer.symbols:
            i += 1
            found = f"{wanted}_{i}"
        return found
