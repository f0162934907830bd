"""Runs a model file in ONNX Runtime for `onnx_apart`. Started by path, never imported; unlike the workers of packages it
imports this project, whose runner it is."""

import json
import os
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])


def main() -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the runtime prints must not mix with answers
    if ROOT not in sys.path:
        sys.path.insert(0, ROOT)
    from converter.errors import ConversionError
    from converter.runtimes.arrays import load_arrays, save_arrays
    from converter.runtimes.onnxruntime import OnnxRunner

    try:
        path, provider, fixed = json.loads(sys.argv[1])
        runner = OnnxRunner(Path(path), provider, fixed=fixed)
        answers.write(json.dumps({"ok": True}) + "\n")
        for line in sys.stdin:
            request = json.loads(line)
            try:
                results = runner.in_turn([load_arrays(Path(path)) for path in request["inputs"]])
                for path, arrays in zip(request["outputs"], results, strict=True):
                    save_arrays(Path(path), arrays)
                answers.write(json.dumps({"ok": True}) + "\n")
            except ConversionError as error:
                answers.write(json.dumps({"error": error.message}) + "\n")
    except ConversionError as error:
        answers.write(json.dumps({"error": error.message}) + "\n")


if __name__ == "__main__":
    main()
