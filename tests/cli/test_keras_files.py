"""Files of Keras by command: an old one is converted and verified, bad ones end in one line with their exit code."""

import io
import json
import zipfile

import h5py
import pytest

from tests.cli.command import forked, isomorph
from tests.importers.keras.legacy_outputs import FOLDER


def archive(path, config):
    weights = io.BytesIO()
    with h5py.File(weights, "w"):
        pass
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("metadata.json", json.dumps({"keras_version": "3.5.0"}))
        out.writestr("config.json", json.dumps(config))
        out.writestr("model.weights.h5", weights.getvalue())
    return path


def with_lambda(folder):
    """Byte-code in a layer."""
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
    layer = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "registered_name": None,
        "config": {"name": "f", "function": code},
    }
    config = {"name": "m", "layers": [layer]}
    return archive(
        folder / "code.keras",
        {"module": "keras", "class_name": "Sequential", "registered_name": None, "config": config},
    )


def with_gone_layers(folder):
    """Two layers that no Keras has today."""
    path = folder / "gone.h5"
    path.write_bytes((FOLDER / "keras1_mlp.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"][0]["class_name"], config["config"][5]["class_name"] = "MaxoutDense", "Mine"
        file.attrs["model_config"] = json.dumps(config).encode()
    return path


def half(folder):
    """The second half is missing."""
    path = folder / "half.h5"
    data = (FOLDER / "keras2_text.h5").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


@pytest.mark.parametrize(
    "make, code, words",
    [
        (with_lambda, 2, ["byte-code", "--trust"]),
        (with_gone_layers, 3, ["2 things", "MaxoutDense", "Mine"]),
        (half, 2, ["cut short"]),
    ],
)
def test_bad_files(make, code, words, tmp_path):
    path = make(tmp_path)
    result = forked("convert", path, "--to", "torch", "-o", tmp_path / "out", keras=True)
    assert result.returncode == code, result.stderr
    assert all(word in result.stderr for word in words), result.stderr
    assert "Traceback" not in result.stderr and "internal error" not in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.startswith("isomorph: ")]) == 1, result.stderr
    assert result.stdout == "" and not (tmp_path / "out").exists()


def test_an_old_file_by_command(tmp_path):
    out = tmp_path / "out"
    result = isomorph("convert", FOLDER / "keras2_text.h5", "--to", "torch", "-o", out)
    assert result.returncode == 0, result.stderr
    assert "equal" in result.stdout and (out / "model.py").exists()
