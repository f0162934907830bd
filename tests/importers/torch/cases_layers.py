"""Convolution, pooling, normalisation, linear algebra, attention and interpolation; see cases.py."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from tests.importers.torch.cases import Fn

CONV: dict[str, Fn] = {
    "conv1d": lambda t: F.conv1d(t.sig, t.w1),
    "conv1d_all": lambda t: F.conv1d(t.sig, t.w1, t.bias6, stride=2, padding=2, dilation=2),
    "conv2d": lambda t: F.conv2d(t.img, t.w2, t.bias6),
    "conv2d_stride": lambda t: F.conv2d(t.img, t.w2, stride=(2, 3), padding=(1, 0)),
    "conv2d_dilation": lambda t: F.conv2d(t.img, t.w2, dilation=(2, 3)),
    "conv2d_same": lambda t: F.conv2d(t.img, t.w2, padding="same"),
    "conv2d_same_dil": lambda t: F.conv2d(t.img, t.w2, padding="same", dilation=(1, 3)),
    "conv2d_valid": lambda t: F.conv2d(t.img, t.w2, padding="valid"),
    "depthwise": lambda t: F.conv2d(t.img, t.g2, groups=4, padding=1),
    "conv3d": lambda t: F.conv3d(t.vol, t.w3, padding=1, stride=(1, 2, 1)),
    "unbatched": lambda t: F.conv2d(t.img[0], t.w2),
    "transpose1d": lambda t: F.conv_transpose1d(t.sig, t.t1, stride=2),
    "transpose2d": lambda t: F.conv_transpose2d(t.img, t.t2, stride=2, padding=1, output_padding=1),
    "transpose2d_groups": lambda t: F.conv_transpose2d(t.img, t.t2g, groups=2, dilation=2),
    "transpose2d_bias": lambda t: F.conv_transpose2d(t.img, t.t2, t.bias6[:3], stride=(1, 2)),
    "transpose_unbatched": lambda t: F.conv_transpose1d(t.sig[0], t.t1),
}

POOL: dict[str, Fn] = {
    "max1d": lambda t: F.max_pool1d(t.sig, 3),
    "max2d": lambda t: F.max_pool2d(t.img, 2),
    "max2d_all": lambda t: F.max_pool2d(t.img, (3, 2), stride=(2, 1), padding=1, dilation=(1, 2)),
    "max2d_ceil": lambda t: F.max_pool2d(t.img, 3, stride=2, padding=1, ceil_mode=True),
    "max3d": lambda t: F.max_pool3d(t.vol, 2, stride=1),
    "avg1d": lambda t: F.avg_pool1d(t.sig, 3, stride=2, padding=1),
    "avg2d": lambda t: F.avg_pool2d(t.img, 2),
    "avg2d_nopad": lambda t: F.avg_pool2d(t.img, 3, stride=2, padding=1, count_include_pad=False),
    "avg2d_ceil": lambda t: F.avg_pool2d(t.img, 3, stride=2, ceil_mode=True, padding=1),
    "avg2d_divisor": lambda t: F.avg_pool2d(t.img, 2, divisor_override=3),
    "avg3d": lambda t: F.avg_pool3d(t.vol, 2),
    "adaptive1d": lambda t: F.adaptive_avg_pool1d(t.sig, 3),
    "adaptive2d": lambda t: F.adaptive_avg_pool2d(t.img, (3, 4)),
    "adaptive2d_one": lambda t: F.adaptive_avg_pool2d(t.img, 1),
    "adaptive_none": lambda t: F.adaptive_avg_pool2d(t.img, (None, 2)),
    "adaptive_max": lambda t: F.adaptive_max_pool2d(t.img, (2, 3)),
    "adaptive_max1d": lambda t: F.adaptive_max_pool1d(t.sig, 4),
    "unbatched": lambda t: F.max_pool2d(t.img[0], 2),
    "avg_unbatched": lambda t: F.avg_pool2d(t.img[0], 2),
    "adaptive3d": lambda t: F.adaptive_avg_pool3d(t.vol, 2),
}

NORM: dict[str, Fn] = {
    "layer": lambda t: F.layer_norm(t.x, (4,)),
    "layer_affine": lambda t: F.layer_norm(t.x, (4,), t.c, t.c + 1, 1e-3),
    "layer_two": lambda t: F.layer_norm(t.x, (3, 4), t.y, None),
    "rms": lambda t: F.rms_norm(t.x, (4,)),
    "rms_affine": lambda t: F.rms_norm(t.x, (3, 4), t.y, 1e-3),
    "group": lambda t: F.group_norm(t.img, 2),
    "group_affine": lambda t: F.group_norm(t.img, 4, t.c, t.c, 1e-3),
    "instance": lambda t: F.instance_norm(t.img),
    "instance_affine": lambda t: F.instance_norm(t.sig, weight=t.c, bias=t.c, eps=1e-2),
    "batch_stats": lambda t: F.batch_norm(t.img, None, None, t.c, t.c, True),
    "batch_stats2": lambda t: F.batch_norm(t.sig, None, None, training=True, eps=1e-2),
    "rms_negative": lambda t: [
        F.rms_norm(t.x, (4,), eps=-2.0),
        F.rms_norm(t.x, (3, 4), t.y, -0.1),
        F.rms_norm(t.x, (4,), t.c, 0.0),
    ],
    "lrn": lambda t: F.local_response_norm(t.img, 2),
    "lrn3": lambda t: F.local_response_norm(t.img, 3, alpha=0.1, beta=0.5, k=2.0),
}

LINALG: dict[str, Fn] = {
    "linear": lambda t: F.linear(t.x, t.k),
    "linear_bias": lambda t: F.linear(t.x, t.k, t.bias6[:5]),
    "lu_solve": lambda t: torch.linalg.lu_solve(*torch.linalg.lu_factor(t.x[..., :3] + 9 * torch.eye(3).to(t.x)), t.x),
    "matmul": lambda t: t.x @ t.m,
    "mm": lambda t: t.y @ t.k.t(),
    "mv": lambda t: t.y @ t.c,
    "dot": lambda t: t.c @ t.c,
    "bmm": lambda t: torch.bmm(t.x, t.m),
    "batch_vec": lambda t: t.x @ t.c,
    "vec_batch": lambda t: t.c @ t.m,
    "broadcast_mm": lambda t: t.img[..., :4] @ t.k.t(),
    "addmm": lambda t: torch.addmm(t.bias6[:5], t.y, t.k.t()),
    "addmm_scaled": lambda t: torch.addmm(t.bias6[:5], t.y, t.k.t(), alpha=2, beta=0.5),
    "addmm_zero": lambda t: torch.addmm(t.bias6[:5] / 0, t.y, t.k.t(), beta=0),
    "baddbmm": lambda t: torch.baddbmm(t.bias6[:5], t.x, t.m, alpha=0.5),
    "int_mm": lambda t: t.i @ t.i.mT,
    "einsum": lambda t: torch.einsum("bij,bjk->bik", t.x, t.m),
    "einsum_sum": lambda t: torch.einsum("bij,ij->b", t.x, t.y),
    "einsum_ellipsis": lambda t: torch.einsum("...ij,kj->...ik", t.x, t.k),
    "einsum_diag": lambda t: torch.einsum("ii->i", t.y[:, :3]),
    "outer": lambda t: torch.outer(t.c, t.k[:, 0]),
    "tensordot": lambda t: torch.tensordot(t.x, t.y, dims=([1, 2], [0, 1])),
    "chain": lambda t: torch.linalg.multi_dot([t.y, t.k.t(), t.k]),
    "linear_vec": lambda t: F.linear(t.x, t.c),
    "bilinear": lambda t: F.bilinear(t.x, t.x, t.w1[:, :, :1].expand(6, 4, 4)),
}

ATTENTION: dict[str, Fn] = {
    "plain": lambda t: F.scaled_dot_product_attention(t.x, t.x, t.pos),
    "causal": lambda t: F.scaled_dot_product_attention(t.x, t.x, t.pos, is_causal=True),
    "scale": lambda t: F.scaled_dot_product_attention(t.x, t.x, t.pos, scale=0.3),
    "mask": lambda t: F.scaled_dot_product_attention(t.x, t.x, t.pos, attn_mask=t.y @ t.y.t()),
    "bool_mask": lambda t: F.scaled_dot_product_attention(t.x, t.x, t.pos, attn_mask=torch.eye(3, dtype=torch.bool)),
    "empty_rows": lambda t: F.scaled_dot_product_attention(
        t.x, t.x, t.pos, attn_mask=torch.tensor([[True, False, False], [False] * 3, [True] * 3])
    ),
    "cross": lambda t: F.scaled_dot_product_attention(t.x, t.m.mT, t.m.mT),
    "cross_causal": lambda t: F.scaled_dot_product_attention(t.x, t.m.mT, t.m.mT, is_causal=True),
    "grouped": lambda t: F.scaled_dot_product_attention(t.img, t.img[:, :2], t.img[:, 2:] + 1, enable_gqa=True),
    "heads": lambda t: F.scaled_dot_product_attention(t.img, t.img, t.img, is_causal=True),
}

RESIZE: dict[str, Fn] = {
    **{
        f"nearest_{k}": (lambda t, a=a: F.interpolate(t.img, mode="nearest", **a))
        for k, a in {
            "size": {"size": (5, 13)},
            "scale": {"scale_factor": 2},
            "odd": {"scale_factor": (1.7, 0.6)},
        }.items()
    },
    **{
        f"exact_{k}": (lambda t, a=a: F.interpolate(t.img, mode="nearest-exact", **a))
        for k, a in {
            "size": {"size": (5, 13)},
            "scale": {"scale_factor": 2},
            "odd": {"scale_factor": (1.7, 0.6)},
        }.items()
    },
    **{
        f"{m}_{c}_{k}": (lambda t, m=m, c=c, a=a: F.interpolate(t.img, mode=m, align_corners=c, **a))
        for m in ("bilinear", "bicubic")
        for c in (False, True)
        for k, a in {
            "size": {"size": (5, 13)},
            "scale": {"scale_factor": 2},
            "odd": {"scale_factor": (1.7, 0.6)},
        }.items()
    },
    "linear1d": lambda t: F.interpolate(t.sig, size=7, mode="linear"),
    "trilinear": lambda t: F.interpolate(t.vol, scale_factor=2, mode="trilinear", align_corners=True),
    "antialias": lambda t: F.interpolate(t.img, size=(4, 5), mode="bilinear", antialias=True),
    "exact_few": lambda t: F.interpolate(t.sig.repeat(1, 1, 5)[..., :41], size=2, mode="nearest-exact"),
    "keeps_size": lambda t: [
        F.interpolate(t.img[:, :, :8], scale_factor=(1.1, f), mode=m, align_corners=c)
        for f in (1.05, 2)
        for m, c in (("bilinear", False), ("bilinear", True), ("bicubic", False))
    ],
    "keeps_size_nearest": lambda t: F.interpolate(t.img[:, :, :8].float(), scale_factor=(1.1, 0.5)),
    "keeps_or_doubles_size_nearest": lambda t: [  # copied in planes, but not in lines and volumes
        F.interpolate(x.float(), scale_factor=f) for x in (t.sig, t.img, t.vol) for f in (1.05, 1.125, 2.0625, 2.125)
    ],
    "keeps_size_antialias": lambda t: [
        F.interpolate(t.img[:, :, :8], scale_factor=(1.1, 0.5), mode=m, antialias=True) for m in ("bilinear", "bicubic")
    ],
    "antialias_cubic": lambda t: F.interpolate(t.img, size=(4, 5), mode="bicubic", antialias=True),
    "recompute": lambda t: F.interpolate(t.img, scale_factor=1.7, mode="bilinear", recompute_scale_factor=True),
    "like": lambda t: F.interpolate(t.img, size=t.img.shape[2:], mode="bilinear"),
    "nearest1d": lambda t: F.interpolate(t.sig, scale_factor=3),
    "nearest3d": lambda t: F.interpolate(t.vol, size=(2, 7, 5)),
    "area": lambda t: F.interpolate(t.img, size=(4, 3), mode="area"),
}
