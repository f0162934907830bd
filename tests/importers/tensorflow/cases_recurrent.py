"""Cells of LSTM and GRU in one kernel, and an LSTM over time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.importers.tensorflow.harness import Case, Table, array, fixed

UNITS = 4
WEIGHTS: dict[str, Any] = {
    "w": array(3 + UNITS, 4 * UNITS, low=-1, high=1), "wci": array(UNITS), "wcf": array(UNITS, seed=8),
    "wco": array(UNITS, seed=9), "b": array(4 * UNITS, low=-1, high=1),
}  # fmt: skip
STATES: dict[str, Any] = {"cs_prev": array(2, UNITS), "h_prev": array(2, UNITS, seed=3)}


def cases() -> Iterator[Case]:
    for peephole, clip, forget in ((False, 3.0, 1.0), (True, 0.5, 0.25), (True, -1.0, 0.0)):
        attrs = {"use_peephole": peephole, "cell_clip": clip, "forget_bias": forget}
        cell = {"x": array(2, 3), **STATES, **WEIGHTS}
        yield Case("LSTMBlockCell", str(attrs), cell, attrs, open=())
        whole = {"seq_len_max": fixed(5, "int64"), "x": array(5, 2, 3), **STATES, **WEIGHTS}
        yield Case("BlockLSTM", str(attrs), whole, attrs, open=())
        second = {"use_peephole": peephole, "cell_clip": clip}
        yield Case("BlockLSTMV2", str(second), whole, second, open=())
    run = {"seq_len_max": np.array(3), "x": array(5, 2, 3), **STATES, **WEIGHTS}
    less = {**run, "seq_len_max": fixed(3, "int64")}
    none = {**run, "seq_len_max": np.array(0)}
    for op in ("BlockLSTM", "BlockLSTMV2"):
        for name, given in (("steps at run time", run), ("fewer steps", less), ("no step", none)):
            yield Case(op, name, given, open=(), then=lambda r: [r[1], r[6]])
    yield Case("BlockLSTM", "gates of fewer steps", less, open=(), refused="leaves the rest undefined")
    more = {**run, "seq_len_max": fixed(6, "int64")}
    yield Case("BlockLSTM", "more steps", more, open=(), refused="which end TensorFlow", then=lambda r: [r[1]])
    gru = {
        "x": array(2, 3), "h_prev": array(2, UNITS), "w_ru": array(3 + UNITS, 2 * UNITS), "w_c": array(3 + UNITS, UNITS),
        "b_ru": array(2 * UNITS), "b_c": array(UNITS),
    }  # fmt: skip
    yield Case("GRUBlockCell", "plain", gru, open=())


TABLES: dict[str, Table] = {"all": cases}
