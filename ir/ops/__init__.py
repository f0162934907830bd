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
    factor,
    floats,
    fourier,
    indexing,
    linalg,
    logic,
    modes,
    norm,
    ordering,
    pool,
    rearrange,
    recurrent,
    reduction,
    resize,
    sampling,
    scatter,
    shape,
    slicing,
    special,
    subscript,
    triangular,
)
from ir.ops.registry import all_ops, get, op

__all__ = ["all_ops", "get", "op"]
