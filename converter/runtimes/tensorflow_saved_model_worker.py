"""Writes an emitted package as a SavedModel. Started by path, isolated, never imported.

`tensorflow_saved_model_worker.py FOLDER saved_model`: the signature `serving_default` is the package's `serving(model)`.
It is read back and must answer as the package does. Prints JSON: `{}`, or `{"refused": reason, "file": name}`.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

_spec = importlib.util.spec_from_file_location("worker", Path(__file__).with_name("worker.py"))
assert _spec is not None and _spec.loader is not None
worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(worker)

SIGNATURE = "serving_default"
SIZE = 2
"""The size of axes that vary, in the call that is compared."""


class Refused(Exception):
    """A SavedModel does not hold the model; the message says why."""


def write(folder: Path) -> None:
    """Save the model, load it, and compare names and bits."""
    import tensorflow as tf

    model = worker.load_package(folder)
    module: Any = sys.modules["model"]
    serve = module.serving(model).get_concrete_function()
    tf.saved_model.save(model, str(folder / "saved_model"), signatures={SIGNATURE: serve})
    loaded = tf.saved_model.load(str(folder / "saved_model")).signatures[SIGNATURE]
    outputs = json.loads((folder / "metadata.json").read_text())["outputs"]
    if sorted(loaded.structured_outputs) != sorted(outputs):
        raise Refused(f"it names its results {sorted(loaded.structured_outputs)}")
    given = {name: value(spec) for name, spec in loaded.structured_input_signature[1].items()}
    try:
        first, second = (bits(serve(**given)) for serve in (module.serving(module.load_model()),) * 2)
    except (ValueError, tf.errors.OpError):  # inputs of this kind are none of the model's
        return
    if first == second and bits(loaded(**given)) != first:  # what is drawn by chance, or counts calls, differs
        raise Refused("what is read back answers otherwise")


def value(spec: Any) -> Any:
    """An input: numbers around zero, integers that are valid indices everywhere."""
    import tensorflow as tf

    shape = [SIZE if n is None else n for n in spec.shape]
    if spec.dtype.is_floating:
        return tf.random.stateless_normal(shape, (1, 2), dtype=spec.dtype)
    return tf.zeros(shape, spec.dtype)


def bits(results: dict) -> dict:
    """Results as shapes and bytes."""
    return {name: (tuple(t.shape), t.numpy().tobytes()) for name, t in results.items()}


if __name__ == "__main__":
    worker.block_own_packages()
    try:
        write(Path(sys.argv[1]))
        answer: dict = {}
    except Refused as refused:
        answer = {"refused": str(refused), "file": "saved_model"}
    sys.stdout.write(json.dumps(answer) + "\n")
