"""Runs many emitted packages in one process. Started by path, isolated.

`worker.py TENSORFLOW_WORKER`: one JSON request a line, `{"folder", "inputs", "outputs", "way", "steps"}`, answered by
`{"ok": true}` or `{"error": text}`. `way` is `eager` (the model is called), `function` (its `serving` function is) or
`compiled` (that function, compiled by XLA for the sizes at hand). With `steps` the model is trained so often, by plain
descent on the mean square of its result, and the results of the last call are followed by its variables. A request that
names a file with a `cotangent` of the one result is answered by gradients, by input.
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
    if kept.get("folder") != folder or request["steps"]:
        sys.modules.pop("model", None)
        sys.path[:] = [p for p in sys.path if p != str(kept.get("folder"))]
        kept.clear()
        kept |= {"model": own.worker.load_package(folder), "folder": folder, "module": sys.modules["model"]}
    model, record = kept["model"], json.loads((folder / "metadata.json").read_text())
    leaves = own.read(request["inputs"])
    if request["steps"]:
        found = _trained(own, request, record, model, leaves)
        learned = {v.ref() for v in model.trainable_variables}
        for name in record["weights"]:
            variable = kept["module"].find(model, name)
            found[f"{'trained' if variable.ref() in learned else 'variable'}:{name}"] = variable.value()
    elif "cotangent" in request:
        found = _gradients(request, record, kept, leaves, *own.read(request["cotangent"]).values())
    elif request["way"] == "eager":
        found = _called(own, record, model, leaves)
    else:
        found = _served(request, record, kept, leaves)
    own.worker.write_arrays(request["outputs"], {name: own.to_numpy(value) for name, value in found.items()})


def _called(own: Any, record: dict, model: Any, leaves: dict, **settings: Any) -> dict:
    given = record["signature"]["parameters"]
    args = [own.worker.build(p["tree"], leaves) for p in given if not p["keyword_only"]]
    settings |= {p["name"]: own.worker.build(p["tree"], leaves) for p in given if p["keyword_only"]}
    found: dict = {}
    own.worker.flatten(model(*args, **settings), record["signature"]["result"], found)
    return found


def _trained(own: Any, request: dict, record: dict, model: Any, leaves: dict) -> dict:
    """The results of the last of several steps."""
    import inspect

    import tensorflow as tf

    settings = {"training": True} if "training" in inspect.signature(type(model).__call__).parameters else {}
    found: dict = {}
    for _ in range(request["steps"]):
        with tf.GradientTape() as tape:
            found = _called(own, record, model, leaves, **settings)
            loss = tf.reduce_mean(tf.square(next(iter(found.values()))))
        variables = model.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            if gradient is not None:
                variable.assign_sub(0.1 * tf.convert_to_tensor(gradient))
    return found


def _gradients(request: dict, record: dict, kept: dict, leaves: dict, cotangent: Any) -> dict:
    """The gradient of each floating input, compiled together with the model where that is the way; zero where the result
    does not depend on it."""
    import tensorflow as tf

    serve = kept["module"].serving(kept["model"]).python_function
    wanted = {name: leaf for name, leaf in leaves.items() if leaf.dtype.is_floating}

    def gradients(*given: Any) -> dict:
        with tf.GradientTape() as tape:
            inputs = dict(zip(record["inputs"], given, strict=True))
            watched = {name: inputs[name] for name in wanted}
            tape.watch(watched)
            (result,) = serve(*given).values()
        found = tape.gradient(result, watched, cotangent, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return {name: tf.convert_to_tensor(gradient) for name, gradient in found.items()}

    if request["way"] == "compiled":
        gradients = tf.function(gradients, jit_compile=True, autograph=False)
    return gradients(*(leaves[name] for name in record["inputs"]))


def _served(request: dict, record: dict, kept: dict, leaves: dict) -> dict:
    import tensorflow as tf

    serve = kept["module"].serving(kept["model"])
    if request["way"] == "compiled":
        serve = tf.function(serve.python_function, jit_compile=True, autograph=False)
    return dict(serve(*(leaves[name] for name in record["inputs"])))


if __name__ == "__main__":
    main(sys.argv[1])
