"""Writes emitted packages as a SavedModel. Started by path, isolated, never imported.

`tensorflow_saved_model_worker.py FOLDER saved_model [FURTHER ...]`: each package's `serving(model)` becomes a signature, under
the name that metadata.json gives it, else `serving_default`. Variables of further packages that bear the name of one of the
first, and the same numbers, are that one. The SavedModel is read back and must answer as the packages do. Prints JSON: `{}`,
or `{"refused": reason, "file": name}`.
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


class Package:
    """A package: its code, its model with weights, its metadata, the name it is served under."""

    def __init__(self, folder: Path) -> None:
        self.model = worker.load_package(folder)
        self.module: Any = sys.modules["model"]
        sys.path.remove(str(folder))
        self.metadata = json.loads((folder / "metadata.json").read_text())
        self.name = self.metadata.get("source", {}).get("served_as") or SIGNATURE

    def variables(self) -> dict:
        """Name in the source -> name in the package."""
        return {record["source"]: name for name, record in self.metadata["weights"].items()}

    def share(self, other: "Package") -> None:
        """Read the variables of another package where they are the same."""
        held = other.variables()
        for source, name in self.variables().items():
            if source in held:
                own, theirs = self.find(name), other.find(held[source])
                same = (own.shape, own.dtype, own.trainable) == (theirs.shape, theirs.dtype, theirs.trainable)
                if same and own.numpy().tobytes() == theirs.numpy().tobytes():
                    self.replace(name, theirs)

    def find(self, name: str) -> Any:
        """The variable of this name."""
        return self.module.find(self.model, name)

    def replace(self, name: str, found: Any) -> None:
        """Put another variable, list or dict in the place of one. What lies in a list is saved where the list is new."""
        place, _, last = name.rpartition(".")
        holder = self.module.find(self.model, place) if place else self.model
        if not isinstance(holder, (list, dict)):
            setattr(holder, last, found)
        elif isinstance(holder, dict):
            self.replace(place, {**holder, last: found})
        else:
            self.replace(place, [found if i == int(last) else item for i, item in enumerate(holder)])

    def served(self) -> Any:
        """The function to serve: the model's own, which is saved with it in any case, unless a part of it has that name."""
        own = getattr(self.model, "serve", None)
        return own if hasattr(own, "get_concrete_function") else self.module.serving(self.model)

    def check(self, loaded: Any) -> None:
        """Compare names and bits of what was read back. Raises Refused."""
        import tensorflow as tf

        if sorted(loaded.structured_outputs) != sorted(self.metadata["outputs"]):
            raise Refused(f"it names its results {sorted(loaded.structured_outputs)}")
        given = {name: value(spec) for name, spec in loaded.structured_input_signature[1].items()}
        try:
            first, second = (bits(serve(**given)) for serve in (self.module.serving(self.module.load_model()),) * 2)
        except (ValueError, tf.errors.OpError):  # inputs of this kind are none of the model's
            return
        if first == second and bits(loaded(**given)) != first:  # what is drawn by chance, or counts calls, differs
            raise Refused("what is read back answers otherwise")


def write(folder: Path, further: list) -> None:
    """Save the models, load them, and compare."""
    import tensorflow as tf

    first, *others = packages = [Package(f) for f in (folder, *further)]
    names = [p.name for p in packages]
    if len(set(names)) != len(names):
        raise Refused(f"several packages are served under one name: {', '.join(names)}")
    for other in others:
        other.share(first)
    functions = {p.name: p.served().get_concrete_function() for p in packages}
    holder = first.model
    if others:
        holder = tf.Module(name="served")
        holder.models = [p.model for p in packages]
    tf.saved_model.save(holder, str(folder / "saved_model"), signatures=functions)
    loaded = tf.saved_model.load(str(folder / "saved_model")).signatures
    for package in packages:
        package.check(loaded[package.name])


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
        write(Path(sys.argv[1]), [Path(a) for a in sys.argv[3:]])
        answer: dict = {}
    except Refused as refused:
        answer = {"refused": str(refused), "file": "saved_model"}
    sys.stdout.write(json.dumps(answer) + "\n")
