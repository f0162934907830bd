"""Recurrent and other layers in other forms, with weights of their own; random draws; see cases.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.importers.torch.cases import Fn

aten = torch.ops.aten


class Layer(nn.Module):
    """A layer with weights drawn by seed, called on the pool."""

    def __init__(self, layer: nn.Module, call: Callable[[Any, Any], Any] = lambda layer, t: layer(t.x)) -> None:
        super().__init__()
        self.layer, self.call = layer.eval(), call
        g = torch.Generator().manual_seed(0)
        for w in [*layer.parameters(), *(b for b in layer.buffers() if b.is_floating_point())]:
            w.data = torch.rand(w.shape, generator=g, dtype=torch.float64) * 0.8 + 0.1

    def forward(self, t: Any) -> Any:
        return self.call(self.layer, t)


def _flat(found: Any) -> list[Tensor]:
    return list(torch.utils._pytree.tree_leaves(found))


def _weights(t: Any, gates: int, directions: int = 1, layers: int = 1, bias: bool = True) -> list[Tensor]:
    """The weights of a recurrent layer of width 3 on inputs of width 4, cut out of the pool."""
    flat = torch.cat([t.vol.flatten(), t.img.flatten()]) * 0.2
    out, at = [], 0
    for layer in range(layers):
        shapes = [(3 * gates, 4 if layer == 0 else 3 * directions), (3 * gates, 3)] + [(3 * gates,)] * 2 * bias
        for shape in shapes * directions:
            count = torch.Size(shape).numel()
            out.append(flat[at : at + count].reshape(shape))
            at += count // 4 + 1
    return out


def _states(t: Any, count: int) -> Tensor:
    return t.x[:1, :2, :3].expand(count, 2, 3).contiguous() * 0.5


def _cell(t: Any, gates: int, bias: bool = True) -> list[Tensor]:
    return [t.y[:2], t.y[:2, :3] * 0.5, *_weights(t, gates, bias=bias)]


RECURRENT: dict[str, Fn] = {
    "lstm": Layer(nn.LSTM(4, 3, 2, dropout=0.5), lambda m, t: _flat(m(t.x))),
    "lstm_options": Layer(
        nn.LSTM(4, 3, bias=False, batch_first=True, bidirectional=True, proj_size=2),
        lambda m, t: _flat(m(t.x, (t.x[:, :2, :2].transpose(0, 1), t.x[:, :2, :3].transpose(0, 1)))),
    ),
    "lstm_unbatched": Layer(nn.LSTM(4, 3), lambda m, t: _flat(m(t.y, (t.y[:1, :3], t.y[1:2, :3])))),
    "gru": Layer(nn.GRU(4, 3, 2, dropout=0.5), lambda m, t: _flat(m(t.x))),
    "gru_options": Layer(
        nn.GRU(4, 3, bias=False, batch_first=True, bidirectional=True),
        lambda m, t: _flat(m(t.x, t.x[:, :2, :3].transpose(0, 1))),
    ),
    "gru_unbatched": Layer(nn.GRU(4, 3, batch_first=True), lambda m, t: _flat(m(t.y, t.y[:1, :3]))),
    "rnn": Layer(nn.RNN(4, 3, 2, dropout=0.5), lambda m, t: _flat(m(t.x))),
    "rnn_options": Layer(
        nn.RNN(4, 3, bias=False, batch_first=True, bidirectional=True, nonlinearity="relu"),
        lambda m, t: _flat(m(t.x, t.x[:, :2, :3].transpose(0, 1))),
    ),
    "aten_lstm": lambda t: torch.lstm(
        t.x[:, :2], (_states(t, 1), _states(t, 1) * 2), _weights(t, 4), True, 1, 0.0, False, False, False
    ),
    "aten_lstm_two": lambda t: torch.lstm(
        t.m.mT[:1].expand(2, 5, 4),
        (_states(t, 4), _states(t, 4) * 2),
        _weights(t, 4, 2, 2, False),
        False,
        2,
        0.0,
        False,
        True,
        True,
    ),
    "aten_lstm_projection": lambda t: torch.lstm(
        t.x[:, :2],
        (t.x[:1, :2, :2], t.x[:1, :2, :3]),
        [*_weights(t, 4)[:1], t.vol.flatten()[:24].reshape(12, 2), *_weights(t, 4)[2:], t.y[:2, :3]],
        True,
        1,
        0.0,
        False,
        False,
        False,
    ),
    "aten_gru": lambda t: torch.gru(t.x[:, :2], _states(t, 1), _weights(t, 3), True, 1, 0.0, False, False, False),
    "aten_gru_two": lambda t: torch.gru(
        t.m.mT[:1].expand(2, 5, 4), _states(t, 4), _weights(t, 3, 2, 2, False), False, 2, 0.0, False, True, True
    ),
    "aten_rnn_tanh": lambda t: torch.rnn_tanh(
        t.x[:, :2], _states(t, 1), _weights(t, 1), True, 1, 0.0, False, False, False
    ),
    "aten_rnn_relu": lambda t: torch.rnn_relu(
        t.x[:, :2], _states(t, 1), _weights(t, 1), True, 1, 0.0, False, False, False
    ),
    "lstm_cell": lambda t: [
        p
        for bias in (True, False)
        for p in torch.lstm_cell(t.y[:2], (t.y[:2, :3] * 0.5, t.y[:2, 1:]), *_weights(t, 4, bias=bias))
    ],
    "gru_cell": lambda t: [torch.gru_cell(*_cell(t, 3)), torch.gru_cell(*_cell(t, 3, False))],
    "rnn_cell": lambda t: [
        torch.rnn_tanh_cell(*_cell(t, 1)),
        torch.rnn_relu_cell(*_cell(t, 1)),
        torch.rnn_tanh_cell(*_cell(t, 1, False)),
    ],
}

LAYERS: dict[str, Fn] = {
    "conv_padding": lambda t: [
        F.conv1d(t.sig, t.w1, padding="same", dilation=3),
        F.conv3d(t.vol, t.w3, padding="same"),
        F.conv1d(t.sig, t.w1, padding="valid"),
    ],
    "conv_unbatched": lambda t: [F.conv1d(t.sig[0], t.w1, t.bias6, padding="same"), F.conv3d(t.vol[0], t.w3)],
    "conv_transpose3d": lambda t: [
        F.conv_transpose3d(t.vol, t.w3[:4], stride=(1, 2, 2), padding=(0, 1, 0), output_padding=(0, 1, 1)),
        F.conv_transpose3d(t.vol[0], t.w3[:4], dilation=2),
    ],
    "convolution": lambda t: [
        aten.convolution.default(t.img, t.w2, t.bias6, [2, 1], [1, 0], [1, 2], False, [0, 0], 1),
        aten.convolution.default(t.img, t.g2, None, [1], [1], [1], False, [0], 4),
        aten.convolution.default(t.img, t.t2g, None, [2, 1], [1, 0], [1, 2], True, [1, 0], 2),
        aten.convolution.default(t.img, t.t2, t.bias6[:3], [2], [0], [1], True, [1], 1),
    ],
    "max_pool_with_indices": lambda t: [
        *F.max_pool1d(t.sig, 3, 2, 1, return_indices=True),
        *F.max_pool2d(t.img, (3, 2), (2, 1), 1, (1, 2), return_indices=True),
        *F.max_pool3d(t.vol, 2, return_indices=True),
    ],
    "max_pool_with_indices_unbatched": lambda t: [
        *F.max_pool2d(t.img[0], 2, ceil_mode=True, return_indices=True),
        *F.max_pool1d(t.sig[0], 3, return_indices=True),
    ],
    "max_pool_one_number": lambda t: [
        aten.max_pool2d.default(t.img, [2]),
        aten.max_pool2d.default(t.img, [3], [2], [1], [1], True),
    ],
    "avg_pool_options": lambda t: [
        aten.avg_pool2d.default(t.img, [2]),
        F.avg_pool1d(t.sig[0], 3),
        F.avg_pool3d(t.vol, 2, 1, 1, True, False, 5),
    ],
    "adaptive_ops": lambda t: [
        aten._adaptive_avg_pool2d.default(t.img, [3, 4]),
        aten._adaptive_avg_pool3d.default(t.vol, [2, 3, 4]),
        F.adaptive_avg_pool2d(t.img[0], 3),
    ],
    "adaptive_max_positions": lambda t: [
        *F.adaptive_max_pool1d(t.sig, 4, return_indices=True),
        *F.adaptive_max_pool2d(t.img, (3, 4), return_indices=True),
        *F.adaptive_max_pool3d(t.vol, 2, return_indices=True),
        *F.adaptive_max_pool2d(t.img[0], (3, 5), return_indices=True),
        F.adaptive_max_pool2d(t.img, (0, 3)),
        *F.adaptive_max_pool2d(t.vol[0], (2, 6), return_indices=True),
    ],
    "native_layer_norm": lambda t: [
        *aten.native_layer_norm.default(t.x, [4], t.c, t.c + 1, 1e-3),
        *aten.native_layer_norm.default(t.x, [3, 4], None, None, 0.1),
    ],
    "native_layer_norm_sizes": lambda t: [
        *aten.native_layer_norm.default(t.c, [4], None, None, 0.1),
        aten.native_layer_norm.default(t.x[:0], [4], None, None, 0.1)[0],
    ],
    "native_group_norm": lambda t: [
        *aten.native_group_norm.default(t.img, t.c, t.c + 1, t.img.shape[0], 4, t.img.shape[2] * 9, 2, 1e-2),
        *aten.native_group_norm.default(t.sig, None, None, t.sig.shape[0], 4, 10, 4, 0.1),
    ],
    "layer_norm_mixed": lambda t: [F.layer_norm(t.half, (4,), t.c.float(), t.c.float())],
    "half_norms": lambda t: [
        F.group_norm(t.half[:1].transpose(1, 2), 2, t.c.half(), t.c.half()),
        F.rms_norm(t.half, (4,)),
        F.layer_norm(t.half, (4,), t.c.half()),
    ],
    "rms_dtype": lambda t: F.rms_norm(t.x, (4,), t.c),
    "batch_norm": Layer(nn.BatchNorm2d(4, eps=1e-2, momentum=0.3), lambda m, t: m(t.img)),
    "batch_norm_bare": Layer(nn.BatchNorm1d(4, affine=False), lambda m, t: m(m(t.sig))),
    "batch_norm_average": Layer(nn.BatchNorm1d(4, momentum=None), lambda m, t: m(t.sig)),
    "detached_weights": Layer(nn.BatchNorm1d(4), lambda m, t: [m.weight.detach() * 2, m.running_mean.detach() * 2]),
    "batch_norm_by_batch": Layer(nn.BatchNorm1d(4, track_running_stats=False), lambda m, t: m(t.sig)),
    "batch_norm_flat": lambda t: F.batch_norm(t.k, None, None, t.c, None, True, 0.2, 1e-1),
    "batch_norm_inference": lambda t: [
        aten._native_batch_norm_legit_no_training.default(t.img, t.c, t.c + 1, t.c, t.c.abs(), 0.2, 1e-2)[0],
        aten._native_batch_norm_legit_no_training.default(t.sig, None, None, t.c, t.c.abs(), 0.1, 1e-3)[0],
    ],
    "batch_norm_no_stats": lambda t: aten._native_batch_norm_legit.no_stats(t.img, t.c, t.c + 1, True, 0.2, 1e-2)[0],
    "instance_norm_op": lambda t: aten.instance_norm.default(t.sig, t.c, t.c, None, None, True, 0.3, 1e-2, False),
    "dropout": Layer(nn.Dropout(0.3)),
    "dropout_features": Layer(nn.Dropout2d(0.3), lambda m, t: m(t.img)),
    "dropout_none": Layer(nn.Dropout(0.0)),
    "dropout_always": lambda t: F.dropout(t.x, 1.0, True),
    "layer_norm_eps": lambda t: [F.layer_norm(t.x, (4,), t.c, t.c, e) for e in (0.0, -1e-2)],
    "dropout_ops": lambda t: [
        torch.alpha_dropout(t.x, 0.3, False),
        torch.feature_alpha_dropout(t.x, 0.3, False),
        F.dropout(t.x, 0.4, False),
        torch.feature_dropout(t.img, 0.4, False),
    ],
    "embedding_bag": lambda t: [F.embedding_bag(t.rows, t.table, mode=m) for m in ("sum", "mean", "max")],
    "embedding_bag_weights": lambda t: F.embedding_bag(t.rows, t.table, mode="sum", per_sample_weights=t.m[:, 0]),
    "embedding_bag_offsets": lambda t: [
        F.embedding_bag(
            t.rows[0],
            t.table,
            torch.tensor([0, 2, 2, 5] if last else [0, 2, 2]),
            mode=m,
            padding_idx=p,
            include_last_offset=last,
        )
        for m, p, last in (
            ("sum", None, False),
            ("mean", None, False),
            ("max", None, True),
            ("mean", 1, False),
            ("sum", 0, True),
        )
    ],
    "embedding_bag_even": lambda t: [
        F.embedding_bag(t.rows.flatten(), t.table, offsets, mode=m, include_last_offset=last)
        for offsets, last in (
            (torch.arange(0, 10, 2), False),
            (torch.arange(0, 12, 2), True),
            (torch.arange(0, 10, 3), False),
            (torch.arange(0, 6, 2), False),
            (aten.arange.start_step(0, 10, 1), False),
            (aten.arange.start_step(0, 10), False),
            (torch.tensor([0, 5, 5, 7])[0:2], False),
            (torch.tensor([0, 5, 5, 7])[0:3:2], False),
        )
        for m in ("sum", "max")
    ],
    "instance_norm": Layer(nn.InstanceNorm2d(4, eps=1e-2, affine=True, track_running_stats=True), lambda m, t: m(t.img)),
    "instance_norm_plain": Layer(nn.InstanceNorm1d(4, track_running_stats=True), lambda m, t: m(t.sig)),
    "instance_norm_given": lambda t: [
        F.instance_norm(t.vol, t.c, t.c.abs(), use_input_stats=False),
        F.instance_norm(t.sig, t.c, t.c.abs(), t.c, None, use_input_stats=False),
        F.instance_norm(t.sig, t.c, t.c.abs(), None, t.c, use_input_stats=False, eps=1e-2),
    ],
    "embedding_bag_i32": lambda t: F.embedding_bag(
        t.rows[0].int(), t.table, torch.tensor([0, 3], dtype=torch.int32), mode="sum"
    ),
    "embedding_bag_padding": lambda t: F.embedding_bag(t.rows, t.table, padding_idx=0),
    "_embedding_bag": lambda t: aten._embedding_bag.default(t.table, t.rows[0], torch.tensor([0, 2]))[0],
    "embedding_options": lambda t: [
        F.embedding(t.rows, t.table, padding_idx=0),
        F.embedding(t.at, t.table, scale_grad_by_freq=True, sparse=True),
    ],
    "exact_1d_3d": lambda t: [
        F.interpolate(t.sig, size=7, mode="nearest-exact"),
        F.interpolate(t.vol, scale_factor=2, mode="nearest-exact"),
    ],
    "lrn": lambda t: [F.local_response_norm(t.img, 3, 0.1, 0.5, 2.0), F.local_response_norm(t.sig, 2)],
    "sdpa_options": lambda t: [
        F.scaled_dot_product_attention(
            t.img, t.img, t.img, attn_mask=torch.zeros(8, 8, dtype=torch.float32).to(t.x) + t.s, scale=0.5
        ),
    ],
    "linear_1_25": lambda t: F.interpolate(t.sig, scale_factor=1.25, mode="linear"),
    "prelu_2d": lambda t: [F.prelu(t.y, t.c), F.prelu(t.s, t.c[:1])],
    "rrelu_bounds": lambda t: F.rrelu(t.x, 0.1, 0.5),
}

RANDOM: dict[str, Fn] = {
    "rand": lambda t: [
        (torch.rand(3, 4) < 1).all(),
        (torch.rand_like(t.x) >= 0).all(),
        torch.rand(2, dtype=torch.float64) * 0,
    ],
    "uniform": lambda t: (lambda u: ((u >= 2) & (u < 5)).all())(t.x.clone().uniform_(2, 5)),
    "randn": lambda t: [torch.randn(3, 4).isfinite(), torch.randn_like(t.x) * 0],
    "normal": lambda t: [t.x.clone().normal_(3.0, 0.0), torch.normal(2.0, 0.0, (2, 3))],
    "normal_spread": lambda t: t.x.clone().normal_(3.0, 0.5) * 0,
    "exponential": lambda t: [(t.x.clone().exponential_(2.0) >= 0).all(), t.x.clone().exponential_(1e30).abs() < 1e-20],
    "randint": lambda t: [
        torch.randint(1, (3,)),
        torch.randint(2, 3, (2, 2)),
        torch.randint_like(t.x, 1),
        torch.randint_like(t.i, 4, 5),
    ],
    "randint_range": lambda t: (lambda r: [(r >= -2).all(), (r < 3).all()])(
        torch.randint(-2, 3, (50,), dtype=torch.int32)
    ),
    "bernoulli": lambda t: [
        torch.bernoulli(t.b.to(t.x)),
        t.x.clone().bernoulli_(1.0),
        t.i.clone().bernoulli_(0.0),
        t.s.clone().bernoulli_(1.0),
        t.x.clone().bernoulli_(t.b.to(t.x)),
    ],
    "bernoulli_p": lambda t: [torch.bernoulli(t.x, 1.0), t.x.clone().bernoulli_(0.25) * 0],
    "slopes": lambda t: [
        F.rrelu(t.x, 0.3, 0.3, True),
        F.rrelu(t.x, 0.2, 0.9, True).sign(),
        F.rrelu(t.x, 0.2, 0.9, True).relu(),
    ],
    "randperm": lambda t: torch.randperm(6).sort()[0],
}
