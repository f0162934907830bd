"""What a program asserts about computed values: not converted, and told unless it can never fail.

Assertions about sizes of inputs are no nodes of the graph: they arrive as guards (`branches`) and are kept. Those about
values would need an op without results.
"""

from __future__ import annotations

import math
import re
from typing import Any

_STATIC = ("aten._assert_tensor_metadata", "aten._check")
"""Checks of dtypes, which are decided at conversion."""
_OF_VALUES = ("aten._assert_scalar", "aten._assert_async", "aten.sym_constrain_range")
_EXPRESSION = re.compile(r"Runtime assertion failed for expression (?P<expression>.+) on node '(?P<node>.+)'")
_COUNTED = ("aten.nonzero.default", "aten.masked_select.default")


def is_check(target: str) -> bool:
    """Whether a node only asserts something."""
    return target.startswith(_STATIC + _OF_VALUES)


def unkept(node: Any) -> str:
    """What the conversion loses by dropping an assertion, in words for the user; empty where it loses nothing."""
    target = str(node.target)
    if target.startswith(_STATIC):
        return ""
    if target.startswith("aten.sym_constrain_range"):
        low, high = (node.kwargs.get(k) for k in ("min", "max"))
        what = " and ".join([f"at least {low}"] * bool(low) + [f"at most {high}"] * (high is not None))
        what = what and f"{node.args[0]} is {what}"
    elif target.startswith("aten._assert_scalar"):
        found = _EXPRESSION.match(str(node.args[1]))
        what = "" if _always_holds(node.args[0]) else (found["expression"] if found else str(node.args[1]))
    else:
        what = str(node.args[1]) if len(node.args) > 1 else "a condition"
    return what and f"the source asserts at run time ({what}); the conversion computes a result where that fails"


def _always_holds(condition: Any) -> bool:
    """Whether PyTorch itself put the assertion there: a size is not negative, a count is not above the elements counted."""
    if str(condition.target) not in ("<built-in function ge>", "<built-in function le>"):
        return False
    left, right = condition.args
    if str(condition.target).endswith("ge>"):
        return type(right) is int and right <= 0
    counted = getattr(left, "args", [None])[0] if str(getattr(left, "target", "")) == "aten.sym_size.int" else None
    if counted is None or str(counted.target) not in _COUNTED:
        return False
    shape = counted.args[0].meta["val"].shape
    return type(right) is int and all(type(d) is int for d in shape) and right >= math.prod(shape)
