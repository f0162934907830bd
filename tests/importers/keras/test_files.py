"""Files of Keras 3, and files that must be refused: damaged, hostile, or with code in them."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

from converter.errors import ConversionError, UntrustedSource, UsageError
from converter.importers.base import ImportOptions
from converter.importers.keras.files import open_source
from tests.importers.keras.legacy_outputs import FOLDER

Edit = Callable[[Any], Any]


@pytest.fixture(scope="module")
def model() -> Any:
    x = keras.Input((4, 6), name="x")
    y = ops.relu(x + 1.0)[:, 1:]
    y = L.Dense(3, activation="gelu", kernel_regularizer="l2", name="dense")(y)
    y = L.LayerNormalization(axis=[1, 2])(ops.concatenate([y, y], axis=-1))
    y = L.TimeDistributed(keras.Sequential([keras.Input((6,)), L.Dense(2), L.Dropout(0.1)]))(y)
    y = L.Bidirectional(L.GRU(2, return_sequences=True))(y)
    y = L.BatchNormalization()(L.Add()([y, y]))
    built = keras.Model(x, ops.where(y > 0, y, 0.1 * y), name="mixed")
    built.compile("adam", "mse")
    return built


@pytest.fixture(scope="module")
def saved(model: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keras")
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.1, 1, w.shape).astype(w.dtype) for w in model.get_weights()])
    paths = {end: folder / f"model{end}" for end in (".keras", ".h5", ".weights.h5")}
    model.save(paths[".keras"])
    model.save(paths[".h5"])
    model.save_weights(paths[".weights.h5"])
    return paths


def opened(path: Path, trust: bool = False) -> Any:
    return open_source(path, ImportOptions(trust=trust))


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_what_keras_3_saves(model: Any, saved: dict[str, Path], ending: str) -> None:
    found = opened(saved[ending])
    x = np.random.default_rng(1).normal(size=(2, 4, 6)).astype(np.float32)
    assert np.abs(np.asarray(found(x)) - np.asarray(model(x))).max() == 0
    assert not found.compiled
    assert found.get_layer(model.layers[4].name).name == model.layers[4].name


def rewritten(saved: dict[str, Path], folder: Path, edit: Edit, name: str = "config.json") -> Path:
    """The archive with one member changed."""
    path = folder / "changed.keras"
    with zipfile.ZipFile(saved[".keras"]) as source, zipfile.ZipFile(path, "w") as out:
        for member in source.namelist():
            data = source.read(member)
            if member == name:
                data = json.dumps(edit(json.loads(data))).encode() if name.endswith(".json") else edit(data)
            if data is not None:
                out.writestr(member, data)
    return path


def layer_of(config: Any, kind: str) -> Any:
    return next(entry for entry in config["config"]["layers"] if entry["class_name"] == kind)


def replaced(kind: str, **changes: Any) -> Edit:
    """Change a layer's entry; `options` go into its configuration."""

    def edit(config: Any) -> Any:
        entry = layer_of(config, kind)
        entry["config"].update(changes.pop("options", {}))
        entry.update(changes)
        return config

    return edit


HOSTILE: dict[str, tuple[Edit, str]] = {
    "a function of another module": (replaced("Dense", module="os", class_name="system"), r"os\.system"),
    "a module of Keras that is no layer": (replaced("Dense", module="keras.utils", class_name="get_file"), "get_file"),
    "a private module": (replaced("Dense", module="keras.src.utils.file_utils", class_name="get_file"), "get_file"),
    "a layer that unpickles": (replaced("Dense", class_name="TorchModuleWrapper"), "unpickles a module"),
    "a layer that loads a path": (replaced("Dense", class_name="TFSMLayer"), "loads a SavedModel"),
    "a Lambda": (replaced("Dense", class_name="Lambda"), "byte-code"),
    "byte-code as an activation": (
        replaced("Dense", options={"activation": {"class_name": "__lambda__", "config": {"value": "x"}}}), "__lambda__",
    ),
    "a function as an activation": (
        replaced("Dense", options={"activation": {
            "module": "posix", "class_name": "function", "config": "system", "registered_name": "system",
        }}), r"posix\.system",
    ),
    "a built-in that is no activation": (
        replaced("Dense", options={"activation": {
            "module": "builtins", "class_name": "function", "config": "deserialize", "registered_name": "deserialize",
        }}), "deserialize",
    ),
    "a custom class": (replaced("Dense", module="mine", class_name="Mine", registered_name="mine>Mine"), r"mine\.Mine"),
    "a registered name on a built-in": (replaced("Dense", registered_name="mine>Mine"), "Dense"),
    "a type specification": (
        replaced("Dense", options={"dtype": {"class_name": "__typespec__", "module": "tensorflow", "config": []}}), "__typespec__",
    ),
    "a nested Lambda": (
        replaced("TimeDistributed", options={"layer": {
            "module": "keras.layers", "class_name": "Lambda", "registered_name": None, "config": {"name": "inner"},
        }}), "byte-code",
    ),
    "a model of the user's own": (lambda c: {**c, "module": "mine", "class_name": "Net"}, r"mine\.Net"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_but_keras_is_loaded(name: str, saved: dict[str, Path], tmp_path: Path, monkeypatch: Any) -> None:
    edit, message = HOSTILE[name]
    monkeypatch.setattr(keras.saving, "deserialize_keras_object", lambda *a, **k: pytest.fail("Keras saw it"))
    monkeypatch.setattr(os, "system", lambda *a: pytest.fail("it ran"))
    path = rewritten(saved, tmp_path, edit)
    with pytest.raises(UntrustedSource, match=message) as caught:
        opened(path)
    assert "\n" not in str(caught.value)
    assert "--trust" in str(caught.value)


def test_a_trusted_file_finds_only_what_is_registered(saved: dict[str, Path], tmp_path: Path) -> None:
    edit = replaced("Dense", module="mine", class_name="Mine", registered_name="mine>Mine")
    with pytest.raises(ConversionError, match=r"mine\.Mine") as caught:
        opened(rewritten(saved, tmp_path, edit), trust=True)
    assert [u.op for u in caught.value.unsupported] == ["mine.Mine"]
    assert "register_keras_serializable" in caught.value.unsupported[0].advice


def test_a_registered_class_is_read_when_trusted(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable(package="tests_files")
    class Doubled(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    path = tmp_path / "own.keras"
    keras.Sequential([keras.Input((3,)), Doubled()]).save(path)
    with pytest.raises(UntrustedSource, match="Doubled"):
        opened(path)
    assert np.asarray(opened(path, trust=True)(np.ones((1, 3), np.float32))).tolist() == [[2, 2, 2]]


def test_layers_of_keras_applications_are_of_keras(tmp_path: Path) -> None:
    from keras.src.applications.convnext import LayerScale
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    x = keras.Input((3,))
    y = LayerScale(0.5, 3)(x)
    path = tmp_path / "scaled.keras"
    keras.Model(x, CustomScaleLayer(2.0)([y, x])).save(path)
    got = opened(path)(np.ones((1, 3), np.float32))
    assert np.asarray(got).tolist() == [[2.5, 2.5, 2.5]]


def test_words_are_refused_by_name(saved: dict[str, Path], tmp_path: Path) -> None:
    for trust in (False, True):
        with pytest.raises(ConversionError) as caught:
            opened(rewritten(saved, tmp_path, replaced("Dense", class_name="StringLookup")), trust)
        assert [u.op for u in caught.value.unsupported] == ["StringLookup"]


def cut(path: Path, folder: Path) -> Path:
    data = path.read_bytes()
    short = folder / f"short{path.suffix}"
    short.write_bytes(data[: len(data) * 2 // 3])
    return short


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_half_a_file(ending: str, saved: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cut short|damaged") as caught:
        opened(cut(saved[ending], tmp_path))
    assert "\n" not in str(caught.value)


def test_no_file_or_another_one(saved: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        opened(tmp_path / "none.keras")
    (tmp_path / "text.keras").write_text("weights")
    with pytest.raises(UsageError, match="neither"):
        opened(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as out:
        out.writestr("readme", "")
    with pytest.raises(UsageError, match="without config"):
        opened(tmp_path / "other.keras")
    (tmp_path / "model.zip").write_bytes(saved[".keras"].read_bytes())
    with pytest.raises(UsageError, match=r"end in \.keras"):
        opened(tmp_path / "model.zip")
    with h5py.File(tmp_path / "numbers.h5", "w") as file:
        file["x"] = np.ones(3)
    with pytest.raises(UsageError, match="without a Keras model"):
        opened(tmp_path / "numbers.h5")


def test_weights_alone(saved: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="weights alone, not a model"):
        opened(saved[".weights.h5"])
    with h5py.File(tmp_path / "old.h5", "w") as file, h5py.File(FOLDER / "keras2_text.h5") as source:
        for name in source["model_weights"]:
            source.copy(f"model_weights/{name}", file)
        file.attrs.update(source["model_weights"].attrs)
    with pytest.raises(UsageError, match="weights alone, not a model"):
        opened(tmp_path / "old.h5")


def test_weights_that_are_missing_or_of_another_shape(saved: dict[str, Path], tmp_path: Path) -> None:
    def edited(change: Callable[[Any], None]) -> Edit:
        def edit(data: bytes) -> bytes:
            buffer = io.BytesIO(data)
            with h5py.File(buffer, "r+") as file:
                change(file)
            return buffer.getvalue()

        return edit

    def missing(file: Any) -> None:
        del file["layers/dense/vars/1"]

    def reshaped(file: Any) -> None:
        del file["layers/dense/vars/1"]
        file["layers/dense/vars/1"] = np.zeros(7, np.float32)

    for change in (missing, reshaped):
        with pytest.raises(UsageError, match="Keras cannot load it") as caught:
            opened(rewritten(saved, tmp_path, edited(change), "model.weights.h5"))
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="without weights"):
        opened(rewritten(saved, tmp_path, lambda data: None, "model.weights.h5"))


def test_values_in_other_files(saved: dict[str, Path], tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(3, dtype=np.float32).tobytes())
    for ending, place in ((".h5", "model_weights/dense/dense/bias"), (".h5", "model_weights")):
        path = tmp_path / "linked.h5"
        path.write_bytes(saved[ending].read_bytes())
        with h5py.File(path, "r+") as file:
            del file[place]
            if place == "model_weights":
                file[place] = h5py.ExternalLink("other.h5", "/model_weights")
            else:
                file.create_dataset(place, (3,), "float32", external=[(str(secret), 0, 12)])
        with pytest.raises(UntrustedSource, match="reach out of themselves"):
            opened(path)


def test_members_that_lie(saved: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("../config.json", "{}")
        out.writestr("config.json", "{}")
    with pytest.raises(UsageError, match="outside the archive"):
        opened(path)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_model_larger_than_its_weights_is_never_allocated(
    ending: str, saved: dict[str, Path], tmp_path: Path
) -> None:
    edit = replaced("Dense", options={"units": 3 * 10**10})
    if ending == ".keras":
        path = rewritten(saved, tmp_path, edit)
    else:
        path = tmp_path / "large.h5"
        path.write_bytes(saved[".h5"].read_bytes())
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = json.dumps(edit(json.loads(file.attrs["model_config"])))
    with pytest.raises(UsageError, match="the file holds"):
        opened(path)


def test_a_configuration_nested_without_end(saved: dict[str, Path], tmp_path: Path) -> None:
    def edit(config: Any) -> Any:
        inner: Any = {}
        for _ in range(300):
            inner = {"x": inner}
        return replaced("Dense", options={"extra": inner})(config)

    with pytest.raises(UsageError, match="deep"):
        opened(rewritten(saved, tmp_path, edit))
