"""Text that is no model: one clear complaint with line and column."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ir.data import Array
from ir.text import TextError, format_model, parse

GOOD = """isomorph-ir 1
model m

weights
  @w: float32[2] parameter trainable also @v

signature (x) -> output

graph (x: float32[2]):
  y: float32[2] = add(x, @w)
  z: float32[2] = softmax(y; axis=0)
  return z

state
  @w = y
"""


def test_the_good_text_is_good() -> None:
    assert format_model(parse(GOOD)) == GOOD
    moved = GOOD.replace("[2] parameter", "[2, 2] parameter").replace(
        "also @v", "also @v from @'onnx::w_1' axes (1, 0)"
    )
    moved = moved.replace("y: float32[2]", "y: float32[2, 2]").replace("z: float32[2]", "z: float32[2, 2]")
    weight = parse(moved).weights["w"]
    assert (weight.source_name, weight.source_axes) == ("onnx::w_1", (1, 0))
    assert format_model(parse(moved)) == moved


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "message"),
    [
        ("isomorph-ir", "other", 1, 1, "must start with 'isomorph-ir'"),
        ("ir 1", "ir 99", 1, 1, "format version '99' is not known"),
        ("model m", "modle m", 2, 1, "expected 'model', found 'modle'"),
        ("float32[2] parameter", "float31[2] parameter", 5, 7, "unknown dtype 'float31'"),
        ("[2] parameter", "[2] thing", 5, 18, "a weight is one of parameter, buffer, constant"),
        ("parameter", "parameter\n  @w: float32[2] buffer", 6, 3, "declared twice"),
        ("also @v", "from @v axes (1, 0)", 5, 51, "(1, 0) is no order of 1 axes"),
        ("also @v", "blocks (0) (3) (0)", 5, 45, "blocks of (3,) are on no axis of float32[2]"),
        ("also @v", "blocks (0) (1, 2) (0, 2)", 5, 56, "(0, 2) is no order of 2 axes"),
        ("also @v", "pieces (0) (0, 2)", 5, 45, "pieces (0, 2) are on no axis of float32[2]"),
        ("also @v", "pieces (0) (1, 0) of row (1, 2)", 5, 45, "(1, 2) is not one row"),
        ("also @v", "axes (1.5)", 5, 43, "(1.5) are no whole numbers"),
        ("also @v", "from v", 5, 43, "expected '@'"),
        ("also @v", "axes 0", 5, 43, "expected '('"),
        ("(x) ->", "(x ->", 7, 14, "expected ')'"),
        ("= add", "= ad", 10, 19, "no op 'ad'; close: "),
        ("add(x, @w)", "add(x)", 10, 23, "add needs the operand y"),
        ("add(x, @w)", "add(x, @w, x)", 10, 30, "too many operands"),
        ("add(x, @w)", "add([x], @w)", 10, 23, "operand x of add is one value"),
        ("add(x, @w)", "add(x, z=@w)", 10, 26, "no operand 'z' here; expected one of y"),
        ("add(x, @w)", "add(x, q)", 10, 26, "no value 'q' is defined here"),
        ("add(x, @w)", "add(x, @u)", 10, 27, "no weight 'u'"),
        ("add(x, @w)", "add(x, @w", 11, 3, "expected ')'"),
        ("add(x, @w)", "add(x, @w) z", 10, 30, "expected the end of the line, found 'z'"),
        ("axis=0", "axes=0", 11, 30, "softmax has no attribute 'axes'"),
        ("axis=0", "axis=0, axis=1", 11, 38, "attribute 'axis' is given twice"),
        ("axis=0", "axis=1.5", 11, 19, "softmax.axis must be int, got 1.5"),
        ("axis=0", "axis=", 11, 35, "expected a value, found ')'"),
        ("axis=0", "axis=2 + True", 11, 35, "expected a size, found True"),
        ("axis=0", "axis=2 // 0", 11, 37, "a size divided by zero"),
        ("axis=0", "axis=tensor(int8[2], [1])", 11, 35, "bad constant of type int8[2]"),
        ("axis=0", "axis=tensor(int8[n], [1])", 11, 35, "the sizes of a constant are integers"),
        ("axis=0", 'axis="\\x"', 11, 35, "bad string"),
        ("axis=0", "axis=!", 11, 35, "unexpected character '!'"),
        ("z: float32[2]", "y: float32[2]", 11, 3, "value 'y' is defined twice"),
        ("return z", "retrun z", 12, 10, "expected ':', found 'z'"),
        ("  @w = y", "  @u = y", 15, 3, "no weight 'u'"),
        ("  @w = y", "  @w = y\nmore", 16, 1, "expected the end of the text"),
    ],
)
def test_a_complaint_names_the_place(old: str, new: str, line: int, column: int, message: str) -> None:
    assert GOOD.count(old) >= 1
    with pytest.raises(TextError, match=re.escape(message)) as caught:
        parse(GOOD.replace(old, new, 1))
    assert (caught.value.line, caught.value.column) == (line, column), str(caught.value)
    assert str(caught.value).startswith(f"line {line}, column {column}: ")


def test_truncated_anywhere_it_raises_the_one_error() -> None:
    complete = {len(GOOD.split("\nstate")[0]) + i for i in (0, 1)} | {len(GOOD) - 1}
    for n in range(len(GOOD) - 1):
        if n not in complete and GOOD[:n].strip() != GOOD.split("\nstate")[0].strip():
            try:
                parse(GOOD[:n])
            except TextError:
                continue
            assert GOOD[:n].rstrip().endswith(("state", "return", "return z")), GOOD[:n]


def test_weights_must_fit() -> None:
    with pytest.raises(TextError, match="its bytes are float32\\[3\\]"):
        parse(GOOD, {"w": Array(np.ones(3, "f4"))})
    with pytest.raises(TextError, match="no bytes are given for weight 'w'"):
        parse(GOOD, {})
    with pytest.raises(ValueError, match="holds no bytes of weight 'w'"):
        parse(GOOD).weights["w"].data.numpy()
