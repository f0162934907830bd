"""Op classes turned into records: what is read from where, what is left out, what is refused."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from ir.ops.define import OperandSpec, define
from ir.types import Dim, TensorType, dtypes, tensor_type


class Plain:
    """Nothing but what an op needs."""

    inputs = ("x", "y?: float", "more*: x", "same*: same")

    @staticmethod
    def infer(**given: Any) -> TensorType:
        return given["x"]

    @staticmethod
    def evaluate(**given: Any) -> Any:
        return given["x"]


class Settings:
    """What a family shares."""

    shared: ClassVar[int] = 3
    size: Dim = 2
    modal: bool = True


class Full(Settings, Plain):
    """Everything an op may have."""

    name = "quite_full"
    outputs = ("left", "right")
    bodies = ("then",)
    random = discontinuous = exact_dtypes = binds_symbol = True
    roles: ClassVar[dict[str, str]] = {"x": "O I"}
    factor: float
    decompose = samples = vjp = Plain.evaluate


class GRUCell_(Plain):
    """A name that Python would not take without its underscore."""


def test_operands() -> None:
    assert define(Plain).operands == (
        OperandSpec("x", "required", "any"),
        OperandSpec("y", "optional", "float"),
        OperandSpec("more", "variadic", "", "x"),
        OperandSpec("same", "variadic", "", "same"),
    )


@pytest.mark.parametrize("declared", [("x: x",), ("x?: x",), ("x: later", "later"), ("xs*: ys",), ("x: floats",), ("x!",)])
def test_operands_that_say_nothing(declared: tuple[str, ...]) -> None:
    made = type("Odd", (Plain,), {"__doc__": "Odd.", "inputs": declared})
    with pytest.raises(TypeError, match="operand declaration"):
        define(made)


def test_domains_and_shared_types_are_checked() -> None:
    x, whole = tensor_type("float32", 2), tensor_type("int64", 2)
    record = define(Plain)
    record.check_operands({"x": x, "y": x, "more": (x, x), "same": (whole, whole)})
    for wrong, words in (
        ({"x": x, "y": whole}, "y must be float, got int64"),
        ({"x": x, "more": (x, whole)}, "more is int64 but x is float32"),
        ({"x": x, "same": (x, whole)}, "same is int64 but same is float32"),
    ):
        with pytest.raises(TypeError, match=words):
            record.check_operands(wrong)


def test_a_plain_op() -> None:
    record = define(Plain)
    assert (record.name, record.doc, record.family) == ("plain", "Nothing but what an op needs.", "test_define")
    assert (record.attributes, record.outputs, record.bodies, record.roles) == ((), ("output",), (), {})
    assert (record.decompose, record.samples, record.vjp) == (None, None, None)
    flags = record.modal, record.random, record.discontinuous, record.exact_dtypes, record.binds_symbol
    assert flags == (False,) * 5


def test_a_full_op() -> None:
    record = define(Full)
    assert (record.name, record.outputs, record.bodies) == ("quite_full", ("left", "right"), ("then",))
    assert record.decompose is record.samples is record.vjp is Plain.evaluate
    assert record.roles == {"x": "O I"}
    assert record.cls is Full
    flags = record.modal, record.random, record.discontinuous, record.exact_dtypes, record.binds_symbol
    assert flags == (True,) * 5


def test_attributes_of_a_family_come_first_and_flags_and_class_variables_are_none() -> None:
    record = define(Full)
    assert [(a.name, a.required) for a in record.attributes] == [("size", False), ("factor", True)]
    assert record.complete({"factor": 2}) == {"size": 2, "factor": 2.0}


def test_names() -> None:
    assert define(GRUCell_).name == "gru_cell"


@pytest.mark.parametrize("missing", ["__doc__", "infer", "evaluate"])
def test_an_incomplete_op(missing: str) -> None:
    parts = {"__doc__": "Complete.", "infer": Plain.infer, "evaluate": Plain.evaluate, "__module__": __name__}
    assert define(type("Op", (), dict(parts))).doc == "Complete."
    del parts[missing]
    with pytest.raises(TypeError, match="op Op needs a docstring, infer and evaluate"):
        define(type("Op", (), dict(parts)))


def test_half_floats_are_floats() -> None:
    record = define(Plain)
    record.check_operands({"x": tensor_type(dtypes.bool_), "y": tensor_type(dtypes.bfloat16)})
