"""Other overloads and decomposed forms of shapes, casts, reductions, reads and writes; see cases.py."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from tests.importers.torch.cases import Fn

aten = torch.ops.aten

MOVED: dict[str, Fn] = {
    "reshape_op": lambda t: aten.reshape.default(t.x.mT, [-1, 6]),
    "view_copy": lambda t: aten.view_copy.default(t.y, [2, 6]),
    "_reshape_alias": lambda t: aten._reshape_alias.default(t.y, [2, 6], [6, 1]),
    "view_as": lambda t: [aten.view_as.default(t.y, t.y.t().contiguous()), aten.reshape_as.default(t.y, t.y.t())],
    "_unsafe_view": lambda t: aten._unsafe_view.default(t.y, [2, 6]),
    "unflatten_op": lambda t: aten.unflatten.int(t.y, 1, [2, 2]),
    "flatten_op": lambda t: [aten.flatten.using_ints(t.img, 1, -1), aten.flatten.using_ints(t.s)],
    "squeeze_copy": lambda t: aten.squeeze_copy.dim(t.y[None], 0),
    "squeeze_neg": lambda t: [t.y[..., None].squeeze(-1), t.y[None].squeeze((-3,)), t.x[:, :1].squeeze(-2)],
    "squeeze_0d": lambda t: [t.s.squeeze(0), t.s.squeeze(), t.y[:1].squeeze((0, 1))],
    "unsqueeze_copy": lambda t: aten.unsqueeze_copy.default(t.y, -2),
    "permute_copy": lambda t: aten.permute_copy.default(t.x, [-1, 0, 1]),
    "permute_0d": lambda t: t.s.permute(()),
    "transpose_copy": lambda t: aten.transpose_copy.int(t.x, -1, 0),
    "transpose_0d": lambda t: t.s.transpose(0, -1),
    "swapaxes_op": lambda t: aten.swapaxes.default(t.x, 0, -1),
    "t_copy": lambda t: [aten.t_copy.default(t.y), t.c.t()],
    "numpy_T": lambda t: aten.numpy_T.default(t.y),
    "mT_op": lambda t: aten.mT.default(t.x),
    "movedim_op": lambda t: [aten.movedim.int(t.img, -1, 1), aten.movedim.intlist(t.img, [1, 3], [-1, 0])],
    "expand_copy": lambda t: aten.expand_copy.default(t.c, [3, 4]),
    "expand_as_op": lambda t: [aten.expand_as.default(t.c, t.y), aten.broadcast_to.default(t.c, [2, -1])],
    "repeat_more": lambda t: [t.y.repeat(2, 1), t.y.repeat(1, 1), torch.tile(t.x, (2,)), torch.tile(t.c, (2, 3))],
    "repeat_counts": lambda t: [torch.repeat_interleave(t.at), torch.repeat_interleave(t.y[:2], t.at + 1, dim=0)],
    "repeat_interleave_once": lambda t: [t.y.repeat_interleave(1, dim=0), t.y.repeat_interleave(2, dim=-1)],
    "concat": lambda t: [torch.concat([t.x, t.pos], 1), torch.concatenate([t.i, t.x], -1)],
    "cat_one": lambda t: [torch.cat([t.c[:0], t.c]), torch.cat([t.y]), torch.cat([t.c[:0], t.y, t.y])],
    "split_sizes_op": lambda t: aten.split.sizes(t.x, [1, 3], -1),
    "chunk_op": lambda t: aten.chunk.default(t.x, 2, -1),
    "split_one": lambda t: [*t.x.split(9, 1), *t.x.chunk(1, 2)],
    "tensor_split_op": lambda t: aten.tensor_split.sections(t.x, 3, 2),
    "split_copy": lambda t: aten.split_copy.Tensor(t.x, 3, 2),
    "split_with_sizes_copy": lambda t: aten.split_with_sizes_copy.default(t.x, [1, 3], 2),
    "unsafe_split": lambda t: torch.unsafe_split(t.x, 3, 2),
    "unbind_copy": lambda t: aten.unbind_copy.int(t.x, 1),
    "diagonal_copy": lambda t: aten.diagonal_copy.default(t.x, 1, 1, 2),
    "flip_none": lambda t: [t.x.flip(()), t.x.flip(-1)],
    "roll_neg": lambda t: t.x.roll((1, 2), (-1, 1)),
    "tril_triu": lambda t: [t.y.tril(1), t.y.triu(-1)],
    "constant_pad": lambda t: [
        aten.constant_pad_nd.default(t.x, [1, 2]),
        aten.constant_pad_nd.default(t.x, [0, 1, 2, 0], 1.5),
    ],
    "pad_types": lambda t: [
        F.pad(t.b, (1, 1), value=1.0),
        F.pad(t.i, (1, 0), value=2.9),
        F.pad(t.x, (0, 0)),
        F.pad(t.x, (1, 0)),
    ],
    "pad_int_reflect": lambda t: F.pad(t.i, (1, 2), mode="circular"),
    **{
        f"{kind}_pad": lambda t, kind=kind: [
            getattr(aten, f"{kind}_pad1d").default(t.sig, [2, 1]),
            getattr(aten, f"{kind}_pad2d").default(t.img, [2, 1, 0, 3]),
            getattr(aten, f"{kind}_pad3d").default(t.vol, [2, 1, 0, 3, 1, 1]),
        ]
        for kind in ("reflection", "replication")
    },
    "native_channel_shuffle": lambda t: aten.native_channel_shuffle.default(t.img, 2),
    "pixel_shuffle_batches": lambda t: [
        F.pixel_shuffle(t.img.expand(5, *t.img.shape), 2),
        F.pixel_shuffle(t.img[0], 2),
        F.pixel_unshuffle(t.img[0, :, :6, :6], 3),
    ],
    "unfold_0d": lambda t: [t.s.unfold(0, 1, 1), t.s.unfold(0, 0, 1)],
    "pad_empty": lambda t: [
        F.pad(t.sig[:0], (1, 2), mode="replicate"),
        F.pad(t.sig[..., :1], (-1, 3), mode="replicate"),
        F.pad(t.sig[..., :1], (2, -2), mode="replicate"),
    ],
    "pad_to_one": lambda t: [F.pad(t.sig, p, mode="replicate") for p in ((-10, 12), (12, -10), (-9, 1))],
    "unfold_neg": lambda t: t.sig.unfold(-1, 4, 3),
    "meshgrid_op": lambda t: [
        *aten.meshgrid.default([t.c, t.c[:3]]),
        *torch.meshgrid(t.c, t.s, t.c[:2], indexing="xy"),
    ],
    "meshgrid_one": lambda t: torch.meshgrid(t.c, indexing="xy"),
    "slice_copy": lambda t: aten.slice_copy.Tensor(t.x, 1, 1, 3),
    "narrow_op": lambda t: [
        aten.narrow.default(t.y, 1, 1, 2),
        aten.narrow.default(t.y, 1, -3, 2),
        t.y.narrow(-1, -3, 2),
    ],
    "narrow_copy": lambda t: [
        torch.narrow_copy(t.y, 1, 1, 2),
        torch.narrow_copy(t.y, 1, 0, 3),
        torch.narrow_copy(t.y, 0, -2, 1),
    ],
    "select_copy": lambda t: aten.select_copy.int(t.x, -1, -2),
    "slice_all": lambda t: [
        aten.slice.Tensor(t.y, 0),
        aten.slice.Tensor(t.y, 1, 0, 9, 2),
        aten.slice.Tensor(t.y, 1, -3),
    ],
    "slice_scatter": lambda t: [
        torch.slice_scatter(t.y, t.y[:, 1:] * 2, 1, 0, 3),
        torch.slice_scatter(t.y, t.y * 2),
        torch.slice_scatter(t.y, t.y[:, ::2], 1, 0, None, 2),
    ],
    "select_scatter": lambda t: torch.select_scatter(t.x, t.x[..., 0], -1, -1),
}

CASTS: dict[str, Fn] = {
    "to_op": lambda t: [
        aten.to.dtype(t.i, torch.float32),
        aten.to.dtype_layout(t.x, dtype=torch.int32),
        aten.to.other(t.i, t.x),
    ],
    "to_device": lambda t: aten.to.device(t.i, torch.device("cpu"), torch.float64),
    "to_copy": lambda t: t.x.to(t.x.dtype, copy=True) + 1,
    "contiguous_op": lambda t: aten.contiguous.default(t.x.mT) + 1,
    "lift": lambda t: [aten.lift_fresh.default(t.c) + 1, aten.lift_fresh_copy.default(t.c), aten.lift.default(t.c) + 1],
    "alias": lambda t: aten.alias.default(t.x) + 1,
    "detach": lambda t: [
        t.x.detach() * 2,
        (t.x * 2).detach().detach(),
        t.i.detach() + 1,
        aten.detach_copy.default(t.x.exp()),
    ],
    "view_dtype": lambda t: [
        t.x.view(t.x.dtype) + 1,
        t.i.view(torch.float64).view(torch.int64),
        t.i32.view(torch.float32).view(torch.int32),
        t.b.view(torch.bool),
    ],
    "copy_expand": lambda t: [torch.zeros_like(t.x).copy_(t.i), torch.zeros_like(t.x).copy_(t.y[:1])],
}

def _with_numbers(t: Any) -> list[Any]:
    """Integers of tensors that are no sizes, and negative."""
    n, m = (t.si - 9).item(), (t.at[0] - 7).item()
    return [n, t.x + n, t.i * m, torch.full((2,), 2 * n - m), t.x.clamp(min=n), (t.i > m).sum(), -n, n // 2 + m % 3, t.y * max(n, m)]


CREATED: dict[str, Fn] = {
    "numbers_of_tensors": _with_numbers,
    "arange_fractions": lambda t: [
        torch.arange(*bounds, dtype=kind) + t.si.to(kind)
        for bounds in ((0.5, 3.7, 1), (1.9, 7.2, 2.5), (-1.5, 3.2, 1.5), (3.7, -2.2, -1.6))
        for kind in (torch.int64, torch.int32, torch.int8)
    ],
    "new_ones": lambda t: [t.x.new_ones(2, 3), t.x.new_ones((2,), dtype=torch.int32), t.x.new_ones(())],
    "empties": lambda t: [
        e.fill_(2.0)
        for e in (
            t.x.new_empty(2, 3),
            torch.empty_like(t.x),
            torch.empty_permuted((2, 3), (1, 0)),
            torch.empty_strided((2, 3), (1, 2)),
            t.x.new_empty_strided((2, 3), (3, 1)),
        )
    ],
    "empties_read": lambda t: [
        e * 0
        for e in (
            t.i.new_empty(2, 3),
            torch.empty_like(t.i),
            torch.empty_permuted((2, 3), (1, 0), dtype=torch.int64),
            torch.empty_strided((2, 3), (1, 2), dtype=torch.int64),
            t.i.new_empty_strided((2, 3), (3, 1)),
            torch.empty(2, dtype=torch.int64),
        )
    ],
    "types": lambda t: [
        torch.zeros(2, dtype=torch.bool),
        torch.ones(2, dtype=torch.bool),
        torch.ones(2, dtype=torch.int32),
        torch.ones(()),
    ],
    "likes": lambda t: [
        torch.zeros_like(t.x, dtype=torch.bool),
        torch.ones_like(t.x),
        torch.full_like(t.i, 2.0, dtype=torch.float32),
    ],
    "full_types": lambda t: [
        torch.full((2,), True),
        torch.full((2,), 2.9, dtype=torch.int64),
        torch.full((), 2.5),
        t.i.new_full((2,), 3),
    ],
    "arange_start": lambda t: [
        torch.arange(2, 7),
        torch.arange(2.5, 7),
        torch.arange(3, dtype=torch.float32),
        torch.arange(1, 2, 0.25, dtype=torch.float64),
    ],
    "logspace": lambda t: [
        torch.logspace(0, 2, 5),
        torch.logspace(0, 3, 4, base=2.0, dtype=torch.float64),
        torch.linspace(0, 1, 7, dtype=torch.float64),
    ],
    "fills": lambda t: [
        t.x.clone().fill_(2),
        t.i.clone().fill_(t.si),
        t.s.clone().fill_(1.5),
        aten.fill.Tensor(t.x, t.s),
    ],
    "frequencies": lambda t: [
        torch.fft.fftfreq(5),
        torch.fft.rfftfreq(6, 0.5),
        torch.fft.fftfreq(4, 2.0, dtype=torch.float64),
        torch.fft.rfftfreq(5, dtype=torch.float64),
    ],
    "zero_": lambda t: [t.x.clone().zero_(), t.i.clone().zero_()],
    "scalar_tensor": lambda t: [
        torch.scalar_tensor(2),
        torch.scalar_tensor(2.5, dtype=torch.float64),
        torch.scalar_tensor(t.x.shape[0]),
    ],
    "eyes": lambda t: [torch.eye(2, dtype=torch.int32), torch.eye(3, 2, dtype=torch.float64)],
}

REDUCED: dict[str, Fn] = {
    "any_dims": lambda t: [
        torch.any(t.b, (0, 2)),
        torch.all(t.b, (1, -1), keepdim=True),
        torch.any(t.i, 1),
        torch.any(t.u8),
    ],
    "all_u8": lambda t: [torch.all(t.u8, 1), torch.all(t.u8)],
    "var_op": lambda t: [
        aten.var.default(t.x),
        aten.var.default(t.x, False),
        aten.std.default(t.x),
        aten.std.default(t.x, False),
    ],
    "var_mean_op": lambda t: [
        *aten.var_mean.default(t.x),
        *aten.var_mean.default(t.x, False),
        *aten.var_mean.dim(t.x, [1], False, True),
    ],
    "var_mean_correction": lambda t: [
        *torch.var_mean(t.x, (0, -1), correction=2, keepdim=True),
        *torch.var_mean(t.x, correction=0),
    ],
    "std_mean_correction": lambda t: list(torch.std_mean(t.x, -1, correction=2, keepdim=True)),
    "argsort_stable": lambda t: [
        torch.argsort(t.distinct, dim=0, stable=True),
        torch.argsort(t.x, dim=1, descending=True, stable=True),
        t.x.argsort(-1, descending=True),
    ],
    "count_nonzero_dims": lambda t: [
        torch.count_nonzero(t.i, (0, -1)),
        torch.count_nonzero(t.b, -1),
        torch.count_nonzero(t.si, 0),
        torch.count_nonzero(t.x),
    ],
    "zero_d": lambda t: [
        t.s.prod(0),
        t.s.cumsum(0),
        t.s.cumprod(-1),
        t.s.argmax(0),
        *t.s.max(0),
        *t.s.min(-1),
        t.s.amax(0),
        t.si.argmin(),
    ],
    "prod_keep": lambda t: [t.x.prod(-2, keepdim=True), t.i.prod(0, dtype=torch.float64), t.b.prod(1)],
    "extreme_bool": lambda t: [t.b.amax(1), t.b.amin((0, 2), keepdim=True), t.b.min()],
    "extreme_with_position": lambda t: [*t.x.max(-1, keepdim=True), *t.x.min(0), *t.distinct.min(1)],
    "aminmax": lambda t: [*torch.aminmax(t.x), *torch.aminmax(t.x, dim=-1, keepdim=True), *torch.aminmax(t.i)],
    "argmin_keep": lambda t: [t.x.argmin(keepdim=True), t.x.argmin(1, keepdim=True), t.x.argmax(-2)],
    "topk_unsorted": lambda t: [t.x.topk(2, sorted=False)[0].sort()[0], *t.x.topk(3, dim=-2, largest=False)],
    "sort_forms": lambda t: [
        *t.x.sort(1, descending=True),
        *torch.sort(t.distinct, dim=0, stable=True),
        *torch.sort(t.b.long(), dim=2, stable=True, descending=True),
    ],
    "logsumexp_dims": lambda t: torch.logsumexp(t.x, (0, -1), keepdim=True),
    "sum_empty_dims": lambda t: [t.x.sum(()), t.i.sum((0, 1), dtype=torch.float32)],
    "cumulative_dtype": lambda t: [t.i.cumprod(-1), t.x.cumprod(1, dtype=torch.float64), t.b.cumprod(0)],
    "norm_orders": lambda t: [torch.linalg.vector_norm(t.x[0] * t.b, p, dim=-1) for p in (0.5, 1.5, -1, -2.5, -torch.inf)],
    "norm_half": lambda t: torch.linalg.vector_norm(t.x, 2, dim=(0, -1), keepdim=True),
}

PLACED: dict[str, Fn] = {
    "masked_select": lambda t: [torch.masked_select(t.x, t.b), torch.masked_select(t.y, t.b[:1])],
    "nonzero": lambda t: [torch.nonzero(t.b), torch.nonzero(t.i)],
    "nonzero_of_number": lambda t: [
        torch.nonzero(t.s),
        torch.nonzero(t.si * 0),
        torch.nonzero_static(t.s, size=3),
        torch.nonzero_static(t.b[0, 0, 0], size=1),
    ],
    "_unsafe_index": lambda t: aten._unsafe_index.Tensor(t.x, [None, t.at % 3, t.at]),
    "index_mask_and_places": lambda t: [
        t.x[t.b[:, :, 0], t.at[:1]],
        t.x[t.at[:1] % 2, t.b[0]],
        t.x.index_put((t.b[:, :, 0], t.at[:1]), t.s),
    ],
    "index_two_masks": lambda t: [
        aten.index_put.default(t.x, [torch.arange(2) == 1, None, torch.tensor([False, True, False, True])], t.s),
        aten.index_put.default(t.img, [None, torch.tensor([[True] * 8] * 4), torch.arange(9) == 7], t.s, True),
        aten.index_put.default(t.x, [torch.tensor([1, 0], dtype=torch.uint8), torch.tensor([0, 2]), t.b[0, 0]], t.s),
    ],
    "index_masks": lambda t: [t.x[t.b], t.x[:, t.b[0, :, 0]], t.x[t.b[:, :, 0], 1], t.x[:, t.b[0]]],
    "index_select_0d": lambda t: [t.s.index_select(0, t.at[:1] * 0), t.x.index_select(-1, t.at)],
    "gather_neg": lambda t: t.x.gather(-2, t.i.abs() % 3),
    "take_along_flat": lambda t: [torch.take_along_dim(t.x, t.at), torch.take_along_dim(t.c, t.at[:, None])],
    "pick_numbers": lambda t: [
        torch.gather(t.s, 0, t.at * 0),
        torch.gather(t.s, -1, t.at[0] * 0),
        torch.gather(t.c, 0, t.at[1]),
        t.s.scatter(0, t.at * 0, t.c[:2]),
        t.s.scatter(0, t.at[0] * 0, t.s + 1),
        t.s.scatter(0, t.at * 0, 2.0),
        t.c.scatter(0, t.at[1], t.s),
        t.c.scatter(0, t.at[0], 3.0),
        t.s.scatter_add(0, t.at * 0, t.c[1:3]),
    ],
    "take_along_broadcast": lambda t: [
        torch.take_along_dim(t.y, t.at[:, None] % 3, 0),
        torch.take_along_dim(t.x, t.at[None, None, :], -1),
        torch.take_along_dim(t.x, t.at[None, :, None] % 3, 1),
        torch.take_along_dim(t.img[:1], t.rows[:, None, :, None], 2),
    ],
    "take_1d": lambda t: t.c.take(t.at),
    "masked_fill_int": lambda t: [t.i.masked_fill(t.b, 2), t.x.masked_fill(t.b, t.s)],
    "one_hot_more": lambda t: F.one_hot(t.rows, 9),
    "scatter_value_reduce": lambda t: [t.x.scatter(1, t.i.abs() % 3, 2.0, reduce=r) for r in ("add", "multiply")],
    "scatter_neg_axis": lambda t: [
        t.x.scatter(-2, t.i.abs()[:, :1] % 3, 5.0),
        t.x.scatter_add(-1, t.i.abs() % 4, t.pos),
    ],
    "scatter_reduce_add": lambda t: t.x.scatter(1, t.i.abs() % 3, t.pos, reduce="add"),
    "scatter_src_types": lambda t: t.i.scatter(1, t.i.abs()[:, :1] % 3, t.j),
    "_unsafe_index_put": lambda t: [aten._unsafe_index_put.default(t.y, [t.at % 3], t.y[:2], a) for a in (False, True)],
    "index_put_none": lambda t: [
        t.x.index_put((t.at[:1] * 0, t.at[:1] % 3), t.c),
        aten.index_put.default(t.x, [None, t.at[:1] % 3], t.x[:, :1] * 2),
        aten.index_put.default(t.x, [None, None, t.at[:1]], t.x[..., :1] * 2, True),
        aten.index_put.default(t.y, [t.at[0] % 3], t.c),
    ],
    "index_put_masks": lambda t: [
        t.x.index_put((t.b,), t.s),
        t.x.index_put((t.b[:, :, 0],), torch.tensor([2.0]).to(t.x)),
        t.x.index_put((t.b,), t.x[t.b] * 2),
        t.y.index_put((t.b[0],), t.s, accumulate=True),
        t.x.index_put((t.b[:, :, 0],), t.c),
    ],
    "index_fill_tensor": lambda t: [
        t.x.index_fill(-1, t.at[:1], t.s),
        t.s.index_fill(0, t.at[:1] * 0, 2.0),
        t.y.index_fill(0, t.at[0] % 3, 1.5),
    ],
    "index_add_more": lambda t: [
        t.s.index_add(0, t.at[:1] * 0, t.s),
        t.x.index_add(-2, t.at[:1] % 3, t.x[:, :1], alpha=0.5),
        t.c.index_copy(0, t.at[0], t.s),
    ],
    "index_reduce": lambda t: [
        t.x.index_reduce(d, torch.tensor([2, 0, 2]), t.x[..., :3] if d in (2, -1) else t.x, r, include_self=s)
        for d, r, s in (
            (1, "prod", True),
            (-1, "mean", False),
            (2, "amax", True),
            (1, "amin", False),
            (1, "mean", True),
        )
    ],
    "index_reduce_0d": lambda t: [
        t.s.index_reduce(0, t.at[:1] * 0, t.s * 2, "prod"),
        t.c.index_reduce(0, t.at[0], t.c[:1], "amax"),
    ],
    "masked_scatter": lambda t: [
        t.x.masked_scatter(t.x > 0, t.pos),
        t.x.masked_scatter(t.b[:1], t.pos),
        t.y.masked_scatter(t.y > 0, t.img),
    ],
    "diagonal_scatter": lambda t: [
        torch.diagonal_scatter(t.y, t.c[:3]),
        torch.diagonal_scatter(t.y, t.c[:2], -1),
        torch.diagonal_scatter(t.y, t.c[:2], 2),
    ],
    "diagonal_scatter_axes": lambda t: [
        torch.diagonal_scatter(t.x, t.x[:, :, 0] * 3, 0, 1, 2),
        torch.diagonal_scatter(t.x, t.x[:, :, 0] * 3, 1, 1, -1),
        torch.diagonal_scatter(t.x, t.x[:, :2, 0] * 3, -1, 1, 2),
    ],
    "diagonal_scatter_turned": lambda t: torch.diagonal_scatter(t.x, t.x[:, :2, 0] * 3, 1, 2, 1),
    "as_strided": lambda t: [
        t.y.as_strided((2, 3), (4, 1)),
        t.y.as_strided((2, 2), (1, 2), 3),
        t.y.as_strided((2, 3, 2), (4, 1, 2), 1),
        aten.as_strided_copy.default(t.y, [3, 3], [4, 1], 1),
    ],
    "as_strided_scatter": lambda t: [
        torch.as_strided_scatter(t.y, t.y[:2, :3] * 2, (2, 3), (4, 1)),
        torch.as_strided_scatter(t.y, t.y[:2, :2], (2, 2), (1, 2), 3),
    ],
    "unique": lambda t: [
        *torch.unique(t.rows, return_inverse=True, return_counts=True),
        torch.unique(t.b),
        *aten._unique.default(t.i, True, True),
    ],
    "unique_dim": lambda t: [
        *torch.unique(t.rows % 2, dim=0, return_inverse=True, return_counts=True),
        torch.unique(t.b2[0], dim=1),
    ],
    "bincount": lambda t: [torch.bincount(t.at), torch.bincount(t.rows[0], t.k[:, 0], minlength=9)],
    "unique_consecutive": lambda t: [*torch.unique_consecutive(t.rows, True, True), torch.unique_consecutive(t.b)],
    "unique_consecutive_dim": lambda t: [
        *torch.unique_consecutive((t.rows % 2)[:, [0, 0, 1, 1, 1]], True, True, dim=1),
        *torch.unique_consecutive(t.y[:, None, [0, 0, 3, 1, 1]].repeat(1, 2, 1), True, True, dim=2),
        *torch.unique_consecutive(t.k[[1, 1, 3, 3, 3], :1], True, dim=0)[:1],
        *torch.unique_consecutive(t.c[[2, 2, 0, 1, 1]], True, True, dim=0),
        torch.unique_consecutive(t.b.long().cumsum(0) > 0, dim=0),
    ],
    "mode": lambda t: [
        p for q in (torch.mode(t.distinct % 3, 1), torch.mode(t.b, 1, keepdim=True), torch.mode(t.si)) for p in q[:1]
    ],
    "nonzero_static": lambda t: torch.nonzero_static(t.b, size=4),
    "put": lambda t: [t.y.put(t.neg1, t.y[:2, :2]), t.y.put(t.at, t.c[:2], accumulate=True)],
    **{
        f"segment_{r}": lambda t, r=r: [
            torch.segment_reduce(t.c.repeat(2)[:5], r, lengths=torch.tensor([2, 0, 3])),
            torch.segment_reduce(t.k, r, offsets=torch.tensor([0, 1, 1, 5])),
            torch.segment_reduce(t.m, r, lengths=torch.tensor([[1, 3], [2, 2]]), axis=1),
            torch.segment_reduce(t.k, r, lengths=torch.tensor([3, 2]), initial=2),
            torch.segment_reduce(t.k, r, lengths=torch.tensor([0, 5]), initial=0.5),
        ]
        for r in ("sum", "mean", "max", "min", "prod")
    },
    **{
        f"grid_{k}": lambda t, mode=k: [
            F.grid_sample(t.img, t.grid, mode=mode, padding_mode=p, align_corners=a)
            for p in ("zeros", "border", "reflection")
            for a in (False, True)
        ]
        for k in ("bilinear", "nearest", "bicubic")
    },
    "grid_3d": lambda t: [F.grid_sample(t.vol, t.grid3, mode=m, align_corners=False) for m in ("bilinear", "nearest")],
    "grid_ops": lambda t: [
        aten.grid_sampler_2d.default(t.img, t.grid, 0, 1, True),
        aten.grid_sampler_3d.default(t.vol, t.grid3, 0, 2, False),
    ],
    "number": lambda t: t.x * aten._local_scalar_dense.default(t.s),
    "select_scatter_number": lambda t: torch.select_scatter(t.x, t.x[:, 0] * 2, 1, (t.at[0] % 3 - 1).item()),
}
