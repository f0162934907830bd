"""Special functions, Fourier transforms, matrix factorisations."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.torch.context import TORCH, Context
from converter.exporters.torch.table import rule
from ir.core import Node

_SPECIAL = {
    "bessel_i0": "i0", "bessel_i0e": "i0e", "bessel_i1": "i1", "bessel_i1e": "i1e", "bessel_j0": "bessel_j0",
    "bessel_j1": "bessel_j1", "bessel_y0": "bessel_y0", "bessel_y1": "bessel_y1", "bessel_k0": "modified_bessel_k0",
    "bessel_k1": "modified_bessel_k1", "bessel_k0e": "scaled_modified_bessel_k0",
    "bessel_k1e": "scaled_modified_bessel_k1", "erfcx": "erfcx", "ndtri": "ndtri", "zeta": "zeta",
    "gamma_inc": "gammainc", "gamma_incc": "gammaincc",
}  # fmt: skip


def supported(node: Node) -> str | None:
    """Half floats have no kernels."""
    dtype = node.operand("x").type.dtype
    return f"PyTorch has no kernel for {dtype}" if dtype.is_half else None


@rule(*_SPECIAL, accepts=supported)
def special(c: Context, node: Node) -> Expr:
    return getattr(TORCH.special, _SPECIAL[node.op.name])(*(c.x(v) for v in node.operands.values()))


_POLYNOMIALS = {
    "chebyshev_t": "chebyshev_polynomial_t", "chebyshev_u": "chebyshev_polynomial_u",
    "chebyshev_v": "chebyshev_polynomial_v", "chebyshev_w": "chebyshev_polynomial_w",
    "hermite_h": "hermite_polynomial_h", "hermite_he": "hermite_polynomial_he",
    "laguerre": "laguerre_polynomial_l", "legendre": "legendre_polynomial_p",
}  # fmt: skip


@rule("orthogonal_polynomial", accepts=supported)
def orthogonal_polynomial(c: Context, node: Node) -> Expr:
    name = _POLYNOMIALS[node.attrs["kind"]]
    return getattr(TORCH.special, name)(c.x(node.operand("x")), c.x(node.operand("n")))


@rule("fft")
def fft(c: Context, node: Node) -> Expr:
    a, x = node.attrs, c.x(node.operand("x"))
    if not a["axes"]:
        return x
    forward = {"none": "backward", "ortho": "ortho", "count": "forward"}
    backward = {"none": "forward", "ortho": "ortho", "count": "backward"}
    norm = (backward if a["inverse"] else forward)[a["norm"]]
    one = len(a["axes"]) == 1
    name = "fft" + ("" if one else "n")
    if a["onesided"]:
        name = "rfft" + ("" if one else "n") if not a["inverse"] else "ihfft" + ("" if one else "n")
    elif a["inverse"]:
        name = "i" + name
    extra = {} if norm == "backward" else {"norm": lift(norm)}
    return getattr(TORCH.fft, name)(x, dim=hole(a["axes"][0] if one else a["axes"], "dim"), **extra)


@rule("inverse", accepts=supported)
def inverse(c: Context, node: Node) -> Expr:
    return TORCH.linalg.inv(c.x(node.operand("x")))


@rule("matrix_exp", accepts=supported)
def matrix_exp(c: Context, node: Node) -> Expr:
    return TORCH.linalg.matrix_exp(c.x(node.operand("x")))


@rule("determinant", accepts=supported)
def determinant(c: Context, node: Node) -> Expr:
    return TORCH.linalg.det(c.x(node.operand("x")))


@rule("log_determinant", accepts=supported)
def log_determinant(c: Context, node: Node) -> tuple[Expr | None, ...]:
    result = TORCH.linalg.slogdet(c.x(node.operand("x")))
    return c.unpack(result, [bool(v.uses) for v in node.outputs], "slogdet")


@rule("cholesky", accepts=supported)
def cholesky(c: Context, node: Node) -> Expr:
    return TORCH.linalg.cholesky(c.x(node.operand("x")), upper=hole(node.attrs["upper"], "upper", False))


@rule("solve", accepts=supported)
def solve(c: Context, node: Node) -> Expr:
    """Batches broadcast with the right side as matrices: expanded here, since PyTorch may read it as vectors."""
    x, y = node.operand("x"), node.operand("y")
    right = c.x(y)
    if y.type.shape[:-2] != node.output.type.shape[:-2]:
        right = right.expand(*c.shape(node.output.type.shape))
    return TORCH.linalg.solve(c.x(x), right)


@rule("qr", accepts=supported)
def qr(c: Context, node: Node) -> tuple[Expr | None, ...]:
    result = TORCH.linalg.qr(c.x(node.operand("x")), mode=hole(node.attrs["mode"], "mode", "reduced"))
    return c.unpack(result, [bool(v.uses) for v in node.outputs], "qr")


@rule("svd", accepts=supported)
def svd(c: Context, node: Node) -> tuple[Expr | None, ...]:
    result = TORCH.linalg.svd(c.x(node.operand("x")), full_matrices=lift(node.attrs["full"]))
    return c.unpack(result, [bool(v.uses) for v in node.outputs], "svd")


@rule("eigh", accepts=supported)
def eigh(c: Context, node: Node) -> tuple[Expr | None, ...]:
    result = TORCH.linalg.eigh(c.x(node.operand("x")), UPLO=lift("U" if node.attrs["upper"] else "L"))
    return c.unpack(result, [bool(v.uses) for v in node.outputs], "eigh")


@rule("eig", accepts=supported)
def eig(c: Context, node: Node) -> tuple[Expr | None, ...]:
    result = TORCH.linalg.eig(c.x(node.operand("x")))
    return c.unpack(result, [bool(v.uses) for v in node.outputs], "eig")
