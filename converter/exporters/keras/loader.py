"""The end of model.py: loading weights, loading a checkpoint of the source, and what `python model.py` does."""

from __future__ import annotations

from collections.abc import Set

from converter.exporters.code.loading import of_source
from converter.exporters.code.printer import literal
from converter.exporters.outline.package import Parts
from ir.core import Model

_LOAD = '''HERE = Path(__file__).resolve().parent
{frozen}

def find(model, name):
    """The layer or variable at a dotted name."""
    for part in name.split("."):
        if isinstance(model, (list, dict)):
            model = model[int(part) if isinstance(model, list) else part]
        else:
            model = model.layers[int(part)] if part.isdigit() else getattr(model, part)
    return model


def load_model(weights=None):
    """The model with its weights (default: weights.safetensors beside this file)."""
{checks}    model = {root}()
    record = json.loads((HERE / "metadata.json").read_text())
    for name, shape in record["layers"].items():
        layer = find(model, name)
        if not layer.built:
            layer.build(shape)
    tensors = load_file(weights or HERE / "weights.safetensors")
    missing = record["weights"].keys() - tensors.keys()
    if missing:
        raise KeyError(f"there are no weights for {{', '.join(sorted(missing))}}")
    for name, tensor in tensors.items():
        find(model, name).assign(tensor)
    model.built = True  # all of its layers are
{freeze}    return model


{of_source}

def load_source_weights(model, path):
    """Copy a checkpoint of the source model (.safetensors or .npz, under the source's names) into `model`."""
    saved = load_file(path) if str(path).endswith(".safetensors") else np.load(path)
    about = json.loads((HERE / "metadata.json").read_text())
    for name, record in about["weights"].items():
        found = of_source(saved, record)
{rows}        if found is not None:
            if found.shape != tuple(find(model, name).shape):
                raise ValueError(f"{{record['source']}} is {{found.shape}}, expected {{tuple(find(model, name).shape)}}")
            find(model, name).assign(found)


if __name__ == "__main__":
    from test_equivalence import compare

    net = load_model()
    print(f"{{type(net).__name__}}: {{sum(math.prod(v.shape) for v in net.trainable_variables):,}} trainable parameters")
    print("\\n".join(compare(net)))'''
_FREEZE = """    for name in FROZEN:
        find(model, name).trainable = False
"""
_ROWS = """        if name in about["second_rows"]:
            found = np.stack([found, of_source(saved, about["second_rows"][name])])
"""
_LAYOUT = """    if keras.config.image_data_format() != "channels_last":
        raise RuntimeError("this model keeps channels last: keras.config.set_image_data_format('channels_last')")
"""
_WIDE = """    if keras.backend.backend() == "jax" and keras.backend.standardize_dtype(ops.zeros(1, "int64").dtype) != "int64":
        raise RuntimeError("this model needs 64-bit numbers, which JAX cuts to 32 bits: set JAX_ENABLE_X64=1")
"""


def loader_source(parts: Parts, spatial: bool, wide: bool, rows: bool) -> str:
    """Source of `load_model`, `load_source_weights` and the main block. `spatial`: layers look up where Keras has the
    channels; `wide`: the model needs numbers of 64 bits; `rows`: some variables hold two weights of the source."""
    layers = (i for i in parts.writer.tree.walk() if i.form is not None)
    frozen = frozen_weights(parts.model, {name for layer in layers for name in layer.weights.values()})
    table = "\n".join(["FROZEN = (", *(f"    {literal(n)}," for n in frozen), ")", ""]) if frozen else ""
    text = (_LAYOUT if spatial else "") + (_WIDE if wide else "")
    return _LOAD.format(
        root=parts.root.name, frozen=table, freeze=_FREEZE if frozen else "", checks=text,
        of_source=of_source(parts.model), rows=_ROWS if rows else "",
    )  # fmt: skip


def frozen_weights(model: Model, held: Set[str]) -> list[str]:
    """The parameters that are not trained, and the constants that layers hold, which would train them."""
    floats = [w for w in model.weights.values() if w.type.dtype.is_float]
    return [
        w.name
        for w in floats
        if (w.kind == "parameter" and w.trainable is False) or (w.kind == "constant" and w.name in held)
    ]
