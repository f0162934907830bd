"""Cases of elementwise operations, activations, comparisons and bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.importers.keras.op_cases import FLOATS, INTS, Case, array, edges

_UNARY: dict[str, tuple[str, float, float]] = {
    "Absolute": ("absolute", -3, 3), "Abs": ("abs", -3, 3), "Fabs": ("fabs", -3, 3), "Negative": ("negative", -3, 3),
    "Square": ("square", -3, 3), "Sign": ("sign", -3, 3), "Signbit": ("signbit", -3, 3), "Exp": ("exp", -3, 3),
    "Exp2": ("exp2", -3, 3), "Expm1": ("expm1", -3, 3), "Log": ("log", 1, 5), "Log1p": ("log1p", 0, 5),
    "Log2": ("log2", 1, 5), "Log10": ("log10", 1, 5), "Sqrt": ("sqrt", 0, 5), "Cbrt": ("cbrt", -3, 3),
    "Sin": ("sin", -3, 3), "Cos": ("cos", -3, 3), "Tan": ("tan", -1, 1), "Sinh": ("sinh", -3, 3),
    "Cosh": ("cosh", -3, 3), "Tanh": ("tanh", -3, 3), "Arcsin": ("arcsin", -1, 1), "Arccos": ("arccos", -1, 1),
    "Arctan": ("arctan", -3, 3), "Arcsinh": ("arcsinh", -3, 3), "Arccosh": ("arccosh", 1, 5),
    "Arctanh": ("arctanh", -0.9, 0.9), "Ceil": ("ceil", -3, 3), "Floor": ("floor", -3, 3), "Round": ("round", -3, 3),
    "Trunc": ("trunc", -3, 3), "Isfinite": ("isfinite", -3, 3), "Isinf": ("isinf", -3, 3), "Isnan": ("isnan", -3, 3),
    "Isneginf": ("isneginf", -3, 3), "Isposinf": ("isposinf", -3, 3), "Isreal": ("isreal", -3, 3),
    "Deg2rad": ("deg2rad", -90, 90), "Rad2deg": ("rad2deg", -3, 3), "Sinc": ("sinc", -3, 3), "I0": ("i0", -3, 3),
    "Angle": ("angle", -3, 3), "Conjugate": ("conjugate", -3, 3), "Conj": ("conj", -3, 3), "Real": ("real", -3, 3),
    "Imag": ("imag", -3, 3), "NanToNum": ("nan_to_num", -3, 3), "Reciprocal": ("reciprocal", 1, 3),
    "Rsqrt": ("rsqrt", 1, 3), "Erf": ("erf", -3, 3), "Erfc": ("erfc", -3, 3), "Erfinv": ("erfinv", -0.9, 0.9),
    "LogicalNot": ("logical_not", -1, 1), "BitwiseInvert": ("bitwise_invert", -3, 3), "BitwiseNot": ("bitwise_not", -3, 3),
    "Relu": ("relu", -3, 3), "Relu6": ("relu6", -9, 9), "Sigmoid": ("sigmoid", -3, 3),
    "SparseSigmoid": ("sparse_sigmoid", -3, 3), "Softplus": ("softplus", -30, 30), "Softsign": ("softsign", -3, 3),
    "SoftShrink": ("soft_shrink", -3, 3), "SparsePlus": ("sparse_plus", -3, 3), "Silu": ("silu", -3, 3),
    "Squareplus": ("squareplus", -3, 3), "LogSigmoid": ("log_sigmoid", -3, 3), "LeakyRelu": ("leaky_relu", -3, 3),
    "HardSigmoid": ("hard_sigmoid", -4, 4), "HardSilu": ("hard_silu", -4, 4), "Elu": ("elu", -3, 3),
    "Selu": ("selu", -3, 3), "Gelu": ("gelu", -3, 3), "Celu": ("celu", -3, 3), "TanhShrink": ("tanh_shrink", -3, 3),
    "HardTanh": ("hard_tanh", -3, 3), "HardShrink": ("hard_shrink", -3, 3), "Copy": ("copy", -3, 3),
    "StopGradient": ("stop_gradient", -3, 3),
}  # fmt: skip
_COMPLEX = ("Angle", "Conjugate", "Conj", "Real", "Imag", "Isreal", "Exp", "Sin", "Square", "Negative", "StopGradient")
_WITHOUT_EDGES = ("I0", "Erfinv", "Isreal")
_FLOATS_ONLY = frozenset(
    """
Reciprocal Rsqrt Erf Erfc Erfinv Sigmoid SparseSigmoid Softplus Softsign SoftShrink SparsePlus Silu Squareplus LogSigmoid
LeakyRelu HardSigmoid HardSilu Elu Selu Gelu Celu TanhShrink HardTanh HardShrink Real Conjugate Conj Imag
""".split()
)
_BITS = ("BitwiseInvert", "BitwiseNot")


def _op(name: str, cls: str) -> Callable[..., Any]:
    """The function of an operation; the class itself where no function makes one of it."""
    from keras import ops
    from keras.src.ops import numpy as classes

    return (lambda x: getattr(classes, cls)()(x)) if cls in ("Abs", "Conj") else getattr(ops, name)


def unary() -> Iterator[Case]:
    """Every function of one operand in every dtype that Keras takes, with the special numbers of floats."""
    for op, (name, low, high) in _UNARY.items():
        call = _op(name, op)
        kinds = INTS if op in _BITS else FLOATS if op in _FLOATS_ONLY else (*FLOATS, *INTS, "bool")
        for kind in kinds:
            if not _exists(op, kind):
                continue
            yield Case(op, kind, call, (array(3, 4, dtype=kind, low=low, high=high),), sizes=(1, 0))
        if op not in _BITS and op not in _WITHOUT_EDGES:
            yield Case(op, "special numbers", call, (edges(),), sizes=(1,))
        if op in _COMPLEX:
            yield Case(op, "complex", call, (array(3, 4, dtype="complex64"),))


def _exists(op: str, kind: str) -> bool:
    """Whether TensorFlow has a kernel."""
    lacking: dict[str, tuple[str, ...]] = {
        "Negative": ("bool", "uint8", "uint16", "uint32"), "Sign": ("bool",), "Square": ("uint8", "uint16", "uint32", "int8", "int16"),
        "Relu": ("bool",), "Relu6": ("bool",), "I0": ("bfloat16",), "Round": ("bool", "uint8", "uint16", "uint32"), "Imag": FLOATS[2:],
        "Real": FLOATS[2:],
    }  # fmt: skip
    return kind not in lacking.get(op, ())


def settings() -> Iterator[Case]:
    """Functions with settings of their own."""
    from keras import ops

    x, far = array(3, 4), array(3, 4, low=-40, high=40)
    one: list[tuple[str, str, Callable[..., Any], np.ndarray]] = [
        ("Round", "two decimals", lambda x: ops.round(x, 2), far), ("Round", "tens", lambda x: ops.round(x, -1), far),
        ("Round", "tens of integers", lambda x: ops.round(x, -1), array(3, 4, dtype="int32", low=-99, high=99)),
        ("Round", "halves", ops.round, np.array([[0.5, 1.5, 2.5], [-0.5, -1.5, -2.5]], "float32")),
        ("Gelu", "exact", lambda x: ops.gelu(x, approximate=False), x),
        ("LeakyRelu", "slope", lambda x: ops.leaky_relu(x, 0.01), x), ("Elu", "alpha", lambda x: ops.elu(x, 0.3), x),
        ("Celu", "alpha", lambda x: ops.celu(x, 0.3), x), ("SoftShrink", "width", lambda x: ops.soft_shrink(x, 1.5), x),
        ("HardShrink", "width", lambda x: ops.hard_shrink(x, 1.5), x),
        ("Squareplus", "b", lambda x: ops.squareplus(x, 1), x),
        ("Threshold", "plain", lambda x: ops.threshold(x, 0.5, -7.0), x),
        ("Threshold", "special numbers", lambda x: ops.threshold(x, 0.5, -7.0), edges()),
        ("Glu", "last", ops.glu, x), ("Glu", "middle", lambda x: ops.glu(x, axis=1), array(3, 4, 2)),
        ("Softmax", "last", ops.softmax, far), ("Softmax", "first", lambda x: ops.softmax(x, axis=1), array(3, 4, 2)),
        ("Softmax", "half", ops.softmax, array(3, 4, dtype="float16")),
        ("LogSoftmax", "last", ops.log_softmax, far),
        ("LogSoftmax", "middle", lambda x: ops.log_softmax(x, axis=1), array(3, 4, 2)),
        ("Softmax", "all", lambda x: ops.softmax(x, axis=None), x),
        ("LogSoftmax", "all", lambda x: ops.log_softmax(x, axis=None), x),
        ("Sparsemax", "last", ops.sparsemax, x),
        ("Sparsemax", "middle", lambda x: ops.sparsemax(x, axis=1), array(3, 4, 2)),
        ("NanToNum", "numbers", lambda x: ops.nan_to_num(x, nan=1.5, posinf=9.0, neginf=-9.0), edges()),
        ("NanToNum", "half", ops.nan_to_num, edges("float16")),
        ("ViewAsReal", "plain", ops.view_as_real, array(3, 4, dtype="complex64")),
        ("View", "bits", lambda x: ops.view(x, "int32"), x), ("View", "same", lambda x: ops.view(x, "float32"), x),
        ("Cast", "to int", lambda x: ops.cast(x, "int32"), far), ("Cast", "to bool", lambda x: ops.cast(x, "bool"), x),
        ("Cast", "to half", lambda x: ops.cast(x, "float16"), far),
        ("Cast", "to uint8", lambda x: ops.cast(x, "uint8"), array(3, 4, dtype="int32", low=-9, high=300)),
        ("Cast", "complex to real", lambda x: ops.cast(x, "float32"), array(3, 4, dtype="complex64")),
        ("SaturateCast", "to uint8", lambda x: ops.saturate_cast(x, "uint8"), array(3, 4, low=-300, high=600)),
        ("SaturateCast", "to int32", lambda x: ops.saturate_cast(x, "int32"), np.array([[1e20, -1e20, 5.5, np.inf]], "float32")),
        ("SaturateCast", "to half", lambda x: ops.saturate_cast(x, "float16"), np.array([[1e20, -1e20, 5.5, np.inf]], "float32")),
        ("ConvertToTensor", "dtype", lambda x: ops.convert_to_tensor(x, "float16"), x),
        ("Array", "dtype", lambda x: ops.array(x, "int32"), far), ("Array", "plain", ops.array, x),
        ("Clip", "both", lambda x: ops.clip(x, -1.0, 1.5), x),
        ("Clip", "special numbers", lambda x: ops.clip(x, -1.0, 1.5), edges()),
        ("Clip", "crossing", lambda x: ops.clip(x, 1.0, -1.0), x),
        ("Clip", "integers", lambda x: ops.clip(x, -1, 1), array(3, 4, dtype="int8")),
        ("Clip", "booleans", lambda x: ops.clip(x, 0, 1), array(3, 4, dtype="bool")),
    ]  # fmt: skip
    for op, name, call, given in one:
        yield Case(op, name, call, (given,), sizes=(1,) if op not in ("Softmax", "LogSoftmax", "Sparsemax") else (1, 2))
    yield Case("ViewAsComplex", "plain", ops.view_as_complex, (array(3, 2),), keras_fails=("tensorflow",))
    yield Case("Polar", "plain", ops.polar, (array(3, 4, low=0), array(3, 4, seed=9)))


_BINARY: dict[str, str] = {
    "Add": "add", "Subtract": "subtract", "Multiply": "multiply", "Divide": "divide", "TrueDivide": "true_divide",
    "DivideNoNan": "divide_no_nan", "FloorDivide": "floor_divide", "Mod": "mod", "Fmod": "fmod", "Power": "power",
    "Maximum": "maximum", "Minimum": "minimum", "Fmax": "fmax", "Fmin": "fmin", "Arctan2": "arctan2", "Hypot": "hypot",
    "Heaviside": "heaviside", "Logaddexp": "logaddexp", "Logaddexp2": "logaddexp2", "Nextafter": "nextafter",
    "Equal": "equal", "NotEqual": "not_equal", "Greater": "greater", "GreaterEqual": "greater_equal", "Less": "less",
    "LessEqual": "less_equal", "LogicalAnd": "logical_and", "LogicalOr": "logical_or", "LogicalXor": "logical_xor",
    "Isclose": "isclose", "Gcd": "gcd", "Lcm": "lcm", "BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or",
    "BitwiseXor": "bitwise_xor", "BitwiseLeftShift": "bitwise_left_shift", "LeftShift": "left_shift",
    "BitwiseRightShift": "bitwise_right_shift", "RightShift": "right_shift",
}  # fmt: skip
_WHOLE = (
    "Gcd",
    "Lcm",
    "BitwiseAnd",
    "BitwiseOr",
    "BitwiseXor",
    "BitwiseLeftShift",
    "LeftShift",
    "BitwiseRightShift",
    "RightShift",
)
_NUMBERS = frozenset(
    "Add Subtract Multiply Divide FloorDivide Mod Power Maximum Minimum Equal Greater Less Isclose".split()
)
_PAIRS = (
    ("float32", "float32"), ("float16", "float16"), ("bfloat16", "float32"), ("float64", "float32"), ("int32", "float32"),
    ("int64", "float16"), ("int32", "int32"), ("int64", "int32"), ("int8", "uint8"), ("uint8", "uint8"), ("bool", "float32"),
    ("bool", "int32"), ("int64", "int64"),
)  # fmt: skip


def binary() -> Iterator[Case]:
    """Every function of two operands over pairs of dtypes, broadcasting, numbers, and special numbers."""
    for op, name in _BINARY.items():
        call = _op(name, op)
        for a, b in _PAIRS:
            if op in _WHOLE and ("float" in a + b or "bool" in a + b):
                continue
            low = 0 if op in ("Power", "BitwiseLeftShift", "LeftShift", "BitwiseRightShift", "RightShift") else -3
            left = array(3, 4, dtype=a, low=low, high=3)
            right = array(3, 4, dtype=b, low=max(low, 1) if _divides(op) or low == 0 else low, high=3, seed=11)
            yield Case(op, f"{a} and {b}", call, (left, right), sizes=(1,))
        yield Case(op, "broadcasting", call, _broadcast(op), sizes=(1, 0))
        if op not in _WHOLE and op not in ("Nextafter", "LogicalAnd", "LogicalOr", "LogicalXor"):
            x = edges()
            yield Case(op, "special numbers", call, (np.repeat(x, 3, 1), np.tile(x[:, ::-1], 3)), sizes=(1,))
        if op in _NUMBERS:
            for kind, number in (
                ("float16", 1.3),
                ("int32", 2),
                ("float32", 2),
                ("int8", 2.5),
                ("float64", 0.1),
                ("bfloat16", 0.1),
            ):
                if kind == "int8" and op in ("FloorDivide", "Mod"):
                    continue
                yield Case(
                    op,
                    f"{kind} and {number}",
                    lambda x, call=call, n=number: call(x, n),
                    (array(3, 4, dtype=kind, low=1),),
                    sizes=(1,),
                )


def _divides(op: str) -> bool:
    return op in ("FloorDivide", "Mod", "Fmod", "Divide", "TrueDivide")


def _broadcast(op: str) -> tuple[np.ndarray, np.ndarray]:
    kind = "int32" if op in _WHOLE else "float32"
    return array(3, 1, 4, dtype=kind, low=1), array(3, 2, 1, dtype=kind, low=1, seed=5)


def more() -> Iterator[Case]:
    """Signs of quotients, closeness, and what takes other arguments."""
    from keras import ops

    signs = np.array([[7, -7, 7, -7, 6, -6]], "int32"), np.array([[3, 3, -3, -3, 3, -3]], "int32")
    for op, call in (("FloorDivide", ops.floor_divide), ("Mod", ops.mod), ("Fmod", ops.fmod)):
        for kind in ("int32", "int64", "float32", "float64", "int8"):
            yield Case(op, f"signs of {kind}", call, tuple(a.astype(kind) for a in signs), sizes=(1,))
    near = np.array([[1.0, 1.00001, np.inf, np.nan]], "float32"), np.array([[1.00001, 1.1, np.inf, np.nan]], "float32")
    yield Case("Isclose", "tolerances", lambda x, y: ops.isclose(x, y, rtol=0.2, atol=0.1), near)
    yield Case("Isclose", "NaN", lambda x, y: ops.isclose(x, y, equal_nan=True), near)
    yield Case("AllClose", "infinities", ops.allclose, (near[0][:, :3], near[1][:, :3]))
    yield Case("AllClose", "NaN", lambda x, y: ops.allclose(x, y, rtol=1.0, equal_nan=True), near)
    yield Case("AllClose", "integers", ops.allclose, (signs[0], signs[0]))
    yield Case("Ldexp", "plain", ops.ldexp, (array(3, 4), array(3, 4, dtype="int32", seed=3)))
    yield Case("Ldexp", "special numbers", ops.ldexp, (edges(), array(4, 3, dtype="int32", seed=3)), sizes=(1,))
    yield Case("IsIn", "plain", lambda x: ops.isin(x, [1, 2, 5]), (array(3, 4, dtype="int32"),), sizes=(1, 0))
    yield Case(
        "IsIn",
        "inverted",
        lambda x, y: ops.isin(x, y, invert=True),
        (array(3, 4, dtype="int32"), array(3, 2, dtype="int32")),
        sizes=(1, 0),
    )
    yield Case("IsIn", "unique", lambda x: ops.isin(x, [1.0, math.nan], assume_unique=True), (edges(),))
