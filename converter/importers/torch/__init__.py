"""PyTorch: live modules, exported programs, `.pt2` archives, TorchScript and `file.py:factory` to ir.Model."""

from __future__ import annotations

from typing import Any

from converter.importers.base import ImportOptions
from ir.core import Model


def load(source: Any, inputs: Any = None, *, options: ImportOptions | None = None) -> Model:
    """Read a PyTorch model.

    `source` is an `nn.Module` or a `torch.jit.ScriptModule` (with example inputs), an `ExportedProgram`, or a path: a `.pt2`
    archive, a TorchScript archive (checked as data before it is loaded), or
    `file.py:factory`, a function without arguments that returns a module, or a module and its example inputs; it is
    executed, which needs `options.trust`. `inputs` is a tuple, list or dict of tensors, arrays or specs such as
    `float32[batch,3,224,224]`, whose named sizes are dynamic.

    Raises ConversionError with everything that is not supported, UsageError for inputs that do not fit, and
    UntrustedSource for a file that would have to execute code.
    """
    from converter.importers.torch import sources

    return sources.load(source, inputs, options or ImportOptions())


__all__ = ["load"]
