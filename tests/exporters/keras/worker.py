"""Runs many emitted packages in one process, on the backend of the environment. Started by path, isolated.

`worker.py KERAS_WORKER`: one JSON request a line, `{"folder", "inputs", "outputs", "training"}`, answered by
`{"ok": true}` or `{"error": text}`. With `training` the call is one of training, and the results are followed by the
model's variables after it, as `variable:NAME`.
"""

import importlib.util
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any


def main(path: str) -> None:
    """Answer until the input ends."""
    spec = importlib.util.spec_from_file_location("keras_worker", path)
    assert spec is not None and spec.loader is not None
    own = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(own)
    own.worker.block_own_packages()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    import keras

    for line in sys.stdin:
        request = json.loads(line)
        try:
            run(own, request)
            answer: dict = {"ok": True}
        except Exception as error:  # noqa: BLE001 - whatever emitted code raises is the answer
            text = str(error).strip()
            answer = {"error": f"{type(error).__name__}: {text[-600:] if len(text) > 600 else text}"}
        keras.utils.clear_session(free_memory=False)
        sys.modules.pop("model", None)
        sys.path[:] = [p for p in sys.path if p != request["folder"]]
        answers.write(json.dumps(answer) + "\n")


def run(own: Any, request: dict) -> None:
    """One package, one call."""
    folder = Path(request["folder"])
    signature = json.loads((folder / "metadata.json").read_text())["signature"]
    given = signature["parameters"]
    model = own.worker.load_package(folder)
    leaves = own.read(request["inputs"])
    args = [own.worker.build(p["tree"], leaves) for p in given if not p["keyword_only"]]
    extra = {"training": True} if request["training"] else {}
    extra |= {p["name"]: own.worker.build(p["tree"], leaves) for p in given if p["keyword_only"]}
    found: dict = {}
    own.worker.flatten(model(*args, **extra), signature["result"], found)
    arrays = {name: own.to_numpy(value) for name, value in found.items()}
    if request["training"]:
        find = sys.modules["model"].find  # type: ignore[attr-defined]
        names = json.loads((folder / "metadata.json").read_text())["weights"]
        arrays |= {f"variable:{name}": own.to_numpy(find(model, name).value) for name in names}
    own.worker.write_arrays(request["outputs"], arrays)


if __name__ == "__main__":
    main(sys.argv[1])
