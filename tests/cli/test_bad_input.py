"""Every bad file ends in one clear line, the documented exit code, no traceback, no harm and nothing half-written."""

import os

import numpy as np
import pytest

from fixtures import hostile
from fixtures.onnx.storage import linear_net
from tests.cli.command import forked, isomorph

EXIT = {"unreadable": (2,), "unsupported": (3,), "refused": (2, 3)}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return hostile.write_all(tmp_path_factory.mktemp("hostile"))


def names():
    return list(hostile._WRITERS)


@pytest.mark.parametrize("name", names())
def test_bad_files(files, tmp_path, name):
    bad = files[name]
    before = sorted(os.listdir(bad.path.parent))
    spec = () if bad.path.suffix == ".onnx" else ("-i", "float32[2,3]")
    result = forked("convert", bad.path, "--to", "onnx", "-o", tmp_path / "out.onnx", *spec)
    assert result.returncode in EXIT[bad.verdict], (bad.reason, result.returncode, result.stderr)
    assert "Traceback" not in result.stderr and "internal error" not in result.stderr
    assert result.stderr.strip(), "the error says something"
    lines = [line for line in result.stderr.splitlines() if line.startswith("isomorph: ")]
    assert len(lines) == 1, result.stderr
    assert result.stdout == ""
    assert not bad.did_harm()
    assert os.listdir(tmp_path) == [] and sorted(os.listdir(bad.path.parent)) == before


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_net().SerializeToString())
    return path


def test_a_wrong_input_shape_is_named(model, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros((2, 99), np.float32))
    result = forked("run", model, "--load-inputs", tmp_path / "x.npz")
    assert result.returncode == 2 and "float32[2, 99]" in result.stderr, result.stderr


def test_a_wrong_input_name_and_dtype_are_named_together(model, tmp_path):
    np.savez(tmp_path / "x.npz", nonsense=np.zeros((2, 3), np.float64))
    result = forked("run", model, "--load-inputs", tmp_path / "x.npz")
    assert result.returncode == 2 and "nonsense" in result.stderr and "missing" in result.stderr, result.stderr


def test_an_output_below_a_file_cannot_be_written(model, tmp_path):
    result = forked("convert", model, "--to", "torch", "-o", model / "out")
    assert result.returncode == 2 and "not a writable folder" in result.stderr


def test_a_conversion_by_command_verifies_and_writes(model, tmp_path):
    out = tmp_path / "out"
    result = isomorph("convert", model, "--to", "torch", "-o", out, "--junit", tmp_path / "report.xml")
    assert result.returncode == 0, result.stderr
    assert "equal" in result.stdout and (out / "model.py").exists()
    assert "<testsuite" in (tmp_path / "report.xml").read_text()
    again = forked("verify", model, out, "--json")
    assert again.returncode == 0 and '"verdict": "equal"' in again.stdout
    shown = forked("inspect", model)
    assert shown.returncode == 0 and "linear" in shown.stdout or "matmul" in shown.stdout
