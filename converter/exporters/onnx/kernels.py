"""Which element types ONNX Runtime's CPU kernels take, and the wider type to compute in where they do not.

`kernels.json` lists, for each op and type variable of its schema, the types by range of opsets, as the installed
ONNX Runtime reports them (`tests/exporters/onnx/kernel_table.py` writes and checks it). float16 counts as supported
where float32 is: ONNX Runtime inserts casts for it itself, and GPU providers run it natively.

Computing in a wider type and rounding back is exact: half types round once per op, as the IR has it; small integers
wrap when cast back, and every kernel used here computes modulo 2**n or returns one of its operands.
"""

from __future__ import annotations

import functools
import json
from importlib import resources

from ir.types import DType, dtypes

NEWEST = 2**31 - 1

WIDER: dict[str, tuple[DType, ...]] = {
    "bool": (dtypes.uint8, dtypes.int32), "int4": (dtypes.int8,), "uint4": (dtypes.uint8,),
    "int8": (dtypes.int32, dtypes.int64, dtypes.float32),
    "uint8": (dtypes.int32, dtypes.int64, dtypes.float32), "int16": (dtypes.int32, dtypes.int64, dtypes.float32),
    "uint16": (dtypes.int32, dtypes.int64, dtypes.float32), "int32": (dtypes.int64, dtypes.float64),
    "uint32": (dtypes.int64, dtypes.float64), "bfloat16": (dtypes.float32,), "float16": (dtypes.float32,),
}  # fmt: skip
"""Types that hold every value of a type, best first."""

MODULAR = {"Add", "Sub", "Mul", "Neg", "ReduceSum", "MatMul", "Where", "Expand", "Tile", "Pad", "ScatterND", "ScatterElements"}
"""Ops that are exact on the bits of uint64 read as int64: they add, multiply or move, and never compare."""

MOVING = {
    "Reshape", "Transpose", "Concat", "Split", "Slice", "Gather", "GatherElements", "GatherND", "Squeeze", "Unsqueeze", "Expand",
    "Identity", "Flatten", "Tile", "Where", "Pad", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Compress",
}  # fmt: skip
"""Ops that move or compare elements: integers of four bits go through eight there."""

Rows = list[tuple[int, int, frozenset[str]]]


@functools.cache
def _table() -> dict[str, dict[str, Rows]]:
    text = resources.files(__package__).joinpath("kernels.json").read_text("utf-8")
    return {
        op: {var: [(low, high or NEWEST, frozenset(kinds)) for low, high, kinds in rows] for var, rows in variables.items()}
        for op, variables in json.loads(text).items()
    }


def supported(op: str, variable: str, opset: int, dtype: DType) -> bool:
    """Whether the CPU kernel of `op` at `opset` takes `dtype` for a type variable; True for a variable without limits."""
    variables = _table().get(op)
    if variables is None:
        return True
    rows = variables.get(variable)
    if rows is None:
        return True
    names = {dtype.name} | ({"float32"} if dtype == dtypes.float16 else set())
    return any(low <= opset <= high and names & kinds for low, high, kinds in rows)


def compute_dtype(op: str, variable: str, opset: int, dtype: DType, allowed: frozenset[str]) -> DType | None:
    """The type in which `op` computes values of `dtype`: itself where schema (`allowed`) and kernel take it, else the
    first wider one they take; None where there is none."""
    candidates = (dtype, *WIDER.get(dtype.name, ()))
    if dtype == dtypes.uint64 and op in MODULAR:
        candidates = (dtype, dtypes.int64)
    for kind in candidates:
        if kind.name in allowed and supported(op, variable, opset, kind) and not _lossy(op, dtype, kind):
            return kind
    return None


def _lossy(op: str, dtype: DType, kind: DType) -> bool:
    """Whether an integer type is computed in a float one by an op that can leave the float's exact range, or one of four
    bits in a wider one by an op that does more than move elements."""
    if dtype.bits < 8 and kind != dtype:
        return op not in MOVING
    return dtype.is_integer and kind.is_float and op in {"Add", "Sub", "Mul", "ReduceSum", "ReduceProd", "MatMul", "Pow", "Div"}
