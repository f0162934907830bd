"""The errors that ops raise, each with a `kind` (index, shape, axis, dtype, attr); defined beside the types."""

from ir.types.errors import AttributeValueError, AxisError, DTypeError, PositionError, ShapeError

__all__ = ["AttributeValueError", "AxisError", "DTypeError", "PositionError", "ShapeError"]
