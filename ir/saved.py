"""A model on disk: a folder with its text form, `model.ir`, and the bytes of its weights, `weights.safetensors`.

Weights of equal content are written once; `same:NAME` in the file's metadata says whose bytes a weight shares. They
stay separate weights.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ir.core.model import Model
from ir.data import safetensors
from ir.data.store import duplicates
from ir.data.weights import Data
from ir.text import format_model, parse
from ir.verify import check

TEXT, WEIGHTS = "model.ir", "weights.safetensors"
MAX_TEXT = 1 << 30
_SAME = "same:"


def save_model(model: Model, folder: str | Path, overwrite: bool = False) -> Path:
    """Write the model to a new folder, whole or not at all, and return its path.

    Raises FileExistsError where the folder exists, unless `overwrite` and it is a saved model.
    """
    target = Path(folder)
    if target.exists() and not (overwrite and (target / TEXT).is_file()):
        raise FileExistsError(f"{target} exists")
    tensors = {w.name: w.data for w in model.weights.values()}
    twins = duplicates(tensors)
    unique = {n: d for n, d in tensors.items() if n not in twins}
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        safetensors.write(staging / WEIGHTS, unique, {_SAME + n: other for n, other in twins.items()})
        (staging / TEXT).write_text(format_model(model), encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        staging.chmod(0o755)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def load_model(folder: str | Path) -> Model:
    """The model that `save_model` wrote, weights mapped.

    Raises ValueError where the files are not a sound model (TextError, InvalidModel among them), OSError where they
    cannot be read.
    """
    source = Path(folder)
    if (source / TEXT).stat().st_size > MAX_TEXT:
        raise ValueError(f"{TEXT} is larger than {MAX_TEXT} bytes")
    tensors, metadata = safetensors.read(source / WEIGHTS)
    found: dict[str, Data] = dict(tensors)
    for key, original in metadata.items():
        if key.startswith(_SAME):
            if original not in tensors:
                raise ValueError(f"{WEIGHTS} shares the bytes of {original!r}, which is not there")
            found[key.removeprefix(_SAME)] = tensors[original]
    model = parse((source / TEXT).read_text(encoding="utf-8"), found)
    check(model, f"{source.name} is not a sound model")
    return model
