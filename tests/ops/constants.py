"""Models of one op with some operands known when it is written: numbers, as code has them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

import ir.ops
from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.ops.define import OpDef
from ir.ops.sampler import Sample
from ir.types import dtypes, type_of
from tests.ops.harness import cases_of, named

FAMILIES = {"arithmetic", "comparison", "logic", "floats"}
KINDS = ("float32", "int32", "bool")
Case = tuple[str, Model, dict[str, np.ndarray]]


def ops() -> list[OpDef]:
    """Elementwise ops of several operands: each may be a number."""
    return [op for op in ir.ops.all_ops() if op.family in FAMILIES and len(op.operands) > 1]


def constant_cases(op: OpDef) -> Iterator[Case]:
    """One sample of each element type, with every choice of operands as numbers but none: id, model and input arrays."""
    seen = set()
    for label, _, sample in cases_of(op, dtypes.float32):
        present = [n for n, a in named(op, sample).items() if a is not None and a.size]
        kinds = tuple(str(named(op, sample)[n].dtype) for n in present)
        if len(present) < len(named(op, sample)) and op.name != "clip" or kinds in seen or kinds[-1] not in KINDS:
            continue
        seen.add(kinds)
        for count in range(1, len(present) + 1):
            for chosen in itertools.combinations(present, count):
                yield f"{label}-{'-'.join(chosen)}", *_model(op, sample, chosen)


def _model(op: OpDef, sample: Sample, chosen: tuple[str, ...]) -> tuple[Model, dict[str, np.ndarray]]:
    model, arrays, values = Model(op.name), {}, {}
    b = Builder(model.graph)
    for name, array in named(op, sample).items():
        if array is None:
            values[name] = None
        elif name in chosen:
            values[name] = b.constant(value=array.reshape(-1)[min(1, array.size - 1)].reshape(()))
        else:
            values[name] = model.graph.add_input(type_of(array), name)
            arrays[name] = array
    model.graph.set_outputs(b.node(op, **values, **sample.attrs).outputs)
    model.signature = Signature(tuple(Parameter(n, Leaf(n)) for n in arrays), Leaf("output"))
    return model, arrays
