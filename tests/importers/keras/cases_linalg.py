"""Cases of products, factorisations and Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.importers.keras.op_cases import Case, array

Row = tuple[str, str, Callable[..., Any], tuple[np.ndarray, ...]]


def products() -> Iterator[Case]:
    """Products in every combination of ranks, and of integers."""
    from keras import ops

    x, y, v = array(3, 4), array(4, 5, seed=3), array(4, seed=5)
    whole = array(3, 4, dtype="int32")
    b = lambda *s, **k: array(3, *s, **k)  # noqa: E731
    rows: list[Row] = [
        ("Matmul", "matrix", lambda x: ops.matmul(x, y), (x,)), ("Matmul", "vector", lambda x: ops.matmul(x, v), (x,)),
        ("Matmul", "row", lambda x: ops.matmul(v, x), (b(4, 2),)), ("Matmul", "batches", ops.matmul, (b(2, 4), b(4, 5))),
        ("Matmul", "tall", lambda x: ops.matmul(x, y), (b(2, 4),)),
        ("Matmul", "dtypes", lambda x: ops.matmul(x, y.astype("float16")), (x,)),
        ("Dot", "matrix", lambda x: ops.dot(x, y), (x,)), ("Dot", "vector", lambda x: ops.dot(x, v), (x,)),
        ("Dot", "cube", lambda x: ops.dot(x, array(2, 4, 3)), (b(2, 4),)), ("Dot", "number", lambda x: ops.dot(x, np.float32(2)), (x,)),
        ("Inner", "plain", lambda x: ops.inner(x, array(2, 4)), (x,)), ("Outer", "plain", ops.outer, (array(3), array(3, 2))),
        ("Vdot", "plain", ops.vdot, (x, x + 1)), ("Tensordot", "number", lambda x: ops.tensordot(x, y, axes=1), (x,)),
        ("Tensordot", "pairs", lambda x: ops.tensordot(x, array(2, 4, 3), axes=[[2, 1], [1, 0]]), (b(2, 4),)),
        ("Tensordot", "none", lambda x: ops.tensordot(x, v, axes=0), (x,)),
        ("Einsum", "product", lambda x: ops.einsum("ab,bc->ac", x, y), (x,)),
        ("Einsum", "diagonal", lambda x: ops.einsum("bii->b", x), (b(4, 4),)),
        ("Einsum", "dots", lambda x: ops.einsum("...ij,kj->...ik", x, array(5, 4)), (b(2, 4),)),
        ("Einsum", "three", lambda x: ops.einsum("ab,bc,cd->ad", x, y, array(5, 2)), (x,)),
        ("Cross", "three", ops.cross, (b(2, 3), b(2, 3, seed=4))), ("Cross", "two", ops.cross, (b(2), b(2, seed=4))),
        ("Cross", "two and three", ops.cross, (b(2), b(3, seed=4))),
        ("Cross", "axes", lambda x, y: ops.cross(x, y, axisa=1, axisb=1, axisc=1), (b(3, 2), b(3, 2, seed=4))),
        ("Corrcoef", "plain", ops.corrcoef, (b(5),)), ("CDist", "plain", ops.cdist, (b(2, 4), b(5, 4))),
        ("Trapezoid", "plain", ops.trapezoid, (x,)), ("Trapezoid", "width", lambda x: ops.trapezoid(x, dx=0.5, axis=1), (b(4, 2),)),
        ("Trapezoid", "points", lambda x: ops.trapezoid(x, x=np.array([0, 1, 3, 4], "float32")), (x,)),
        ("Trapezoid", "integers", ops.trapezoid, (whole,)),
    ]  # fmt: skip
    for op, name, call, given in rows:
        yield Case(op, name, call, given, sizes=(1,) if op != "Corrcoef" else (2,))
    for kind in ("int32", "int8", "uint8", "int64", "bfloat16", "float16", "float64", "bool"):
        other = array(4, 5, dtype=kind, seed=3)
        for op, call in (
            ("Matmul", lambda x, o=other: ops.matmul(x, o)), ("Dot", lambda x, o=other: ops.dot(x, o)),
            ("Inner", lambda x, o=other: ops.inner(x, o[:, 0])), ("Tensordot", lambda x, o=other: ops.tensordot(x, o, axes=1)),
            ("Einsum", lambda x, o=other: ops.einsum("ab,bc->ac", x, o)), ("Outer", lambda x, o=other: ops.outer(x, o)),
        ):  # fmt: skip
            if kind == "bool" and op in ("Outer", "Einsum"):
                continue
            yield Case(op, kind, call, (array(3, 4, dtype=kind),), sizes=(1,))
    for mode in ("valid", "same", "full"):
        yield Case(
            "Correlate",
            mode,
            lambda x, m=mode: ops.correlate(x, np.array([1.0, 2.0, -1.0], "float32"), mode=m),
            (array(7),),
            sizes=(),
            dynamic=(),
        )
    yield Case(
        "Correlate",
        "integers",
        lambda x: ops.correlate(x, np.array([1, 2], "int32")),
        (array(7, dtype="int32"),),
        sizes=(),
        dynamic=(),
    )


def factors() -> Iterator[Case]:
    """Factorisations and what is made of them. Signs that are left open are taken out by squares."""
    from keras import ops

    a = array(3, 4, 4)
    good = a @ a.transpose(0, 2, 1) + 4 * np.eye(4, dtype="float32")
    # near values mix their vectors in float32, the only type of JAX
    apart = a + a.transpose(0, 2, 1) + np.diag([0.0, 40, 80, 120])
    right, vector = array(3, 4, 2), array(3, 4)
    low = np.linalg.cholesky(good)
    tall = array(5, 3)
    rows: list[Row] = [
        ("Cholesky", "plain", ops.cholesky, (good,)), ("Cholesky", "upper", lambda x: ops.cholesky(x, upper=True), (good,)),
        ("CholeskyInverse", "plain", ops.cholesky_inverse, (low,)),
        ("CholeskyInverse", "upper", lambda x: ops.cholesky_inverse(x, upper=True), (np.ascontiguousarray(low.transpose(0, 2, 1)),)),
        ("Det", "plain", ops.det, (a,)), ("Slogdet", "plain", ops.slogdet, (a,)), ("Logdet", "plain", ops.logdet, (good,)),
        ("Inv", "plain", ops.inv, (good,)), ("Solve", "matrix", ops.solve, (good, right)), ("Solve", "vector", ops.solve, (good, vector)),
        ("SolveTriangular", "upper", ops.solve_triangular, (np.ascontiguousarray(low.transpose(0, 2, 1)), right)),
        ("SolveTriangular", "lower", lambda x, y: ops.solve_triangular(x, y, lower=True), (low, vector)),
        ("Eigh", "values", lambda x: ops.eigh(x)[0], (good,)),
        ("Eigh", "vectors", lambda x: ops.abs(ops.eigh(x)[1]), (apart,)),
        ("Qr", "reduced", lambda x: [ops.abs(v) for v in ops.qr(x)], (array(3, 5, 3),)),
        ("Qr", "complete", lambda x: ops.abs(ops.qr(x, mode="complete")[1]), (array(3, 5, 3),)),
        ("SVD", "all", lambda x: [ops.abs(v) for v in ops.svd(x, full_matrices=False)], (array(3, 5, 3),)),
        ("SVD", "full", lambda x: ops.svd(x)[1], (array(3, 5, 3),)),
        ("SVD", "values", lambda x: ops.svd(x, compute_uv=False), (array(3, 5, 3),)),
        ("Pinv", "plain", ops.pinv, (array(3, 5, 3),)),
        ("Pinv", "limit", lambda x: ops.pinv(x, rcond=0.5), (array(3, 5, 3),)),
        ("MatrixRank", "plain", ops.matrix_rank, (array(3, 5, 3),)),
        ("MatrixRank", "limit", lambda x: ops.matrix_rank(x, tol=2.0), (array(3, 5, 3),)),
    ]  # fmt: skip
    for op, name, call, given in rows:
        yield Case(op, name, call, given, sizes=(1,))
    yield Case("Einsum", "capitals", lambda x: ops.einsum("BTNH,BSNH->BNTS", x, x + 1), (array(3, 2, 4, 5),), live=True)
    yield Case("LuFactor", "plain", ops.lu_factor, (a[0],), dynamic=(), sizes=())
    yield Case(
        "Eig",
        "values",
        lambda x: ops.sort(ops.real(ops.eig(x)[0])),
        (np.triu(a) + np.diag([1, 3, 5, 7]).astype("float32") * 3,),
        sizes=(1,),
    )
    yield Case("Lstsq", "matrix", ops.lstsq, (tall, array(5, 2)), dynamic=(), sizes=())
    yield Case("Lstsq", "vector", ops.lstsq, (tall, array(5)), dynamic=(), sizes=())
    yield Case("Lstsq", "limit", lambda a, b: ops.lstsq(a, b, rcond=0.5), (tall, array(5)), dynamic=(), sizes=())
    yield from _norms()


def _norms() -> Iterator[Case]:
    from keras import ops

    x = array(3, 4, 5)
    for order in (None, 2, 1, 0, 3, 0.5, float("inf"), float("-inf")):
        yield Case("Norm", f"vectors, {order}", lambda x, o=order: ops.norm(x, ord=o, axis=1), (x,), sizes=(1,))
    for order in (None, "fro", "nuc", 1, -1, 2, -2, float("inf"), float("-inf")):
        for keep in (False, True):
            yield Case(
                "Norm",
                f"matrices, {order}, {keep}",
                lambda x, o=order, k=keep: ops.norm(x, ord=o, axis=(1, 2) if k else (2, 1), keepdims=k),
                (x,),
                sizes=(1,),
            )
    yield Case("Norm", "integers", lambda x: ops.norm(x, axis=1), (array(3, 4, dtype="int64"),))
    yield Case("Norm", "all", ops.norm, (array(3, 4),))


def fourier() -> Iterator[Case]:
    """Pairs of real tensors; lengths of their own; windows."""
    from keras import ops

    re, im = array(3, 4, 6), array(3, 4, 6, seed=9)
    for op in ("FFT", "FFT2", "IFFT2"):
        call = getattr(ops, op.lower())
        yield Case(op, "plain", lambda x, y, call=call: call((x, y)), (re, im), sizes=(1,))
    yield Case("FFT", "double", lambda x, y: ops.fft((x, y)), (re.astype("float64"), im.astype("float64")), sizes=(1,))
    for size in (None, 4, 9):
        yield Case("RFFT", str(size), lambda x, n=size: ops.rfft(x, n), (re,), sizes=(1,))
        yield Case("IRFFT", str(size), lambda x, y, n=size: ops.irfft((x, y), n), (re, im), sizes=(1,))
    wave = array(3, 20)
    for window in ("hann", "hamming", None, np.linspace(0.5, 1, 6).astype("float32")):
        for center in (True, False):
            yield Case(
                "STFT",
                f"{type(window).__name__} {window if isinstance(window, str) else ''} {center}",
                lambda x, w=window, c=center: ops.stft(x, 6, 2, 8, window=w, center=c),
                (wave,),
                sizes=(1,),
            )
