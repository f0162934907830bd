"""Which applications of the network ops have a decomposition: exactly those stated here."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from ir.ops.axes import spatial_sizes
from tests.ops.harness import decomposed_model
from tests.ops.nn_samples import Case, cases


def _equal_windows(case: Case) -> bool:
    sizes = spatial_sizes(case.operands["x"].shape, case.attrs["layout"])
    return all(n in (None, 1) or (n and size % n == 0) for n, size in zip(case.attrs["output_size"], sizes))


DECOMPOSES: dict[str, Callable[[Case], bool]] = {
    "adaptive_avg_pool": _equal_windows,
    "adaptive_max_pool": _equal_windows,
    "batch_norm": lambda case: case.attrs["frozen"],
    "normalize": lambda case: case.attrs["p"] in (1, 2, math.inf),
    **dict.fromkeys(
        (
            "layer_norm",
            "rms_norm",
            "group_norm",
            "instance_norm",
            "attention",
            "embedding",
            "linear",
            "einsum",
            "lstm",
            "gru",
            "rnn",
            "recurrent_layer",
        ),
        lambda case: True,
    ),
    **dict.fromkeys(
        ("conv", "conv_transpose", "max_pool", "avg_pool", "lrn", "resize", "dropout", "matmul"), lambda case: False
    ),
}


@pytest.mark.parametrize("name", DECOMPOSES)
def test_decomposes(name: str) -> None:
    for case in cases(name):
        if DECOMPOSES[name](case):
            model, _ = decomposed_model(case.op, case.sample)
            assert all(node.op is not case.op for node in model.nodes()), case
        else:
            with pytest.raises(NotImplementedError):
                decomposed_model(case.op, case.sample)
