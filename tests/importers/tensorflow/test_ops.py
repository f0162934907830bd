"""Every raw op with a rule, over its attributes, dtypes and sizes, against TensorFlow itself."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

from converter.importers.tensorflow.refused import OPS, why
from converter.importers.tensorflow.rules import register
from converter.importers.tensorflow.table import rule
from tests.importers.tensorflow.harness import Case, failures

FILES = sorted(p.stem for p in Path(__file__).parent.glob("cases_*.py"))
TABLES: dict[str, Callable[[], Iterator[Case]]] = {
    f"{file.removeprefix('cases_')}.{name}": table
    for file in FILES
    for name, table in importlib.import_module(f"tests.importers.tensorflow.{file}").TABLES.items()
}
"""The tables of cases, each file's by name."""


@pytest.mark.parametrize("table", TABLES)
def test_operations(table: str) -> None:
    bad = failures(TABLES[table]())
    assert not bad, f"{len(bad)} cases:\n" + "\n".join(bad)


ELSEWHERE = (
    r"Identity(N)?|Const|NoOp|Snapshot|PreventGradient|EnsureShape|Placeholder\w*",  # every function has some
    r"(Stateful)?PartitionedCall|(Stateless)?(If|While|Case)|(Ref)?(Switch|Merge|Enter|Exit|NextIteration|Identity)|LoopCond|"
    r"ControlTrigger|\w*HashTable\w*|LookupTable\w+|InitializeTable\w*|\w*Variable\w*|Assign(Add|Sub)?|"
    r"VarIs\w+|VarHandleOp|Assert|Print(V2)?|CheckNumerics(V2)?",  # control flow, variables, effects
    r"Resource\w+",  # test_variable_places.py
    r"(Empty)?TensorList\w*|TensorArray\w+",  # test_lists.py
    r"QuantizeAndDequantize",  # test_quantised.py
    r"AsString|String(Length|Lower|Strip|ToHashBucket(Fast|Strong)|ToNumber|Upper)|StaticRegex(FullMatch|Replace)",  # test_text.py
    r"Stateless\w+|\w*Random\w+|TruncatedNormal|Multinomial",  # test_random.py
    r"Batch(I)?FFT\w*|(I|R|IR)?FFTND|FusedPadConv2D|FusedResizeAndPadConv2D|_Fused\w+|CudnnRNN(V\d)?|Segment\w+V2",
    # test_definitions.py
)
"""Raw ops that other tests try: they hold functions or variables, draw numbers, or have no kernel on the CPU."""


def test_no_raw_op_is_forgotten() -> None:
    """Each has a rule and a case, or a reason why not."""
    import tensorflow as tf

    register()
    every = {n for n in dir(tf.raw_ops) if not n.startswith("_")}
    ruled = {str(r.key) for r in rule}
    tried = {case.op for table in TABLES.values() for case in table()}
    assert sorted(op for op in every - ruled if why(op) is None) == []
    assert sorted(ruled & set(OPS)) == []
    assert sorted(set(OPS) - every) == []
    assert sorted(op for op in ruled - tried if not any(re.fullmatch(p, op) for p in ELSEWHERE)) == []


@pytest.mark.parametrize(
    "op", ["WriteFile", "PyFunc", "ParseExampleV2", "ApproxTopK", "SparseAdd", "CollectiveReduceV2"]
)
def test_refusals_say_why(op: str) -> None:
    found = rule.missing(op, "here")
    assert found.reason != rule.missing("NoSuchOp").reason and found.advice
