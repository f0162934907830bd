"""The pieces an old model is put together from: a layer of the file, with today's layers that stand for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converter.importers.base import Refusal, RuleTable
from converter.importers.keras.legacy import values
from converter.importers.keras.legacy.era import Era
from converter.importers.keras.stored.hdf5 import Stored

Convert = Callable[[list[Stored]], list[np.ndarray]]


@dataclass(frozen=True)
class Weights:
    """How a layer's trainable arrays in the file become those of today's layer: `count` of them (None: as many as today
    has), through `convert` (None: as they are)."""

    count: int | None = None
    convert: Convert | None = None


@dataclass
class Unit:
    """A layer of the file. `call` is what it computes; `layer` is today's layer that has its weights, None where it has
    none; `children` are the units of a nested model, and `weights` says how the file stores what `layer` has."""

    kind: str
    name: str
    call: Callable[..., Any]
    layer: Any = None
    weights: Weights = field(default_factory=Weights)
    trainable: bool = True
    children: tuple[Unit, ...] | None = None
    plain: tuple[Any, ...] = ()
    """The layers that, one after another, are all that `call` does; empty where it does something else."""


class Arguments:
    """The configuration of one layer: every entry is taken by somebody, or the layer is refused."""

    def __init__(self, kind: str, config: dict[str, Any], era: Era) -> None:
        self.kind, self.era = kind, era
        self.config = dict(config)
        self.name = str(self.config.pop("name", None) or kind.lower())
        self.trainable = self.config.pop("trainable", True) is not False
        self.dtype = values.dtype(self.config.pop("dtype", None), era.floatx)
        if (
            not era.modern and "float" not in self.dtype
        ):  # of the input that a first layer makes, not of what it computes
            self.dtype = era.floatx
        for build_only in ("batch_input_shape", "input_dtype", "input_shape", "batch_shape"):
            self.config.pop(build_only, None)

    def take(self, key: str, default: Any = None) -> Any:
        """An entry, which is then done with."""
        return self.config.pop(key, default)

    def drop(self, *keys: str) -> None:
        """Entries that say nothing about what the layer computes."""
        for key in keys:
            self.config.pop(key, None)

    def only(self, key: str, *allowed: Any) -> None:
        """An entry that must have one of these values; raises Refusal where it has another."""
        value = self.config.pop(key, allowed[0])
        if value not in allowed:
            raise Refusal(f"{key}={value!r}, which Keras 3 no longer has")


Rule = Callable[[Arguments], Unit]
rules: RuleTable[Rule] = RuleTable("converter/importers/keras/legacy")

_NEUTRAL = frozenset({
    "activity_regularizer", "seed", "noise_shape", "groups", "keepdims", "interpolation", "output_padding", "use_cudnn",
    "zero_output_for_mask", "dilation_rate", "lora_rank", "lora_alpha", "quantization_config", "use_gate", "sliding_window",
    "flash_attention", "renorm", "renorm_clipping", "renorm_momentum", "synchronized", "weights", "score_mode", "unroll",
    "return_state", "use_bias", "center", "scale", "fill_value", "pad_to_aspect_ratio", "fill_mode", "antialias",
    "shared_axes", "gptq_unpacked_column_size", "offset", "mean", "variance", "invert", "value_range",
})  # fmt: skip
"""Arguments that an older Keras may not have had, whose default today is what it did without them."""


def today(name: str, a: Arguments, **fixed: Any) -> Any:
    """Today's layer `name` with the entries left in `a` and those given; raises Refusal where an entry is unknown today, or
    where one is missing that an older Keras had another default for."""
    import keras

    cls = getattr(keras.layers, name)
    known = [
        p
        for p in inspect.signature(cls.__init__).parameters
        if p not in ("self", "kwargs", "name", "dtype", "trainable")
    ]
    given: dict[str, Any] = {}
    for key, value in a.config.items():
        if key.endswith("_initializer"):
            continue
        if key == "activity_regularizer" and value is None:
            continue
        if key not in known and key != "activity_regularizer":
            raise Refusal(f"the argument {key}={value!r}, which {name} does not have in Keras 3")
        given[key] = values.translated(key, value, a.era)
    given.update(fixed)
    if "data_format" in known and given.get("data_format") is None:
        given["data_format"] = a.era.channels
    for key in known:
        if (
            key not in given
            and key not in _NEUTRAL
            and not key.endswith(("_initializer", "_regularizer", "_constraint"))
        ):
            raise Refusal(f"no {key} in the file, and what {a.era} took for it is not known")
    return cls(**given, name=a.name, dtype=a.dtype)


def unit(a: Arguments, *layers: Any, weights: Weights | None = None) -> Unit:
    """A unit of layers one after another, the last of which has the weights."""

    def call(x: Any, **kwargs: Any) -> Any:
        for layer in layers[:-1]:
            x = layer(x)
        return layers[-1](x, **kwargs)

    return Unit(a.kind, a.name, call, layers[-1], weights or Weights(), a.trainable, plain=tuple(layers))
