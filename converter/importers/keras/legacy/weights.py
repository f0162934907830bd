"""The weights of an old file, put into the live model by the order in which its Keras wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.importers.keras.legacy.units import Unit
from converter.importers.keras.stored import hdf5
from converter.importers.keras.stored.hdf5 import Stored

Slots = list[tuple[Unit, bool]]
"""One entry for each array: whose it is, and whether it is among the unit's trainable ones."""

_WORDS = {
    "kernel": ("kernel", "depthwise_kernel", "W"), "bias": ("bias", "b"), "embeddings": ("embeddings", "W"), "alpha": ("alpha", "alphas"),
    "recurrent_kernel": ("recurrent_kernel", "U"), "moving_mean": ("moving_mean", "running_mean"),
    "moving_variance": ("moving_variance", "running_std", "running_var"),
}  # fmt: skip
"""What a weight is called today, and how its name may end in old files."""


def fill(path: Path, file: Any, model: Unit) -> None:
    """Set every weight of the model. Raises UsageError where the file has too few, too many, or others."""
    group = hdf5.child(path, file, "model_weights")
    if group is None:
        raise UsageError(f"{path}: a model's configuration without its weights")
    used: set[str] = set()
    _fill(path, group, model.children or (), used)
    left = [n for n in hdf5.names(group, "layer_names") if n not in used and _stored(path, group, n)]
    if left:
        raise UsageError(f"{path}: weights of the layer {left[0]}, which is not in the model")


def _fill(path: Path, group: Any, units: Iterable[Unit], used: set[str]) -> None:
    names = hdf5.names(group, "layer_names")
    for unit in units:
        name = _place(unit, names, used)
        if name is None and unit.children is not None:  # a Sequential's layers lie beside those around it in Keras 1
            _fill(path, group, unit.children, used)
            continue
        used.add(name or unit.name)
        _assign(path, unit, [] if name is None else _stored(path, group, name))


def _place(unit: Unit, names: list[str], used: set[str]) -> str | None:
    """The name under which the file has a unit's weights; a Sequential inside may have one that its configuration does not
    tell (Keras 2.0 to 2.2): it is the next that is none of its own layers'."""
    if unit.name in names:
        return unit.name
    if unit.children is None or any(c.name in names for c in unit.children):
        return None
    return next((n for n in names if n not in used and n.startswith("sequential")), None)


def _stored(path: Path, group: Any, name: str) -> list[Stored]:
    inner = hdf5.child(path, group, name)
    if inner is None:
        raise UsageError(f"{path}: the weights of the layer {name} are missing")
    return [Stored(n, hdf5.dataset(path, inner, n)) for n in hdf5.names(inner, "weight_names")]


def _assign(path: Path, unit: Unit, stored: list[Stored]) -> None:
    """Arrays of a layer, or of all layers of a model inside: those that are trained first, then the others."""
    slots = [*_trained(unit, True), *_others(unit, True)]
    if len(slots) != len(stored):
        raise UsageError(f"{path}: the layer {unit.name} has {len(slots)} weights, the file {len(stored)} for it")
    parts: dict[int, tuple[Unit, dict[bool, list[Stored]]]] = {}
    for (owner, trained), item in zip(slots, stored):
        parts.setdefault(id(owner), (owner, {True: [], False: []}))[1][trained].append(item)
    for owner, arrays in parts.values():
        _set(path, owner, arrays[True], arrays[False])


def variables(unit: Unit) -> tuple[list[Any], list[Any]]:
    """Today's variables of a layer that a file has: those that can be trained, and the others."""
    if unit.layer is None or not hasattr(unit.layer, "weights"):
        return [], []
    all_of_it = [v for v in unit.layer.weights if v.name != "rnn_state"]
    return [v for v in all_of_it if v.trainable], [v for v in all_of_it if not v.trainable]


def _own(unit: Unit, trained: bool) -> Slots:
    mine = variables(unit)[0 if trained else 1]
    count = unit.weights.count if trained and unit.weights.count is not None else len(mine)
    return [(unit, trained)] * count


def _trained(unit: Unit, alive: bool) -> Slots:
    """What Keras lists as trainable: nothing of what is frozen, itself or by what is around it."""
    if not (alive and unit.trainable):
        return []
    if unit.children is None:
        return _own(unit, True)
    return [s for child in unit.children for s in _trained(child, True)]


def _others(unit: Unit, alive: bool) -> Slots:
    """What Keras lists as not trainable: of a frozen layer all it has, its trainable arrays first."""
    alive = alive and unit.trainable
    if unit.children is None:
        return [*([] if alive else _own(unit, True)), *_own(unit, False)]
    return [s for child in unit.children for s in _others(child, alive)]


def _set(path: Path, unit: Unit, trained: list[Stored], others: list[Stored]) -> None:
    mine = variables(unit)
    convert = unit.weights.convert
    if convert is None:
        _check_names(path, unit, [*trained, *others], [*mine[0], *mine[1]])
    try:
        arrays = [*(convert(trained) if convert else [s.values for s in trained]), *(s.values for s in others)]
    except (ValueError, IndexError) as error:
        raise UsageError(f"{path}: the weights of {unit.name} do not fit a {unit.kind}: {error}") from None
    for variable, value in zip([*mine[0], *mine[1]], arrays):
        if tuple(variable.shape) != value.shape:
            shapes = f"{value.shape} in the file, {tuple(variable.shape)} in the model"
            raise UsageError(f"{path}: the weight {variable.path} of the layer {unit.name} is {shapes}")
        variable.assign(value)
    if hasattr(unit.layer, "finalize_state"):
        unit.layer.finalize_state()


def _check_names(path: Path, unit: Unit, stored: list[Stored], mine: list[Any]) -> None:
    """The end of each name in the file has to be one for the weight it is taken for, where names say anything."""
    for item, variable in zip(stored, mine):
        word = re.sub(r"_\d+$", "", item.name.split(":")[0].rsplit("/", 1)[-1])
        words = _WORDS.get(variable.name, (variable.name,))
        if not word.startswith("param") and not any(word == w or word.endswith(f"_{w}") for w in words):
            raise UsageError(f"{path}: the weight {item.name} stands where {unit.name} has its {variable.name}")


def freeze(unit: Unit) -> None:
    """Take over which layers are not trained."""
    if not unit.trainable and unit.layer is not None:
        unit.layer.trainable = False
    for child in unit.children or ():
        freeze(child)
