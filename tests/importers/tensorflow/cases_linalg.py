"""Cases of products, diagonals, factorisations, reductions and orders."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.importers.tensorflow.harness import COMPLEX, FLOATS, Case, array, edges, fixed, kinds

SOME = ("float32", "int32", "bool", "complex64", "bfloat16", "uint8")


def products() -> Iterator[Case]:
    for kind in kinds("MatMul"):
        for a, b in itertools.product((False, True), repeat=2):
            x = array(*((4, 3) if a else (3, 4)), dtype=kind)
            y = array(*((5, 4) if b else (4, 5)), dtype=kind, seed=3)
            attrs = {"transpose_a": a, "transpose_b": b}
            yield Case(
                "MatMul",
                f"{kind} {a} {b}",
                {"a": x, "b": y},
                attrs,
                open=(1,) if a else (0,),
                sizes=(0, 1) if b and not a else (),
            )
    for op in ("BatchMatMul", "BatchMatMulV2"):
        for kind in kinds(op):
            for a, b in itertools.product((False, True), repeat=2):
                x = array(2, *((4, 3) if a else (3, 4)), dtype=kind)
                y = array(2, *((5, 4) if b else (4, 5)), dtype=kind, seed=3)
                yield Case(op, f"{kind} {a} {b}", {"x": x, "y": y}, {"adj_x": a, "adj_y": b}, sizes=(0, 1))
    broadcast = {"x": array(2, 1, 3, 4), "y": array(5, 4, 2)}
    yield Case("BatchMatMulV2", "broadcast", broadcast, open=())
    yield Case("BatchMatMulV2", "empty", {"x": array(2, 3, 0), "y": array(2, 0, 4)}, open=())
    small = {"x": array(2, 3, 4, dtype="int8", low=-99, high=99), "y": array(2, 4, 5, dtype="int8", low=-99, high=99)}
    yield Case("BatchMatMulV3", "int8", small, {"Tout": "int32"})
    yield Case(
        "BatchMatMulV3", "adjoint", {"x": array(2, 3, 4), "y": array(2, 5, 4)}, {"Tout": "float32", "adj_y": True}
    )
    for kind in ("float32", "bfloat16"):
        x, y = array(3, 4, dtype=kind), array(5, 4, dtype=kind)
        yield Case("SparseMatMul", kind, {"a": x, "b": y}, {"transpose_b": True, "a_is_sparse": True})
    for kind in kinds("Einsum"):
        for equation, shapes in (
            ("ij,jk->ik", ((3, 4), (4, 2))), ("bij,bjk->bik", ((3, 2, 4), (3, 4, 5))), ("ij->ji", ((3, 4),)),
            ("...ij,...kj->...ik", ((3, 2, 4), (5, 4))), ("ii->i", ((4, 4),)), ("ij->", ((3, 4),)),
            ("abc,cd->abd", ((3, 2, 4), (4, 2))), ("i,j->ij", ((3,), (4,))), ("ab...,b->a...", ((3, 4, 2), (4,))),
            ("iij,j->i", ((3, 3, 4), (4,))), ("B,b->Bb", ((3,), (2,))),
        ):  # fmt: skip
            inputs = [array(*s, dtype=kind, seed=i) for i, s in enumerate(shapes)]
            yield Case("Einsum", f"{kind} {equation}", {"inputs": inputs}, {"equation": equation}, open=())
    yield Case("Einsum", "open", {"inputs": [array(3, 4), array(4, 2)]}, {"equation": "ij,jk->ik"}, sizes=())
    yield Case("Einsum", "diagonal", {"inputs": [array(3)]}, {"equation": "i->ii"}, refused="repeats a label")
    for kind in kinds("Cross"):
        yield Case("Cross", kind, {"a": array(2, 3, dtype=kind), "b": array(2, 3, dtype=kind, seed=4)}, sizes=(0, 1))
    for kind in ("float32", "float64", "complex64"):
        rows = {n: array(2, 1, 4, dtype=kind, seed=i) for i, n in enumerate(("superdiag", "maindiag", "subdiag"))}
        yield Case("TridiagonalMatMul", kind, {**rows, "rhs": array(2, 4, 3, dtype=kind)}, open=(0,))


def diagonals() -> Iterator[Case]:
    aligns = ("LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT")
    for kind in SOME:
        yield Case("MatrixDiag", kind, {"diagonal": array(2, 3, dtype=kind)}, sizes=(0, 1))
        yield Case("MatrixDiagPart", kind, {"input": array(2, 3, 4, dtype=kind)}, sizes=(0, 1))
        for rows, cols in ((3, 3), (3, 4), (4, 3)):
            operands = {"input": array(2, rows, cols, dtype=kind), "diagonal": array(2, 3, dtype=kind)}
            yield Case("MatrixSetDiag", f"{kind} {rows} {cols}", operands)
        if kind in ("float32", "int32", "complex64"):
            yield Case("Diag", kind, {"diagonal": array(2, 3, dtype=kind)}, open=())
            yield Case("DiagPart", kind, {"input": array(2, 3, 2, 3, dtype=kind)}, open=())
    for align, k in itertools.product(aligns, (0, 1, -2, (-1, 1), (0, 2), (-2, -1), (-2, 3))):
        low, high = (k, k) if isinstance(k, int) else k
        for rows, cols in ((3, 4), (4, 3)) if align != "RIGHT_LEFT" else ((3, 4), (4, 4), (4, 3)):
            lengths = [max(min(rows + min(d, 0), cols - max(d, 0)), 0) for d in range(low, high + 1)]
            shape = (2, max(lengths)) if low == high else (2, high - low + 1, max(lengths))
            if high >= cols or -low >= rows:
                continue
            span, pad = {"k": fixed(k)}, {"padding_value": fixed(9, "float32")}
            x, lines = array(2, rows, cols), array(*shape, seed=5)
            sizes = {"num_rows": fixed(rows), "num_cols": fixed(cols)}
            name = f"{align} {k} {rows}x{cols}"
            yield Case("MatrixDiagV3", name, {"diagonal": lines, **span, **sizes, **pad}, {"align": align})
            yield Case("MatrixDiagPartV3", name, {"input": x, **span, **pad}, {"align": align})
            written = {"input": x, "diagonal": lines, **span}
            yield Case("MatrixSetDiagV3", name, written, {"align": align}, open=())
            if align == "LEFT_LEFT":
                yield Case("MatrixDiagV2", name, {"diagonal": lines, **span, **sizes, **pad})
                yield Case("MatrixDiagPartV2", name, {"input": x, **span, **pad})
                yield Case("MatrixSetDiagV2", name, written, open=())
            free = {"num_rows": fixed(-1), "num_cols": fixed(-1)}
            yield Case("MatrixDiagV3", f"{name} free", {"diagonal": lines, **span, **free, **pad}, {"align": align})
    held = {"padding_value": np.array(7, np.float32)}
    yield Case("MatrixDiagPartV3", "run time", {"input": array(2, 3, 4), "k": fixed([-1, 1]), **held})
    sides = {"num_rows": fixed(-1), "num_cols": fixed(-1), "padding_value": fixed(0, "float32")}
    for k in (0, 2, -1):
        yield Case("MatrixDiagV3", f"open {k}", {"diagonal": array(3), "k": fixed(k), **sides}, sizes=(1, 5))
    squares = {"input": array(3, 3), "diagonal": array(3, seed=2)}
    yield Case("MatrixSetDiag", "open", squares, open=(0, 1), sizes=(1, 5))
    one = {"num_rows": fixed(5), "num_cols": fixed(-1), **held}
    yield Case("MatrixDiagV3", "rows alone", {"diagonal": array(3), "k": fixed(-2), **one}, open=())
    yield Case("MatrixDiagV3", "more rows", {"diagonal": array(3), "k": fixed(1), **one}, open=())


def _matrices(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Well-conditioned ones."""
    return (array(*shape, dtype=dtype) + 4 * np.eye(*shape[-2:])).astype(dtype)


def factors() -> Iterator[Case]:
    for kind in ("float32", "float64", *COMPLEX):
        x, y = _matrices(2, 3, 3, dtype=kind), array(2, 3, 2, dtype=kind)
        root = np.tril(x)
        definite = (root @ np.conj(np.swapaxes(root, -1, -2))).astype(kind)
        yield Case("Cholesky", kind, {"input": definite})
        for adjoint in (False, True):
            yield Case("MatrixInverse", f"{kind} {adjoint}", {"input": x}, {"adjoint": adjoint}, sizes=(1, 0))
            yield Case("MatrixSolve", f"{kind} {adjoint}", {"matrix": x, "rhs": y}, {"adjoint": adjoint}, sizes=(1,))
            for lower in (False, True):
                attrs = {"adjoint": adjoint, "lower": lower}
                yield Case("MatrixTriangularSolve", f"{kind} {attrs}", {"matrix": x, "rhs": y}, attrs, sizes=(1,))
        yield Case("MatrixDeterminant", kind, {"input": x}, sizes=(1, 0))
        yield Case("LogMatrixDeterminant", kind, {"input": x})
        yield Case("LogMatrixDeterminant", f"{kind} negative", {"input": x[:, ::-1]})
        shuffled = x[:, [2, 0, 1]]
        yield Case("Lu", kind, {"input": shuffled}, {"output_idx_type": "int64"}, sizes=(1,))
        for full, shape in itertools.product((False, True), ((2, 4, 3), (2, 3, 4))):
            yield Case(
                "Qr", f"{kind} {full} {shape}", {"input": array(*shape, dtype=kind)}, {"full_matrices": full}, then=_qr
            )
    for kind in ("float32", "float64"):
        for full, shape in itertools.product((False, True), ((2, 4, 3), (2, 3, 4))):
            attrs = {"full_matrices": full}
            yield Case("Svd", f"{kind} {full} {shape}", {"input": array(*shape, dtype=kind)}, attrs, then=_svd)
        yield Case(
            "Svd", f"{kind} values", {"input": array(2, 3, 4, dtype=kind)}, {"compute_uv": False}, then=lambda r: r[:1]
        )
        even = array(2, 3, 3, dtype=kind)
        yield Case("SelfAdjointEigV2", kind, {"input": even}, then=_eigh, rtol=1e-4 if kind == "float32" else None)
        yield Case("SelfAdjointEigV2", f"{kind} values", {"input": even}, {"compute_v": False}, then=lambda r: r[:1])
        out = {"Tout": "complex64" if kind == "float32" else "complex128"}
        yield Case("Eig", kind, {"input": even}, out, then=_eig, rtol=1e-4 if kind == "float32" else None)
    for kind in ("float32", "float64", "complex64"):
        lines = array(2, 3, 4, dtype=kind) + np.array([[0], [7], [0]])
        operands = {"diagonals": lines.astype(kind), "rhs": array(2, 4, 2, dtype=kind)}
        for pivots in (False, True):
            yield Case("TridiagonalSolve", f"{kind} {pivots}", operands, {"partial_pivoting": pivots})
        for lower, adjoint in itertools.product((False, True), repeat=2):
            main = [[0], [0], [7]] if not lower else [[7], [0], [0]]
            bands = {
                "matrix": (array(2, 3, 5, dtype=kind) + np.array(main)).astype(kind),
                "rhs": array(2, 5, 2, dtype=kind),
            }
            attrs = {"lower": lower, "adjoint": adjoint}
            yield Case("BandedTriangularSolve", f"{kind} {attrs}", bands, attrs)
        for shape in ((2, 4, 3), (2, 3, 4), (2, 3, 3)):
            sides = {"matrix": array(*shape, dtype=kind), "rhs": array(2, shape[1], 2, dtype=kind)}
            weighted = {**sides, "l2_regularizer": fixed(0.5, "float64")}
            yield Case(
                "MatrixSolveLs", f"{kind} {shape}", weighted, {"fast": True}, rtol=1e-4 if kind != "float64" else None
            )
    yield Case("MatrixSolveLs", "slow", weighted, {"fast": False}, refused="fast=False")
    yield Case("MatrixInverse", "singular", {"input": np.ones((2, 2))}, raises=True, open=())


def _columns(vectors: Any) -> Any:
    """What does not depend on signs of columns."""
    import tensorflow as tf

    return tf.abs(vectors)


def _qr(found: list[Any]) -> list[Any]:
    import tensorflow as tf

    q, r = found
    return [tf.raw_ops.BatchMatMulV2(x=q, y=r), _columns(q[..., : min(q.shape[-1], r.shape[-1], 3)]), _columns(r)]


def _svd(found: list[Any]) -> list[Any]:
    s, u, v = found
    few = s.shape[-1]
    return [s, _columns(u[..., :few]), _columns(v[..., :few])]


def _eigh(found: list[Any]) -> list[Any]:
    return [found[0], _columns(found[1])]


def _eig(found: list[Any]) -> list[Any]:
    """The sum and the product of the values, whose order is open."""
    import tensorflow as tf

    return [tf.raw_ops.Sum(input=found[0], axis=[-1]), tf.raw_ops.Prod(input=found[0], axis=[-1])]


def reductions() -> Iterator[Case]:
    for op in ("Sum", "Prod", "Max", "Min", "Mean", "EuclideanNorm", "All", "Any"):
        every = ("bool",) if op in ("All", "Any") else kinds(op)
        for kind in every:
            x = array(3, 4, 2, dtype=kind)
            if op == "EuclideanNorm" and kind not in (*FLOATS, *COMPLEX):
                yield Case(op, kind, {"input": x, "axis": fixed([0])}, refused="norms of integers")
                continue
            for axes, keep in (([1], False), ([0, -1], True), ([], False), ([0, 1, 2], False)):
                operands = {"input": x, "axis": fixed(np.array(axes, int))}
                sizes = (1,) if 0 in axes else (1, 0)
                yield Case(op, f"{kind} {axes} {keep}", operands, {"keep_dims": keep}, sizes=sizes)
            if op not in ("Max", "Min"):
                yield Case(op, f"{kind} of none", {"input": x[:, :0], "axis": fixed(1)}, open=())
            if kind in FLOATS:
                yield Case(op, f"{kind} special", {"input": edges(kind), "axis": fixed([1], "int64")}, open=())
            elif kind not in (*COMPLEX, "bool"):
                ends = np.tile(edges(kind), (3, 1))
                yield Case(op, f"{kind} ends", {"input": ends, "axis": fixed([0])}, open=())


def orders() -> Iterator[Case]:
    for op in ("ArgMax", "ArgMin"):
        for kind in kinds(op, among=(*FLOATS, "int32", "uint8", "int64", "bool", "uint32")):
            x = array(3, 4, dtype=kind, low=0, high=2) if "float" not in kind else array(3, 4, dtype=kind)
            for axis, out in ((0, "int64"), (-1, "int32")):
                operands = {"input": x, "dimension": fixed(axis)}
                yield Case(op, f"{kind} {axis}", operands, {"output_type": out}, sizes=() if axis == 0 else (0, 1))
        yield Case(op, "noted", {"input": array(3), "dimension": fixed(0)}, notes=("NaN comes after",))
    yield Case("ArgMax", "small", {"input": array(5), "dimension": fixed(0)}, {"output_type": "uint16"})
    for kind in kinds("TopKV2", "T"):
        x = array(3, 6, dtype=kind, low=0, high=4)
        yield Case("TopKV2", kind, {"input": x, "k": fixed(3)}, sizes=(0, 1))
        yield Case("TopKV2", f"{kind} one", {"input": x, "k": fixed(1)}, {"sorted": False, "index_type": "int64"})
    yield Case("TopKV2", "all", {"input": array(4), "k": fixed(4)}, open=())
    yield Case("TopKV2", "run time", {"input": array(3, 6), "k": np.array(2, np.int32)}, open=())
    yield Case("TopKV2", "too many", {"input": array(3, 2), "k": np.array(3, np.int32)}, open=(), raises=True)
    for kind, reverse in itertools.product(("float32", "int32", "int64"), (False, True)):
        operands = {"input": array(3, 5, dtype=kind), "n": fixed(1)}
        yield Case("NthElement", f"{kind} {reverse}", operands, {"reverse": reverse}, sizes=(0,))
    yield Case("NthElement", "run time", {"input": array(3, 5), "n": np.array(4, np.int32)})
    for op, kind in itertools.product(("Cumsum", "Cumprod"), (*FLOATS, "int32", "uint8", "complex64")):
        for exclusive, reverse in itertools.product((False, True), repeat=2):
            attrs = {"exclusive": exclusive, "reverse": reverse}
            operands = {"x": array(3, 4, dtype=kind), "axis": fixed(1 if exclusive else 0)}
            yield Case(op, f"{kind} {exclusive} {reverse}", operands, attrs, sizes=(1, 0))
    for kind in kinds("CumulativeLogsumexp"):
        special = np.array([1, 2, -np.inf, 3, 0, -5]).astype(array(1, dtype=kind).dtype)
        for exclusive, reverse in itertools.product((False, True), repeat=2):
            attrs = {"exclusive": exclusive, "reverse": reverse}
            for x, axis in ((array(3, 4, dtype=kind), 0), (array(3, 4, dtype=kind), -1), (special, 0)):
                yield Case(
                    "CumulativeLogsumexp", f"{kind} {attrs} {axis} {x.ndim}", {"x": x, "axis": fixed(axis)}, attrs
                )
    yield from _bins()


def _bins() -> Iterator[Case]:
    rows = np.sort(np.array([[1, 2, 2, 5], [0, 1, 7, 9]]))
    numbers = np.array([[0, 2, 3, 9, 2], [0, 1, 8, 10, -1]])
    for op, kind in itertools.product(("LowerBound", "UpperBound"), ("float32", "float64", "int32", "int64", "uint8")):
        operands = {"sorted_inputs": rows.astype(kind), "values": np.maximum(numbers, 0).astype(kind)}
        for out in ("int32", "int64"):
            yield Case(op, f"{kind} {out}", operands, {"out_type": out}, sizes=(1,))
        none = {"sorted_inputs": rows[:, :0].astype(kind), "values": np.maximum(numbers, 0).astype(kind)}
        yield Case(op, f"{kind} none", none)
    for kind in ("float32", "float64", "int32", "int64"):
        x = np.array([-1, 0, 1, 2, 10]).astype(kind)
        for boundaries in ([0.0, 1.5, 10.0], [0.1], []):
            yield Case("Bucketize", f"{kind} {boundaries}", {"input": x}, {"boundaries": boundaries}, sizes=(0,))
        values = {"values": array(20, dtype=kind, low=-2, high=8), "value_range": fixed([0, 5], kind)}
        yield Case("HistogramFixedWidth", kind, {**values, "nbins": fixed(4)}, open=())
        held = {"values": values["values"], "value_range": np.array([1, 7], kind), "nbins": fixed(7)}
        yield Case("HistogramFixedWidth", f"{kind} run time", held, {"dtype": "int64"}, open=(0,))
    yield Case("Bucketize", "special", {"input": edges()}, {"boundaries": [0.0, 1.0]})
    nan = {"values": edges(), "value_range": fixed([0, 5], "float32"), "nbins": fixed(4)}
    yield Case("HistogramFixedWidth", "NaN", nan, raises=True, open=())
    scores = np.array([[0.1, 0.3, 0.3, 0.2], [np.nan, 0.3, 0.3, 0.2], [np.inf, 1, 2, 3], [4, 4, 4, 4]], np.float32)
    for k, kind in itertools.product((0, 1, 2, 4), ("int32", "int64")):
        for target in (0, 1, 3, 4, -1):
            operands = {"predictions": scores, "targets": np.full(4, target, kind)}
            yield Case("InTopKV2", f"{kind} {k} {target}", {**operands, "k": fixed(k, kind)})
            yield Case("InTopK", f"{kind} {k} {target}", operands, {"k": k})
    operands = {"predictions": scores, "targets": np.array([1, 1, 3, 0]), "k": np.array(2)}
    yield Case("InTopKV2", "run time", operands)


TABLES = {"products": products, "diagonals": diagonals, "factors": factors, "reductions": reductions, "orders": orders}
