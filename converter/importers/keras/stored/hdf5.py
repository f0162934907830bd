"""HDF5 files read without following anything out of them, and without allocating more than they hold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converter.errors import UntrustedSource, UsageError

LARGEST_EXPANSION = 1100
"""What deflate can make of a byte at most is 1032: a dataset that claims more than this times its stored bytes lies."""


@dataclass(frozen=True)
class Stored:
    """A dataset of a layer: its name in the file and its values."""

    name: str
    values: np.ndarray


def attribute(group: Any, name: str) -> Any:
    """An attribute as text where it is bytes, None where there is none."""
    value = group.attrs.get(name)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def names(group: Any, attribute_name: str) -> list[str]:
    """A list of names, which Keras cuts into `name0`, `name1`, ... where it is long."""
    if attribute_name in group.attrs:
        parts = [group.attrs[attribute_name]]
    else:
        parts, index = [], 0
        while f"{attribute_name}{index}" in group.attrs:
            parts.append(group.attrs[f"{attribute_name}{index}"])
            index += 1
    return [
        n.decode("utf-8") if isinstance(n, bytes) else str(n) for part in parts for n in np.atleast_1d(part).tolist()
    ]


def parsed(path: Path, text: Any, what: str) -> Any:
    """JSON from an attribute; raises UsageError where it is none."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise UsageError(f"{path}: {what} is no JSON: the file is damaged") from None


def child(path: Path, group: Any, name: str) -> Any:
    """What lies under `name` (a path of groups), reached by hard links alone; None where there is nothing.

    Raises UntrustedSource for links out of the file.
    """
    import h5py

    here = group
    for part in (p for p in name.split("/") if p):
        if not isinstance(here, h5py.Group) or part not in here:
            return None
        link = here.get(part, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise UntrustedSource(
                f"{path}: {name} is a link to the file {link.filename}: files that reach out of themselves are not read"
            )
        if isinstance(link, h5py.SoftLink):
            raise UsageError(f"{path}: {name} is a soft link, which no Keras writes")
        here = here[part]
    return here


def dataset(path: Path, group: Any, name: str) -> np.ndarray:
    """The values of a dataset; raises UsageError where it is missing or claims more than the file holds, UntrustedSource
    where its values lie in other files."""
    import h5py

    found = child(path, group, name)
    if not isinstance(found, h5py.Dataset):
        raise UsageError(f"{path}: the weight {name} is missing")
    check_dataset(path, found)
    try:
        return np.asarray(found[()])
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path}: the weight {name} cannot be read: {error}") from None


def check_dataset(path: Path, found: Any) -> None:
    """Refuse a dataset whose values lie elsewhere or that is larger than what is stored of it."""
    if found.external or found.is_virtual:
        raise UntrustedSource(
            f"{path}: the values of {found.name} lie in other files: files that reach out of themselves are not read"
        )
    if found.dtype.kind not in "fiub":
        raise UsageError(f"{path}: {found.name} holds {found.dtype}, no numbers")
    claimed = math.prod(found.shape) * found.dtype.itemsize
    limit = max(path.stat().st_size, found.id.get_storage_size()) if path.exists() else found.id.get_storage_size()
    if claimed > LARGEST_EXPANSION * limit:
        raise UsageError(f"{path}: {found.name} claims {claimed} bytes in a file of {limit}")


def check_tree(path: Path, group: Any, depth: int = 0) -> Iterator[str]:
    """Names of all datasets below a group, each link and dataset checked as above."""
    import h5py

    if depth > 64:
        raise UsageError(f"{path}: groups nested more than 64 deep")
    for name in group:
        found = child(path, group, name)
        if isinstance(found, h5py.Group):
            yield from check_tree(path, found, depth + 1)
        elif isinstance(found, h5py.Dataset):
            check_dataset(path, found)
            yield found.name
