"""What training adds outside of the model's call: penalties on weights and activations, constraints, optimiser state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any


def notes(model: Any, names: Mapping[int, tuple[str, Any]]) -> Iterator[str]:
    """One note for each kind of penalty or constraint, with the weights it is on; `names` by identity of variables."""
    penalties: dict[str, list[str]] = defaultdict(list)
    constraints: dict[str, list[str]] = defaultdict(list)
    for variable in model.trainable_variables:
        name = names.get(id(variable), (variable.path, None))[0]
        if variable.regularizer is not None:
            penalties[_penalty(variable.regularizer)].append(name)
        if getattr(variable, "constraint", None) is not None:
            constraints[type(variable.constraint).__name__].append(name)
    for text, found in penalties.items():
        yield f"the loss of the source has a penalty that the written model has not, on {_some(found)}: {text}"
    for text, found in constraints.items():
        yield f"the source keeps {_some(found)} to the constraint {text} after each step of training; the written model does not"
    layers = [
        one for one in (model, *model._flatten_layers(False)) if getattr(one, "activity_regularizer", None) is not None
    ]
    for layer in layers:
        text = _penalty(layer.activity_regularizer, "y")
        yield f"the loss of the source has a penalty on the results of {layer.name} that the written model has not: {text}"
    if _optimised(model):
        yield "the state of the optimiser is not carried over"


def _penalty(regularizer: Any, of: str = "w") -> str:
    """In numbers; for weights with the setting of an optimiser that does the same."""
    cls = type(regularizer).__name__
    l1, l2 = (float(getattr(regularizer, key, 0.0) or 0.0) for key in ("l1", "l2"))
    if cls not in ("L1", "L2", "L1L2"):
        return cls
    parts = [f"{l1:g} * sum(abs({of}))"] if l1 else []
    parts += [f"{l2:g} * sum({of} ** 2)"] if l2 else []
    text = " + ".join(parts) or "0"
    if of == "y":
        return f"({text}) / batch size"
    return f"{text}; the squares are weight_decay={2 * l2:g} of torch.optim.SGD" if l2 else text


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} others" if len(names) > 4 else "")


def _optimised(model: Any) -> bool:
    """Whether the model has been trained with an optimiser that it still holds."""
    optimizer = getattr(model, "optimizer", None)
    iterations = getattr(optimizer, "iterations", None)
    return iterations is not None and int(iterations) > 0
