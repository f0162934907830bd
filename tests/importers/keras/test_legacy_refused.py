"""Old files that cannot be read exactly are refused by name, all of it at once; damaged ones in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from converter.errors import ConversionError, UsageError
from converter.importers.base import ImportOptions
from converter.importers.keras.files import open_source
from tests.importers.keras.legacy_outputs import FOLDER

Change = Callable[[Any], Any]


def edited(name: str, folder: Path, change: Change | None = None, file_change: Change | None = None) -> Path:
    """A copy of a file with its configuration, or the file itself, changed."""
    path = folder / f"{name}.h5"
    path.write_bytes((FOLDER / f"{name}.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        if change is not None:
            config = json.loads(file.attrs["model_config"])
            change(config)
            file.attrs["model_config"] = json.dumps(config).encode()
        if file_change is not None:
            file_change(file)
    return path


def refused(path: Path) -> dict[str, str]:
    """What a file is refused for: layer -> reason."""
    with pytest.raises(ConversionError) as caught:
        open_source(path, ImportOptions())
    assert caught.value.exit_code == 3
    return {u.place: f"{u.op}: {u.reason}" for u in caught.value.unsupported}


def unreadable(path: Path) -> str:
    """The one line that a damaged file is refused with."""
    with pytest.raises(UsageError) as caught:
        open_source(path, ImportOptions())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def layers(config: Any) -> list[Any]:
    inner = config["config"]
    return inner if isinstance(inner, list) else inner["layers"]


def layer(config: Any, kind: str) -> Any:
    return next(entry for entry in layers(config) if entry["class_name"] == kind)


def setting(kind: str, **options: Any) -> Change:
    return lambda config: layer(config, kind)["config"].update(options)


def naming(kind: str, new: str) -> Change:
    return lambda config: layer(config, kind).update(class_name=new)


def test_everything_at_once(tmp_path: Path) -> None:
    def change(config: Any) -> None:
        found = layers(config)
        found[0]["config"]["activation"] = "my_activation"
        found[4]["class_name"] = "MyLayer"
        found[5]["class_name"] = "Lambda"
        found[3]["config"]["gamma_constraint"] = {"class_name": "Mine", "config": {}}

    reasons = refused(edited("keras2_mlp", tmp_path, change))
    assert len(reasons) == 4
    text = "\n".join(reasons.values())
    assert all(word in text for word in ("my_activation", "MyLayer", "not executed", "constraint Mine")), text


CASES: dict[str, tuple[str, Change, str]] = {
    "byte-code": ("keras2_mlp", naming("ELU", "Lambda"), "not executed"),
    "a layer that is gone": ("keras1_mlp", naming("ELU", "MaxoutDense"), "no later Keras has"),
    "locally connected": ("keras2_cnn_channels_last", naming("PReLU", "LocallyConnected2D"), "Keras 3 does not have"),
    "a mode of BatchNormalization": ("keras1_mlp", setting("BatchNormalization", mode=1), "mode=1"),
    "statistics over two axes": ("tf2_mlp", setting("BatchNormalization", axis=[1, 2]), "more than one axis"),
    "renormalisation": ("tf2_mlp", setting("BatchNormalization", renorm=True), "renorm"),
    "dropped words": ("keras1_text", setting("Embedding", dropout=0.5), "dropout of whole words"),
    "a merge that is code": ("keras1_functional", setting("Merge", mode="x", mode_type="lambda"), "not executed"),
    "an unknown argument": ("keras2_mlp", setting("Dense", sparsity=0.5), "the argument sparsity=0.5"),
    "no argument where eras differ": (
        "keras2_text", lambda c: layer(c, "GRU")["config"].pop("recurrent_activation"), "no recurrent_activation in the file",
    ),
    "gelu before there was one": ("keras2_mlp", setting("Dense", activation="gelu"), "activation 'gelu'"),
    "a full convolution": ("keras1_cnn_tf", setting("Convolution2D", border_mode="full"), "border_mode='full'"),
    "Theano's same pooling": ("keras1_cnn_tf", setting("MaxPooling2D", border_mode="same"), "windows start elsewhere"),
    "Theano's same transposed convolution": ("keras1_deconv_tf", setting("Deconvolution2D", border_mode="same"), "takes off other rows"),
    "Theano's same recurrent convolution": (
        "keras2th_convlstm", lambda c: layer(c, "ConvLSTM2D")["config"].update(kernel_size=[2, 2]), "even kernel",
    ),
    "another output shape": (
        "keras1_deconv_tf", setting("Deconvolution2D", output_shape=[None, 10, 10, 3]), "output_shape",
    ),
    "bilinear before tf.keras": ("keras2_volumes", lambda c: layer(c, "UpSampling3D").update(
        class_name="UpSampling2D", config={"name": "up", "size": [2, 2], "interpolation": "bilinear", "data_format": "channels_last"},
    ), "corners of pixels"),
    "time first": ("tf2_text", setting("GRU", time_major=True), "time_major"),
    "causal attention of old": ("tf2_attention", setting("Attention", causal=True), "causal"),
    "a cell of the user's own": (
        "keras2_cells", lambda c: layer(c, "RNN")["config"]["cell"].update(class_name="MyCell"), "the cell MyCell",
    ),
    "a function of TensorFlow without a rule": (
        "tf2_operators", lambda c: layer(c, "TFOpLambda")["config"].update(function="linalg.svd"), "tf.linalg.svd",
    ),
    "a function with more arguments": (
        "tf2_operators",
        lambda c: next(e for e in layers(c) if e["name"] == "tf.math.reduce_sum")["inbound_nodes"][0][3].update(extra=1), "extra",
    ),
    "a sparse input": ("keras2_states", setting("InputLayer", sparse=True), "sparse"),
    "a threshold behind a mask": (
        "keras2_cells", lambda c: layer(c, "GRU").update(class_name="ThresholdedReLU", config={"name": "t", "theta": 0.5}), "masked",
    ),
    "inside a wrapper": (
        "keras2_text_open", lambda c: layer(c, "TimeDistributed")["config"]["layer"].update(class_name="Mine"), "Mine",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refused_by_name(case: str, tmp_path: Path) -> None:
    name, change, words = CASES[case]
    reasons = refused(edited(name, tmp_path, change))
    assert any(words in reason for reason in reasons.values()), reasons
    assert all(place for place in reasons)


def test_a_file_that_hides_its_backend(tmp_path: Path) -> None:
    """Keras 1 does not write its backend: where the names of its weights tell nothing, no kernel is guessed."""

    def rename(file: Any) -> None:
        for group in file["model_weights"].values():
            group.attrs["weight_names"] = np.array([], "S1")

    reasons = refused(edited("keras1_cnn_tf", tmp_path, file_change=rename))
    assert any("whether Theano or TensorFlow wrote it" in r for r in reasons.values())


def group_edit(layer_name: str, change: Change) -> Change:
    return lambda file: change(file["model_weights"][layer_name])


def first(config: Any) -> str:
    return layers(config)[0]["config"]["name"]


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    with h5py.File(FOLDER / "keras2_mlp.h5") as file:
        name = first(json.loads(file.attrs["model_config"]))
        kernel = file["model_weights"][name].attrs["weight_names"][0].decode()

    def missing(group: Any) -> None:
        del group[kernel]

    def reshaped(group: Any) -> None:
        del group[kernel]
        group[kernel] = np.zeros((8, 6), np.float32)

    def fewer(group: Any) -> None:
        group.attrs["weight_names"] = group.attrs["weight_names"][:1]

    def swapped(group: Any) -> None:
        group.attrs["weight_names"] = group.attrs["weight_names"][::-1]

    def text(group: Any) -> None:
        del group[kernel]
        group[kernel] = "kernel"

    for change, words in (
        (missing, "is missing"),
        (reshaped, "(8, 6) in the file, (6, 8) in the model"),
        (fewer, "has 2 weights, the file 1"),
        (swapped, "stands where"),
        (text, "no numbers"),
    ):
        assert words in unreadable(edited("keras2_mlp", tmp_path, file_change=group_edit(name, change)))


def test_more_weights_than_layers(tmp_path: Path) -> None:
    def change(config: Any) -> None:
        layers(config).pop()

    path = edited("keras2_text", tmp_path, change)
    assert "which is not in the model" in unreadable(path)


def test_a_dataset_that_claims_too_much(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        group = file["model_weights/shared"]
        name = group.attrs["weight_names"][0].decode()
        del group[name]
        group.create_dataset(name, (1 << 20, 1 << 20), "float32", chunks=(1024, 1024))

    assert "claims" in unreadable(edited("keras2_functional", tmp_path, file_change=change))


def test_a_model_larger_than_its_weights_is_never_allocated(tmp_path: Path) -> None:
    path = edited("keras2_mlp", tmp_path, setting("Dense", units=3 * 10**10))
    assert "the file holds" in unreadable(path)


def test_connections_that_lead_nowhere(tmp_path: Path) -> None:
    def loop(config: Any) -> None:
        layer(config, "Dense")["inbound_nodes"] = [[["tail", 0, 0, {}]]]

    assert "wait for each other" in unreadable(edited("keras2_functional", tmp_path, loop))

    def nowhere(config: Any) -> None:
        config["config"]["output_layers"][0] = ["shared", 7, 0]

    assert "which there is not" in unreadable(edited("keras2_functional", tmp_path, nowhere))

    def no_json(file: Any) -> None:
        file.attrs["model_config"] = b"{"

    assert "no JSON" in unreadable(edited("keras2_functional", tmp_path, file_change=no_json))


def test_an_input_of_no_shape(tmp_path: Path) -> None:
    path = edited("keras2_text", tmp_path, lambda c: layers(c)[0]["config"].pop("batch_input_shape"))
    assert "shape of the input" in unreadable(path)
