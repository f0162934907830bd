"""PyTorch's words for the parts of a module."""

from __future__ import annotations

from dataclasses import dataclass

from converter.exporters.code.expr import Call, Expr, Index, Lit, Name
from converter.exporters.outline.context import Shared
from converter.exporters.outline.dialect import Dialect
from converter.exporters.outline.instances import Path
from converter.exporters.outline.writer import container_at
from converter.exporters.torch.context import Context
from converter.exporters.torch.rules import TABLE
from converter.exporters.torch.table import form_of
from converter.exporters.torch.targets import MODULE


@dataclass(frozen=True, eq=False)
class TorchDialect(Dialect):
    """Modules of a `ModuleDict` go by their key."""

    def step(self, shared: Shared, at: Path, module: Expr, name: str) -> Expr:
        """`module.conv`, `module[0]`, and in a dict of modules `module["a"]`, whose keys may be numbers as text."""
        if container_at(shared.tree, at) == "ModuleDict":
            return Index(module, (Lit(name),))
        return super().step(shared, at, module, name)


DIALECT = TorchDialect(
    TABLE,
    form_of,
    Context,
    module="nn.Module",
    sequential="nn.Sequential",
    identity=Call(Name("nn.Identity")),
    forward="forward",
    tensor="Tensor",
    number="int",
    attributes=MODULE,
)
