"""Where ONNX changed a definition, models on both sides of the change keep their own meaning.

The list of changes comes from the schemas themselves: a new release of `onnx` with a change that no case shows, or
with a text that nobody has compared, fails here.
"""

from __future__ import annotations

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.onnx import schema_cases, schema_cases_layers  # noqa: F401 - they enter their cases
from tests.importers.onnx.models import agree
from tests.importers.onnx.schema_changes import Change, changes
from tests.importers.onnx.schema_sides import CASES, Side

CHANGES = {c.key: c for c in changes()}
REWORDED = {
    ("Abs", 13), ("Add", 14), ("ArgMax", 11), ("ArgMax", 13), ("ArgMin", 11), ("ArgMin", 13), ("AveragePool", 11),
    ("BatchNormalization", 15), ("BitShift", 28), ("Cast", 13), ("Ceil", 13), ("Compress", 11), ("Concat", 11),
    ("Conv", 11), ("ConvTranspose", 11), ("DepthToSpace", 13), ("DequantizeLinear", 19), ("Div", 14),
    ("Dropout", 10), ("Dropout", 22), ("EyeLike", 22), ("Flatten", 11), ("Floor", 13), ("Gather", 11),
    ("Gather", 13), ("GatherElements", 13), ("GatherND", 13), ("Gemm", 13), ("Hardmax", 11), ("If", 11), ("LRN", 13),
    ("LSTM", 22), ("LogSoftmax", 11), ("Loop", 11), ("Loop", 13), ("Loop", 16), ("LpPool", 11), ("MaxPool", 11),
    ("MaxPool", 12), ("MaxUnpool", 11), ("MeanVarianceNormalization", 13), ("Mod", 13), ("Mul", 14),
    ("NegativeLogLikelihoodLoss", 13), ("NonMaxSuppression", 11), ("OptionalGetElement", 18), ("Pad", 13),
    ("Pow", 13), ("QuantizeLinear", 24), ("QuantizeLinear", 25), ("QuantizeLinear", 28), ("ReduceL1", 11),
    ("ReduceL1", 13), ("ReduceL2", 11), ("ReduceL2", 13), ("ReduceLogSum", 11), ("ReduceLogSum", 13),
    ("ReduceLogSumExp", 11), ("ReduceLogSumExp", 13), ("ReduceMax", 11), ("ReduceMax", 12), ("ReduceMax", 13),
    ("ReduceMean", 11), ("ReduceMean", 13), ("ReduceMin", 11), ("ReduceMin", 12), ("ReduceMin", 13),
    ("ReduceProd", 11), ("ReduceProd", 13), ("ReduceSum", 11), ("ReduceSumSquare", 11), ("ReduceSumSquare", 13),
    ("Scan", 11), ("Slice", 11), ("Slice", 13), ("Softmax", 11), ("SoftmaxCrossEntropyLoss", 13), ("Split", 11),
    ("Squeeze", 11), ("Squeeze", 23), ("Sub", 14), ("Transpose", 21), ("Transpose", 25), ("Unsqueeze", 11),
    ("Unsqueeze", 23),
}  # fmt: skip
"""Changes of text alone: better English, examples, ranges that were understood, types that were added."""


def answers(side: Side) -> list[np.ndarray] | None:
    """What a side's model answers, checked; None where it is refused as expected."""
    if side.refused:
        with pytest.raises(ConversionError, match=side.refused):
            load(side.proto)
        return None
    if side.want is None:
        return list(Evaluator("exact").run(agree(side.proto, side.feed), side.feed).values())
    taken = load(side.proto)
    check(taken)
    found = list(Evaluator("exact").run(taken, side.feed).values())
    for got, want in zip(found, side.want, strict=True):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    return found


def alike(left: list[np.ndarray], right: list[np.ndarray]) -> bool:
    """Whether two sides answer the same."""
    return len(left) == len(right) and all(
        (a.dtype, a.shape) == (b.dtype, b.shape) and np.allclose(a, b, 1e-5, 1e-6, equal_nan=True)
        for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("key", CASES, ids=lambda k: f"{k[0]}-{k[1]}")
def test_both_sides_of_a_change(key: tuple[str, int]) -> None:
    case = CASES[key]()
    versions = {s.proto.opset_import[0].version >= key[1] for s in case.sides}
    assert versions == {True, False}, "a case has models on both sides"
    found = [a for s in case.sides if (a := answers(s)) is not None]
    for i, left in enumerate(found):
        for right in found[:i]:
            assert alike(left, right) == case.moved


def test_every_change_of_a_signature_has_a_case() -> None:
    missing = {c.key: c.signature for c in CHANGES.values() if c.signature and c.key not in CASES}
    assert not missing


def test_every_other_change_is_of_words_or_types() -> None:
    """Attributes, defaults, inputs and outputs are the same; where the text is not, it has been read."""
    unread = sorted(c.key for c in CHANGES.values() if c.reworded and c.key not in CASES and not c.signature)
    assert unread == sorted(REWORDED)


def test_every_case_is_of_a_change() -> None:
    assert set(CASES) <= set(CHANGES)
    assert all(CHANGES[k].signature or CHANGES[k].reworded for k in CASES)


NEW = [(c, s.removeprefix("attribute ")) for c in CHANGES.values() for s in c.signature if s.startswith("attribute ")]


@pytest.mark.parametrize(("change", "name"), NEW, ids=[f"{c.op}-{c.version}-{n}" for c, n in NEW])
def test_an_attribute_counts_only_where_it_exists(change: Change, name: str) -> None:
    """A file that gives an attribute its version does not have is refused."""
    import onnx

    old, new = (onnx.defs.get_schema(change.op, v) for v in (change.before, change.version))
    for schema, other in ((old, new), (new, old)):
        if name in schema.attributes or name not in other.attributes:
            continue
        made = onnx.helper.make_node(change.op, [f"x{i}" for i in range(schema.min_input)], ["y"])
        made.attribute.append(_any_value(name, other.attributes[name].type))
        inputs = [onnx.helper.make_tensor_value_info(f"x{i}", 1, [2, 3, 4, 5]) for i in range(schema.min_input)]
        graph = onnx.helper.make_graph([made], "g", inputs, [onnx.helper.make_tensor_value_info("y", 1, None)])
        opset = onnx.helper.make_opsetid("", schema.since_version)
        with pytest.raises(ConversionError, match=f"attribute {name} does not exist|deprecated|no rule"):
            load(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10))


def _any_value(name: str, kind: object) -> object:
    import onnx

    values = {"FLOAT": 1.0, "INT": 1, "STRING": "up", "FLOATS": [1.0], "INTS": [1], "STRINGS": ["a"]}
    label = str(kind).rsplit(".", 1)[-1]
    if label in values:
        return onnx.helper.make_attribute(name, values[label])
    assert label == "SPARSE_TENSOR", f"no value of kind {label}"
    one = onnx.numpy_helper.from_array(np.ones(1, np.float32), "v")
    where = onnx.numpy_helper.from_array(np.zeros(1, np.int64), "i")
    return onnx.helper.make_attribute(name, onnx.helper.make_sparse_tensor(one, where, [2]))
