"""Imports point downwards, and each importer and exporter knows one framework."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator

import pytest

from tests.policy.source import ROOT, Import, imports_of, module_name, python_files

FRAMEWORKS = {
    "torch": "torch", "torchvision": "torch", "transformers": "torch", "functorch": "torch",
    "onnx": "onnx", "onnxruntime": "onnx", "onnxscript": "onnx", "onnx_ir": "onnx",
    "keras": "keras", "tf_keras": "keras", "h5py": "keras",
    "tensorflow": "tensorflow", "tf2onnx": "tensorflow",
    "pytensor": "pytensor", "theano": "pytensor",
    "jax": "jax", "jaxlib": "jax", "flax": "jax",
}  # fmt: skip
"""Top-level module -> the framework it belongs to."""

FOLDER_FRAMEWORK = {"theano": "pytensor"}
"""Folders under importers/ and exporters/ whose framework is not their own name."""

IR_MAY_IMPORT = {"ir", "numpy", "ml_dtypes", "scipy", "safetensors"}

LAYERS = [
    {"converter.errors"},
    {"converter.frameworks", "converter.output", "converter.plugins", "converter.policies", "converter.steps"},
    {"converter.importers", "converter.exporters"},
    {"converter.runtimes", "converter.sources"},
    {"converter.prepare"},
    {"converter.verification"},
    {"converter.coverage"},
    {"converter.api"},
    {"converter.cli"},
]
"""Lowest first. A module imports from its own layer and those below."""

DEFINITIONS = {"ir.ops.define", "ir.ops.registry", "ir.ops.axes"}
"""What an op is; below `ir.core`, while the op families of the same folder are above it."""

ONE_FRAMEWORK = ("converter.importers", "converter.exporters")
SHARED = {"code", "outline", "partial", "rules"}
"""Folders in there that belong to no framework."""


@functools.cache
def all_imports() -> list[Import]:
    """Every import of every file, read when the first test asks."""
    return [i for path in python_files("ir", "converter") for i in imports_of(path)]


def _rank(module: str) -> int | None:
    """The layer of a converter module; None for `converter` itself, which ties lazily what is below it."""
    for rank, layer in enumerate(LAYERS):
        if any(module == name or module.startswith(name + ".") for name in layer):
            return rank
    return None


def _framework_folder(module: str) -> str | None:
    """`converter.importers.torch` for a module in there; None for the shared files of importers/ and exporters/."""
    parts = module.split(".")
    is_folder = len(parts) >= 3 and ROOT.joinpath(*parts[:3]).is_dir()
    return ".".join(parts[:3]) if module.startswith(ONE_FRAMEWORK) and is_folder and parts[2] not in SHARED else None


def _complain(problems: Iterable[str]) -> None:
    found = list(problems)
    assert not found, "\n" + "\n".join(found)


def test_ir_imports_no_framework() -> None:
    _complain(
        f"{i.place}: ir/ may not import {i.module}"
        for i in all_imports()
        if module_name(i.path).split(".")[0] == "ir" and i.top not in IR_MAY_IMPORT | sys.stdlib_module_names
    )


def test_ir_imports_scipy_where_it_is_used() -> None:
    _complain(
        f"{i.place}: import scipy inside the evaluator that needs it"
        for i in all_imports()
        if module_name(i.path).split(".")[0] == "ir" and i.top == "scipy" and not (i.lazy or i.typing_only)
    )


EMITTED = "helper_source.py"
"""Source text that exporters copy into what they write."""


def test_frameworks_are_imported_inside_functions() -> None:
    _complain(
        f"{i.place}: import {i.module} inside the function that uses it"
        for i in all_imports()
        if i.top in FRAMEWORKS and not (i.lazy or i.typing_only) and i.path.name != EMITTED
    )


def test_source_that_is_only_emitted_is_never_imported() -> None:
    _complain(
        f"{i.place}: {EMITTED} is read as text" for i in all_imports() if i.module.endswith(EMITTED.removesuffix(".py"))
    )


def test_importers_and_exporters_know_one_framework() -> None:
    _complain(_foreign_frameworks())


def _foreign_frameworks() -> Iterator[str]:
    for i in all_imports():
        module = module_name(i.path)
        if not module.startswith(ONE_FRAMEWORK) or i.top not in FRAMEWORKS:
            continue
        folder = _framework_folder(module)
        own = FOLDER_FRAMEWORK.get(name := folder.split(".")[2], name) if folder else None
        if FRAMEWORKS[i.top] != own:
            yield f"{i.place}: {folder or module} may not import {i.module}"


def test_importers_and_exporters_do_not_know_each_other() -> None:
    _complain(_crossings())


def _crossings() -> Iterator[str]:
    for i in all_imports():
        source = module_name(i.path)
        if not source.startswith(ONE_FRAMEWORK) or not i.module.startswith(ONE_FRAMEWORK):
            continue
        here, there = _framework_folder(source), _framework_folder(i.module)
        sides_differ = source.split(".")[1] != i.module.split(".")[1]
        if sides_differ or (there is not None and here != there and not i.lazy):
            yield f"{i.place}: {source} may not import {i.module}"


def test_every_converter_module_has_a_layer() -> None:
    modules = (module_name(p) for p in python_files("converter"))
    _complain(
        f"{m}: name its layer in LAYERS of tests/policy/test_layers.py"
        for m in modules
        if m not in ("converter", "converter.__main__") and _rank(m) is None
    )


def test_imports_point_downwards() -> None:
    _complain(_upward())


def _upward() -> Iterator[str]:
    for i in all_imports():
        source = module_name(i.path)
        mine, theirs = _rank(source), _rank(i.module)
        if mine is None or theirs is None or i.typing_only:
            continue
        if theirs > mine:
            yield f"{i.place}: {source} is below {i.module}"


def _package_of(module: str) -> str:
    """The folder a module lies in; a module directly under `ir` or `converter` counts as a package of its own."""
    if module in DEFINITIONS:
        return "ir.ops (definitions)"
    parts = module.split(".")
    is_package = (ROOT.joinpath(*parts) / "__init__.py").exists()
    if is_package or len(parts) <= 2:
        return module
    return ".".join(parts[:-1])


@pytest.mark.parametrize("top", ["ir", "converter"])
def test_no_cycles_between_packages(top: str) -> None:
    edges: dict[str, dict[str, Import]] = {}
    for i in all_imports():
        if i.top != top or i.typing_only or i.lazy:
            continue
        source, target = _package_of(module_name(i.path)), _package_of(i.module)
        if source != target and target != top and source != top:
            edges.setdefault(source, {}).setdefault(target, i)
    cycle = _find_cycle({s: list(t) for s, t in edges.items()})
    assert not cycle, "import cycle: " + " -> ".join(f"{a} ({edges[a][b].place})" for a, b in zip(cycle, cycle[1:]))


def _find_cycle(edges: dict[str, list[str]]) -> list[str]:
    """One cycle as a list that ends where it starts, or an empty list."""
    done: set[str] = set()

    def visit(node: str, trail: list[str]) -> list[str]:
        if node in trail:
            return [*trail[trail.index(node) :], node]
        if node in done:
            return []
        done.add(node)
        return next((c for n in edges.get(node, []) if (c := visit(n, [*trail, node]))), [])

    return next((c for n in edges if (c := visit(n, []))), [])


def test_the_cycle_finder_finds_cycles() -> None:
    assert _find_cycle({"a": ["b"], "b": ["c"], "c": ["d"]}) == []
    assert _find_cycle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
