"""The end of model.py: loading weights, loading a checkpoint of the source, and what `python model.py` does."""

from __future__ import annotations

from converter.exporters.code.printer import literal
from ir.core import Model

_LOAD = '''HERE = Path(__file__).resolve().parent
{tied}

def load_model(weights: str | Path | None = None) -> {root}:
    """The model in eval mode with its weights (default: weights.safetensors beside this file)."""
    model = {root}()
    tensors = load_file(weights or HERE / "weights.safetensors")
{ties}{hidden}    model.load_state_dict(tensors)
    return model.eval()


{reader}def load_source_weights(model: {root}, path: str | Path) -> None:
    """Copy a checkpoint of the source model ({files}) into `model`."""
    if str(path).endswith(".safetensors"):
        saved = load_file(path)
    else:
        saved = {read}
    own = {{**dict(model.named_buffers()), **model.state_dict()}}
    for name, record in json.loads((HERE / "metadata.json").read_text())["weights"].items():
        found = next((saved[n] for n in (record["source"], *record["aliases"]) if n in saved), None)
        if found is None and record["persistent"]:
            raise KeyError(f"{{path}} has no {{record['source']}}")
{pieces}{blocks}{axes}        if found is not None and found.shape != own[name].shape:
            raise ValueError(f"{{record['source']}} is {{tuple(found.shape)}}, expected {{tuple(own[name].shape)}}")
        if found is not None:
            own[name].copy_(found)


if __name__ == "__main__":
    from test_equivalence import compare

    net = load_model()
    print(f"{{type(net).__name__}}: {{sum(p.numel() for p in net.parameters()):,}} parameters")
    print("\\n".join(compare(net)))'''

_READ_TORCH = 'torch.load(path, map_location="cpu", weights_only=True)'
_KERAS_FILES = '''def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a Keras file, .weights.h5 or .keras, by their places in it. Needs h5py."""
    import io
    import zipfile

    import h5py

    packed = zipfile.is_zipfile(path)
    file = io.BytesIO(zipfile.ZipFile(path).read("model.weights.h5")) if packed else path
    saved: dict[str, Tensor] = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            saved[name] = torch.as_tensor(item[()])

    with h5py.File(file) as weights:
        weights.visititems(keep)
    return saved


'''
_PIECES = """        if found is not None and "pieces" in record:
            row, axis, order = (record["pieces"][k] for k in ("row", "axis", "order"))
            pieces = (found if row is None else found[row]).chunk(len(order), axis)
            found = torch.cat([pieces[i] for i in order], axis)
"""
_BLOCKS = """        if found is not None and "blocks" in record:
            sizes, order = record["blocks"]["sizes"], record["blocks"]["order"]
            positions = torch.arange(math.prod(sizes)).reshape(sizes).permute(order).flatten()
            found = found.index_select(record["blocks"]["axis"], positions)
"""
_AXES = """        if found is not None and "axes" in record:
            found = found.permute(record["axes"])
"""
_TIES = """    for alias, name in TIED.items():
        tensors[alias] = tensors[name]
"""
_HIDDEN = """    for name in tensors.keys() - model.state_dict().keys():  # buffers outside the state dict
        model.get_buffer(name).copy_(tensors.pop(name))
"""


def loader_source(model: Model, root: str, hidden: bool) -> str:
    """Source of `load_model`, `load_source_weights` and the main block. `hidden`: there are non-persistent buffers."""
    tied = {alias: w.name for w in model.weights.values() for alias in w.aliases}
    lines = [f"    {literal(a)}: {literal(n)}," for a, n in tied.items()]
    table = "\n".join(["TIED = {", *lines, "}", ""]) if tied else ""
    axes = _AXES if any(w.source_axes is not None for w in model.weights.values()) else ""
    blocks = _BLOCKS if any(w.source_blocks is not None for w in model.weights.values()) else ""
    pieces = _PIECES if any(w.source_pieces is not None for w in model.weights.values()) else ""
    keras = model.metadata.get("framework") == "keras"
    files = ".weights.h5, .keras or .safetensors" if keras else ".safetensors, or a state dict saved by torch"
    more = {
        "files": files,
        "read": "read_weights(path)" if keras else _READ_TORCH,
        "reader": _KERAS_FILES if keras else "",
    }
    more |= {"hidden": _HIDDEN if hidden else "", "axes": axes, "blocks": blocks, "pieces": pieces}
    return _LOAD.format(root=root, tied=table, ties=_TIES if tied else "", **more)
