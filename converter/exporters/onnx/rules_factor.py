"""Factorisations whose vectors have free signs: only their values can be written, by Jacobi's rotations."""

from __future__ import annotations

from typing import Any

from converter.exporters.onnx.table import expand
from ir.core import Builder, Node, Value
from ir.ops import factor_forms as forms


@expand("eigh")
def eigh(b: Builder, node: Node, opset: int) -> tuple[Any, ...]:
    values, vectors = node.outputs
    if vectors.uses:
        raise NotImplementedError("eigenvectors have no fixed signs, and no ONNX form that has those of the source")
    x = forms.widened(b, node.operand("x"))
    found = b.cast(forms.eigenvalues(b, _mirrored(b, x, node.attrs["upper"])), to=values.type.dtype)
    return found, _unused(b, vectors)


def _mirrored(b: Any, x: Any, upper: bool) -> Any:
    """The symmetric matrix of one triangle."""
    kept = b.triu(x) if upper else b.tril(x)
    strict = b.triu(x, k=1) if upper else b.tril(x, k=-1)
    return b.add(kept, forms.transposed(b, strict))


@expand("svd")
def svd(b: Builder, node: Node, opset: int) -> tuple[Any, ...]:
    """Singular values as roots of the eigenvalues of the smaller product of the matrix with itself, in float64."""
    u, values, vh = node.outputs
    if u.uses or vh.uses:
        raise NotImplementedError("singular vectors have no fixed signs, and no ONNX form that has those of the source")
    given = node.operand("x")
    if given.type.dtype.bits == 64:
        raise NotImplementedError("singular values of float64 have no form of that precision")
    x = forms.widened(b, given)
    rows, columns = forms.known_sizes(x)
    turned = forms.transposed(b, x)
    square = b.matmul(turned, x) if columns <= rows else b.matmul(x, turned)
    found = b.flip(b.sqrt(b.maximum(forms.eigenvalues(b, square), 0.0)), axes=(values.type.rank - 1,))
    return _unused(b, u), b.cast(found, to=values.type.dtype), _unused(b, vh)


def _unused(b: Any, value: Value) -> Any:
    """A stand-in for a result that nothing reads."""
    return b.full(shape=value.type.shape, value=0.0, dtype=value.type.dtype)
