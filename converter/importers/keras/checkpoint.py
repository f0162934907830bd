"""Under which names Keras keeps variables in `.weights.h5` and `.keras` files: `layers/conv2d/vars/0`."""

from __future__ import annotations

from typing import Any


def checkpoint_names(model: Any) -> dict[int, str]:
    """Identity of each variable -> its place in a file of the model's weights, as Keras itself would write it.

    Empty where this version of Keras does not tell.
    """
    try:
        from keras.src.saving import saving_lib
    except ImportError:
        return {}
    found: dict[int, str] = {}

    class Recorder(saving_lib.NpzIOStore):
        """A store that notes what would be written where."""

        def __init__(self) -> None:
            """Opens nothing."""

        def make(self, path: str, metadata: Any = None) -> dict[str, Any]:
            return _Entries(path, found)

    try:
        saving_lib._save_state(model, Recorder(), None, "", set())
    except (AttributeError, TypeError, ValueError, KeyError):
        return {}  # a layer that writes its weights in a way of its own
    return found


class _Entries(dict[str, Any]):
    """What one layer writes."""

    def __init__(self, path: str, found: dict[int, str]) -> None:
        super().__init__()
        self._path, self._found = path, found

    def __setitem__(self, key: str, variable: Any) -> None:
        self._found[id(variable)] = "/".join(p for p in (self._path, "vars", key) if p)


__all__ = ["checkpoint_names"]
