"""Shared by the tests of the PyTorch importer: import, evaluate, compare with eager PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from converter.importers.base import ImportOptions
from converter.importers.torch import load
from converter.importers.torch.dtypes import to_numpy
from ir.core import Model
from ir.core.signature import result_tree, tree_of
from ir.eval import Evaluator
from ir.verify import check


def is_tensor(x: Any) -> bool:
    return isinstance(x, Tensor)


def flat_inputs(module: nn.Module, args: tuple, kwargs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Flat name -> array for a call of the module."""
    import inspect

    bound = inspect.signature(module.forward).bind(*args, **kwargs)
    found: dict[str, np.ndarray] = {}
    for name, value in bound.arguments.items():
        found.update({n: to_numpy(t) for n, t in tree_of(value, name, is_tensor)[1]})
    return found


def expected(module: nn.Module, args: tuple, kwargs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The module's own outputs by flat name, in inference mode and without touching its arguments."""
    flags = [(m, m.training) for m in module.modules()]
    try:
        module.eval()
        with torch.no_grad():
            result = module(*clone(args), **clone(kwargs))
    finally:
        for m, training in flags:
            m.training = training
    return {n: to_numpy(t) for n, t in result_tree(result, is_tensor)[1]}


def clone(value: Any) -> Any:
    return torch.utils._pytree.tree_map(lambda x: x.clone() if is_tensor(x) else x, value)


def compare(got: Mapping[str, np.ndarray], want: Mapping[str, np.ndarray], tol: float) -> None:
    assert list(got) == list(want)
    for name in want:
        close(got[name], want[name], tol, name)


def close(got: np.ndarray, want: np.ndarray, tol: float, name: str = "") -> None:
    """Equal shapes; integers equal; floats within tol of scale, infinities and NaN in the same places."""
    assert got.shape == want.shape, f"{name}: shape {got.shape}, expected {want.shape}"
    if want.dtype.kind in "biu":
        np.testing.assert_array_equal(got, want, err_msg=name)
        return
    wide = np.complex128 if want.dtype.kind == "c" else np.float64
    a, b = np.asarray(got, wide), np.asarray(want, wide)
    finite = np.isfinite(b)
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b), err_msg=name)
    infinite = ~finite & ~np.isnan(b)
    np.testing.assert_array_equal(a[infinite], b[infinite], err_msg=name)
    scale = max(1.0, float(np.abs(b[finite]).max(initial=0)))
    np.testing.assert_allclose(a[finite], b[finite], rtol=0, atol=tol * scale, err_msg=name)


def round_trip(
    module: nn.Module, args: tuple = (), kwargs: Mapping[str, Any] | None = None, *, inputs: Any = None, tol: float = 1e-9,
    others: list[tuple] = (), **options: Any,
) -> Model:  # fmt: skip
    """Import with `inputs` (default: the arguments), check, evaluate at the arguments and at `others`."""
    kwargs = dict(kwargs or {})
    model = load(
        module, (args if not kwargs else kwargs) if inputs is None else inputs, options=ImportOptions(**options)
    )
    check(model)
    for actual in [args, *others]:
        got = Evaluator(mode="reference").run(model, flat_inputs(module, actual, kwargs))
        compare(got, expected(module, actual, kwargs), tol)
    return model


def double(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in float64 and inference, with weights and buffers drawn from [0.1, 1.1)."""
    g = torch.Generator().manual_seed(seed)
    for t in [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())]:
        t.data = torch.rand(t.shape, generator=g, dtype=torch.float64) + 0.1
    return module.double().eval()


def randn(*shape: int, seed: int = 0) -> Tensor:
    """A float64 tensor, normally distributed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ops(model: Model) -> list[str]:
    """Names of the model's ops in order."""
    return [n.op.name for n in model.nodes()]


class Bundle(nn.Module):
    """Many functions in one module, so that one export tests them all: forward(t) gives a dict of their results. A case
    may be a module, for layers with weights of their own."""

    def __init__(self, cases: Mapping[str, Callable[[Any], Any]]) -> None:
        super().__init__()
        self.cases = dict(cases)
        self.layers = nn.ModuleDict({name: fn for name, fn in cases.items() if isinstance(fn, nn.Module)})

    def forward(self, t: dict[str, Tensor]) -> dict[str, Any]:
        names = Names(t)
        return {name: fn(names) for name, fn in self.cases.items()}


class Names:
    """`t.x` for `t["x"]`."""

    def __init__(self, values: dict[str, Tensor]) -> None:
        self._values = values

    def __getattr__(self, name: str) -> Tensor:
        return self._values[name]
