"""Cases of elementwise functions, arithmetic, comparisons, logic, activations and casts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.importers.tensorflow.harness import COMPLEX, FLOATS, INTS, Case, array, edges, fixed, kinds

_UNARY: dict[str, tuple[str, float, float]] = {
    "Abs": ("x", -3, 3), "Neg": ("x", -3, 3), "Exp": ("x", -3, 3), "Expm1": ("x", -3, 3), "Log": ("x", 0.2, 5),
    "Log1p": ("x", 0, 5), "Sqrt": ("x", 0, 5), "Rsqrt": ("x", 0.3, 5), "Reciprocal": ("x", 1, 3), "Inv": ("x", 1, 3),
    "Square": ("x", -3, 3), "Floor": ("x", -3, 3), "Ceil": ("x", -3, 3), "Rint": ("x", -3, 3), "Round": ("x", -3, 3),
    "Sign": ("x", -3, 3), "Sin": ("x", -3, 3), "Cos": ("x", -3, 3), "Tan": ("x", -1, 1), "Asin": ("x", -0.9, 0.9),
    "Acos": ("x", -0.9, 0.9), "Atan": ("x", -3, 3), "Sinh": ("x", -3, 3), "Cosh": ("x", -3, 3), "Tanh": ("x", -3, 3),
    "Asinh": ("x", -3, 3), "Acosh": ("x", 1.1, 5), "Atanh": ("x", -0.9, 0.9), "Erf": ("x", -3, 3), "Erfc": ("x", -3, 3),
    "Erfinv": ("x", -0.9, 0.9), "Lgamma": ("x", 0.5, 5), "Digamma": ("x", 0.5, 5), "IsNan": ("x", -3, 3),
    "IsFinite": ("x", -3, 3), "IsInf": ("x", -3, 3), "Conj": ("input", -3, 3), "Invert": ("x", -9, 9),
    "PopulationCount": ("x", -9, 9), "StopGradient": ("input", -3, 3), "Relu": ("features", -3, 3),
    "Relu6": ("features", -9, 9), "Elu": ("features", -3, 3), "Selu": ("features", -3, 3),
    "Softplus": ("features", -30, 30), "Softsign": ("features", -3, 3), "Sigmoid": ("x", -3, 3), "L2Loss": ("t", -3, 3),
}  # fmt: skip
_NOT_COMPLEX = frozenset("Expm1 Log1p Asin Acos Atan Asinh Acosh Atanh Sigmoid L2Loss".split())
"""Taken on real numbers alone."""
_WITHOUT_SPECIALS = frozenset("Erfinv L2Loss StopGradient".split())


def unary() -> Iterator[Case]:
    """Every function of one operand in every dtype that has a kernel, with the special numbers."""
    for op, (name, low, high) in _UNARY.items():
        for kind in kinds(op):
            if kind in COMPLEX and op in _NOT_COMPLEX:
                yield Case(op, kind, {name: array(3, dtype=kind)}, refused="does not fit the IR")
                continue
            if op == "Round" and kind in INTS:
                yield Case(op, kind, {name: array(3, dtype=kind)}, refused="rounding of integers")
                continue
            yield Case(op, kind, {name: array(3, 4, dtype=kind, low=low, high=high)}, sizes=(1, 0))
            if op not in _WITHOUT_SPECIALS and kind in ("float32", "bfloat16", "int32", "uint8", "int64"):
                yield Case(op, f"special {kind}", {name: edges(kind)})
    for kind in COMPLEX:
        for op in ("Real", "Imag", "Angle", "ComplexAbs"):
            attrs = {"Tout": "float32" if kind == "complex64" else "float64"}
            yield Case(op, kind, {"x" if op == "ComplexAbs" else "input": array(3, 4, dtype=kind)}, attrs)
        part = "float32" if kind == "complex64" else "float64"
        parts = {"real": array(3, 4, dtype=part), "imag": array(3, 1, dtype=part, seed=9)}
        yield Case("Complex", kind, parts, {"Tout": kind})
    yield Case("Sign", "complex zero", {"x": np.array([0, 3 + 4j], np.complex64)})
    for x in (np.float32(0), np.float32(np.nan), np.zeros((0, 2), np.float32), np.zeros(1, np.float32)):
        yield Case("ToBool", str(x.shape), {"input": np.asarray(x)})


_BINARY: dict[str, tuple[float, float]] = {
    "Add": (-3, 3), "AddV2": (-3, 3), "Sub": (-3, 3), "Mul": (-3, 3), "Div": (1, 5), "RealDiv": (1, 5), "Pow": (0, 4),
    "Maximum": (-3, 3), "Minimum": (-3, 3), "Mod": (1, 5), "TruncateMod": (1, 5), "FloorMod": (1, 5), "FloorDiv": (1, 5),
    "TruncateDiv": (1, 5), "MulNoNan": (-3, 3), "DivNoNan": (-3, 3), "Xdivy": (-3, 3), "Xlogy": (0.1, 3),
    "Xlog1py": (0.1, 3), "SquaredDifference": (-3, 3), "BitwiseAnd": (-9, 9), "BitwiseOr": (-9, 9),
    "BitwiseXor": (-9, 9), "LeftShift": (0, 9), "RightShift": (0, 9), "NextAfter": (-3, 3), "Equal": (-2, 2),
    "NotEqual": (-2, 2), "Less": (-2, 2), "LessEqual": (-2, 2), "Greater": (-2, 2), "GreaterEqual": (-2, 2),
    "ApproximateEqual": (-3, 3),
}  # fmt: skip
_DIVISIONS = ("Mod", "TruncateMod", "FloorMod", "FloorDiv", "TruncateDiv", "Div")


def _names(op: str) -> tuple[str, str]:
    return ("x1", "x2") if op == "NextAfter" else ("x", "y")


def binary() -> Iterator[Case]:
    """Every function of two operands: equal shapes, both broadcasting, a number, special numbers against each other."""
    for op, (low, high) in _BINARY.items():
        first, second = _names(op)
        for kind in kinds(op):
            x = array(3, 4, dtype=kind, low=low, high=high)
            y = array(3, 4, dtype=kind, low=low, high=high, seed=11)
            if op == "ApproximateEqual" and kind not in FLOATS:
                yield Case(op, kind, {first: x, second: y}, refused="approximate equality")
                continue
            if op == "Xlog1py" and kind in COMPLEX:
                yield Case(op, kind, {first: x, second: y}, refused="does not fit the IR")
                continue
            yield Case(op, kind, {first: x, second: y}, sizes=(1, 0))
            if op != "ApproximateEqual" and kind in ("float32", "bfloat16", "int32", "uint8", "complex64"):
                wide = array(2, 1, 4, dtype=kind, low=low, high=high, seed=5)
                yield Case(op, f"{kind} broadcast", {first: wide, second: x}, open=())
                yield Case(op, f"{kind} number", {first: x, second: y[0, 0]})
            if op in _DIVISIONS and kind not in COMPLEX:
                yield from _divisions(op, kind)
            if kind in ("float32", "bfloat16", "float64") and op not in (*_DIVISIONS, "ApproximateEqual"):
                every = edges(kind).reshape(-1)
                yield Case(op, f"special {kind}", {first: every[:, None], second: every[None]}, open=())
    yield Case("Pow", "wraps", {"x": np.array([3, -3, 2], np.int8), "y": np.array([50, 51, 7], np.int8)})
    yield Case("Pow", "below", {"x": np.array([2], np.int32), "y": np.array([-1], np.int32)}, raises=True)
    for kind in ("int32", "int8", "uint8"):
        amounts = [0, 1, 7, 8, 31, 40, 200] if kind == "uint8" else [0, 1, 7, 8, 31, 40, -1]
        x = np.array([1, 3, 100, 7, 5, 127, 64], kind)
        for op in ("LeftShift", "RightShift"):
            yield Case(op, f"{kind} amounts", {"x": x, "y": np.array(amounts, kind)})
            yield Case(op, f"{kind} known", {"x": x, "y": fixed(amounts, kind)})
            yield Case(op, f"{kind} small", {"x": x, "y": fixed(3, kind)})
    yield Case("ApproximateEqual", "tolerance", {"x": array(5), "y": array(5) + np.float32(0.01)}, {"tolerance": 0.1})
    yield Case("Atan2", "special", {"y": edges().reshape(-1, 1), "x": edges().reshape(1, -1)}, open=())
    for kind in kinds("Atan2"):
        yield Case("Atan2", kind, {"y": array(3, 4, dtype=kind), "x": array(4, dtype=kind, seed=4)})


def _divisions(op: str, kind: str) -> Iterator[Case]:
    """Every sign against every sign, fractions, infinities, the ends of the range, and zeros."""
    floats = kind in FLOATS
    x = [5.5, -5.5, 7, -7, 0, 1, -1, np.inf, -np.inf, np.nan, 6] if floats else [7, 6, 5, 1, 0, 120]
    y = [2, 3, 0.5, 0.1] if floats else [1, 2, 3, 7]
    if floats:
        y += [-v for v in y] + [0, np.inf, -np.inf, np.nan]
    elif kind.startswith("int"):
        low = np.iinfo(kind).min
        x, y = [*x, *(-v for v in x), low], [*y, *(-v for v in y), low]
    dtype = array(1, dtype=kind).dtype
    operands = {"x": np.array(x).astype(dtype)[:, None], "y": np.array(y).astype(dtype)[None]}
    yield Case(op, f"{kind} signs", operands, open=())
    if kind in ("int32", "uint8"):
        yield Case(op, f"{kind} by zero", {"x": np.array([1, 0], kind), "y": np.array([1, 0], kind)}, raises=True)


def rest() -> Iterator[Case]:
    """Logic, casts, clips, sums of several tensors, activations with settings."""
    a, b = np.array([[True, False, True]]), np.array([[True], [False]])
    for op in ("LogicalAnd", "LogicalOr"):
        yield Case(op, "broadcast", {"x": a, "y": b}, open=())
    yield Case("LogicalNot", "plain", {"x": array(3, 2, dtype="bool")}, sizes=(0,))
    for kind in ("float32", "int32", "bool", "complex64", "bfloat16"):
        x, y = array(3, 4, dtype=kind), array(3, 4, dtype=kind, seed=2)
        yield Case("SelectV2", kind, {"condition": array(3, 1, dtype="bool"), "t": x, "e": y[0, 0]})
        yield Case("Select", kind, {"condition": array(3, 4, dtype="bool"), "x": x, "y": y}, sizes=(0, 1))
        yield Case("Select", f"{kind} rows", {"condition": array(3, dtype="bool"), "x": x, "y": y})
        yield Case("Select", f"{kind} one", {"condition": np.array(True), "x": x, "y": y})
    yield Case("Equal", "no broadcast", {"x": array(3), "y": array(2)}, {"incompatible_shape_error": False}, open=())
    yield Case("NotEqual", "no broadcast", {"x": array(3), "y": array(2)}, {"incompatible_shape_error": False}, open=())
    yield Case("Equal", "broadcast", {"x": array(3, 1), "y": array(4)}, {"incompatible_shape_error": False}, open=())
    for kind in kinds("AddN"):
        yield Case("AddN", kind, {"inputs": [array(3, 2, dtype=kind, seed=s) for s in (1, 2, 3)]}, sizes=(0,))
    parts = {"inputs": [array(3, 2), array(3, 2, seed=2)]}
    yield Case("AccumulateNV2", "plain", parts, {"shape": [3, 2]}, open=())
    yield Case("DeepCopy", "plain", {"x": array(3)})
    yield Case("GuaranteeConst", "plain", {"input": array(3)})
    yield Case("AddN", "one", {"inputs": [array(3)]})
    yield from _clips()
    yield from _casts()
    for kind in kinds("LeakyRelu"):
        for alpha in (0.2, 0.1, 0.0, 1.7, -0.5):
            yield Case("LeakyRelu", f"{kind} {alpha}", {"features": edges(kind)}, {"alpha": alpha})
    for op in ("Softmax", "LogSoftmax"):
        for kind in kinds(op):
            yield Case(op, kind, {"logits": array(3, 4, dtype=kind)}, sizes=(0, 1))
        yield Case(op, "vector", {"logits": array(4)}, open=())
        yield Case(op, "large", {"logits": array(2, 4, low=-300, high=300)})
    for kind in ("float32", "int32"):
        yield Case("Bitcast", kind, {"input": array(3, 2, dtype=kind)}, {"type": "uint32"})
    yield Case("Bitcast", "itself", {"input": array(3)}, {"type": "float32"})
    yield Case("Bitcast", "width", {"input": array(3)}, {"type": "uint8"}, refused="of another width")


def _clips() -> Iterator[Case]:
    def bounds(low: float, high: float, kind: str) -> dict[str, object]:
        dtype = array(1, dtype=kind).dtype
        return {"clip_value_min": np.array(low).astype(dtype), "clip_value_max": np.array(high).astype(dtype)}

    op = "ClipByValue"
    for kind in kinds(op):
        x = array(3, 4, dtype=kind, low=-5, high=5)
        if kind in COMPLEX:
            yield Case(op, kind, {"t": x, **bounds(0, 1, kind)}, refused="bounds of complex numbers")
            continue
        yield Case(op, kind, {"t": x, **bounds(1, 3, kind)}, sizes=(0, 1))
        yield Case(op, f"{kind} crossed", {"t": x, **bounds(3, 1, kind)})
        yield Case(op, f"{kind} known", {"t": x, "clip_value_min": fixed(1, kind), "clip_value_max": fixed(3, kind)})
        both = {"clip_value_min": array(3, 4, dtype=kind, seed=1), "clip_value_max": array(3, 4, dtype=kind, seed=2)}
        yield Case(op, f"{kind} each", {"t": x, **both})
    nan = float("nan")
    for low, high in ((nan, 1), (-1, nan), (nan, nan), (1, -1), (-1, 1)):
        both = {"clip_value_min": fixed(low, "float32"), "clip_value_max": fixed(high, "float32")}
        yield Case(op, f"special, {low} to {high}, known", {"t": edges(), **both})
        yield Case(op, f"special, {low} to {high}", {"t": edges(), **bounds(low, high, "float32")})
    shape = {"clip_value_min": array(4, seed=1), "clip_value_max": array(4, seed=2)}
    yield Case(op, "rank", {"t": array(3, 4), **shape}, refused="do not broadcast here", open=())


def _casts() -> Iterator[Case]:
    every = kinds("Cast", "SrcT")
    for source in every:
        for to in every:
            low = (
                0 if source == "bfloat16" and to.startswith("uint") else -100
            )  # below 0 TensorFlow leaves open, see the note
            yield Case("Cast", f"{source} to {to}", {"x": array(3, 4, dtype=source, low=low, high=100)}, {"DstT": to})
    for to in ("int32", "int64", "bool", "float64", "float16", "bfloat16", "complex64"):
        yield Case("Cast", f"special to {to}", {"x": edges()}, {"DstT": to})
    for source in ("int64", "int8", "uint8", "int32"):
        for to in ("int8", "uint8", "int32", "uint64", "float32", "bool"):
            yield Case("Cast", f"ends of {source} to {to}", {"x": edges(source)}, {"DstT": to})
    yield Case("Cast", "noted", {"x": array(3)}, {"DstT": "uint32"}, notes=("beyond the range of uint32",))
    yield Case("Cast", "cut", {"x": array(3)}, {"DstT": "bfloat16", "Truncate": True}, refused="cuts digits off")
    yield Case("Cast", "cut integers", {"x": array(3)}, {"DstT": "int32", "Truncate": True})
    yield Case("Cast", "imaginary", {"x": np.array([2j, 1 + 1j, 0])}, {"DstT": "bool"})


TABLES = {"unary": unary, "binary": binary, "rest": rest}
