"""PyTorch's words for the parts of a module."""

from __future__ import annotations

from converter.exporters.code.expr import Call, Name
from converter.exporters.outline.dialect import Dialect
from converter.exporters.torch.context import Context
from converter.exporters.torch.rules import TABLE
from converter.exporters.torch.table import form_of
from converter.exporters.torch.targets import MODULE

DIALECT = Dialect(
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
