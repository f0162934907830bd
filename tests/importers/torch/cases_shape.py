"""Shape, slicing, indexing, creation and in-place programs; see cases.py."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.importers.torch.cases import Fn

SHAPE: dict[str, Fn] = {
    "view": lambda t: t.x.view(t.x.shape[0], 12),
    "view_minus": lambda t: t.x.view(-1, 2, 3),
    "reshape": lambda t: t.x.mT.reshape(-1, 6),
    "reshape_0d": lambda t: t.s.reshape(1, 1),
    "flatten": lambda t: t.img.flatten(1),
    "flatten_mid": lambda t: t.img.flatten(1, 2),
    "flatten_all": lambda t: t.x.flatten(),
    "unflatten": lambda t: t.img.unflatten(1, (2, 2)),
    "squeeze": lambda t: t.y[None, :, None].squeeze(),
    "squeeze_dim": lambda t: t.x[:, :1].squeeze(1),
    "squeeze_no": lambda t: t.x.squeeze(1),
    "squeeze_dims": lambda t: t.y[None, :, None].squeeze((0, 2)),
    "unsqueeze": lambda t: t.x.unsqueeze(-1),
    "unsqueeze0": lambda t: t.s.unsqueeze(0),
    "permute": lambda t: t.x.permute(2, 0, 1),
    "permute_neg": lambda t: t.img.permute(0, -1, 1, 2),
    "transpose": lambda t: t.x.transpose(0, -1),
    "t": lambda t: t.y.t(),
    "mT": lambda t: t.x.mT,
    "movedim": lambda t: t.img.movedim((1, 3), (0, 1)),
    "swapaxes": lambda t: t.x.swapaxes(0, 1),
    "expand": lambda t: t.c.expand(3, 4),
    "expand_minus": lambda t: t.y.unsqueeze(0).expand(5, -1, -1),
    "expand_as": lambda t: t.c.expand_as(t.x),
    "repeat": lambda t: t.y.repeat(2, 1, 3),
    "tile": lambda t: t.y.tile(2),
    "repeat_interleave": lambda t: t.x.repeat_interleave(3, dim=1),
    "repeat_interleave_flat": lambda t: t.y.repeat_interleave(2),
    "cat": lambda t: torch.cat([t.x, t.x], 1),
    "cat_promote": lambda t: torch.cat([t.x, t.i.to(torch.int32), t.b], -1),
    "cat_empty": lambda t: torch.cat([torch.empty(0), t.x, t.x], 2),
    "stack": lambda t: torch.stack([t.x, t.pos], -2),
    "stack_promote": lambda t: torch.stack([t.i, t.x]),
    "split": lambda t: t.img.split(3, 3)[1],
    "split_uneven": lambda t: torch.split(t.x, 3, -1),
    "split_sizes": lambda t: t.x.split([1, 3], 2),
    "chunk": lambda t: t.x.chunk(3, 2),
    "tensor_split": lambda t: torch.tensor_split(t.x, 3, 2),
    "unbind": lambda t: t.x.unbind(1),
    "flip": lambda t: t.x.flip(0, 2),
    "roll": lambda t: t.x.roll(2, 1),
    "roll2": lambda t: t.x.roll((1, -2), (1, 2)),
    "roll_flat": lambda t: t.y.roll(5),
    "tril": lambda t: t.x.tril(),
    "tril_k": lambda t: t.x.tril(-1),
    "triu": lambda t: t.x.triu(1),
    "diagonal": lambda t: t.x.diagonal(1, 1, 2),
    "diag_neg": lambda t: t.x.diagonal(-1, -1, 0),
    "pad": lambda t: F.pad(t.x, (1, 2)),
    "pad_value": lambda t: F.pad(t.x, (1, 0, 2, 1), value=-1.5),
    "pad_neg": lambda t: F.pad(t.x, (-1, 2)),
    "pad_reflect": lambda t: F.pad(t.sig, (3, 2), mode="reflect"),
    "pad_replicate": lambda t: F.pad(t.img, (1, 2, 3, 0), mode="replicate"),
    "pad_circular": lambda t: F.pad(t.sig, (2, 3), mode="circular"),
    "pad_int": lambda t: F.pad(t.i, (1, 1), value=7),
    "pad_reflect2": lambda t: F.pad(t.img, (2, 1, 1, 2), mode="reflect"),
    "pixel_shuffle": lambda t: F.pixel_shuffle(t.img, 2),
    "pixel_unshuffle": lambda t: F.pixel_unshuffle(t.img[..., :8], 2),
    "channel_shuffle": lambda t: F.channel_shuffle(t.img, 2),
    "unfold": lambda t: t.sig.unfold(2, 3, 2),
    "meshgrid": lambda t: torch.meshgrid(t.c, t.c[:3], indexing="ij"),
    "meshgrid_xy": lambda t: torch.meshgrid(t.c, t.c[:3], indexing="xy"),
}

SLICING: dict[str, Fn] = {
    "slice": lambda t: t.x[:, 1:],
    "slice_neg": lambda t: t.x[..., -3:-1],
    "slice_step": lambda t: t.x[..., ::3],
    "slice_over": lambda t: t.x[:, :99],
    "slice_empty": lambda t: t.x[:, 2:1],
    "slice_dyn": lambda t: t.x[1:],
    "slice_one": lambda t: t.x[:1],
    "slice_one_more": lambda t: t.x[1:2] + t.x,
    "slice_last": lambda t: t.img[:, :, -3:],
    "slice_shape": lambda t: t.img[:, :, : t.x.shape[0]],
    "select": lambda t: t.x[:, 1],
    "select_neg": lambda t: t.x[..., -1],
    "select_first": lambda t: t.x[0],
    "chain": lambda t: t.img[:, 1:3, ::2][..., 2:7:3],
    "narrow": lambda t: t.img.narrow(3, 2, 4),
    "newaxis": lambda t: t.x[:, None, 1:, ..., 0],
    "select_last_dyn": lambda t: t.img[:, :, -1],
    "half_of": lambda t: t.img[:, :, : t.img.shape[2] // 2],
}

INDEXING: dict[str, Fn] = {
    "index_select": lambda t: t.x.index_select(2, t.at),
    "index_select_0d": lambda t: t.x.index_select(1, t.at[0] % 3),
    "gather": lambda t: t.x.gather(2, t.i.abs() % 4),
    "gather_prefix": lambda t: t.x.gather(1, (t.i.abs() % 3)[:, :2, :3]),
    "take_along": lambda t: torch.take_along_dim(t.x, t.i.abs()[:, :, :1] % 4, 2),
    "take": lambda t: t.y.take(t.neg1),
    "index": lambda t: t.x[:, :, t.at],
    "index_neg": lambda t: t.table[t.neg1],
    "index_first": lambda t: t.table[t.rows],
    "index2": lambda t: t.y[t.at % 3, t.at],
    "index_mid": lambda t: t.img[:, t.at, t.at],
    "index_separated": lambda t: t.img[:, t.at, :, t.at],
    "index_separated2": lambda t: t.x[t.at % 2, :, t.at],
    "index_broadcast": lambda t: t.y[t.neg1[:, :1], t.at],
    "index_int_then": lambda t: t.img[0, :, t.at],
    "index_0d": lambda t: t.y[t.at[0] % 3],
    "embedding": lambda t: F.embedding(t.rows, t.table),
    "embedding_pad": lambda t: F.embedding(t.rows, t.table, padding_idx=2),
    "masked_fill": lambda t: t.x.masked_fill(t.b, -1e9),
    "masked_fill_tensor": lambda t: t.i.masked_fill(t.b, torch.tensor(3)),
    "masked_fill_broadcast": lambda t: t.x.masked_fill(t.b[:1, :1], 0.0),
    "one_hot": lambda t: F.one_hot(t.rows, 7),
    "scatter": lambda t: t.x.scatter(2, t.i.abs()[..., :1] % 4, t.y[None, :, :1].expand(t.x.shape[0], 3, 1)),
    "scatter_value": lambda t: t.x.scatter(1, t.i.abs()[:, :1] % 3, 5.0),
    "scatter_larger_src": lambda t: t.x.scatter(1, t.i.abs()[:, :1, :2] % 3, t.pos),
    "scatter_add": lambda t: t.x.scatter_add(1, t.i.abs() % 3, t.pos),
    "scatter_mul": lambda t: t.x.scatter(1, t.i.abs() % 3, t.pos, reduce="multiply"),
    **{
        f"scatter_reduce_{r}_{s}": (
            lambda t, r=r, s=s: t.x.scatter_reduce(1, t.i.abs() % 3, t.pos, reduce=r, include_self=s)
        )
        for r in ("sum", "prod", "mean", "amax", "amin")
        for s in (True, False)
    },
    "index_add": lambda t: t.y.index_add(0, t.at % 3, t.y[:2], alpha=2),
    "index_add1": lambda t: t.x.index_add(2, t.at, t.x[..., :2]),
    "index_copy": lambda t: t.x.index_copy(1, torch.tensor([2, 0]), t.pos[:, :2]),
    "index_fill": lambda t: t.x.index_fill(2, torch.tensor([0, -1]), 9.0),
    "index_put": lambda t: t.y.index_put((t.at % 3, torch.tensor([0, 1])), t.c[:2]),
    "index_put_acc": lambda t: t.y.index_put((t.at % 3, t.at), t.c[:2], accumulate=True),
    "index_put_mid": lambda t: assign(t.img, (slice(None), torch.tensor([1, 3])), t.img[:, :2] + 1),
    "index_put_last": lambda t: assign(t.img, (..., torch.tensor([1, 3])), 2.0),
    "index_put_separated": lambda t: assign(t.x, (torch.tensor([0, 1]), slice(None), torch.tensor([3, 1])), t.c[:3]),
    "index_put_adjacent": lambda t: assign(t.img, (slice(None), t.at, t.at), t.sig[:, :2, :9]),
}


def assign(t: Tensor, key: object, value: object) -> Tensor:
    """A copy of t with t[key] = value."""
    out = t.clone()
    out[key] = value
    return out


def in_place(t: object) -> Tensor:
    x = t.x.clone()  # type: ignore[attr-defined]
    view = x[:, 1:]
    view.mul_(2)
    view[..., 0].add_(1)
    x.transpose(1, 2)[:, 1].zero_()
    return x + view.sum()


def view_chain(t: object) -> Tensor:
    x = t.img.clone()  # type: ignore[attr-defined]
    x.view(x.shape[0], 2, 2, *x.shape[2:])[:, :, 1].fill_(3.0)
    x[:, 0].copy_(x[:, 2] * 2)
    return x


IN_PLACE: dict[str, Fn] = {
    "step": lambda t: assign(t.x, (..., slice(None, None, 3)), t.y[:, :2]),
    "step_scalar": lambda t: assign(t.x, (..., slice(None, None, 3)), 1.0),
    "mask_zero": lambda t: assign(t.x, t.b, 0),
    "mask_rows": lambda t: assign(t.x, t.b[:, :, 0], 7.0),
    "positions": lambda t: assign(t.x, (slice(None), t.at % 3), 4.0),
    "positions_tensor": lambda t: assign(t.img, (slice(None), torch.tensor([3, 1])), t.img[:, :2]),
    "int": lambda t: assign(t.x, (slice(None), 1), t.c),
    "neg_int": lambda t: assign(t.x, (Ellipsis, -1), 0.0),
    "mixed": in_place,
    "view_chain": view_chain,
    "relu_": lambda t: F.relu(t.x * 1, inplace=True) + 1,
    "add_": lambda t: (t.x * 1).add_(t.y).mul_(2),
    "fill_diag": lambda t: assign(t.y, (range(3), range(3)), 0.0),
    "masked_fill_": lambda t: t.x.clone().masked_fill_(t.b, 2.0),
    "slice_int": lambda t: assign(t.i, (slice(None), slice(0, 2)), t.j[:, 1:]),
    "cast_value": lambda t: assign(t.i, (slice(None), 0), 2.9),
    "copy_": lambda t: torch.zeros_like(t.x).copy_(t.y),
    "select_scatter": lambda t: torch.select_scatter(t.x, t.c.expand(t.x.shape[0], 4), 1, 2),
    "slice_scatter": lambda t: torch.slice_scatter(t.x, t.x[:, :1], 1, 2, 3),
    "index_add_": lambda t: t.y.clone().index_add_(0, t.at % 3, t.y[:2]),
}

CREATION: dict[str, Fn] = {
    "zeros": lambda t: torch.zeros(2, 3),
    "ones_like": lambda t: torch.ones_like(t.i),
    "full": lambda t: torch.full((2, 2), 1.5),
    "full_int": lambda t: torch.full((2,), 3),
    "full_like": lambda t: torch.full_like(t.x, 2),
    "new_zeros": lambda t: t.x.new_zeros(2, t.x.shape[0]),
    "new_full": lambda t: t.x.new_full((2,), 4),
    "arange": lambda t: torch.arange(5),
    "arange_float": lambda t: torch.arange(0, 1, 0.3),
    "arange_step": lambda t: torch.arange(7, 1, -2),
    "arange_dyn": lambda t: torch.arange(t.img.shape[2]),
    "arange_dyn2": lambda t: torch.arange(1, t.img.shape[2] * 2, 3, dtype=torch.float32),
    "linspace": lambda t: torch.linspace(-1, 1, 7),
    "eye": lambda t: torch.eye(3),
    "eye_m": lambda t: torch.eye(3, 4),
    "tensor": lambda t: t.x + torch.tensor([1.0, 2, 3, 4]),
    "tensor_big": lambda t: torch.tensor(list(range(20))) + 1,
    "scalar": lambda t: torch.tensor(2.5) * t.x,
    "size_value": lambda t: t.x.sum() / t.x.shape[0],
    "size_product": lambda t: t.x * (t.img.shape[2] * t.img.shape[3]),
    "numel": lambda t: t.x / t.x.numel(),
    "tril_mask": lambda t: torch.ones(t.img.shape[2], t.img.shape[2], dtype=torch.bool).tril(),
    "full_size": lambda t: torch.full((2,), t.x.shape[0]),
    "arange_float_stop": lambda t: torch.arange(0.0, t.img.shape[2], 2.0),
    "empty_fill": lambda t: torch.empty(2, 3).fill_(2.0),
    "size_output": lambda t: torch.tensor(3) * t.x.shape[0],
}
