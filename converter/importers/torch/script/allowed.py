"""Which ATen ops a TorchScript program may run here: those with a rule, and those PyTorch computes from such.

Everything else is refused before it runs: a program's ops include some that open files.
"""

from __future__ import annotations

import functools
from typing import Any

from converter.importers.torch import export, families
from converter.importers.torch.context import rule as rules

_READER = frozenset(("item", "_local_scalar_dense", "_assert_async", "detach_", "alias", "requires_grad_"))


def overload(op: str) -> Any:
    """The op behind a schema's full name: `aten::add.Tensor`."""
    import torch

    name, _, which = op.removeprefix("aten::").partition(".")
    return getattr(getattr(torch.ops.aten, name), which or "default")


@functools.lru_cache(maxsize=4096)
def allowed(op: str) -> bool:
    """Whether an ATen op may run: it, or what it is in place of, has a rule or a definition by other ops."""
    families.load()
    name, _, which = op.removeprefix("aten::").partition(".")
    if which.endswith("out") or not op.startswith("aten::"):
        return False
    for base in dict.fromkeys((name, name.removesuffix("_"))):
        if base in _READER or _has(f"aten::{base}{'.' + which if which else ''}"):
            return True
    return False


def _has(op: str) -> bool:
    try:
        found = overload(op)
        return families.known(str(found)) or export.definition_of(found) is not None
    except (AttributeError, RuntimeError):  # an operation of the language alone
        return False


@functools.cache
def _rule_names() -> frozenset[str]:
    families.load()
    return frozenset(str(r.key).split(".")[1] for r in rules if str(r.key).startswith("aten."))


@functools.lru_cache(maxsize=4096)
def allowed_name(name: str) -> bool:
    """Whether some overload of an ATen op may run: all that a program's text tells is the name."""
    import torch

    if name in _READER or name in _rule_names() or name.removesuffix("_") in _rule_names():
        return True
    packet = getattr(torch.ops.aten, name, None)
    if packet is None:
        return False
    return any(allowed(f"aten::{name}" + ("" if o == "default" else f".{o}")) for o in packet.overloads())


_TWINS = {"Scalar": "Tensor", "Tensor_Scalar": "Tensor_Tensor"}
_SAME = frozenset((
    "add", "sub", "mul", "div", "true_divide", "floor_divide", "remainder", "fmod", "pow", "eq", "ne", "lt", "le", "gt", "ge",
    "add_", "sub_", "mul_", "div_", "bitwise_and", "bitwise_or", "bitwise_xor", "__and__", "__or__", "__xor__",
))  # fmt: skip


@functools.lru_cache(maxsize=4096)
def on_tensors(op: str) -> Any:
    """The overload that takes as a tensor what this one takes as a number in its second place; None where there is none."""
    name, _, which = op.removeprefix("aten::").partition(".")
    if name not in _SAME or which not in _TWINS or (name, which) == ("pow", "Scalar"):
        return None
    return overload(f"aten::{name}" if name == "floor_divide" else f"aten::{name}.{_TWINS[which]}")
