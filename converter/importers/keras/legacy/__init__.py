"""Whole models in HDF5 files of Keras 1 and 2 (and tf.keras), read by us: old configurations mean what they meant then."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.importers.base import ImportOptions, Planner
from converter.importers.keras.legacy import build, era, modern, weights
from converter.importers.keras.stored import bounded, hdf5
from converter.importers.keras.stored.versions import version_of

_WEIGHTS_ONLY = (
    "{}: holds weights alone, not a model (no model_config): build the model in code, call its load_weights() and pass the "
    "live model, or save it whole with model.save()"
)


def open_h5(path: Path, options: ImportOptions) -> Any:
    """A live model of the installed Keras from an HDF5 file of any Keras, its weights set and nothing compiled.

    Raises UsageError for files that are damaged or hold no model, ConversionError with every layer that cannot be read
    exactly, UntrustedSource where values would come from other files.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            config = hdf5.attribute(file, "model_config")
            if config is None:
                raise UsageError(
                    _WEIGHTS_ONLY.format(path) if _has_weights(file) else f"{path}: an HDF5 file without a Keras model"
                )
            return _model(path, file, hdf5.parsed(path, config, "model_config"), options)
    except (OSError, RuntimeError, KeyError) as error:
        raise UsageError(f"{path}: not readable as HDF5, damaged or cut short: {str(error).splitlines()[0]}") from None


def _has_weights(file: Any) -> bool:
    return any(n in file.attrs for n in ("layer_names", "layer_names0")) or any(
        n in file for n in ("model_weights", "layers", "_layer_checkpoint_dependencies")
    )


def _model(path: Path, file: Any, config: Any, options: ImportOptions) -> Any:
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise UsageError(f"{path}: the model_config describes no model")
    group = hdf5.child(path, file, "model_weights")
    version = hdf5.attribute(file, "keras_version") or (
        hdf5.attribute(group, "keras_version") if group is not None else None
    )
    number = version_of(version) or (1, 0)
    if number[0] >= 3:
        return modern.open_model(path, file, config, options)
    backend = hdf5.attribute(file, "backend") or (hdf5.attribute(group, "backend") if group is not None else None)
    names, floatx = _weight_names(path, group)
    found = era.era_of(version, backend, names, config, floatx)
    plan = Planner(str(path))
    if config["class_name"] not in build.MODELS:
        raise UsageError(
            f"{path}: a model of the class {config['class_name']}, a user's own: build it in code and pass the live model"
        )
    build.reserve_names(config)
    unit = build.Translator(found, plan, path).model(config["class_name"], config.get("config"))
    plan.check()
    stored = sum(math.prod(file[n].shape) for n in hdf5.check_tree(path, group)) if group is not None else 0
    with bounded.variables(path, stored):
        model = unit.call()
    weights.fill(path, file, unit)
    weights.freeze(unit)
    return model


def _weight_names(path: Path, group: Any) -> tuple[list[str], str]:
    """Names of all weights, and the dtype that they have: float32 where it is not the same for all."""
    found, kinds = [], set()
    for layer in hdf5.names(group, "layer_names") if group is not None else []:
        inner = hdf5.child(path, group, layer)
        for name in hdf5.names(inner, "weight_names") if inner is not None else []:
            stored = hdf5.child(path, inner, name)
            found.append(name)
            kinds.add(str(getattr(stored, "dtype", "")))
    floats = kinds & {"float16", "float32", "float64"}
    return found, floats.pop() if len(floats) == 1 else "float32"
