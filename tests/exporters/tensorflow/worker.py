"""Runs many emitted packages in one process. Started by path, isolated.

`worker.py TENSORFLOW_WORKER`: one JSON request a line, `{"folder", "inputs", "outputs", "way", "training"}`, answered by
`{"ok": true}` or `{"error": text}`. `way` is `eager` (the model is called), `function` (its `serving` function is) or
`compiled` (that function, compiled by XLA for the sizes at hand). With `training` the model is called in training, and
the results are followed by its variables after it, as `variable:NAME`.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any


def main(path: str) -> None:
    """Answer until the input ends."""
    spec = importlib.util.spec_from_file_location("tensorflow_worker", path)
    assert spec is not None and spec.loader is not None
    own = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(own)
    own.worker.block_own_packages()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    kept: dict = {}

    for line in sys.stdin:
        request = json.loads(line)
        try:
            run(own, request, kept)
            answer: dict = {"ok": True}
        except Exception as error:  # noqa: BLE001 - whatever emitted code raises is the answer
            text = str(error).strip()
            answer = {
                "error": f"{type(error).__name__}: {text if len(text) < 600 else text[:300] + ' ... ' + text[-300:]}"
            }
        answers.write(json.dumps(answer) + "\n")


def run(own: Any, request: dict, kept: dict) -> None:
    """One package, one call; the package that was called last is kept."""
    folder = Path(request["folder"])
    if kept.get("folder") != folder or request["training"]:
        sys.modules.pop("model", None)
        sys.path[:] = [p for p in sys.path if p != str(kept.get("folder"))]
        kept.clear()
        kept |= {"model": own.worker.load_package(folder), "folder": folder, "module": sys.modules["model"]}
    model, record = kept["model"], json.loads((folder / "metadata.json").read_text())
    leaves = own.read(request["inputs"])
    found = (_called if request["way"] == "eager" else _served)(own, request, record, kept, leaves)
    arrays = {name: own.to_numpy(value) for name, value in found.items()}
    if request["training"]:
        arrays |= {f"variable:{n}": own.to_numpy(kept["module"].find(model, n).value()) for n in record["weights"]}
    own.write(request["outputs"], arrays)


def _called(own: Any, request: dict, record: dict, kept: dict, leaves: dict) -> dict:
    args = [own.worker.build(p["tree"], leaves) for p in record["signature"]["parameters"]]
    found: dict = {}
    extra = {"training": True} if request["training"] else {}
    own.worker.flatten(kept["model"](*args, **extra), record["signature"]["result"], found)
    return found


def _served(own: Any, request: dict, record: dict, kept: dict, leaves: dict) -> dict:
    import tensorflow as tf

    serve = kept["module"].serving(kept["model"])
    if request["way"] == "compiled":
        serve = tf.function(serve.python_function, jit_compile=True, autograph=False)
    return dict(serve(*(leaves[name] for name in record["inputs"])))


if __name__ == "__main__":
    main(sys.argv[1])
