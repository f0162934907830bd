"""Normalisation, attention, linear algebra, embedding and dropout against PyTorch in float64, over their samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.ops.axes import to_channels_first
from ir.types import normalize_axes
from tests.ops.nn_samples import Case, cases, close

torch = pytest.importorskip("torch")
F = torch.nn.functional


def _t(x: np.ndarray | None) -> Any:
    return None if x is None else torch.from_numpy(np.array(x))


def test_batch_norm() -> None:
    trained = 0
    for case in cases("batch_norm"):
        o, a = case.operands, case.attrs
        if o["x"].ndim < 2:
            continue  # torch wants a batch
        x = _t(np.moveaxis(o["x"], a["axis"], 1))
        live = case.sample.training and not a["frozen"]
        mean, var = _t(o["mean"]), _t(o["var"])
        if live and not a["unbiased"]:
            dims = [d for d in range(x.ndim) if d != 1]
            var = var * (1 - a["momentum"]) + a["momentum"] * x.var(dims, correction=0)
            mean = mean * (1 - a["momentum"]) + a["momentum"] * x.mean(dims)
            expected = (
                x
                if x.numel() == x.shape[1]
                else F.batch_norm(x, None, None, _t(o["scale"]), _t(o["bias"]), True, 0, a["eps"])
            )
            if x.numel() == x.shape[1]:  # one value is its own mean; PyTorch refuses it
                expected = _t(o["bias"])[None, :].clone()
        else:
            expected = F.batch_norm(x, mean, var, _t(o["scale"]), _t(o["bias"]), live, a["momentum"], a["eps"])
        out, next_mean, next_var = case.run()
        close(np.moveaxis(out, a["axis"], 1), expected.numpy(), where=case)
        close(next_mean, mean.numpy(), where=case)
        close(next_var, var.numpy(), where=case)
        trained += live
    assert trained > 4


def _moved(case: Case) -> tuple[np.ndarray, list[int], list[int]]:
    """x with the normalised axes last, in ascending order; their sizes; the axes that brought them there."""
    x = case.operands["x"]
    axes = sorted(normalize_axes(case.attrs["axes"], x.ndim))
    perm = [a for a in range(x.ndim) if a not in axes] + axes
    return x.transpose(perm), [x.shape[a] for a in axes], perm


def test_layer_norm() -> None:
    for case in cases("layer_norm"):
        x, sizes, perm = _moved(case)
        expected = F.layer_norm(_t(x), sizes, _t(case.operands["scale"]), _t(case.operands["bias"]), case.attrs["eps"])
        close(case.run()[0].transpose(perm), expected.numpy(), where=case)


def test_rms_norm() -> None:
    for case in cases("rms_norm"):
        x, sizes, perm = _moved(case)
        expected = F.rms_norm(_t(x), sizes, _t(case.operands["scale"]), case.attrs["eps"])
        close(case.run()[0].transpose(perm), expected.numpy(), where=case)


def test_group_norm_and_instance_norm() -> None:
    for name in ("group_norm", "instance_norm"):
        for case in cases(name):
            o, a = case.operands, case.attrs
            x = _t(to_channels_first(o["x"], a["layout"]))
            if not x.numel():
                continue
            if name == "group_norm":
                expected = F.group_norm(x, a["groups"], _t(o["scale"]), _t(o["bias"]), a["eps"])
            else:
                expected = F.instance_norm(x, None, None, _t(o["scale"]), _t(o["bias"]), True, 0.1, a["eps"])
            close(to_channels_first(case.run()[0], a["layout"]), expected.numpy(), where=case)


def test_lrn() -> None:
    compared = 0
    for case in cases("lrn"):
        a = case.attrs
        x = to_channels_first(case.operands["x"], a["layout"])
        if x.ndim < 3:
            continue  # torch wants an axis behind the channels
        if a["size"] % 2 == 0 and a["wider"] == "after":
            x = x[:, ::-1]  # PyTorch's even windows reach further before: look from the other end
        expected = F.local_response_norm(_t(x), a["size"], a["alpha"], a["beta"], a["k"]).numpy()
        if a["size"] % 2 == 0 and a["wider"] == "after":
            expected = expected[:, ::-1]
        close(to_channels_first(case.run()[0], a["layout"]), expected, where=case)
        compared += 1
    assert compared > 12


def test_normalize() -> None:
    for case in cases("normalize"):
        a = case.attrs
        close(case.run()[0], F.normalize(_t(case.operands["x"]), a["p"], a["axis"], a["eps"]).numpy(), where=case)


def test_attention() -> None:
    unseen = 0
    for case in cases("attention"):
        o, a = case.operands, case.attrs
        if case.sample.training and a["dropout"] and not a["frozen"]:
            continue
        mask, causal = _t(o["mask"]), a["causal"]
        if mask is not None and causal:  # PyTorch takes one or the other
            below = torch.ones(o["query"].shape[-2], o["key"].shape[-2], dtype=torch.bool).tril()
            mask, causal = mask & below, False
        q, k, v = (_t(o[n]) for n in ("query", "key", "value"))
        if q.ndim == 2:
            expected = F.scaled_dot_product_attention(q[None], k[None], v[None], mask, 0.0, causal, scale=a["scale"])[0]
        else:
            expected = F.scaled_dot_product_attention(
                q, k, v, mask, 0.0, causal, scale=a["scale"], enable_gqa=a["grouped"]
            )
        out = case.run()[0]
        close(out, expected.numpy(), where=case)
        unseen += not np.isnan(out).any() and bool((out == 0).all(-1).any())
    assert unseen > 5, "no sample has a row that sees nothing"


def test_attention_dropout_drops_weights_and_keeps_their_mean() -> None:
    (case,) = [c for c in cases("attention") if c.sample.training and c.attrs["dropout"] == 0.4]
    runs = np.stack([case.run(seed=i)[0] for i in range(4000)])
    np.testing.assert_allclose(runs.mean(0), case.run(training=False)[0], atol=0.15)
    assert runs.std(0).min() > 0.05
    (everything,) = [c for c in cases("attention") if c.sample.training and c.attrs["dropout"] == 1.0]
    assert (everything.run()[0] == 0).all()


def test_linear_matmul_einsum() -> None:
    for case in cases("linear"):
        o = case.operands
        close(
            case.run()[0],
            F.linear(_t(o["x"]), _t(o["weight"]), _t(o["bias"])).numpy(),
            1e-5 if np.iscomplexobj(o["x"]) else 1e-10,
            where=case,
        )
    for case in cases("matmul"):
        x, y = case.operands["x"], case.operands["y"]
        close(case.run()[0], torch.matmul(_t(x), _t(y)).numpy(), 1e-5 if np.iscomplexobj(x) else 1e-10, where=case)
    for case in cases("einsum"):
        xs, equation = case.operands["xs"], case.attrs["equation"]
        expected = np.einsum(equation, *xs)
        close(case.run()[0], np.asarray(expected), 1e-5 if np.iscomplexobj(xs[0]) else 1e-10, where=case)
        if equation != "->":  # PyTorch takes no empty equation
            close(
                case.run()[0],
                torch.einsum(equation, *map(_t, xs)).numpy(),
                1e-5 if np.iscomplexobj(xs[0]) else 1e-10,
                where=case,
            )


def _rows(case: Case) -> np.ndarray:
    """Row numbers counted from the start."""
    return case.operands["indices"].astype(np.int64) % len(case.operands["weight"])


def test_embedding() -> None:
    for case in cases("embedding"):
        indices, weight = _t(_rows(case)), _t(case.operands["weight"])
        close(case.run()[0], F.embedding(indices, weight, case.attrs["padding_idx"]).numpy(), where=case)


def test_gradient_of_embedding_spares_the_padding_row() -> None:
    spared = 0
    for case in cases("embedding"):
        indices, padding = _t(_rows(case)), case.attrs["padding_idx"]
        weight = _t(case.operands["weight"]).requires_grad_()
        out = F.embedding(indices, weight, padding)
        cotangent = torch.arange(out.numel(), dtype=torch.float64).reshape(out.shape) + 1
        out.backward(cotangent)
        assert case.op.vjp is not None and weight.grad is not None
        close(case.op.vjp(cotangent.numpy(), **case.operands, **case.attrs)["weight"], weight.grad.numpy(), where=case)
        spared += padding is not None and bool((indices == padding).any())
    assert spared


def test_dropout() -> None:
    for case in cases("dropout"):
        x, p = case.operands["x"], case.attrs["p"]
        out = case.run()[0]
        if not (case.sample.training or case.attrs["always"]) or case.attrs["frozen"] or p == 0:
            assert (out == x).all()
            continue
        runs = np.stack([case.run(seed=i)[0] for i in range(800)])
        kept = runs != 0
        np.testing.assert_allclose(kept.mean(0), np.full(x.shape, 1 - p), atol=0.1)
        if p < 1:
            np.testing.assert_allclose(runs, np.where(kept, x / (1 - p), 0))
        axes = normalize_axes(case.attrs["broadcast_axes"], x.ndim)
        if axes:
            assert (kept.all(tuple(a + 1 for a in axes)) | ~kept.any(tuple(a + 1 for a in axes))).all()
            assert len(np.unique(kept.reshape(800, -1), axis=0)) > 2
