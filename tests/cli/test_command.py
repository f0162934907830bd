"""The command: usage errors are one clear line with the documented exit code, and nothing heavy loads for help."""

import subprocess
import sys

import pytest

from converter.cli.main import COMMANDS
from tests.cli.command import isomorph


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    result = isomorph(name, "--help")
    assert result.returncode == 0 and "Usage" in result.stdout


def one_line_error(result, code, *words):
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr
    assert result.stdout == ""


def test_missing_file(tmp_path):
    one_line_error(
        isomorph("convert", tmp_path / "none.onnx", "--to", "torch", "-o", tmp_path / "out"),
        2,
        "none.onnx",
        "no such file",
    )
    assert list(tmp_path.iterdir()) == []


def test_unknown_target(tmp_path):
    one_line_error(isomorph("convert", __file__, "--to", "cobol", "-o", tmp_path / "out"), 2, "cobol", "torch, onnx")


def test_unknown_flag_and_command(tmp_path):
    one_line_error(isomorph("convert", "--nonsense"), 2, "--nonsense")
    one_line_error(isomorph("translate"), 2, "translate")


def test_bad_input_spec_and_tolerance(tmp_path):
    model = tmp_path / "m.onnx"
    model.write_bytes(b"")
    target = ("--to", "torch", "-o", tmp_path / "out")
    one_line_error(isomorph("convert", model, *target, "-i", "x=float32"), 2, "x=float32")
    one_line_error(isomorph("convert", model, *target, "--rtol", "y:small"), 2, "small")
    one_line_error(isomorph("convert", model, *target, "--load-inputs", tmp_path / "none.npz"), 2, "none.npz")


def test_existing_output_is_kept(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"")
    (tmp_path / "out").mkdir()
    one_line_error(
        isomorph("convert", tmp_path / "m.onnx", "--to", "torch", "-o", tmp_path / "out"), 2, "exists already"
    )


def test_a_users_own_ir_module_is_named(tmp_path):
    (tmp_path / "ir.py").write_text("")
    code = "import sys; sys.path.insert(0, ''); from converter.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code, "doctor"], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    one_line_error(result, 5, "ir.py", "rename")
