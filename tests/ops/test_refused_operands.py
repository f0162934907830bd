"""What inference refuses of reads, products, norms, pools and recurrent layers; the nearest thing that is right beside each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ir.types import tensor_type
from tests.ops.test_refusals import inferred, of

Row = tuple[str, dict[str, Any], tuple[Any, ...], str]
I4, I34, I30, MASK = (tensor_type("int64", *shape) for shape in ((4,), (3, 4), (3, 0), (2,)))
BOOLS = tensor_type("bool", 4)


def whole(*shape: int) -> Any:
    return tensor_type("int32", *shape)


NOT_WHOLE = {"bounds": "fill", "fill_value": 0.5}
READS: list[Row] = [
    ("gather", {"axis": 1, "batch_dims": 1}, (of(2, 5), I34), "gather: batch sizes: sizes 2 and 3 differ"),
    ("gather_nd", {"batch_dims": 1}, (of(2, 5, 6), I34), "too long for"),
    ("gather_nd", {"batch_dims": 1}, (of(2, 5, 6), tensor_type("int64", 3, 2)), "gather_nd: batch sizes: sizes 2 and 3 differ"),
    ("gather_nd", {"batch_dims": 0}, (of(2, 5), tensor_type("int64")), "batch_dims 0 and one index axis do not fit"),
    ("gather_nd", {"batch_dims": 2}, (of(3, 4, 6), I34), "batch_dims 2 and one index axis do not fit"),
    ("gather_nd", {"batch_dims": -1}, (of(3, 4), I34), "batch_dims -1 and one index axis do not fit"),
    ("gather_nd", {"batch_dims": 1}, (of(), I30), "index vectors of length 0 are too long"),
    ("gather_elements", NOT_WHOLE, (whole(3, 4), I34), "fill_value 0.5 is no int32"),
    ("gather_nd", NOT_WHOLE, (whole(5, 6, 7, 8), I34), "fill_value 0.5 is no int32"),
    ("mask_select", {"symbol": "n"}, (of(3, 2), BOOLS), "mask covers the leading axes of data: sizes 4 and 3 differ"),
    ("compress", {"symbol": "n", "axis": 1}, (of(4, 3), BOOLS), "mask is as long as the axis: sizes 4 and 3 differ"),
    ("index_get", {"spec": (("ellipsis",), ("int", 0), ("ellipsis",))}, (of(3, 2), ()), "at most one ellipsis"),
    ("pad", {"pads": ((0, 3),), "mode": "reflect"}, (of(3),), r"mode reflect has too few elements \(3\)"),
    ("depth_to_space", {"block": 3}, (of(1, 6, 2, 2),), "channels 6 are a multiple of 9"),
    ("depth_to_space", {"block": 3}, (of(1, 3, 2, 2),), "channels 3 are a multiple of 9"),
]  # fmt: skip
PRODUCTS: list[Row] = [
    ("matmul", {}, (of(2, 3), of(4)), "matmul: sizes 3 and 4 differ"),
    ("linear", {}, (of(), of(4, 3)), "an input of rank 1 or more"),
    ("linear", {}, (of(2, 3), of(3)), "a weight of rank 2"),
    ("linear", {}, (of(2, 3), of(2, 4, 3)), "a weight of rank 2"),
    ("einsum", {"equation": "i,i"}, ((of(2), tensor_type("float64", 2)),), "must have one dtype"),
    ("einsum", {"equation": "ii"}, ((of(1, 3),),), "einsum diagonal i: sizes 1 and 3 differ"),
    ("einsum", {"equation": "iii->i"}, ((of(3, 3, 1),),), "einsum diagonal i: sizes 3 and 1 differ"),
    *(
        ("histogram", {"bins": 2, "low": low, "high": high}, (of(3),), "histogram: 2 bins from")
        for low, high in ((-1e308, 1e308), (float("-inf"), 0.0), (0.0, float("inf")), (float("nan"), 1.0))
    ),
]
X3, ONE, TWO, THREE = of(2, 3, 4), of(1), of(2), of(3)
STATISTICS = {"mean": THREE, "var": THREE}


def _vectors(name: str, attrs: Mapping[str, Any], count: int, right: Any, wrong: Any, words: str) -> list[Row]:
    """An op whose vectors behind x are all right but one, for each of them."""
    given = [[wrong if j == k else right for j in range(count)] for k in range(count)]
    return [(name, dict(attrs), (X3, *vectors), words) for vectors in given]


NORMS: list[Row] = [
    *_vectors("batch_norm", {"axis": 1}, 4, THREE, TWO, "batch_norm channels and .*: sizes 2 and 3 differ"),
    *_vectors("batch_norm", {"axis": 1}, 4, THREE, of(3, 1), "batch_norm: .* must be 1-D"),
    *_vectors("layer_norm", {"axes": (1, 2)}, 2, of(3, 4), of(3, 5), "layer_norm .*: sizes 5 and 4 differ"),
    *_vectors("layer_norm", {"axes": (1, 2)}, 2, of(3, 4), of(4), "must have the sizes"),
    *_vectors("rms_norm", {}, 1, of(4), of(3), "rms_norm scale: sizes 3 and 4 differ"),
    *_vectors("group_norm", {"groups": 3}, 2, THREE, of(4), "group_norm channels and .*: sizes 4 and 3 differ"),
    *_vectors("instance_norm", {}, 2, THREE, of(4), "instance_norm channels and .*: sizes 4 and 3 differ"),
    *(("rms_norm", {"eps": eps}, (X3, None), "eps must not be negative") for eps in (-1e-9, float("nan"))),
]
WINDOW = {"window": (2, 2), "strides": (1, 1), "dilations": (1, 1)}
IMAGE = of(1, 2, 5, 5)
POOLS: list[Row] = [
    *(
        (name, {**WINDOW, key: values}, (IMAGE,), f"{name}: {key} .* must {words}")
        for name in ("max_pool", "avg_pool", "max_pool_with_positions")
        for key in WINDOW
        for values, words in (((2,), "have one number"), ((2, 2, 2), "have one number"), ((2, 0), "be positive"))
    ),
    *((f"adaptive_{k}_pool", {"output_size": (n, 2)}, (of(1, 2, 0, 5),), "no elements") for k in ("avg", "max") for n in (1, 2)),
]  # fmt: skip
GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def _recurrent(name: str, hidden: int, layers: int = 1, projection: int = 0) -> tuple[str, dict[str, Any], tuple[Any, ...]]:
    """A recurrent op over 3 features without biases or states."""
    rows, out = GATES[name] * hidden, projection or hidden
    weights = [of(rows, 3), of(rows, out), *([of(projection, hidden)] if projection > 0 else [])]
    weights = [of(*(abs(d) for d in w.shape)) for w in weights]
    attrs = {"hidden_size": hidden, "layers": layers, "bias": False, **({"projection": projection} if projection else {})}
    return name, attrs, (of(5, 2, 3), *((None,) * (3 if name == "lstm" else 2)), tuple(weights[: 3 * layers]))


LAYERS: list[Row] = [
    *((*_recurrent(name, *sizes), "hidden_size and layers must be positive") for name in GATES for sizes in ((0,), (4, 0))),
    *((*_recurrent("lstm", 4, 1, p), "projection smaller than hidden_size") for p in (-1, 4, 5)),
]
ACCEPTED: list[Row] = [
    ("gather", {"axis": 1, "batch_dims": 1}, (of(3, 5), I34), "float32[3, 4]"),
    ("gather_nd", {"batch_dims": 1}, (of(3), I30), "float32[3]"),
    ("gather_nd", {}, (of(5, 6, 7, 8), I34), "float32[3]"),
    ("gather_elements", {"bounds": "fill", "fill_value": 2.0}, (whole(3, 4), I34), "int32[3, 4]"),
    ("index_get", {"spec": (("ellipsis",), ("int", 0))}, (of(3, 2), ()), "float32[3]"),
    ("pad", {"pads": ((0, 2),), "mode": "reflect"}, (of(3),), "float32[5]"),
    ("depth_to_space", {"block": 3}, (of(1, 9, 2, 4),), "float32[1, 1, 6, 12]"),
    *(
        (name, {"block": 2, "layout": "channels_last"}, (of(*lead, 2, 6, 8),), f"float32[{', '.join(map(str, (*lead, *out)))}]")
        for name, out in (("depth_to_space", (4, 12, 2)), ("space_to_depth", (1, 3, 32)))
        for lead in ((), (3,), (5, 3))
    ),
    ("matmul", {}, (of(2, 3), of(3)), "float32[2]"),
    ("matmul", {}, (of(3), of(3, 4)), "float32[4]"),
    ("linear", {}, (of(3), of(4, 3)), "float32[4]"),
    ("einsum", {"equation": "iii->i"}, ((of(3, 3, 3),),), "float32[3]"),
    ("histogram", {"bins": 2, "low": 1e308, "high": 1.5e308}, (of(3),), "float32[2]"),
    ("batch_norm", {"axis": 1, "eps": 0.0}, (X3, None, None, THREE, THREE), "float32[2, 3, 4], float32[3], float32[3]"),
    ("layer_norm", {"axes": (1, 2)}, (X3, of(3, 4), of(3, 4)), "float32[2, 3, 4]"),
    ("rms_norm", {"eps": 0.0}, (X3, of(4)), "float32[2, 3, 4]"),
    ("group_norm", {"groups": 3}, (X3, THREE, THREE), "float32[2, 3, 4]"),
    ("instance_norm", {}, (X3, THREE, THREE), "float32[2, 3, 4]"),
    ("max_pool", WINDOW, (IMAGE,), "float32[1, 2, 4, 4]"),
    *((f"adaptive_{k}_pool", {"output_size": (0, 2)}, (of(1, 2, 0, 5),), "float32[1, 2, 0, 2]") for k in ("avg", "max")),
    (*_recurrent("lstm", 4, 1, 3), "float32[5, 2, 3], float32[1, 2, 3], float32[1, 2, 4]"),
    (*_recurrent("gru", 1), "float32[5, 2, 1], float32[1, 2, 1]"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "attrs", "operands", "words"), [*READS, *PRODUCTS, *NORMS, *POOLS, *LAYERS])
def test_refused(name: str, attrs: Mapping[str, Any], operands: tuple[Any, ...], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        inferred(name, attrs, *operands)


@pytest.mark.parametrize(("name", "attrs", "operands", "types"), ACCEPTED)
def test_accepted(name: str, attrs: Mapping[str, Any], operands: tuple[Any, ...], types: str) -> None:
    assert inferred(name, attrs, *operands) == types
