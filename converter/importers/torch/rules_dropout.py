"""Dropout, from the leaf that both export modes were merged into."""

from __future__ import annotations

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value


@rule("isomorph.dropout.default")
def dropout(c: TorchContext, a: Call) -> Value:
    x, p, features = a.value("x"), a.lit("p"), a.lit("features")
    frozen, always = a.lit("frozen"), a.lit("always")
    if p == 0:
        return x
    shared = tuple(range(2, x.type.rank)) if features else ()
    return c.b.dropout(x, p=p, broadcast_axes=shared, frozen=frozen, always=always)
