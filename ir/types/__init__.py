"""Types of the IR: dtypes, dims, shapes, tensors. Everything here is frozen and hashable."""

from ir.types import dtypes
from ir.types.dim import (
    Assumption,
    Dim,
    DimExpr,
    Symbol,
    ceildiv,
    dim_max,
    dim_min,
    evaluate_dim,
    floordiv,
    mod,
    require_same,
    same,
    substitute,
    symbol,
    symbols,
)
from ir.types.dtypes import DType, dtype
from ir.types.shape import Shape, broadcast_shapes, format_shape, is_static, normalize_axes, normalize_axis, numel
from ir.types.tensor import TensorType, tensor_type, type_of

__all__ = [
    "Assumption", "DType", "Dim", "DimExpr", "Shape", "Symbol", "TensorType", "broadcast_shapes", "ceildiv", "dim_max", "dim_min",
    "dtype", "dtypes", "evaluate_dim", "floordiv", "format_shape", "is_static", "mod", "normalize_axes", "normalize_axis", "numel",
    "require_same", "same", "substitute", "symbol", "symbols", "tensor_type", "type_of",
]  # fmt: skip
