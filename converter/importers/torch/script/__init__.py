"""TorchScript programs, traced or scripted: run step by step by an interpreter while torch.export watches.

The graphs hold ATen ops under the schemas that exported programs use, so the same rules read both. Ranks, lengths, None
and devices are decided by the interpreter; attributes that the program writes become state.
"""

from __future__ import annotations

from typing import Any

from converter.importers.base import ImportOptions
from ir.core import Model


def load(script: Any, inputs: Any, options: ImportOptions) -> Model:
    """Read a `torch.jit.ScriptModule`, which is left as it was. Raises ConversionError, UsageError."""
    from converter.importers.torch.script import state

    return state.read(script, inputs, options)


__all__ = ["load"]
