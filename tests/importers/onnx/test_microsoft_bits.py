"""Weights of few bits of ONNX Runtime's own domain: how bytes are taken apart, sizes of the run, what is refused."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load
from tests.importers.onnx.models import agree, floats
from tests.importers.onnx.test_microsoft import one, q, refusal, same
from tests.importers.onnx.test_microsoft_attention import dynamic
from tests.importers.onnx.test_microsoft_experts import EXPERTS, INNER, layers, quantised

TABLE: dict[str, Any] = {"bits": 8, "block_size": 16, "gather_axis": 0, "quantize_axis": 1}


@pytest.mark.parametrize(("bits", "shifts"), [(2, 3), (4, 1), (8, 0)])
def test_bytes_are_taken_apart_by_as_few_steps_as_it_takes(bits: int, shifts: int) -> None:
    """The lowest number needs no shift, the highest no mask; a byte is a number of 8 bits."""
    given = {"x": floats(2, 32), "_w": q(5, 2, 2 * bits), "_s": floats(5, 2)}
    ops = same("MatMulNBits", given, K=32, N=5, bits=bits, block_size=16)
    assert [ops.count(o) for o in ("shift_right", "bitwise_and", "stack")] == [shifts, shifts, int(shifts > 0)]
    assert "slice" not in ops


@pytest.mark.parametrize("quant_type", [0, 1])
def test_each_code_of_a_table_of_sixteen(quant_type: int) -> None:
    given = {
        "x": 100 * np.eye(16, dtype=np.float32),
        "_w": np.arange(1, 256, 34).astype(np.uint8),
        "_s": np.ones(1, np.float32),
    }
    assert sorted([*(given["_w"] >> 4), *(given["_w"] & 15)]) == list(range(16))
    same("MatMulBnb4", given, K=16, N=1, block_size=16, quant_type=quant_type)


@pytest.mark.parametrize("size", [0, 1, 8, 24])
def test_blocks_are_powers_of_two_from_sixteen_on(size: int) -> None:
    count = max(size, 1)
    why = f"block_size={size} is no power of two"
    weight = {"x": floats(2, 48), "_w": q(5, 48 // count, count), "_s": floats(5, 48 // count)}
    assert why in refusal("MatMulNBits", weight, bits=8, K=48, N=5, block_size=size)
    codes = {"x": floats(2, 16), "_w": q(24), "_s": floats(48 // count)}
    assert why in refusal("MatMulBnb4", codes, K=16, N=3, block_size=size, quant_type=0)
    table = {"_t": q(6, 48), "i": np.array([1]), "_s": floats(6, 48 // count)}
    assert why in refusal("GatherBlockQuantized", table, **TABLE | {"block_size": size})
    if size:  # of a mixture 0 stands for whole rows
        given, attributes = quantised(8)
        attributes |= {"block_size": size, "normalize_routing_weights": 1}
        given |= {"_s1": floats(EXPERTS, INNER, 32 // size), "_s2": floats(EXPERTS, 32, INNER // size)}
        assert why in refusal("QMoE", given, **attributes)


# -- tables ---------------------------------------------------------------------------------------------------------
def test_tables_over_sizes_of_the_run() -> None:
    given = {"_t": q(6, 32), "i": np.array([[0, 5, 7], [2, -6, 3]]), "_s": floats(6, 2), "_z": q(6, 2, seed=1)}
    agree(*dynamic(*one("GatherBlockQuantized", given, **TABLE), i=("rows", "columns")))
    cube = {"t": q(4, 6, 32), "i": np.array([1, 3]), "s": floats(4, 6, 2), "z": q(4, 6, 2, seed=1)}
    middle = (4, "middle")
    settings = TABLE | {"quantize_axis": 2}
    proto, inputs = one("GatherBlockQuantized", cube, **settings)  # the runtime compares no names of sizes
    agree(proto, inputs, load(dynamic(*one("GatherBlockQuantized", cube, **settings), t=middle, s=middle, z=middle)[0]))
    for name, what in (("t", "scales"), ("s", "scales"), ("z", "zero points")):
        proto, inputs = one("GatherBlockQuantized", cube, **settings)
        with pytest.raises(ConversionError, match=f"{what} .* do not fit"):
            load(dynamic(proto, inputs, **{name: (4, 6, "last")})[0])


def test_scales_and_zero_points_that_do_not_fit_a_table() -> None:
    given = {"_t": q(6, 64), "i": np.array([1]), "_s": floats(6, 4), "_z": q(6, 4)}

    def why(more: dict[str, Any], **attributes: Any) -> str:
        return refusal("GatherBlockQuantized", given | more, **TABLE | attributes)

    for scales in ((6, 3), (6, 5), (5, 4), (1, 4)):
        assert "scales" in why({"_s": floats(*scales)})
    for points in ((6, 3), (6, 5), (5, 4), (1, 4)):
        assert "zero points" in why({"_z": q(*points)})
    narrow = {"_t": q(6, 32), "_z": q(6, 3)}
    assert "zero points" in why(narrow, bits=4)
    same("GatherBlockQuantized", given | narrow | {"_z": q(6, 2)}, **TABLE | {"bits": 4})
    own = np.arange(6 * 64).reshape(6, 64).astype(ml_dtypes.int4)
    whole = {"_t": own, "_s": floats(6, 4)}
    assert "zero points" in why(whole | {"_z": own[:, :2]}, bits=4)
    same("GatherBlockQuantized", given | whole | {"_z": own[:, :4]}, **TABLE | {"bits": 4})
    assert "of floats" in why({"_t": floats(6, 64).astype(ml_dtypes.float8_e4m3fn), "_z": None})


# -- mixtures -------------------------------------------------------------------------------------------------------
def test_weights_of_mixtures_whose_sizes_only_the_run_knows() -> None:
    for shape in ((EXPERTS, "rows"), (EXPERTS, INNER, "columns")):
        given, attributes = quantised(8)
        given = {("w1" if k == "_w1" else k): v for k, v in given.items()}
        proto, inputs = one("QMoE", given, normalize_routing_weights=1, **attributes)
        with pytest.raises(ConversionError, match="only known at run time"):
            load(dynamic(proto, inputs, w1=shape)[0])


@pytest.mark.parametrize("block", [0, 16])
def test_zero_points_that_do_not_fit_a_mixture(block: int) -> None:
    given, attributes = quantised(4, block, zeros=True)
    attributes |= {"normalize_routing_weights": 1}
    for name, layer in (("_z1", "fc1"), ("_z2", "fc2")):
        for cut in (given[name][..., :-1], given[name].repeat(2, -1), given[name][:1]):
            assert f"of {layer} do not fit" in refusal("QMoE", given | {name: cut}, **attributes)


# -- places ---------------------------------------------------------------------------------------------------------
def read(op: str, given: dict[str, Any], **attributes: Any) -> list[str]:
    """How each read of elements by their places treats those out of range."""
    taken = load(one(op, given, **attributes)[0])
    return sorted(f"{n.op.name} {n.attrs['bounds']}" for n in taken.graph if n.op.name in ("gather", "gather_elements"))


def test_places_that_a_rule_works_out_are_read_without_a_check() -> None:
    rows = ["gather unchecked"] * 5
    assert read("MoE", layers(), k=2) == [*rows, "gather_elements unchecked"]
    given, attributes = quantised(4, told=True)
    assert read("QMoE", given, **attributes) == [*rows, "gather_elements unchecked"]
    codes = {"x": floats(2, 16), "_w": q(24), "_s": floats(3)}
    assert read("MatMulBnb4", codes, K=16, N=3, block_size=16, quant_type=0) == ["gather unchecked"]
