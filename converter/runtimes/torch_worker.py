"""Runs an emitted PyTorch package in a process of its own. Started by `torch_package`, by path, never imported.

The packages `ir` and `converter` are made unimportable first, so that what runs here is what the user will run. Reads
one JSON request a line, `{"inputs": file.npz, "outputs": file.npz}`, and answers `{"ok": true}` or `{"error": text}`.
"""

import importlib.util
import json
import os
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

DTYPES_KEY = "__dtypes__"


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


def read(path: str) -> dict:
    """Tensors by flat name."""
    import numpy as np
    import torch

    with np.load(path, allow_pickle=False) as archive:
        kinds = json.loads(str(archive[DTYPES_KEY])) if DTYPES_KEY in archive.files else {}
        out = {}
        for name in archive.files:
            if name == DTYPES_KEY:
                continue
            array = archive[name]
            if name in kinds:
                tensor = torch.from_numpy(array.view(f"i{array.dtype.itemsize}")).view(getattr(torch, kinds[name]))
            else:
                tensor = torch.from_numpy(array)
            out[name] = tensor
        return out


def write(path: str, tensors: dict) -> None:
    """Tensors to `.npz`, dtypes NumPy lacks as integers."""
    import numpy as np
    import torch

    arrays, kinds = {}, {}
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
        kind = str(tensor.dtype).removeprefix("torch.")
        if kind == "bfloat16" or kind.startswith("float8"):
            kinds[name] = kind
            tensor = tensor.view(torch.int16 if tensor.element_size() == 2 else torch.int8)
        arrays[name] = tensor.numpy()
    np.savez(path, **{**arrays, DTYPES_KEY: np.array(json.dumps(kinds))})


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


def serve(folder: Path) -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the model prints must not mix with answers
    import torch

    signature = json.loads((folder / "metadata.json").read_text())["signature"]
    try:
        model = load_package(folder)
        start = {name: buffer.clone() for name, buffer in model.named_buffers()}
        answers.write(json.dumps({"ok": True}) + "\n")
    except Exception as error:  # noqa: BLE001 - whatever user code raises is the answer
        answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        return
    for line in sys.stdin:
        request = json.loads(line)
        try:
            leaves = read(request["inputs"])
            args = [build(p["tree"], leaves) for p in signature["parameters"] if not p["keyword_only"]]
            kwargs = {p["name"]: build(p["tree"], leaves) for p in signature["parameters"] if p["keyword_only"]}
            with torch.no_grad():
                result = model(*args, **kwargs)
            found: dict[str, Any] = {}
            flatten(result, signature["result"], found)
            write(request["outputs"], found)
            for name, buffer in model.named_buffers():  # a call may change the model's state: each begins at the start
                buffer.detach().copy_(start[name])
            answers.write(json.dumps({"ok": True}) + "\n")
        except Exception as error:  # noqa: BLE001 - whatever user code raises is the answer
            answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")


if __name__ == "__main__":
    block_own_packages()
    serve(Path(sys.argv[1]).resolve())
