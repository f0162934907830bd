"""Factorisations, solutions, orderings, distances; see cases.py."""

from __future__ import annotations

from typing import Any

import torch
import transformers.integrations.moe  # noqa: F401  (defines an op; imported during an export, it would register no types)
from torch.nn import functional as F

from tests.importers.torch.cases import Fn

aten = torch.ops.aten
la = torch.linalg


def _eigen(values: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """The matrix that eigenvalues and vectors, free in their signs, belong to."""
    return (vectors * values.unsqueeze(-2)) @ vectors.mH


def _with_a_zero(x: torch.Tensor) -> torch.Tensor:
    """A matrix without full rank: its second column is twice its first."""
    return torch.cat([x[..., :1], 2 * x[..., :1], x[..., 2:]], -1)


def _spectrum(u: torch.Tensor, s: torch.Tensor, vh: torch.Tensor) -> list[torch.Tensor]:
    k = s.shape[-1]
    return [
        (u[..., :k] * s.unsqueeze(-2)) @ vh[..., :k, :],
        u.abs().sum() * 0 + u.shape[-1],
        vh.abs().sum() * 0 + vh.shape[-2],
    ]


def _grouped(t: Any) -> torch.Tensor:
    """Small whole numbers, which bfloat16 holds exactly."""
    x, weight = (
        (t.j[0] % 3).repeat(3, 4)[:8].bfloat16(),
        (t.i[0] % 2).repeat(11, 4)[:32].reshape(2, 16, 16).bfloat16(),
    )
    return torch._grouped_mm(x, weight, offs=torch.tensor([3, 8], dtype=torch.int32)).float()


def _grouped_by_library(t: Any) -> torch.Tensor:
    weight = t.k.expand(2, 5, 4).mT * torch.tensor([[[1.0]], [[2.0]]]).to(t.k)
    return torch.ops.transformers.grouped_mm_fallback(t.y.repeat(3, 1), weight, torch.tensor([3, 7], dtype=torch.int32))


FACTOR: dict[str, Fn] = {
    "inv": lambda t: la.inv(t.sq),
    "inverse": lambda t: torch.inverse(t.sq[0]),
    "inv_op": lambda t: aten.linalg_inv.default(t.sq),
    "inv_ex": lambda t: list(la.inv_ex(t.sq)),
    "inv_empty": lambda t: list(la.inv_ex(t.m[:, :0, :0])),
    "inv_empty_batches": lambda t: list(la.inv_ex(t.m[:, :0, :0].unsqueeze(0).repeat(3, 1, 1, 1))),
    "matrix_exp": lambda t: [torch.matrix_exp(t.sq / 4), la.matrix_exp(t.sq[0] / 4)],
    "tensorinv": lambda t: [
        la.tensorinv(t.sq[0].reshape(2, 2, 4), ind=2),
        la.tensorinv(t.sq[0].reshape(4, 2, 2), ind=1),
    ],
    "det": lambda t: [torch.det(t.sq), la.det(t.sq[0]), t.sq.det()],
    "_det": lambda t: aten._linalg_det.default(t.sq)[0],
    "slogdet": lambda t: [*torch.slogdet(t.sq), *la.slogdet(-t.sq[0])],
    "_slogdet": lambda t: list(aten._linalg_slogdet.default(t.sq)[:2]),
    "cholesky": lambda t: [
        la.cholesky(t.spd),
        la.cholesky(t.spd, upper=True),
        torch.cholesky(t.spd),
        torch.cholesky(t.spd[0], upper=True),
    ],
    "cholesky_ex": lambda t: list(la.cholesky_ex(t.spd)),
    "cholesky_ex_upper": lambda t: list(la.cholesky_ex(t.spd[0], upper=True)),
    "cholesky_inverse": lambda t: [
        torch.cholesky_inverse(t.spd.tril()),
        torch.cholesky_inverse(t.spd.triu(), upper=True),
    ],
    "cholesky_solve": lambda t: [
        torch.cholesky_solve(t.m, t.spd.tril()),
        torch.cholesky_solve(t.m, t.spd.triu(), upper=True),
    ],
    "solve": lambda t: [
        la.solve(t.sq, t.m),
        la.solve(t.sq, t.m.mT, left=False),
        la.solve(t.sq[0], t.c),
        la.solve(t.sq, t.m[..., 0]),
    ],
    "solve_vector_broadcast": lambda t: la.solve(t.sq, t.c[:, None]),
    "solve_ex": lambda t: [*la.solve_ex(t.sq, t.m), *la.solve_ex(t.sq, t.m.mT, left=False)],
    "_solve_ex": lambda t: list(aten._linalg_solve_ex.default(t.sq, t.m)),
    "_solve_ex_right": lambda t: [aten._linalg_solve_ex.default(t.sq, t.m.mT, left=False)[i] for i in (0, 3)],
    "solve_triangular": lambda t: [
        la.solve_triangular(t.sq, t.m if left else t.m.mT, upper=u, left=left, unitriangular=unit)
        for u in (False, True)
        for left in (False, True)
        for unit in (False, True)
    ],
    "triangular_solve": lambda t: [
        p
        for u in (False, True)
        for turn in (False, True)
        for unit in (False, True)
        for p in torch.triangular_solve(t.m, t.sq, upper=u, transpose=turn, unitriangular=unit)
    ],
    "triangular_solve_expand": lambda t: list(torch.triangular_solve(t.m, t.sq[0])),
    "qr": lambda t: [q @ r for q, r in (la.qr(t.m), la.qr(t.m.mT, mode="complete"))],
    "qr_shapes": lambda t: [p.abs() for p in (*la.qr(t.m.mT), *la.qr(t.m.mT, mode="complete"))[:2]],
    "svd": lambda t: _spectrum(*la.svd(t.m, full_matrices=False)),
    "svd_full": lambda t: _spectrum(*la.svd(t.m)),
    "svdvals": lambda t: [la.svdvals(t.m), torch.ops.aten._linalg_svd.default(t.m, True, False)[1]],
    "eigh": lambda t: [_eigen(*la.eigh(t.sq, UPLO=u)) for u in ("L", "U", "u")],
    "eigh_values": lambda t: [la.eigh(t.spd)[0], la.eigvalsh(t.sq), la.eigvalsh(t.sq, UPLO="U")],
    "eig": lambda t: [la.eig(t.spd)[0].real.sort()[0], la.eigvals(t.sq).abs().sort()[0]],
    "eig_vectors": lambda t: torch.view_as_real((lambda v, w: (w * v.unsqueeze(-2)) @ la.inv(w))(*la.eig(t.sq))),
    "pinv": lambda t: [la.pinv(t.m), la.pinv(t.m.mT), la.pinv(t.spd, hermitian=True)],
    "pinv_rank": lambda t: [
        la.pinv(t.deficient),
        la.pinv(t.deficient, atol=0.1),
        la.pinv(t.deficient, rtol=0.3),
        la.pinv(t.deficient, atol=0.0),
        la.pinv(t.deficient, atol=5.0, rtol=0.01),
        la.pinv(t.deficient, atol=0.1, rtol=0.9),
    ],
    "pinv_tensors": lambda t: [
        la.pinv(t.deficient, atol=t.cutoff),
        la.pinv(t.deficient, rtol=t.cutoff / 5),
        la.pinv(t.deficient, atol=t.cutoff * 0, rtol=t.cutoff / 5),
        la.pinv(t.deficient, atol=t.cutoff * torch.arange(2)[: t.deficient.shape[0]]),
    ],
    "pinv_hermitian_negative": lambda t: la.pinv(t.spd - 5 * torch.eye(4), hermitian=True, rtol=0.2),
    "pinv_empty": lambda t: [la.pinv(t.m[:, :0]), la.pinv(t.m[..., :0])],
}

TRIANGULAR: dict[str, Fn] = {
    "lu_factor": lambda t: list(la.lu_factor(t.m)),
    "lu_factor_ex": lambda t: list(la.lu_factor_ex(t.sq)),
    "lu": lambda t: [p for x in (t.sq, t.m, t.m.mT) for p in la.lu(x)],
    "lu_unpack": lambda t: list(torch.lu_unpack(*la.lu_factor(t.m))),
    "lu_unpack_pivots": lambda t: torch.lu_unpack(*la.lu_factor(t.m), unpack_data=False)[0],
    "lu_unpack_data": lambda t: list(torch.lu_unpack(*la.lu_factor(t.m), unpack_pivots=False)[1:]),
    "lu_solve": lambda t: [
        la.lu_solve(*la.lu_factor(t.sq), t.m if left else t.m.mT, left=left, adjoint=turn)
        for left in (True, False)
        for turn in (False, True)
    ],
    "lu_solve_broadcast": lambda t: [
        la.lu_solve(*la.lu_factor(t.sq[0]), t.m),
        la.lu_solve(*la.lu_factor(t.sq), t.k.mT),
        la.lu_solve(*la.lu_factor(t.sq), t.k.mT, adjoint=True),
    ],
    "geqrf": lambda t: [p for x in (t.m, t.m.mT) for p in torch.geqrf(x)],
    "householder": lambda t: [la.householder_product(*torch.geqrf(t.m.mT)), torch.orgqr(*torch.geqrf(t.m.mT))],
    "ormqr": lambda t: [
        torch.ormqr(*torch.geqrf(t.m.mT), t.m.mT if left else t.m, left=left, transpose=turn)
        for left in (True, False)
        for turn in (False, True)
    ],
    "ormqr_square": lambda t: torch.ormqr(*torch.geqrf(t.sq), t.m),
}

ORDERING: dict[str, Fn] = {
    "running_whole": lambda t: [
        *torch.cummax(t.i, 1),
        *torch.cummin(t.u8, -1),
        *torch.cummax(t.b, 2),
        *torch.cummin((t.i * 200).clamp(-128, 127).to(torch.int8), 0),
        *torch.cummax((t.i * 200).clamp(-128, 127).to(torch.int8), 2),
    ],
    "running_edges": lambda t: [
        *torch.cummax(t.spec, 0),
        *torch.cummin(-t.spec[[3, 3, 2, 2, 5, 4, 2, 4]], 0),
        *torch.cummax(t.spec[[3, 3, 6]], 0),
    ],
    "bucketize": lambda t: [torch.bucketize(t.x, t.edges, right=r) for r in (False, True)],
    "bucketize_int": lambda t: [
        torch.bucketize(t.i, torch.tensor([-2, 0, 3]), out_int32=True),
        torch.bucketize(t.i, t.edges),
    ],
    "bucketize_scalar": lambda t: [torch.bucketize(0.5, t.edges), torch.bucketize(t.edges[1], t.edges, right=True)],
    "searchsorted": lambda t: [
        torch.searchsorted(t.edges, t.x),
        torch.searchsorted(t.edges.expand(3, 5), t.y, right=True),
    ],
    "searchsorted_side": lambda t: [torch.searchsorted(t.edges, t.edges, side=s) for s in ("left", "right")],
    "searchsorted_scalar": lambda t: [torch.searchsorted(t.edges, 0.5), torch.searchsorted(t.edges, 0.5, right=True)],
    "searchsorted_sorter": lambda t: torch.searchsorted(t.y, t.y * 0.9, sorter=t.y.argsort(-1), out_int32=True),
    "searchsorted_nan": lambda t: torch.searchsorted(t.edges, t.spec),
    "median": lambda t: [
        torch.median(t.x),
        torch.median(t.y[:, :3]),
        torch.median(t.holes),
        torch.median(t.i),
        torch.median(t.c),
    ],
    "nanmedian": lambda t: [torch.nanmedian(t.holes), torch.nanmedian(t.x), torch.nanmedian(t.holes * float("nan"))],
    "median_along": lambda t: [*torch.median(t.holes, 1), *torch.median(t.x, 2, keepdim=True), *torch.median(t.y, 0)],
    "median_int": lambda t: list(torch.median(t.distinct, -1)),
    "nanmedian_along": lambda t: [
        *torch.nanmedian(t.holes, 1, keepdim=True),
        *torch.nanmedian(t.x, -2),
        torch.nanmedian(t.holes * float("nan"), 1)[0],
    ],
    "median_0d": lambda t: [*torch.median(t.s, 0), *torch.nanmedian(t.s, -1)],
    "kth": lambda t: [*torch.kthvalue(t.x, 2), *torch.kthvalue(t.y, 3, 0), *torch.kthvalue(t.y, 1, -1, keepdim=True)],
    "kth_0d": lambda t: list(torch.kthvalue(t.s, 1)),
    "running": lambda t: [
        *torch.cummax(t.x, 1),
        *torch.cummin(t.x, -1),
        *torch.cummax(t.holes, 1),
        *torch.cummin(t.x, 0),
    ],
    "running_ties": lambda t: [*torch.cummax(t.x.round(), 2), *torch.cummin(t.x.round(), 2)],
    "running_0d": lambda t: [*torch.cummax(t.s, 0), *torch.cummin(t.s, 0)],
    "logcumsumexp": lambda t: [torch.logcumsumexp(t.x, 1), torch.logcumsumexp(t.x, -1), torch.logcumsumexp(t.s, 0)],
    "histc": lambda t: [torch.histc(t.x, bins=5, min=-2, max=2), torch.histc(t.x, min=-3, max=3.5)],
}

DISTANCES: dict[str, Fn] = {
    "mv": lambda t: torch.mv(t.y, t.c),
    "dot": lambda t: [torch.dot(t.c, t.k[0]), torch.inner(t.c, t.k[1])],
    "addmv": lambda t: [torch.addmv(t.y[:, 0], t.y, t.c), torch.addmv(t.y[:, 0], t.y, t.c, alpha=2, beta=0.5)],
    "addbmm": lambda t: [
        torch.addbmm(t.k[:4, :3].mT[:, :1], t.x, t.m[..., :4]),
        torch.addbmm(t.y, t.x, t.m[..., :4], alpha=2, beta=0),
    ],
    "addmm_int": lambda t: torch.addmm(t.i[0, :, :3], t.i[0], t.j[0].mT, alpha=2, beta=3),
    "ger": lambda t: [torch.ger(t.c, t.k[:, 0]), torch.outer(t.c, t.at)],
    "norm": lambda t: [
        aten.norm.ScalarOpt_dim(t.x, p, d, k) for p, d, k in ((None, [1], False), (1, [1, 2], True), (3, [], False))
    ],
    "norm_all": lambda t: [aten.norm.Scalar(t.x, p) for p in (2, 1, 0, float("inf"), float("-inf"), 0.5)],
    "norm_dtype": lambda t: aten.norm.ScalarOpt_dim_dtype(t.x, 2, [-1], True, dtype=torch.float64),
    "vector_norm": lambda t: [torch.linalg.vector_norm(t.x, p) for p in (float("-inf"), 2.5)],
    "vector_norm_dtype": lambda t: torch.linalg.vector_norm(t.x, 2, dim=-1, dtype=torch.float64),
    "bilinear": lambda t: F.bilinear(t.x, t.m.mT[:, :3], t.w1[:, :, :1].expand(6, 4, 4), t.bias6),
    "weight_norm": lambda t: [
        torch._weight_norm(t.y, t.y[:, :1], 0),
        torch._weight_norm(t.y, t.c[None], 1),
        torch._weight_norm(t.y, t.s, -1),
    ],
    "weight_norm_interface": lambda t: [
        *aten._weight_norm_interface.default(t.y, t.y[:, :1].contiguous(), 0),
        *aten._weight_norm_interface.default(t.y, t.c[None], 1),
    ],
    "cdist": lambda t: [torch.cdist(t.x, t.m.mT, p=p) for p in (0.0, 1.0, 2.0, 3.0, float("inf"))],
    "cdist_mode": lambda t: [
        torch.cdist(t.x, t.y, compute_mode=m) for m in ("use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")
    ],
    "euclidean": lambda t: aten._euclidean_dist.default(t.x, t.m.mT),
    "pdist": lambda t: [F.pdist(t.y, p) for p in (2.0, 1.0, 0.0)],
    "grouped_mm": _grouped,
    "grouped_mm_fallback": _grouped_by_library,
    "linear_vec_bias": lambda t: aten.linear.default(t.x, t.c, t.s),
}
