"""What the rules refuse, and in which words: by case, the function, the op and a part of the reason."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.nn import functional as F

from tests.importers.torch.cases import Fn

aten = torch.ops.aten
la = torch.linalg


class Refused(NamedTuple):
    """A case, the op that is refused, and words of the reason."""

    function: Fn
    op: str
    reason: str


REFUSED: dict[str, Refused] = {
    "layer_norm_half": Refused(
        lambda t: F.layer_norm(t.half, (4,), eps=-0.5), "aten.layer_norm.default", "a negative eps in this form"
    ),
    "layer_norm_native": Refused(
        lambda t: aten.native_layer_norm.default(t.x, [4], None, None, -0.5)[0],
        "aten.native_layer_norm.default",
        "a negative eps in this form",
    ),
    "view_width": Refused(
        lambda t: t.i.view(torch.int32), "aten.view.dtype", "reinterpreting bits as a type of another width"
    ),
    "view_bool": Refused(lambda t: t.b.view(torch.uint8), "aten.view.dtype", "reinterpreting bits as or from bool"),
    "view_as_bool": Refused(lambda t: t.u8.view(torch.bool), "aten.view.dtype", "reinterpreting bits as or from bool"),
    "round_half": Refused(
        lambda t: torch.round(t.half, decimals=1), "aten.round.decimals", "rounding half floats to decimals"
    ),
    "pow_negative": Refused(
        lambda t: aten.pow.Tensor_Scalar(t.j, -1), "aten.pow.Tensor_Scalar", "integers to a negative power"
    ),
    "qr_r": Refused(
        lambda t: la.qr(t.sq, mode="r")[1], "aten.linalg_qr.default", "mode='r': one of the results is empty"
    ),
    "svd_driver": Refused(
        lambda t: la.svdvals(t.sq, driver="gesvd"), "aten._linalg_svd.default", "drivers are of CUDA"
    ),
    "svd_complex": Refused(
        lambda t: la.svdvals(t.zsq), "aten._linalg_svd.default", "singular values of complex matrices"
    ),
    "eigh_complex": Refused(
        lambda t: la.eigvalsh(t.zsq), "aten._linalg_eigh.default", "eigenvalues of complex matrices"
    ),
    "eig_complex": Refused(
        lambda t: la.eig(t.zsq)[0].abs(), "aten.linalg_eig.default", "eigenvalues of complex matrices"
    ),
    "matrix_exp_complex": Refused(
        lambda t: la.matrix_exp(t.zsq).abs(), "aten.linalg_matrix_exp.default", "this of complex matrices"
    ),
    "pinv_complex": Refused(
        lambda t: la.pinv(t.zsq).abs(), "aten.linalg_pinv.atol_rtol_tensor", "this of complex matrices"
    ),
    "geqrf_complex": Refused(lambda t: torch.geqrf(t.zsq)[0].abs(), "aten.geqrf.default", "this of complex matrices"),
    "householder_complex": Refused(
        lambda t: la.householder_product(t.zsq, t.zsq[..., 0]).abs(),
        "aten.linalg_householder_product.default",
        "this of complex",
    ),
    "ormqr_complex": Refused(
        lambda t: torch.ormqr(t.zsq, t.zsq[..., 0], t.zsq).abs(), "aten.ormqr.default", "this of complex matrices"
    ),
    "lu_pivot": Refused(lambda t: la.lu(t.sq, pivot=False)[1], "aten.linalg_lu.default", "factors without pivoting"),
    "lu_factor_pivot": Refused(
        lambda t: la.lu_factor(t.sq, pivot=False)[0], "aten.linalg_lu_factor.default", "factors without pivoting"
    ),
    "irfft_points": Refused(
        lambda t: aten._fft_c2r.default(t.z, [1], 0, 8), "aten._fft_c2r.default", "a spectrum of 3 points for 8"
    ),
    "gather_sparse": Refused(
        lambda t: torch.gather(t.x, 1, t.i.abs() % 3, sparse_grad=True), "aten.gather.default", "sparse gradients"
    ),
    "rms_norm_half": Refused(
        lambda t: F.rms_norm(t.half, (4,), eps=-0.5), "aten.rms_norm.default", "a negative eps in this form"
    ),
    "instance_norm_half": Refused(
        lambda t: F.instance_norm(t.half, t.c[:3].float(), t.c[:3].float().abs(), use_input_stats=False),
        "aten.instance_norm.default",
        "running statistics of another element type",
    ),
    "embedding_bag_last": Refused(
        lambda t: [
            F.embedding_bag(t.rows.flatten(), t.table, torch.arange(0, stop, 2), include_last_offset=True)
            for stop in (10, 8, 14)
        ],
        "aten._embedding_bag_forward_only.default",
        "offsets whose last one is not the number of indices",
    ),
    "index_add_0d": Refused(
        lambda t: t.y.index_add(0, t.at[:1], t.s), "aten.index_add.default", "a source with another number of axes"
    ),
    "index_add_1d": Refused(
        lambda t: t.y.index_add(0, t.at.repeat(2), t.c), "aten.index_add.default", "a source with another number of axes"
    ),
    "index_reduce_0d": Refused(
        lambda t: t.y.index_reduce(0, t.at[:1], t.s, "prod"),
        "aten.index_reduce.default",
        "a source with another number of axes",
    ),
    "index_reduce_2d": Refused(
        lambda t: t.y.index_reduce(0, t.at[None], t.y[:2], "prod"),
        "aten.index_reduce.default",
        "an index of more than one axis",
    ),
    "unique_complex": Refused(
        lambda t: torch.unique(t.z, dim=0).abs(), "aten.unique_dim.default", "distinct slices of complex numbers"
    ),
    "unique_empty": Refused(
        lambda t: torch.unique(t.x[:, :0], dim=0), "aten.unique_dim.default", "distinct slices without elements"
    ),
    "mask_0d": Refused(lambda t: t.x.index_put((t.si > 0,), t.s), "aten.index_put.default", "a 0-d mask as an index"),
    "matmul_bool": Refused(lambda t: t.b @ t.b2.mT, "aten.matmul.default", "matrix product of booleans"),
    "addmm_bool": Refused(
        lambda t: torch.addmm(t.b[0, :, :3], t.b[0], t.b2[0].mT), "aten.addmm.default", "matrix product of booleans"
    ),
    "grouped_3d": Refused(
        lambda t: torch._grouped_mm(*[(t.i[0] % 2).repeat(11, 4)[:32].reshape(2, 16, 16).bfloat16()] * 2),
        "aten._grouped_mm.default",
        "grouped product other than of a matrix with a stack",
    ),
    "shift_float": Refused(
        lambda t: aten.bitwise_left_shift.Tensor(t.x, t.x), "aten.bitwise_left_shift.Tensor", "shifts of floats"
    ),
    "mixed_norm": Refused(
        lambda t: F.layer_norm(t.x, (4,), t.c.to(torch.bfloat16)), "aten.layer_norm.default", "mixed element types"
    ),
    "mixed_half": Refused(
        lambda t: F.layer_norm(t.half, (4,), t.c.bfloat16()), "aten.layer_norm.default", "mixed element types"
    ),
    "batch_computed": Refused(
        lambda t: F.batch_norm(t.sig, t.c, t.c.abs()),
        "isomorph.batch_norm.default",
        "running statistics that are computed",
    ),
    "logcumsumexp_complex": Refused(
        lambda t: torch.logcumsumexp(t.z, 1).abs(), "aten.logcumsumexp.default", "complex numbers"
    ),
    "histc_range": Refused(lambda t: torch.histc(t.x), "aten.histc.default", "histc over the range of the data"),
    "antialias": Refused(
        lambda t: aten._upsample_bilinear2d_aa.vec(t.img, [4, 4], True, None),
        "aten._upsample_bilinear2d_aa.vec",
        "antialias together with align_corners",
    ),
    "nearest_doubles": Refused(
        lambda t: F.interpolate(t.img.reshape(1, 1, 1, -1), scale_factor=(1, 2.3)),
        "aten.upsample_nearest2d.vec",
        "the nearest elements of doubles",
    ),
    "as_strided_view": Refused(
        lambda t: t.y[:, 1:].as_strided((2,), (1,)),
        "aten.as_strided.default",
        "a strided view of a tensor that is itself a view",
    ),
    "as_strided_twice": Refused(
        lambda t: torch.as_strided_scatter(t.y, t.y[:2, :2], (2, 2), (1, 1)),
        "aten.as_strided_scatter.default",
        "a view that holds an element twice",
    ),
}


def _square(t: Any) -> torch.Tensor:
    """A matrix of a size that varies."""
    return t.x[:, 0] @ t.x[:, 0].mT


REFUSED_DYNAMIC: dict[str, Refused] = {
    "lu_unpack": Refused(
        lambda t: torch.lu_unpack(_square(t), torch.arange(t.x.shape[0], dtype=torch.int32) + 1)[1],
        "aten.lu_unpack.default",
        "the size of the matrices must be known",
    ),
    "adaptive": Refused(
        lambda t: F.adaptive_avg_pool2d(t.img, (t.img.shape[2] * 2, 2)),
        "aten.adaptive_avg_pool2d.default",
        "an output size that depends",
    ),
    "nearest_doubles": Refused(
        lambda t: F.interpolate(t.img, scale_factor=1.5),
        "aten.upsample_nearest2d.vec",
        "the nearest elements of doubles",
    ),
    "keeps_size": Refused(
        lambda t: F.interpolate(t.img, scale_factor=1.25, mode="bilinear"),
        "aten.upsample_bilinear2d.vec",
        "PyTorch copies an axis that keeps its size",
    ),
    "as_strided": Refused(
        lambda t: t.x.as_strided((2, 2), (2, 1)),
        "aten.as_strided.default",
        "a strided view of a tensor that is itself a view",
    ),
}
