"""Every op of the IR, one file a family. Importing this package registers them all."""

from ir.ops import (  # noqa: F401 - registration
    activation,
    arithmetic,
    attention,
    cast,
    comparison,
    control,
    conv,
    creation,
    dropout,
    elementwise,
    embedding,
    indexing,
    linalg,
    logic,
    norm,
    ordering,
    pool,
    rearrange,
    recurrent,
    reduction,
    resize,
    scatter,
    shape,
    slicing,
    subscript,
)
from ir.ops.registry import all_ops, get, op

__all__ = ["all_ops", "get", "op"]
