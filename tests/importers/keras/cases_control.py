"""Cases of branches and loops: functions that read tensors from outside, numbers, nests, and each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.importers.keras.op_cases import Case, array

Row = tuple[str, str, Callable[..., Any], tuple[np.ndarray, ...]]


def control() -> Iterator[Case]:
    """Each in the `call` of a layer, as functions that read tensors are."""
    from keras import ops

    x = array(3, 4)

    def nested(x: Any) -> Any:
        def inner(i: Any, y: Any) -> Any:
            return ops.cond(ops.sum(y) > 0, lambda: y - x * 0.1, lambda: y + ops.cast(i, "float32"))

        return ops.fori_loop(0, 3, inner, x)

    rows: list[Row] = [
        ("Cond", "reads outside", lambda x: ops.cond(ops.sum(x) > 0, lambda: x * 2, lambda: x - 1), (x,)),
        ("Cond", "nest", lambda x: ops.cond(ops.max(x) > 9, lambda: {"a": x, "b": (x, x + 1)}, lambda: {"a": -x, "b": (x, x)}), (x,)),
        ("WhileLoop", "one", lambda x: ops.while_loop(lambda y: ops.sum(y) < 50, lambda y: y + ops.abs(x) + 1, x), (x,)),
        ("WhileLoop", "several", lambda x: ops.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2), (0, x)), (x,)),
        ("WhileLoop", "bounded",
         lambda x: ops.while_loop(lambda i, y: i < 9, lambda i, y: (i + 1, y * 2), (0, x), maximum_iterations=2), (x,)),
        ("WhileLoop", "no step", lambda x: ops.while_loop(lambda i, y: i < 0, lambda i, y: (i + 1, y * 2), (0, x)), (x,)),
        ("ForiLoop", "plain", lambda x: ops.fori_loop(0, 3, lambda i, y: y + ops.cast(i, "float32") * x, x), (x,)),
        ("ForiLoop", "none", lambda x: ops.fori_loop(2, 1, lambda i, y: y + x, x), (x,)),
        ("ForiLoop", "as many as a tensor says",
         lambda x, n: ops.fori_loop(0, n[0], lambda i, y: y + x, x), (x, np.array([2, 2, 2], "int32"))),
        ("ForiLoop", "inside another", nested, (x,)),
        ("Scan", "plain", lambda x: ops.scan(lambda c, y: (c + y, c + y), ops.zeros((4,)), x), (x,)),
        ("Scan", "backwards", lambda x: ops.scan(lambda c, y: (c * 0.5 + y, c), ops.zeros((4,)), x, reverse=True), (x,)),
        ("Map", "plain", lambda x: ops.map(lambda y: ops.sum(y) * y, x), (x,)),
        ("Map", "nest", lambda x, y: ops.map(lambda p: {"s": p[0] + p[1]}, (x, y)), (x, x + 1)),
        ("VectorizedMap", "plain", lambda x: ops.vectorized_map(lambda y: ops.cumsum(y) + x[0, 0], x), (x,)),
        ("Switch", "first",
         lambda x, i: ops.switch(i[0], [lambda y: y, lambda y: y * 2, lambda y: y - 1], x), (x, np.array([0, 1, 1], "int32"))),
        ("Switch", "beyond",
         lambda x, i: ops.switch(i[0], [lambda y: y, lambda y: y * 2, lambda y: y - 1], x), (x, np.array([7, 1, 1], "int32"))),
        ("AssociativeScan", "even", lambda x: ops.associative_scan(lambda a, b: a + b, x, axis=1), (x,)),
        ("AssociativeScan", "odd, backwards", lambda x: ops.associative_scan(lambda a, b: a * b, x, axis=1, reverse=True), (array(3, 7),)),
        ("AssociativeScan", "nest",
         lambda x: ops.associative_scan(lambda a, b: (a[0] * b[0], a[1] * b[0] + b[1]), (x, x + 1), axis=1), (array(3, 6),)),
    ]  # fmt: skip
    for op, name, call, given in rows:
        yield Case(op, name, call, given, live=True, sizes=(1,))
    yield Case(
        "AssociativeScan",
        "an open axis",
        lambda x: ops.associative_scan(lambda a, b: a + b, x, axis=0),
        (x,),
        live=True,
        sizes=(),
        refused=True,
    )
