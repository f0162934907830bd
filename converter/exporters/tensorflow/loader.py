"""The end of model.py: loading weights, loading a checkpoint of the source, and what `python model.py` does."""

from __future__ import annotations

from converter.exporters.code.loading import of_source
from ir.core import Model

_LOAD = '''HERE = Path(__file__).resolve().parent


def find(model, name):
    """The module or variable at a dotted name."""
    for part in name.split("."):
        if isinstance(model, (list, dict)):
            model = model[int(part) if isinstance(model, list) else part]
        else:
            model = model.layers[int(part)] if part.isdigit() else getattr(model, part)
    return model


def load_model(weights=None):
    """The model with its weights (default: weights.safetensors beside this file)."""
    model = @ROOT@()
    tensors = load_file(weights or HERE / "weights.safetensors")
    missing = json.loads((HERE / "metadata.json").read_text())["weights"].keys() - tensors.keys()
    if missing:
        raise KeyError(f"there are no weights for {', '.join(sorted(missing))}")
    for name, tensor in tensors.items():
        find(model, name).assign(tensor)
@SERVE@    return model


@OF_SOURCE@


def load_source_weights(model, path):
    """Copy a checkpoint of the source model (.safetensors or .npz, under the source's names) into `model`."""
    saved = load_file(path) if str(path).endswith(".safetensors") else np.load(path)
    for name, record in json.loads((HERE / "metadata.json").read_text())["weights"].items():
        found = of_source(saved, record)
        if found is not None:
            if found.shape != tuple(find(model, name).shape):
                raise ValueError(f"{record['source']} is {found.shape}, expected {tuple(find(model, name).shape)}")
            find(model, name).assign(found)


@SERVING@


if __name__ == "__main__":
    from test_equivalence import compare

    net = load_model()
    print(f"{type(net).__name__}: {sum(math.prod(v.shape) for v in net.trainable_variables):,} trainable parameters")
    print("\\n".join(compare(net)))'''


_SERVE = "    model.serve = serving(model)  # what tf.saved_model.save finds\n"


def loader_source(model: Model, root: str, serving: str, taken: bool) -> str:
    """Source of `load_model`, `load_source_weights`, `serving` and the main block. With `taken`, the model has a part of its
    own that is called `serve`."""
    parts = {
        "@ROOT@": root, "@OF_SOURCE@\n": of_source(model), "@SERVING@": serving, "@SERVE@": "" if taken else _SERVE,
    }  # fmt: skip
    text = _LOAD
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text
