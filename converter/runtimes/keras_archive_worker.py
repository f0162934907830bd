"""Writes Keras' own files of an emitted package. Started by path, isolated, never imported.

`keras_archive_worker.py FOLDER NAME...`: `weights.h5` saves the variables of the package's model; `keras` saves the model
itself as one graph of Keras' own layers and operations, which needs no code beside it. Each is read back and compared.
Prints JSON: `{}`, or `{"refused": reason}`.
"""

import importlib.util
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

_spec = importlib.util.spec_from_file_location("worker", Path(__file__).with_name("worker.py"))
assert _spec is not None and _spec.loader is not None
worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(worker)


class Refused(Exception):
    """The file cannot hold the model; the message says why."""


def write(folder: Path, names: list[str]) -> None:
    """Write the files, each read back and compared."""
    model = worker.load_package(folder)
    module: Any = sys.modules["model"]
    record = json.loads((folder / "metadata.json").read_text())
    if "weights.h5" in names:
        save_weights(folder / "model.weights.h5", model, module, record)
    if "keras" in names:
        save_model(folder / "model.keras", model, module, record)


def save_weights(path: Path, model: Any, module: Any, record: dict) -> None:
    """The variables of the model, which a second one takes from zeros, bit for bit."""
    from keras import ops

    model.save_weights(path)
    twin = module.load_model()
    for variable in twin.weights:
        variable.assign(ops.zeros_like(variable))
    twin.load_weights(path)
    for name in record["weights"]:
        if as_bytes(module.find(model, name)) != as_bytes(module.find(twin, name)):
            raise Refused(f"{name} is not what is read back")


def as_bytes(tensor: Any) -> tuple:
    """Shape and bytes."""
    from keras import ops

    array = ops.convert_to_numpy(tensor)
    return tuple(array.shape), array.tobytes()


def save_model(path: Path, model: Any, module: Any, record: dict) -> None:
    """The model as one graph, which gives the same bits when it is read without the package's code."""
    import keras

    refuse(model, module, record)
    graph = functional(model, record)
    graph.save(path)
    with zipfile.ZipFile(path) as archive:
        modules = set(re.findall(r'"module": "([^"]+)"', archive.read("config.json").decode()))
    if foreign := [m for m in modules if m.split(".")[0] not in ("keras", "builtins")]:
        raise Refused(f"it has objects of {', '.join(sorted(foreign))}")
    again = keras.models.load_model(path)
    for seed, size in ((0, 2), (1, 3)):
        drawn = {name: draw(text, seed, size) for name, text in record["inputs"].items()}
        arguments = [worker.build(p["tree"], drawn) for p in record["signature"]["parameters"]]
        want = [as_bytes(x) for x in keras.tree.flatten(model(*arguments))]
        have = again(list(drawn.values()) if len(drawn) > 1 else next(iter(drawn.values())))
        if [as_bytes(x) for x in keras.tree.flatten(have)] != want:
            raise Refused("what is read back gives other results")


def refuse(model: Any, module: Any, record: dict) -> None:
    """Raise Refused for what one graph of Keras' own layers does not hold."""
    if record.get("fixed_modes"):
        raise Refused(record["fixed_modes"])
    for layer in model._flatten_layers():
        if type(layer).__module__ != module.__name__:
            continue
        if type(layer).__mro__[1].__name__ not in ("Layer", "Model", "Sequential"):
            raise Refused(f"{type(layer).__name__} is a layer of the package's own")
        if layer._trainable_variables or layer._non_trainable_variables:
            raise Refused(f"{type(layer).__name__} has weights that belong to no layer of Keras")
    if getattr(module, "FROZEN", ()):
        raise Refused("it has frozen weights, and Keras' files keep that for whole layers only")
    text = Path(module.__file__).read_text(encoding="utf-8").partition("\nHERE = ")[0]
    for name in record["weights"]:
        if re.search(rf"\.{name.rpartition('.')[2]}\b", text):
            raise Refused(f"{name} is read beside its layer")


def functional(model: Any, record: dict) -> Any:
    """One graph: the package's own classes are looked through."""
    import keras

    leaves = {n: keras.Input(**spec(text), name=n.replace(".", "_")) for n, text in record["inputs"].items()}
    home = type(model).__module__
    own = {type(layer) for layer in model._flatten_layers() if type(layer).__module__ == home}
    plain = [cls for cls in own if not issubclass(cls, keras.Sequential)]
    calls = {cls: cls.__dict__.get("__call__") for cls in plain}
    arguments = [worker.build(p["tree"], leaves) for p in record["signature"]["parameters"]]
    try:
        for cls in plain:
            cls.__call__ = lambda self, *args, **kwargs: self.call(*args, **kwargs)
        result = model.call(*arguments)
    except Exception as error:
        why = str(error).strip().splitlines()
        raise Refused(f"its code reads sizes or values ({type(error).__name__}: {why[0] if why else ''})") from error
    finally:
        for cls, call in calls.items():
            if call is None:
                del cls.__call__
            else:
                cls.__call__ = call
    inputs = list(leaves.values())
    graph = keras.Model(inputs if len(inputs) > 1 else inputs[0], result, name=type(model).__name__.lower())
    kept = {id(v) for v in graph.variables}
    if any(id(v) not in kept for v in model.weights):
        raise Refused("some of its weights are read by nothing")
    return graph


def spec(text: str) -> dict:
    """`float32[batch,3]` as the arguments of an input."""
    kind, _, shape = text.partition("[")
    sizes = tuple(int(s) if s.isdigit() else None for s in shape[:-1].split(",") if s)
    return {"batch_shape": sizes, "dtype": kind}


def draw(text: str, seed: int, size: int) -> Any:
    """An input of a type; sizes that vary are `size`."""
    import numpy as np
    from keras import ops

    wanted = spec(text)
    shape = [size if d is None else d for d in wanted["batch_shape"]]
    numbers = np.random.default_rng(seed).standard_normal(shape)
    floats = "float" in wanted["dtype"]
    return ops.convert_to_tensor(numbers if floats else numbers > 0, dtype=wanted["dtype"])


if __name__ == "__main__":
    worker.block_own_packages()
    try:
        write(Path(sys.argv[1]).resolve(), sys.argv[2:])
        answer: dict = {}
    except Refused as refused:
        answer = {"refused": str(refused)}
    sys.stdout.write(json.dumps(answer) + "\n")
