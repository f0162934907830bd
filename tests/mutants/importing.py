"""Tests of the importers' rules that need no new export, and no whole run of ONNX's node tests, for each mutant."""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest import mock

Named = tuple[str, Callable[[], None]]


class _Captured(Exception):
    """Carries what `assemble` was called with."""


@functools.cache
def preloaded(family: str, run: str) -> tuple[tuple, dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """A family of the importer's cases, exported: what `assemble` reads, then inputs and eager results by size."""
    from converter.importers.base import ImportOptions
    from converter.importers.torch import load, sources
    from tests.importers.torch import cases, test_ops
    from tests.importers.torch.support import expected, flat_inputs

    module, pool, dynamic = test_ops.bundle(family, run)
    dtype, sizes, _ = test_ops.RUNS[run]

    def capture(*args: Any, **kwargs: Any) -> None:
        raise _Captured(args, kwargs)

    with mock.patch.object(sources.build, "assemble", capture):
        try:
            load(module, (pool,), options=ImportOptions(dynamic=dynamic))
        except _Captured as found:
            args, kwargs = found.args
    values = [(cases.pool(dtype, n, h, seed=n),) for n, h in sizes]
    inputs = [flat_inputs(module, v, {}) for v in values]
    return args, kwargs, inputs, [expected(module, v, {}) for v in values]


def check_program(family: str, run: str) -> None:
    """Read the exported family and hold every result against eager PyTorch."""
    from converter.importers.torch.assemble import assemble
    from ir.eval import Evaluator
    from ir.verify import check
    from tests.importers.torch import test_ops
    from tests.importers.torch.support import close

    args, kwargs, inputs, results = preloaded(family, run)
    model = assemble(*args, **kwargs)
    check(model)
    for given, wanted in zip(inputs, results, strict=True):
        found = Evaluator().run(model, given)
        for name, want in wanted.items():
            close(found[name], want, test_ops.tolerance(run, want, name.partition(".")[0]), name)


def torch_programs() -> Iterator[Named]:
    """Every family in every run."""
    from tests.importers.torch import test_ops

    for run in test_ops.RUNS:
        for family in test_ops.FAMILIES:
            with contextlib.redirect_stderr(io.StringIO()):
                preloaded(family, run)
            yield f"programs::{family}-{run}", partial(check_program, family, run)


def onnx_cases() -> Iterator[Named]:
    """Every node case that is imported, or known to be refused."""
    from tests.importers.onnx import node_cases

    for case in node_cases.compared():
        yield f"node::{case.name}", partial(node_cases.check_case, case)


def make_node_cases() -> None:
    """Let onnx compute its node cases, which takes it most of a minute; it keeps them."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load_model_tests(kind="node")
