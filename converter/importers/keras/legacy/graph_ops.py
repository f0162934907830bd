"""Operations of TensorFlow's graphs in functional models of tf.keras 2.0 to 2.3 (`TensorFlowOpLayer`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from converter.importers.base import Refusal
from converter.importers.keras.legacy import functions, values
from converter.importers.keras.legacy.units import Arguments, Unit, rules

Operation = Callable[[list[Any], dict[str, Any]], Any]

_SAME = {
    "Add": "math.add", "AddV2": "math.add", "Sub": "math.subtract", "Mul": "math.multiply", "RealDiv": "math.truediv", "Pow": "math.pow",
    "Maximum": "math.maximum", "Minimum": "math.minimum", "Greater": "math.greater", "GreaterEqual": "math.greater_equal",
    "Less": "math.less", "LessEqual": "math.less_equal", "Equal": "math.equal", "NotEqual": "math.not_equal",
    "SquaredDifference": "math.squared_difference", "Relu": "nn.relu", "Relu6": "nn.relu6", "Elu": "nn.elu", "Selu": "nn.selu",
    "Softplus": "math.softplus", "Sigmoid": "math.sigmoid", "Tanh": "math.tanh", "Exp": "math.exp", "Log": "math.log",
    "Sqrt": "math.sqrt", "Rsqrt": "math.rsqrt", "Square": "math.square", "Abs": "math.abs", "Neg": "math.negative",
    "Sign": "math.sign", "Floor": "math.floor", "Ceil": "math.ceil", "Sin": "math.sin", "Cos": "math.cos", "Softmax": "nn.softmax",
    "LogSoftmax": "nn.log_softmax", "ExpandDims": "expand_dims", "Reshape": "reshape", "Transpose": "transpose", "Tile": "tile",
    "ClipByValue": "clip_by_value",
}  # fmt: skip
"""Operations whose operands, in their order, are the arguments of one function."""
_ORDER = {"expand_dims": ("axis",), "reshape": ("shape",), "transpose": ("perm",), "tile": ("multiples",),
          "clip_by_value": ("clip_value_min", "clip_value_max")}  # fmt: skip
_REDUCING = {"Mean": "reduce_mean", "Sum": "reduce_sum", "Max": "reduce_max", "Min": "reduce_min", "Prod": "reduce_prod",
             "All": "reduce_all", "Any": "reduce_any"}  # fmt: skip
_DTYPES = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16", "DT_INT32": "int32", "DT_INT64": "int64",
           "DT_BOOL": "bool", "DT_UINT8": "uint8"}  # fmt: skip


@rules("TensorFlowOpLayer")
def operation(a: Arguments) -> Unit:
    """One operation, some of whose operands are constants."""
    node, constants = a.take("node_def"), a.take("constants", {})
    node = json.loads(node) if isinstance(node, str) else node
    kind, attributes = node["op"], {k: _attribute(v) for k, v in node.get("attr", {}).items()}
    made = _OPERATIONS.get(kind)
    if made is None:
        raise Refusal(f"the operation {kind} of TensorFlow: no rule", "use a layer for it in today's Keras")
    count = sum(not i.startswith("^") for i in node.get("input", []))

    def call(x: Any) -> Any:
        given = list(x) if isinstance(x, (list, tuple)) else [x]
        operands = [constants[str(i)] if str(i) in constants else given.pop(0) for i in range(count)]
        return made(operands, attributes)

    return Unit(a.kind, a.name, call)


def _attribute(value: dict[str, Any]) -> Any:
    """An attribute as protobuf writes it in JSON: numbers of 64 bits are text."""
    if "list" in value:
        return [_attribute({k: v}) for k, items in value["list"].items() for v in items]
    ((kind, inner),) = value.items()
    return int(inner) if kind == "i" else inner


def _function(name: str) -> Operation:
    def apply(operands: list[Any], attributes: dict[str, Any]) -> Any:
        first, *others = operands
        if name in _ORDER:
            return functions.call(name)(first, **dict(zip(_ORDER[name], others)))
        return functions.call(name)(first, *others)

    return apply


def _reduction(name: str) -> Operation:
    def apply(operands: list[Any], attributes: dict[str, Any]) -> Any:
        return functions.call(f"math.{name}")(
            operands[0], axis=operands[1], keepdims=attributes.get("keep_dims", False)
        )

    return apply


def _matmul(turned: tuple[str, str]) -> Operation:
    def apply(operands: list[Any], attributes: dict[str, Any]) -> Any:
        turns = [bool(attributes.get(t, False)) for t in turned]
        return functions.call("linalg.matmul")(*operands, transpose_a=turns[0], transpose_b=turns[1])

    return apply


def _strided_slice(operands: list[Any], attributes: dict[str, Any]) -> Any:
    """x[begin:end:strides] with the bits of five masks."""
    x, begin, end, strides = operands
    if not all(isinstance(v, list) for v in (begin, end, strides)):
        raise Refusal("a slice whose bounds are computed")
    index: list[Any] = []
    for i, (b, e, s) in enumerate(zip(begin, end, strides)):
        bit = {
            name: attributes.get(f"{name}_mask", 0) >> i & 1
            for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
        }
        if bit["ellipsis"]:
            index.append(Ellipsis)
        elif bit["new_axis"]:
            index.append(None)
        elif bit["shrink_axis"]:
            index.append(b)
        else:
            index.append(slice(None if bit["begin"] else b, None if bit["end"] else e, s))
    return x[tuple(index)]


def _cast(operands: list[Any], attributes: dict[str, Any]) -> Any:
    kind = attributes["DstT"]
    if kind not in _DTYPES:
        raise Refusal(f"Cast to {kind}")
    return functions.call("cast")(operands[0], dtype=values.dtype(_DTYPES[kind]))


_OPERATIONS: dict[str, Operation] = {
    **{op: _function(name) for op, name in _SAME.items()},
    **{op: _reduction(name) for op, name in _REDUCING.items()},
    "MatMul": _matmul(("transpose_a", "transpose_b")),
    "BatchMatMul": _matmul(("adj_x", "adj_y")),
    "BatchMatMulV2": _matmul(("adj_x", "adj_y")),
    "StridedSlice": _strided_slice,
    "Cast": _cast,
    "ConcatV2": lambda x, a: functions.call("concat")(x[:-1], axis=x[-1]),
    "Pack": lambda x, a: functions.call("stack")(x, axis=a.get("axis", 0)),
    "AddN": lambda x, a: functions.call("math.add_n")(x),
    "Squeeze": lambda x, a: functions.call("squeeze")(x[0], axis=a.get("squeeze_dims") or None),
    "LeakyRelu": lambda x, a: functions.call("nn.leaky_relu")(x[0], alpha=a.get("alpha", 0.2)),
}
