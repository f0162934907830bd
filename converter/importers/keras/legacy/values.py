"""What the values in an old configuration mean today: activations, regularisers, constraints, dtypes, numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.importers.base import Refusal
from converter.importers.keras.legacy.activations import hard_sigmoid_of_keras_2, registered
from converter.importers.keras.legacy.era import Era

_FIRST = ("softmax", "elu", "softplus", "softsign", "relu", "tanh", "sigmoid", "linear")
_SECOND = (*_FIRST, "selu", "exponential")
_TENSORFLOW = (*_SECOND, "swish", "silu", "gelu", "relu6", "mish", "log_softmax", "leaky_relu")
_DTYPES = (
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "bool",
)
_POLICIES = ("mixed_float16", "mixed_bfloat16", *_DTYPES)


def activation(value: Any, era: Era) -> str | Callable[..., Any] | None:
    """An activation by its name; names of functions that this Keras did not have are a user's own and are refused."""
    name = value
    if isinstance(value, dict) and value.get("class_name") == "function":
        name = value.get("config")
    elif isinstance(value, dict):
        raise Refusal(
            f"an activation of the class {value.get('class_name')}", "use a layer for it, or a function of Keras"
        )
    if name is None:
        return None
    if name == "hard_sigmoid":
        return registered(hard_sigmoid_of_keras_2)
    known = _TENSORFLOW if era.modern else _FIRST if era.first else _SECOND
    if name not in known:
        raise Refusal(
            f"the activation {name!r} is none of {era}: a function of the user's own, which the file does not hold"
        )
    return str(name)


def regularizer(value: Any) -> Any:
    """An L1 and L2 penalty, or None."""
    if value is None:
        return None
    from keras import regularizers

    name, inner = value.get("class_name", value.get("name")), value.get("config", value)
    known = ("L1L2", "L1", "L2", "L1L2Regularizer", "WeightRegularizer", "ActivityRegularizer", "l1", "l2", "l1_l2")
    if name not in known:
        raise Refusal(f"the regulariser {name}, which is none of Keras")
    l1, l2 = number(inner.get("l1", 0.0)), number(inner.get("l2", 0.0))
    return regularizers.L1L2(l1, l2) if l1 or l2 else None


_CONSTRAINTS = {
    "MaxNorm": ("MaxNorm", {"max_value": "max_value", "m": "max_value", "axis": "axis"}),
    "NonNeg": ("NonNeg", {}),
    "UnitNorm": ("UnitNorm", {"axis": "axis"}),
    "MinMaxNorm": ("MinMaxNorm", {"min_value": "min_value", "max_value": "max_value", "rate": "rate", "axis": "axis"}),
}


def constraint(value: Any) -> Any:
    """A constraint on weights, or None."""
    if value is None:
        return None
    import keras

    name, inner = value.get("class_name", value.get("name")), value.get("config", value)
    if name not in _CONSTRAINTS:
        raise Refusal(f"the constraint {name}, which is none of Keras")
    today, arguments = _CONSTRAINTS[name]
    given = {arguments[k]: v for k, v in inner.items() if k in arguments}
    return getattr(keras.constraints, today)(**given)


def dtype(value: Any, missing: str = "float32") -> str:
    """A dtype or a policy by name, `missing` where there is none."""
    name = value
    if isinstance(value, dict):
        inner = value.get("config", {})
        name = inner.get("name") if isinstance(inner, dict) else None
        if value.get("class_name") not in ("Policy", "PolicyV1", "DTypePolicy"):
            raise Refusal(f"the dtype policy {value.get('class_name')}")
    if name is None or name == "_infer":
        return missing
    if name not in _POLICIES:
        raise Refusal(f"the dtype {name!r}")
    return str(name)


def number(value: Any) -> float:
    """A number, which Keras 2 may have written as a small array."""
    if isinstance(value, dict) and "value" in value:
        value = value["value"]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refusal(f"the number {value!r}")
    return float(value)


def frozen(value: Any) -> Any:
    """Lists as tuples, at any depth."""
    return tuple(frozen(v) for v in value) if isinstance(value, list) else value


def translated(key: str, value: Any, era: Era) -> Any:
    """The value of an argument by what its name says it is."""
    if key in ("activation", "recurrent_activation"):
        return activation(value, era)
    if key.endswith("_regularizer"):
        return regularizer(value)
    if key.endswith("_constraint"):
        return constraint(value)
    return frozen(value)
