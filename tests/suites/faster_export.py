"""Less work in PyTorch's exporter, to the same effect: an export prepares some 700 composite ops anew, each time alike."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any


@functools.cache
def install() -> None:
    """List the composite ops of each namespace once (none is added during a run), and keep what is prepared of them."""
    import torch._export.utils as utils
    import torch.export.exported_program as program

    name = "_collect_all_valid_cia_ops_for_namespace"
    setattr(utils, name, functools.cache(getattr(utils, name)))
    program._override_composite_implicit_decomp = _kept(program._override_composite_implicit_decomp)


def _kept(original: Callable[..., Any]) -> Callable[..., Any]:
    """The context manager that prepares ops, with the kernels of its second run for every later one on the same ops.

    The first run differs: it finds rules of fake tensors that it takes away at its end.
    """
    from torch._subclasses.fake_impls import op_implementations_dict as rules

    runs: dict[frozenset[Any], int] = {}
    prepared: dict[frozenset[Any], dict[Any, tuple[dict[Any, Any], Any]]] = {}

    @contextlib.contextmanager
    def override(decompositions: dict[Any, Any]) -> Iterator[None]:
        key = frozenset(decompositions.items())
        if key not in prepared:
            with original(decompositions):
                runs[key] = runs.get(key, 0) + 1
                if runs[key] == 2:
                    prepared[key] = {op: (dict(op.py_kernels), rules.get(op)) for op in decompositions}
                yield
            return
        saved = {op: dict(op.py_kernels) for op in decompositions}
        for op, (kernels, rule) in prepared[key].items():
            _set(op, kernels)
            if rule is not None:
                rules[op] = rule
        try:
            yield
        finally:
            for op, kernels in saved.items():
                _set(op, kernels)
                rules.pop(op, None)

    return override


def _set(op: Any, kernels: dict[Any, Any]) -> None:
    op.py_kernels.clear()
    op.py_kernels.update(kernels)
    op._dispatch_cache.clear()
