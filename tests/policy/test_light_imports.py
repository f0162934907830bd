"""Importing the packages, and asking for help, loads no framework."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from tests.policy.source import ROOT

FRAMEWORKS = {"torch", "torchvision", "transformers", "onnx", "onnxruntime", "onnxscript", "keras", "tensorflow",
              "pytensor", "theano", "jax", "h5py", "sklearn", "pandas", "matplotlib"}  # fmt: skip
HEAVY = FRAMEWORKS | {"numpy", "scipy", "ml_dtypes", "safetensors"}


def modules_after(code: str) -> set[str]:
    """Top-level modules loaded once `code` has run in a fresh interpreter."""
    report = "\nimport json, sys\nprint('\\n' + json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    command = [sys.executable, "-c", code + report]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"no package {package} yet")


@needs("ir")
def test_import_ir() -> None:
    assert not modules_after("import ir") & (FRAMEWORKS | {"scipy"})


@needs("converter")
def test_import_converter() -> None:
    assert not modules_after("import converter") & (FRAMEWORKS | {"scipy"})


@needs("converter")
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["convert", "--help"]])
def test_help_is_light(arguments: list[str]) -> None:
    if not (ROOT / "converter" / "cli" / "__init__.py").exists():
        pytest.skip("no command yet")
    code = (
        f"import sys\nsys.argv = ['isomorph', *{arguments!r}]\nfrom converter.cli import main\n"
        "try:\n    main()\nexcept SystemExit as e:\n    assert not e.code, e.code"
    )
    assert not modules_after(code) & HEAVY


def test_the_probe_sees_modules() -> None:
    assert "numpy" in modules_after("import numpy")
