"""`.keras` archives: a configuration, read as data first, and weights, whose sizes are checked before they are read."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from converter.errors import ConversionError, UsageError
from converter.importers.base import ImportOptions
from converter.importers.keras.stored import allowed, bounded, hdf5
from converter.importers.keras.stored.versions import version_of

_LARGEST_JSON = 1 << 28
_EXPANSION = 1100
"""Deflate makes at most 1032 bytes of one: a member that claims more lies."""


def open_archive(path: Path, options: ImportOptions) -> Any:
    """A live model from a `.keras` file, its weights set and nothing compiled.

    Raises UsageError for what is damaged, UntrustedSource where reading would run code (see `allowed`), ConversionError
    for what cannot be read exactly.
    """
    try:
        with zipfile.ZipFile(path) as zipped:
            check_members(path, zipped)
            config = _json(path, zipped, "config.json")
            metadata = _json(path, zipped, "metadata.json") if "metadata.json" in zipped.namelist() else {}
            check_version(path, metadata)
            stored = _stored(path, zipped)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise UsageError(f"{path}: a damaged archive: {error}") from None
    config = uncompiled(config)
    allowed.check(path, config, options)
    with bounded.variables(path, stored):
        model = built(path, config, options)
        return filled(path, model, lambda: model.load_weights(str(path)))


def uncompiled(item: Any) -> Any:
    """A configuration without what `compile` was given: losses, metrics and optimisers are not read."""
    if isinstance(item, dict):
        return {k: uncompiled(v) for k, v in item.items() if k != "compile_config" or "class_name" not in item}
    return [uncompiled(v) for v in item] if isinstance(item, list) else item


def check_members(path: Path, zipped: zipfile.ZipFile) -> None:
    """No member lies outside the archive's folder, and none claims to be larger than its bytes can be."""
    names = zipped.namelist()
    if "config.json" not in names:
        raise UsageError(f"{path}: an archive without config.json: no Keras model")
    for info in zipped.infolist():
        parts = info.filename.replace("\\", "/").split("/")
        if info.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            raise UsageError(f"{path}: the member {info.filename!r} would lie outside the archive")
        if info.file_size > _EXPANSION * max(info.compress_size, 1) or info.compress_size > path.stat().st_size:
            raise UsageError(
                f"{path}: {info.filename} claims {info.file_size} bytes, of which {info.compress_size} are stored"
            )
    if len(set(names)) != len(names):
        raise UsageError(f"{path}: two members of the same name")


def check_version(path: Path, metadata: Any) -> None:
    """Archives of tf.keras 2 have the ending of Keras 3's and other contents."""
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    number = version_of(version)
    if number is not None and number[0] < 3:
        raise ConversionError(
            f"{path}: an archive of tf.keras {version}: save the model as .h5 there (model.save('model.h5')), which is read"
        )


def _json(path: Path, zipped: zipfile.ZipFile, name: str) -> Any:
    if zipped.getinfo(name).file_size > _LARGEST_JSON:
        raise UsageError(f"{path}: {name} of {zipped.getinfo(name).file_size} bytes")
    return hdf5.parsed(path, zipped.read(name), name)


def _stored(path: Path, zipped: zipfile.ZipFile) -> int:
    """How many numbers the weights are; each of their datasets is checked."""
    import h5py

    names = zipped.namelist()
    if "model.weights.npz" in names:
        raise UsageError(f"{path}: weights as .npz, which are not read: save the model again with its weights as .h5")
    if "model.weights.h5" not in names:
        raise UsageError(f"{path}: an archive without weights (model.weights.h5)")
    with zipped.open("model.weights.h5") as member:
        data = io.BytesIO(member.read())
    try:
        with h5py.File(data, "r") as file:
            return sum(math.prod(file[n].shape) for n in hdf5.check_tree(path, file))
    except (OSError, RuntimeError, KeyError) as error:
        raise UsageError(f"{path}: its weights are not readable as HDF5: {str(error).splitlines()[0]}") from None


def built(path: Path, config: Any, options: ImportOptions) -> Any:
    """The model of a configuration that was checked, its weights not set."""
    import keras
    from keras.src.saving.serialization_lib import ObjectSharingScope

    with ObjectSharingScope():
        model = _one_line(path, lambda: keras.saving.deserialize_keras_object(config, safe_mode=not options.trust))
    if not isinstance(model, keras.Model):
        raise UsageError(f"{path}: describes a {type(model).__name__}, no model")
    return model


def filled(path: Path, model: Any, load: Callable[[], object]) -> Any:
    """The model with its weights, which `load` sets."""
    if not model.built:
        raise UsageError(
            f"{path}: the model was saved before it knew the shape of its input: call it once and save it again"
        )
    with warnings.catch_warnings():  # Keras would go on with weights that were never set
        warnings.filterwarnings("error", message="Skipping nested container")
        _one_line(path, load)
    return model


def _one_line(path: Path, step: Callable[[], Any]) -> Any:
    """What Keras raises for a damaged file, as one line."""
    try:
        return step()
    except ConversionError:
        raise
    except Exception as error:  # Keras reports a damaged file by whatever breaks first
        lines = [line for line in str(error).splitlines() if line.strip()] or [""]
        raise UsageError(f"{path}: Keras cannot load it: {type(error).__name__}: {lines[0]}") from error
