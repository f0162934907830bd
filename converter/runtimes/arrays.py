"""Arrays across process borders: `.npz` files in which dtypes NumPy lacks travel as integers, with the dtype beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ir.types import dtype

DTYPES_KEY = "__dtypes__"


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays; bfloat16, float8 and 4-bit integers as unsigned integers of their storage width."""
    encoded, kinds = {}, {}
    for name, array in arrays.items():
        if array.dtype.kind == "V" or array.dtype.isbuiltin != 1:
            kinds[name] = dtype(array.dtype).name
            array = np.asarray(array, order="C").view(f"u{array.dtype.itemsize}")
        encoded[name] = array
    np.savez(path, **encoded, **{DTYPES_KEY: np.array(json.dumps(kinds))})  # type: ignore[arg-type]


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read what `save_arrays` (or `np.savez`) wrote; never unpickles. Raises ValueError on a damaged file."""
    with np.load(path, allow_pickle=False) as archive:
        kinds = json.loads(str(archive[DTYPES_KEY])) if DTYPES_KEY in archive.files else {}
        arrays = {name: archive[name] for name in archive.files if name != DTYPES_KEY}
    return {name: a.view(dtype(kinds[name]).numpy) if name in kinds else a for name, a in arrays.items()}
