"""HDF5 files that Keras 3 itself wrote, whose configuration leaves out the modules of its classes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.importers.base import ImportOptions
from converter.importers.keras.stored import allowed, archive, bounded, hdf5

_MODELS = {"Functional": "keras.src.models.functional", "Sequential": "keras"}


def open_model(path: Path, file: Any, config: dict[str, Any], options: ImportOptions) -> Any:
    """A live model: the configuration as Keras writes it into archives, the weights in the order of the file."""
    config = with_modules(archive.uncompiled(config))
    allowed.check(path, config, options)
    group = hdf5.child(path, file, "model_weights")
    if group is None:
        raise UsageError(f"{path}: a model's configuration without its weights")
    stored = sum(math.prod(file[n].shape) for n in hdf5.check_tree(path, group))
    with bounded.variables(path, stored):
        model = archive.built(path, config, options)
        return archive.filled(path, model, lambda: _fill(path, group, model))


def with_modules(item: Any, layer: bool = False) -> Any:
    """The configuration with the module of every layer and operation; the two kinds share names, and only layers tell
    whether they are trained."""
    if isinstance(item, list):
        return [with_modules(v, layer) for v in item]
    if not isinstance(item, dict):
        return item
    new = {
        k: with_modules(v, layer=k in ("layers", "layer", "backward_layer", "cell", "cells")) for k, v in item.items()
    }
    name, config = item.get("class_name"), item.get("config")
    if "module" in item or not isinstance(name, str) or name.startswith("__") or not isinstance(config, dict):
        return new
    if name in _MODELS:
        return {"module": _MODELS[name], "registered_name": None, **new}
    if "trainable" in config or name == "InputLayer" or not layer:
        return {"module": "keras.layers", "registered_name": None, **new}
    return {"module": allowed.operation_module(name) or "keras.ops", "registered_name": None, **new}


def _fill(path: Path, group: Any, model: Any) -> None:
    for layer in model.layers:
        found = hdf5.child(path, group, layer.name)
        mine = [*layer.trainable_weights, *layer.non_trainable_weights]
        names = [] if found is None else hdf5.names(found, "weight_names")
        if len(names) != len(mine):
            raise UsageError(f"{path}: the layer {layer.name} has {len(mine)} weights, the file {len(names)} for it")
        for name, variable in zip(names, mine):
            value = hdf5.dataset(path, found, name)
            if name.rsplit("/", 1)[-1] != variable.name or value.shape != tuple(variable.shape):
                shapes = f"{value.shape} in the file, {tuple(variable.shape)} in the model"
                raise UsageError(f"{path}: {name} stands where {layer.name} has its {variable.path} ({shapes})")
            variable.assign(value)
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
