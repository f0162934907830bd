"""`file.py:factory`: a source that is a function of the user's, which builds the model."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from converter.errors import UntrustedSource, UsageError
from converter.importers.base import ImportOptions


def factory_of(source: Any) -> tuple[Path, str] | None:
    """File and function where a source names them, else None."""
    file, _, factory = str(source).rpartition(":")
    return (Path(file), factory) if file.endswith(".py") and factory.isidentifier() else None


def call_factory(path: Path, factory: str, options: ImportOptions) -> tuple[Any, Any]:
    """Run `factory()` of a Python file: it returns a module, or a module and its example inputs.

    Raises UntrustedSource without `options.trust`: the file is executed.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    if not options.trust:
        raise UntrustedSource(f"{path}: would be executed; pass trust=True (--trust) if you know it")
    function = _function(path, factory)
    try:
        made = function()
    except Exception as error:  # the user's function may raise anything
        raise UsageError(f"{path}:{factory} fails: {type(error).__name__}: {error}") from error
    if isinstance(made, tuple) and len(made) == 2:
        return made
    return made, None


def _function(path: Path, factory: str) -> Any:
    name = f"isomorph_source_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: cannot be loaded as a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # classes defined there must be found again by name
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's file may raise anything
        raise UsageError(f"{path}: fails when executed: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    function = getattr(module, factory, None)
    if not callable(function):
        known = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_") and getattr(v, "__module__", "") == name]
        raise UsageError(f"{path}: has no function {factory!r}; it defines {', '.join(known) or 'none'}")
    return function
