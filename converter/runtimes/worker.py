"""What the processes that run emitted packages share. Loaded by path, beside the worker; knows no framework and nothing of us.
NumPy is imported where arrays are read and written, with the dtypes that `ml_dtypes`, a part of TensorFlow and Keras, gives it.

A worker reads one JSON request a line, `{"inputs": [file.npz, ...], "outputs": [file.npz, ...]}`, and answers
`{"ok": true}` or `{"error": text}`. The files are of calls in turn: the first begins with the model's own state, each other
with what the one before left.
"""

import importlib.util
import json
import os
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

DTYPES_KEY = "__dtypes__"
Call = Callable[[list, dict, Callable[[Any], dict]], dict]
"""Runs the model on positional and keyword arguments; flattens its result by the function it is given."""
Loaded = tuple[Call, Callable[[], None]]
"""What calls a model, and what gives it its own state again."""


def block_own_packages() -> None:
    """Make our own packages unimportable."""
    for name in ("ir", "converter", "isomorph"):
        sys.modules[name] = None  # type: ignore[assignment]


def load_package(folder: Path) -> Any:
    """The package's `load_model()` result."""
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{folder}: no model.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["model"] = module
    sys.path.insert(0, str(folder))
    spec.loader.exec_module(module)
    return module.load_model()


def build(tree: dict, leaves: dict) -> Any:
    """A nested value from a signature tree."""
    if "leaf" in tree:
        return leaves[tree["leaf"]]
    if "constant" in tree:
        return tree["constant"]
    kind = next(k for k in ("tuple", "list", "dict", "namedtuple") if k in tree)
    children = [build(c, leaves) for c in tree[kind]]
    if kind == "dict":
        return dict(zip(tree["keys"], children))
    if kind == "namedtuple":
        return namedtuple("Fields", tree["keys"], rename=True)(*children)
    return children if kind == "list" else tuple(children)


def flatten(value: Any, tree: dict, found: dict) -> None:
    """Collect the leaves of a result along its signature tree; raises ValueError where the structure differs."""
    if "leaf" in tree:
        found[tree["leaf"]] = value
    elif "constant" not in tree:
        kind = next(k for k in ("tuple", "list", "dict", "namedtuple") if k in tree)
        items = [value[k] for k in tree["keys"]] if kind == "dict" else list(value)
        if len(items) != len(tree[kind]):
            raise ValueError(f"the result has {len(items)} entries, the signature {len(tree[kind])}")
        for item, child in zip(items, tree[kind]):
            flatten(item, child, found)


def read_arrays(path: str) -> dict:
    """Arrays by flat name, with the dtypes that NumPy itself lacks."""
    import ml_dtypes  # noqa: F401 - gives NumPy bfloat16
    import numpy as np

    with np.load(path, allow_pickle=False) as archive:
        kinds = json.loads(str(archive[DTYPES_KEY])) if DTYPES_KEY in archive.files else {}
        arrays = {name: archive[name] for name in archive.files if name != DTYPES_KEY}
    return {name: a.view(np.dtype(kinds[name])) if name in kinds else a for name, a in arrays.items()}


def write_arrays(path: str, arrays: dict) -> None:
    """Arrays to `.npz`, dtypes that NumPy lacks as integers."""
    import numpy as np

    written, kinds = {}, {}
    for name, array in arrays.items():
        if array.dtype.kind == "V" or array.dtype.isbuiltin != 1:
            kinds[name] = array.dtype.name
            array = np.asarray(array, order="C").view(f"u{array.dtype.itemsize}")
        written[name] = array
    np.savez(path, **{**written, DTYPES_KEY: np.array(json.dumps(kinds))})


def restoring(first: list, model: Any, to_numpy: Callable[[Any], Any]) -> Loaded:
    """Calls the model and gives its results as arrays; its state is the values in `first`, (variable, value) pairs."""

    def call(args: list, kwargs: dict, flat: Any) -> dict:
        return {name: to_numpy(value) for name, value in flat(model(*args, **kwargs)).items()}

    def restore() -> None:
        for variable, value in first:
            variable.assign(value)

    return call, restore


def serve(
    folder: Path, start: Callable[[Path], Loaded], read: Callable[[str], dict], write: Callable[[str, dict], None]
) -> None:
    """Answer requests until the input ends. `start` loads the package; `read` and `write` turn files into the framework's
    tensors and back."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the model prints must not mix with answers
    signature = json.loads((folder / "metadata.json").read_text())["signature"]

    def flat(result: Any) -> dict:
        found: dict[str, Any] = {}
        flatten(result, signature["result"], found)
        return found

    try:
        call, restore = start(folder)
        answers.write(json.dumps({"ok": True}) + "\n")
    except Exception as error:  # noqa: BLE001 - whatever user code raises is the answer
        answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        return
    for line in sys.stdin:
        request = json.loads(line)
        try:
            for sent, received in zip(request["inputs"], request["outputs"]):
                leaves = read(sent)
                args = [build(p["tree"], leaves) for p in signature["parameters"] if not p["keyword_only"]]
                kwargs = {p["name"]: build(p["tree"], leaves) for p in signature["parameters"] if p["keyword_only"]}
                write(received, call(args, kwargs, flat))
            answer: dict = {"ok": True}
        except Exception as error:  # noqa: BLE001 - whatever user code raises is the answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        restore()
        answers.write(json.dumps(answer) + "\n")
