"""ATen linear algebra: factorisations, inverses, determinants, solutions."""

from __future__ import annotations

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value


@rule("aten.linalg_inv.default", "aten.inverse.default", "aten.linalg_inv_ex.default")
def inverse(c: TorchContext, a: Call) -> Value | list[Value | None]:
    """`inv_ex` tells of failure by a number, which is not to be had: the inverse fails where it is singular."""
    if a.has("check_errors"):
        a.lit("check_errors")
        return [c.b.inverse(a.value("A")), None]
    return c.b.inverse(a.value("A" if a.has("A") else "self"))


@rule("aten.linalg_det.default", "aten.det.default", "aten._linalg_det.default")
def determinant(c: TorchContext, a: Call) -> Value | list[Value | None]:
    out = c.b.determinant(a.value("A" if a.has("A") else "self"))
    return [out, None, None] if "_linalg" in str(a.node.target) else out


@rule("aten.linalg_slogdet.default", "aten.slogdet.default", "aten._linalg_slogdet.default")
def log_determinant(c: TorchContext, a: Call) -> list[Value | None]:
    sign, log = c.b.log_determinant(a.value("A" if a.has("A") else "self"))
    return [sign, log, None, None] if "_linalg" in str(a.node.target) else [sign, log]


@rule("aten.linalg_cholesky.default", "aten.cholesky.default", "aten.linalg_cholesky_ex.default")
def cholesky(c: TorchContext, a: Call) -> Value | list[Value | None]:
    out = c.b.cholesky(a.value("self"), upper=a.lit("upper"))
    if a.has("check_errors"):
        a.lit("check_errors")
        return [out, None]
    return out


@rule("aten.cholesky_inverse.default")
def cholesky_inverse(c: TorchContext, a: Call) -> Value:
    """The inverse of the matrix whose factor is given."""
    return c.b.inverse(_product_of(c, a.value("self"), a.lit("upper")))


@rule("aten.cholesky_solve.default")
def cholesky_solve(c: TorchContext, a: Call) -> Value:
    right, factor = a.value("self"), a.value("input2")
    return c.b.solve(_product_of(c, factor, a.lit("upper")), right)


def _product_of(c: TorchContext, factor: Value, upper: bool) -> Value:
    factor = (c.b.triu if upper else c.b.tril)(factor, k=0)
    other = _adjoint(c, factor)
    return c.b.matmul(other, factor) if upper else c.b.matmul(factor, other)


def _adjoint(c: TorchContext, x: Value) -> Value:
    rank = x.type.rank
    out = c.b.transpose(x, perm=(*range(rank - 2), rank - 1, rank - 2))
    return c.b.conj(out) if out.type.dtype.is_complex else out


@rule("aten.linalg_solve.default", "aten.linalg_solve_ex.default", "aten._linalg_solve_ex.default")
def solve(c: TorchContext, a: Call) -> Value | list[Value | None]:
    """`left=False` solves x A = B, by transposes; a right side of one dimension less holds vectors."""
    out = _solution(c, a.value("A"), a.value("B"), a.lit("left"))
    if not a.has("check_errors"):
        return out
    a.lit("check_errors")
    return [out, None, None, None] if "._linalg" in str(a.node.target) else [out, None]


def _solution(c: TorchContext, x: Value, y: Value, left: bool) -> Value:
    vectors = y.type.rank == 1 or (y.type.rank == x.type.rank - 1 and y.type.shape == x.type.shape[:-1])
    if vectors:
        out = c.b.solve(x, c.b.unsqueeze(y, axes=(y.type.rank,)))
        return c.b.squeeze(out, axes=(out.type.rank - 1,))
    if left:
        return c.b.solve(x, y)
    turned = c.b.solve(_turned(c, x), _turned(c, y))
    return _turned(c, turned)


def _turned(c: TorchContext, x: Value) -> Value:
    rank = x.type.rank
    return c.b.transpose(x, perm=(*range(rank - 2), rank - 1, rank - 2))


@rule("aten.linalg_solve_triangular.default")
def solve_triangular(c: TorchContext, a: Call) -> Value:
    """Only the named triangle is read; a unit diagonal is not read either."""
    x = _triangle(c, a.value("self"), a.lit("upper"), a.lit("unitriangular"))
    return _solution(c, x, a.value("B"), a.lit("left"))


@rule("aten.triangular_solve.default")
def triangular_solve(c: TorchContext, a: Call) -> list[Value]:
    given = a.value("A")
    x = _triangle(c, given, a.lit("upper"), a.lit("unitriangular"))
    return [c.b.solve(_turned(c, x) if a.lit("transpose") else x, a.value("self")), given]


def _triangle(c: TorchContext, x: Value, upper: bool, unit: bool) -> Value:
    out = (c.b.triu if upper else c.b.tril)(x, k=(1 if upper else -1) if unit else 0)
    if not unit:
        return out
    one = c.b.eye(rows=x.type.shape[-2], cols=x.type.shape[-1], dtype=x.type.dtype)
    return c.b.add(out, one)


@rule("aten.linalg_qr.default")
def qr(c: TorchContext, a: Call) -> list[Value]:
    mode = a.lit("mode")
    if mode not in ("reduced", "complete"):
        c.refuse(f"mode={mode!r}: one of the results is empty")
    return list(c.b.qr(a.value("A"), mode=mode))


@rule("aten._linalg_svd.default")
def svd(c: TorchContext, a: Call) -> list[Value | None]:
    if a.raw("driver") is not None:
        c.refuse("drivers are of CUDA")
    x = a.value("A")
    if x.type.dtype.is_complex:
        c.refuse("singular values of complex matrices")
    u, values, vh = c.b.svd(x, full=a.lit("full_matrices") if a.lit("compute_uv") else False)
    return [u, values, vh] if a.lit("compute_uv") else [None, values, None]


@rule("aten._linalg_eigh.default")
def eigh(c: TorchContext, a: Call) -> list[Value | None]:
    x = a.value("A")
    if x.type.dtype.is_complex:
        c.refuse("eigenvalues of complex matrices")
    values, vectors = c.b.eigh(x, upper=a.lit("UPLO").upper() == "U")
    return [values, vectors if a.lit("compute_v") else None]
