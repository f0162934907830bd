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
def preloaded(family: str, run: str) -> tuple[tuple, dict[str, Any]]:
    """A family of the importer's cases, exported: what `assemble` reads."""
    from converter.importers.base import ImportOptions
    from converter.importers.torch import load, sources
    from tests.importers.torch import programs

    module, pool, dynamic = programs.bundle(family, run)

    def capture(*args: Any, **kwargs: Any) -> None:
        raise _Captured(args, kwargs)

    with mock.patch.object(sources.build, "assemble", capture):
        try:
            load(module, (pool,), options=ImportOptions(dynamic=dynamic))
        except _Captured as found:
            args, kwargs = found.args
    return args, kwargs


def check_program(family: str, run: str) -> None:
    """Read the exported family and hold its IR, which the tests hold against eager PyTorch, or what is refused of it
    against what is recorded."""
    from converter.errors import ConversionError
    from converter.importers.torch.assemble import assemble
    from tests.importers.torch import programs
    from tests.written.areas import AREAS
    from tests.written.record import digest, recorded

    args, kwargs = preloaded(family, run)
    try:
        text = programs.text_of(assemble(*args, **kwargs))
    except ConversionError as error:
        text = programs.text_of(error)
    assert digest(text) == recorded(AREAS["importers_torch"])[f"{family}-{run}"]


def torch_programs(wanted: Callable[[str], bool], ahead: bool) -> Iterator[Named]:
    """Every family in every run, and the cases that are refused; exported ahead, or when a test first needs it."""
    from tests.importers.torch import programs

    for family, run in programs.READ:
        name = f"programs::{family}-{run}"
        if not wanted(name):
            continue
        if ahead:
            with contextlib.redirect_stderr(io.StringIO()):
                preloaded(family, run)
        yield name, partial(check_program, family, run)


def onnx_cases(wanted: Callable[[str], bool], ahead: bool) -> Iterator[Named]:
    """Every node case that is imported, or known to be refused; `make_node_cases` has made them ahead."""
    from tests.importers.onnx import node_cases

    for case in node_cases.compared():
        if wanted(f"node::{case.name}"):
            yield f"node::{case.name}", partial(node_cases.check_case, case)


def make_node_cases() -> None:
    """Let onnx compute its node cases, which takes it most of a minute; it keeps them."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load_model_tests(kind="node")
