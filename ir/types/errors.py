"""What can be wrong with the operands of an op, as exceptions with a `kind`: index, shape, axis, dtype or attr.

Each is also the built-in error that callers catch (`ValueError`, `IndexError`, `TypeError`).
"""

from __future__ import annotations

from typing import ClassVar


class PositionError(IndexError):
    """An index lies outside its axis under `bounds=error`."""

    kind: ClassVar[str] = "index"


class ShapeError(ValueError):
    """Shapes that do not go together."""

    kind: ClassVar[str] = "shape"


class AxisError(ValueError):
    """An axis that the operand does not have, or one named twice."""

    kind: ClassVar[str] = "axis"


class DTypeError(TypeError):
    """An element type outside the op's domain, or two that must match and do not."""

    kind: ClassVar[str] = "dtype"


class AttributeValueError(ValueError):
    """An attribute value that the op does not define."""

    kind: ClassVar[str] = "attr"
