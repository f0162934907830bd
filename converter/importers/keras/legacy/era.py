"""Which Keras wrote a file, and what follows from that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from converter.importers.keras.stored.versions import version_of


@dataclass(frozen=True)
class Era:
    """`version` is (major, minor) of the Keras that wrote the file; `backend` is the one it ran on, None where the file
    does not tell; `channels` is the data format of layers that leave it open; `modern` says that it was tf.keras 2; `floatx`
    is the dtype of layers that name none."""

    version: tuple[int, int]
    backend: str | None
    channels: str = "channels_last"
    modern: bool = False
    floatx: str = "float32"

    @property
    def first(self) -> bool:
        """Keras 1 (and before): other class, argument and weight names."""
        return self.version[0] < 2

    @property
    def turned(self) -> bool:
        """Convolutions turn their kernels round, as Theano's do."""
        return self.backend == "theano"

    def __str__(self) -> str:
        name = "tf.keras" if self.modern else "Keras"
        return f"{name} {self.version[0]}.{self.version[1]}"


def era_of(version: Any, backend: str | None, weight_names: list[str], config: Any, floatx: str) -> Era:
    """The era of a file from its `keras_version`, its `backend`, the names of its weights and its configuration.

    Keras 1 writes no backend, but TensorFlow's variables end in `:0` and Theano's do not. tf.keras calls itself 2.2.4-tf
    before 2.4, and is the only Keras 2 from there on.
    """
    number = version_of(version) or (1, 0)
    if backend is None and weight_names:
        backend = "tensorflow" if all(n.endswith(":0") for n in weight_names) else "theano"
    modern = number >= (2, 4) or "-tf" in str(version)
    formats = {v for k, v in _pairs(config) if k in ("dim_ordering", "data_format") and isinstance(v, str)}
    first = bool(formats & {"th", "channels_first"}) and not formats & {"tf", "channels_last"}
    return Era(number, backend, "channels_first" if first else "channels_last", modern, floatx)


def _pairs(item: Any) -> Iterator[tuple[str, Any]]:
    stack = [item]
    while stack:
        here = stack.pop()
        if isinstance(here, dict):
            yield from here.items()
            stack.extend(here.values())
        elif isinstance(here, list):
            stack.extend(here)
