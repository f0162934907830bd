"""Normalisation, biases and losses. Channels first is in test_definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.importers.tensorflow.harness import Case, Table, array, fixed

IMAGE = array(2, 5, 4, 3)


def _first(results: list[Any]) -> list[Any]:
    """Those that are not for gradients alone."""
    return results[:3]


def cases() -> Iterator[Case]:
    yield from _batch_norms()
    for radius, bias, alpha, beta in ((5, 1.0, 1.0, 0.5), (1, 2.0, 0.3, 0.75), (0, 0.5, 2.0, 1.0)):
        attrs = {"depth_radius": radius, "bias": bias, "alpha": alpha, "beta": beta}
        yield Case("LRN", str(attrs), {"input": array(2, 3, 4, 7)}, attrs)
    for rank in (2, 3, 4, 5):
        yield Case(
            "BiasAdd", f"{rank} axes", {"value": array(*(2, 3, 4, 5)[: rank - 1], 6), "bias": array(6)}, open=(0,)
        )
    wide = {"value": array(2, 6, 4), "bias": array(6)}
    yield Case("BiasAdd", "channels first", wide, {"data_format": "NCHW"}, open=())
    yield Case("BiasAdd", "integers", {"value": array(2, 3, dtype="int32"), "bias": array(3, dtype="int32")}, open=())
    yield Case("BiasAddV1", "matrix", {"value": array(2, 3), "bias": array(3)}, open=())
    yield from _losses()


def _batch_norms() -> Iterator[Case]:
    def operands(x: np.ndarray, kind: str = "float32") -> dict[str, np.ndarray]:
        n = x.shape[-1]
        vectors = {
            "scale": array(n),
            "offset": array(n, seed=8),
            "mean": array(n, seed=9),
            "variance": array(n, low=0.5, seed=10),
        }
        return {"x": x, **vectors}

    for op, training, factor in (
        ("FusedBatchNorm", False, 1.0), ("FusedBatchNorm", True, 1.0), ("FusedBatchNormV2", False, 1.0),
        ("FusedBatchNormV3", False, 0.3), ("FusedBatchNormV3", True, 1.0), ("FusedBatchNormV3", True, 0.3),
    ):  # fmt: skip
        attrs = {"is_training": training, "exponential_avg_factor": factor, "epsilon": 1e-3}
        use = {"then": _first}
        yield Case(op, f"{training} {factor}", operands(IMAGE), attrs, open=(), **use)
        yield Case(
            op, f"{training} {factor}, open", operands(array(3, 5, 4, 2)), attrs, open=(1, 2), sizes=(1, 6), **use
        )
    attrs = {"is_training": True, "epsilon": 1e-8}
    yield Case("FusedBatchNormV3", "one value", operands(array(1, 1, 1, 3)), attrs, open=(), then=_first)
    yield Case("FusedBatchNormV3", "no value", operands(array(0, 2, 2, 3)), attrs, open=(), then=_first)
    for kind in ("float16", "bfloat16"):
        half = operands(array(2, 5, 4, 3, dtype=kind))
        for training in (False, True):
            yield Case(
                "FusedBatchNormV3",
                f"{kind} {training}",
                half,
                {"is_training": training},
                open=(),
                then=_first,
                rtol=2e-2,
            )
    volume = {"is_training": True, "data_format": "NDHWC"}
    yield Case("FusedBatchNormV3", "volume", operands(array(2, 2, 3, 4, 3)), volume, open=(), then=_first)
    yield Case(
        "FusedBatchNormV3",
        "for gradients",
        operands(IMAGE),
        {"is_training": True},
        then=lambda results: results[3:4],
        refused="read and not computed",
    )


def _losses() -> Iterator[Case]:
    logits = array(3, 4)
    yield Case("SoftmaxCrossEntropyWithLogits", "both", {"features": logits, "labels": array(3, 4, low=0, high=1)})
    yield Case(
        "SoftmaxCrossEntropyWithLogits",
        "broadcast",
        {"features": logits, "labels": array(1, 4, low=0, high=1)},
        open=(),
    )
    for kind in ("int32", "int64"):
        yield Case(
            "SparseSoftmaxCrossEntropyWithLogits", kind, {"features": logits, "labels": np.array([3, 0, 2], kind)}
        )
    wrong = {"features": logits, "labels": np.array([3, 4, 2])}
    yield Case("SparseSoftmaxCrossEntropyWithLogits", "no such label", wrong, open=(), raises=True)
    yield Case(
        "SparseSoftmaxCrossEntropyWithLogits",
        "fixed",
        {"features": logits, "labels": fixed([1, 1, 0])},
        open=(),
        then=lambda results: results[:1],
    )


TABLES: dict[str, Table] = {"all": cases}
