"""An old configuration as a live model of today: every layer translated first, then all of them put together."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from converter.errors import ConversionError, Unsupported, UsageError
from converter.importers.base import Planner, Refusal
from converter.importers.keras.legacy import (
    functions,
    graph_ops,
    keras1,
    layers_conv,
    layers_core,
    layers_merge,
    layers_recurrent,
    nodes,
    values,
)
from converter.importers.keras.legacy.era import Era
from converter.importers.keras.legacy.nodes import Call, Constant, Reference
from converter.importers.keras.legacy.units import Arguments, Unit, rules

FAMILIES = (layers_core, layers_conv, layers_recurrent, layers_merge, functions, graph_ops)
MODELS = ("Sequential", "Model", "Functional", "Container")
FOLDER = "converter/importers/keras/legacy"
_REBUILD = "rebuild this part in today's Keras and convert the live model"


def reserve_names(config: Any) -> None:
    """Keep the names that Keras makes up (for operations that masks take) clear of those in the file: it counts them."""
    from keras.src.backend.common import global_state

    counts = global_state.get_global_attribute("object_name_uids", defaultdict(int), set_to_default=True)
    for name in nodes.names(config):
        base, _, number = name.rpartition("_")
        numbered = bool(base) and number.isdigit() and len(number) < 9
        base, count = (base, int(number) + 1) if numbered else (name, 1)
        counts[base] = max(counts.get(base, 0), count)


class Translator:
    """Layers of a file as units. `plan` collects every layer that cannot be."""

    def __init__(self, era: Era, plan: Planner, path: Any) -> None:
        self.era, self.plan, self.path = era, plan, path

    def model(self, kind: str, config: Any, name: str = "") -> Unit:
        """A whole model, or one inside another."""
        config = nodes.functional(kind, config, name, str(self.path))
        units: dict[str, Unit] = {}
        for entry in config["layers"]:
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or "config" not in entry:
                raise UsageError(f"{self.path}: a layer without a name or a configuration in {name or kind}")
            if entry["class_name"] == "InputLayer":
                units[entry["name"]] = self._input(entry["config"], entry["name"])
            else:
                made = self.layer(entry, name)
                if made is not None:
                    units[entry["name"]] = made
        return Graph(self, config, units, name).unit(kind)

    def layer(self, entry: Any, place: str) -> Unit | None:
        """One layer, or None where it was refused: the plan then has the reason."""
        if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str) or "config" not in entry:
            raise UsageError(f"{self.path}: a layer without class or configuration{' in ' + place if place else ''}")
        kind, config = entry["class_name"], entry["config"]
        name = str(entry.get("name") or (config.get("name") if isinstance(config, dict) else None) or kind.lower())
        where = f"{place}/{name}" if place else name
        if kind in MODELS:
            return self.model(kind, config, where)
        if not isinstance(config, dict):
            raise UsageError(f"{self.path}: the layer {where} has no configuration")
        with self.guarded(f"{kind} of {self.era}", where):
            made = self._translated(kind, config, where)
            made.name = name
            return made
        return None

    @contextlib.contextmanager
    def guarded(self, op: str, place: str) -> Iterator[None]:
        """Record what is refused inside the block. What Keras itself raises there comes from values that no Keras writes:
        a UsageError, in one line."""
        try:
            yield
        except Refusal as error:
            self.plan.add(
                Unsupported(op, error.reason, place, advice=error.advice, file=f"{FOLDER}/layers_<family>.py")
            )
        except ConversionError:
            raise
        except Exception as error:
            lines = [line for line in str(error).splitlines() if line.strip()] or [""]
            raise UsageError(
                f"{self.path}: the layer {place} cannot be made: {type(error).__name__}: {lines[0]}"
            ) from error

    def _translated(self, kind: str, config: dict[str, Any], place: str) -> Unit:
        if kind in ("TimeDistributed", "Bidirectional"):
            return self._wrapped(kind, config, place)
        if self.era.first:
            kind, config = keras1.renamed(kind, config)
        rule = rules.get(kind)
        if rule is None:
            raise Refusal(f"no layer of {self.era} that is known by this name: a class of the user's own?", _REBUILD)
        return rule.fn(Arguments(kind, config, self.era))

    def _wrapped(self, kind: str, config: dict[str, Any], place: str) -> Unit:
        parts = [self.layer(config[k], place) for k in ("layer", "backward_layer") if config.get(k)]
        if not parts or any(p is None for p in parts):
            raise Refusal("what it wraps cannot be converted")
        inner, backward = parts[0], parts[1] if len(parts) > 1 else None
        assert inner is not None
        arguments = Arguments(kind, {k: v for k, v in config.items() if k not in ("layer", "backward_layer")}, self.era)
        if kind == "Bidirectional":
            return layers_recurrent.both_ways(arguments, inner, backward)
        return layers_recurrent.each_step(arguments, inner)

    def _input(self, config: dict[str, Any], name: str) -> Unit:
        """An input; `layer` is its tensor, None where its shape is open."""
        import keras

        made = Unit("InputLayer", name, lambda x: x)
        with self.guarded("InputLayer", name):
            if config.get("sparse") or config.get("ragged"):
                raise Refusal("a sparse or ragged input")
            shape = config.get("batch_input_shape", config.get("batch_shape"))
            kind = values.dtype(config.get("dtype", config.get("input_dtype")), self.era.floatx)
            if shape is not None:
                dtype = kind.removeprefix("mixed_") if kind.startswith("mixed_") else kind
                made.layer = keras.Input(batch_shape=tuple(shape), dtype=dtype, name=name)
        return made


class Graph:
    """One model's layers and calls, connected when it is asked for."""

    def __init__(self, translator: Translator, config: dict[str, Any], units: dict[str, Unit], place: str) -> None:
        self.guarded, self.plan, self.path, self.place = translator.guarded, translator.plan, translator.path, place
        self.config, self.units = config, units
        known = {e["name"] for e in config["layers"]}
        self.calls = {e["name"]: [nodes.parsed(n, known) for n in e.get("inbound_nodes", [])] for e in config["layers"]}
        self.results: dict[str, list[Any]] = {}

    def unit(self, kind: str) -> Unit:
        """This model as a layer of another."""
        name = str(self.config.get("name") or self.place.rpartition("/")[2] or "model")
        made = Unit(kind, name, lambda x: x, children=tuple(u for u in self.units.values() if u.kind != "InputLayer"))
        made.trainable = self.config.get("trainable", True) is not False

        def call(x: Any = None, **kwargs: Any) -> Any:
            if made.layer is None:
                made.layer = self.connect(x, name)
            return made.layer if x is None else made.layer(x, **kwargs)

        made.call = call
        return made

    def connect(self, x: Any, name: str) -> Any:
        """The live model; `x` tells the shape of an input that the file leaves open."""
        import keras

        inputs = nodes.tree(self.config["input_layers"], lambda leaf: self._open(leaf[0], x))
        self._run()
        first = self._first_nodes()

        def output(leaf: list[Any]) -> Any:
            return self._tensor(Reference(*leaf[:3]), first)

        outputs = nodes.tree(self.config["output_layers"], output)
        single = isinstance(outputs, list) and len(outputs) == 1
        return keras.Model(_alone(inputs), outputs[0] if single else outputs, name=name)

    def _open(self, layer: str, x: Any) -> Any:
        import keras

        unit = self.units.get(layer)
        if unit is None or unit.kind != "InputLayer":
            raise UsageError(f"{self.path}: the model's input {layer} is none of its layers")
        if unit.layer is None:
            if x is None or isinstance(x, (list, tuple, dict)):
                raise UsageError(
                    f"{self.path}: the file does not tell the shape of the input of {self.place or 'its model'}: give its "
                    "first layer an input_shape (or call it once) and save it again"
                )
            unit.layer = keras.Input(batch_shape=tuple(x.shape), dtype=x.dtype)
        self.results[layer] = [unit.layer]
        return unit.layer

    def _first_nodes(self) -> dict[str, int]:
        """The number that a layer's first call goes by: models inside were called once before, when they were made."""
        lowest: dict[str, int] = {}
        outputs = nodes.tree(self.config["output_layers"], lambda leaf: Reference(*leaf[:3]))
        for item in [
            outputs,
            *(part for calls in self.calls.values() for c in calls for part in (c.inputs, c.options)),
        ]:
            for found in nodes.references(item):
                lowest[found.layer] = min(found.node, lowest.get(found.layer, found.node))
        return {n: low if self.units[n].children is not None else 0 for n, low in lowest.items() if n in self.units}

    def _run(self) -> None:
        """Call every layer as soon as its inputs are there; a layer's calls keep their order."""
        first = self._first_nodes()
        waiting = {name: list(calls) for name, calls in self.calls.items() if calls}
        while waiting:
            moved = False
            for name in list(waiting):
                while waiting[name] and self._ready(waiting[name][0], first):
                    self._call(name, waiting[name].pop(0), first)
                    moved = True
                if not waiting[name]:
                    del waiting[name]
            if not moved:
                raise UsageError(
                    f"{self.path}: the layers {', '.join(list(waiting)[:5])} wait for each other or for nothing"
                )

    def _ready(self, call: Call, first: dict[str, int]) -> bool:
        found = [*nodes.references(call.inputs), *nodes.references(call.options)]
        return all(r.node - first.get(r.layer, 0) < len(self.results.get(r.layer, ())) for r in found)

    def _call(self, name: str, call: Call, first: dict[str, int]) -> None:
        unit = self.units[name]
        where = f"{self.place}/{name}" if self.place else name
        before = len(self.plan.items)
        with self.guarded(unit.kind, where):
            inputs, options = (self._filled(part, first) for part in (call.inputs, call.options))
            kept = {k: v for k, v in options.items() if v is not None and (k != "training" or v is not True)}
            self.results.setdefault(name, []).append(unit.call(inputs, **kept))
        if len(self.plan.items) > before:
            self.plan.check()

    def _filled(self, item: Any, first: dict[str, int]) -> Any:
        """A tree with each reference replaced by its tensor."""
        if isinstance(item, Reference):
            return self._tensor(item, first)
        if isinstance(item, Constant):
            return item.value
        if isinstance(item, dict):
            return {k: self._filled(v, first) for k, v in item.items()}
        return [self._filled(v, first) for v in item] if isinstance(item, list) else item

    def _tensor(self, found: Reference, first: dict[str, int]) -> Any:
        results = self.results.get(found.layer, [])
        node = found.node - first.get(found.layer, 0)
        if not 0 <= node < len(results):
            raise UsageError(f"{self.path}: output {found.node} of the layer {found.layer}, which there is not")
        from keras import tree

        result = tree.flatten(results[node])
        if not 0 <= found.tensor < len(result):
            raise UsageError(f"{self.path}: tensor {found.tensor} of the layer {found.layer}, which there is not")
        return result[found.tensor]


def _alone(items: Any) -> Any:
    return items[0] if isinstance(items, list) and len(items) == 1 else items
