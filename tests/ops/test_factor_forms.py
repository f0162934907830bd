"""Matrices: which inference refuses, and decompositions in double precision where pivots, signs and sizes tell them apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ir.core import Branch, Builder, Leaf, Model, Parameter, Signature
from ir.eval import Evaluator
from ir.ops import factor_forms as forms
from ir.ops import get
from ir.types import tensor_type, type_of
from tests.ops.test_decompositions import ops_of
from tests.ops.test_refusals import N, inferred, of

RNG = np.random.default_rng(5)
SQUARE: dict[str, dict[str, Any]] = {
    "inverse": {}, "determinant": {}, "log_determinant": {}, "cholesky": {}, "eigh": {}, "eig": {}, "matrix_exp": {},
}  # fmt: skip
KNOWN: dict[str, dict[str, Any]] = {"qr": {}, "svd": {}, "lu": {}, "householder": {}}
SOLVED: dict[str, dict[str, Any]] = {"solve": {}, "solve_triangular": {"upper": True}}
REFUSED = [
    *(
        (name, a, (of(*s),), "does not hold square matrices")
        for name, a in SQUARE.items()
        for s in ((3,), (2, 3), (3, N))
    ),
    *((name, a, (of(3),), "does not hold matrices") for name, a in KNOWN.items()),
    *((name, a, (of(*s),), "size of matrices must be known") for name, a in KNOWN.items() for s in ((3, N), (N, 3))),
    *((name, a, (of(3, 3), of(3)), "do not make equations") for name, a in SOLVED.items()),
    *((name, a, (of(3, 3), of(2, 3)), "do not make equations") for name, a in SOLVED.items()),
    *((name, a, (of(3, 2), of(3, 2)), "does not hold square matrices") for name, a in SOLVED.items()),
]
ACCEPTED = [
    ("inverse", {}, (of(2, N, N),), "float32[2, n, n]"),
    ("determinant", {}, (of(N, 3, 3),), "float32[n]"),
    ("eig", {}, (of(2, 3, 3),), "complex64[2, 3], complex64[2, 3, 3]"),
    ("eig", {}, (tensor_type("float64", 3, 3),), "complex128[3], complex128[3, 3]"),
    ("qr", {}, (of(4, 3),), "float32[4, 3], float32[3, 3]"),
    ("qr", {"mode": "complete"}, (of(N, 4, 3),), "float32[n, 4, 4], float32[n, 4, 3]"),
    ("svd", {}, (of(2, 3),), "float32[2, 2], float32[2], float32[2, 3]"),
    ("svd", {"full": True}, (of(N, 2, 3),), "float32[n, 2, 2], float32[n, 2], float32[n, 3, 3]"),
    ("lu", {}, (of(N, 4, 3),), "float32[n, 4, 3], int32[n, 3]"),
    ("householder", {}, (of(3, 4),), "float32[3, 4], float32[3]"),
    ("solve", {}, (of(2, 1, 3, 3), of(5, 3, 4)), "float32[2, 5, 3, 4]"),
    ("solve_triangular", {"upper": True}, (of(5, N, N), of(N, 4)), "float32[5, n, 4]"),
]


@pytest.mark.parametrize(("name", "attrs", "operands", "words"), REFUSED)
def test_refused(name: str, attrs: Any, operands: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        inferred(name, attrs, *operands)


@pytest.mark.parametrize(("name", "attrs", "operands", "types"), ACCEPTED)
def test_accepted(name: str, attrs: Any, operands: Any, types: str) -> None:
    assert inferred(name, attrs, *operands) == types


def run(fn: Callable[..., Any], *arrays: np.ndarray) -> list[np.ndarray]:
    """What a model of what `fn(builder, *values)` returns gives."""
    model = Model()
    names = [f"x{k}" for k in range(len(arrays))]
    values = [model.graph.add_input(type_of(a), n) for n, a in zip(names, arrays, strict=True)]
    found = fn(Builder(model.graph), *values)
    outputs = list(found) if isinstance(found, tuple) else [found]
    model.graph.set_outputs(outputs)
    leaves = Branch("tuple", tuple(Leaf(f"output.{k}") for k in range(len(outputs))))
    model.signature = Signature(tuple(Parameter(n, Leaf(n)) for n in names), leaves)
    return list(Evaluator("exact").run(model, dict(zip(names, arrays, strict=True))).values())


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


def definite(*shape: int) -> np.ndarray:
    x = normal(*shape)
    return x @ x.swapaxes(-1, -2) + np.eye(shape[-1])


def columns(*columns: tuple[float, ...]) -> np.ndarray:
    return np.array(columns, np.float64).T


CASES: list[tuple[str, dict[str, Any], tuple[np.ndarray, ...]]] = [
    *(("determinant", {}, (normal(3, 4, 4),)) for _ in range(2)),
    ("determinant", {}, (normal(2, 3, 5, 5),)),
    ("log_determinant", {}, (normal(6, 3, 3),)),
    ("log_determinant", {}, (-np.eye(3)[None] * [[[1.0]], [[-2.0]]],)),
    ("inverse", {}, (normal(3, 4, 4),)),
    ("solve", {}, (normal(4, 4), normal(4, 2))),
    ("solve", {}, (normal(2, 1, 3, 3), normal(5, 3, 4))),
    ("solve", {}, (normal(3, 3), normal(5, 3, 1))),
    *(("cholesky", {"upper": upper}, (definite(*shape),)) for upper in (False, True) for shape in ((1, 1), (3, 3), (2, 4, 4))),
    ("cholesky", {"upper": False}, (definite(2, 3, 3) + np.triu(np.ones((3, 3)), 1),)),
    ("cholesky", {"upper": True}, (definite(2, 3, 3) + np.tril(np.ones((3, 3)), -1),)),
    *(("lu", {}, (normal(*shape),)) for shape in ((1, 1), (5, 5), (3, 5), (5, 3), (2, 1, 4, 3))),
    ("lu", {}, (columns((1, -1, 1), (2, 3, 4), (1, 0, 5)),)),  # the first of several that are largest
    ("lu", {}, (columns((0, 0, 0), (2, 3, 4), (1, 0, 5)),)),
    *(
        ("solve_triangular", {"upper": upper, "unit": unit}, (normal(*x) + 2 * np.eye(x[-1]), normal(*y)))
        for upper in (False, True) for unit in (False, True)
        for x, y in (((1, 1), (1, 1)), ((4, 4), (4, 2)), ((2, 1, 3, 3), (5, 3, 1)), ((3, 3), (2, 3, 4)))
    ),
    *(("householder", {}, (normal(*shape),)) for shape in ((1, 1), (4, 4), (3, 5), (5, 3), (2, 1, 4, 3))),
    ("householder", {}, (columns((0, 1, 2), (3, 0, 0), (1, 1, 1)),)),  # a first entry of zero
    ("householder", {}, (columns((-3, 0, 0), (1, -2, 0), (4, 5, -6)),)),  # nothing to reflect
    *(
        ("qr", {"mode": mode}, (normal(*shape),))
        for mode in ("reduced", "complete") for shape in ((4, 4), (2, 5), (5, 2), (2, 3, 4, 3))
    ),
    ("pivot_order", {"size": 4}, (np.array([[4, 2, 3], [2, 4, 4], [1, 2, 3]], np.int32),)),
    ("pivot_order", {"size": 3}, (np.array([[[3, 3, 3]]], np.int64),)),
    *(
        ("matrix_exp", {}, (x.astype(np.float32),))
        for x in (normal(3, 3), normal(2, 1, 4, 4), np.eye(2) * 0.25, np.zeros((2, 2)), 4 * normal(2, 2), np.full((1, 1), np.inf))
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(CASES)), ids=[f"{c[0]}-{k}" for k, c in enumerate(CASES)])
def test_decomposed(case: int) -> None:
    """The decomposition is the evaluation, of which PyTorch and LAPACK are the oracles elsewhere."""
    name, attrs, arrays = CASES[case]
    record = get(name)
    attrs = dict(record.complete(attrs))
    want = record.evaluate(*arrays, **attrs)
    got = run(lambda b, *values: record.decompose(b, *values, **attrs), *arrays)
    for have, wanted in zip(got, want if isinstance(want, tuple) else (want,), strict=True):
        assert have.dtype == wanted.dtype
        near = 1e-9 if wanted.dtype == np.float64 else 1e-6
        np.testing.assert_allclose(have, wanted, rtol=near, atol=near)


@pytest.mark.parametrize(("rows", "padded"), [(2, False), (3, False), (4, True)])
def test_reflections_that_are_all_there_are_not_padded(rows: int, padded: bool) -> None:
    assert ("pad" in ops_of("qr", normal(rows, 3), mode="complete")) == padded


def test_lower_unless_said_otherwise() -> None:
    """The factor, and the triangle that eigenvalues are read from."""
    x = definite(3, 3)
    np.testing.assert_allclose(run(lambda b, v: b.cholesky(v), x)[0], np.linalg.cholesky(x), rtol=1e-12)
    odd = x + np.triu(normal(3, 3), 1)
    np.testing.assert_allclose(run(lambda b, v: b.eigh(v)[0], odd)[0], np.linalg.eigvalsh(x), rtol=1e-10)


def test_pivots_jump() -> None:
    """The least change exchanges rows, which makes other factors: verification has to know."""
    step = np.finfo(np.float64).eps
    found = [get("lu").evaluate(np.array([[1.0, 2], [1 + e, 3]]))[1].tolist() for e in (-step, step)]
    assert found == [[1, 2], [2, 2]] and get("lu").discontinuous


def test_factors_of_what_is_no_number() -> None:
    factors, pivots = get("lu").evaluate(np.array([[1, 2], [np.nan, np.inf]]))
    assert np.isnan(factors).any() and pivots.shape == (2,)


@pytest.mark.parametrize("unit", (False, True))
@pytest.mark.parametrize("upper", (False, True))
def test_what_a_triangle_does_not_read(upper: bool, unit: bool) -> None:
    """The other triangle, and the diagonal where it is of ones: whatever stands there."""
    record, plain, y = get("solve_triangular"), normal(2, 3, 3) + 2 * np.eye(3), normal(3, 2)
    unread = np.tril(np.ones((3, 3), bool), -1 + unit) if upper else np.triu(np.ones((3, 3), bool), 1 - unit)
    for odd in (np.nan, np.inf):
        x = np.where(unread, odd, plain)
        want = record.evaluate(plain, y, upper, unit)
        np.testing.assert_array_equal(record.evaluate(x, y, upper, unit), want)
        (found,) = run(lambda b, *v: record.decompose(b, *v, upper=upper, unit=unit), x, y)
        np.testing.assert_allclose(found, want, rtol=1e-10)


@pytest.mark.parametrize("upper", (False, True))
def test_cholesky_reads_one_triangle(upper: bool) -> None:
    """That of its factor, as PyTorch does."""
    torch = pytest.importorskip("torch")
    x = definite(2, 3, 3) + np.triu(normal(2, 3, 3), 1)
    for matrix in (x, x.swapaxes(-1, -2).copy()):
        try:
            want = torch.linalg.cholesky(torch.from_numpy(matrix), upper=upper).numpy()
        except torch.linalg.LinAlgError:
            with pytest.raises(np.linalg.LinAlgError):
                get("cholesky").evaluate(matrix, upper)
            continue
        np.testing.assert_allclose(get("cholesky").evaluate(matrix, upper), want, rtol=1e-10)


@pytest.mark.parametrize("angle", (0.2, 0.3, 0.9, 1.2, 5.0))
def test_exponentials_that_are_known(angle: float) -> None:
    """Of a turn, a shear and a diagonal, all in one batch."""
    x = np.array([[[0, -angle], [angle, 0]], [[0, angle], [0, 0]], [[angle, 0], [0, -angle]]])
    cos, sin, out = np.cos(angle), np.sin(angle), np.exp(angle)
    want = np.array([[[cos, -sin], [sin, cos]], [[1, angle], [0, 1]], [[out, 0], [0, 1 / out]]])
    for k in range(3):
        np.testing.assert_allclose(get("matrix_exp").evaluate(x[k]), want[k], rtol=2e-14, atol=2e-14)
    np.testing.assert_allclose(get("matrix_exp").evaluate(x), want, rtol=2e-14, atol=2e-14)
    for matrix, wanted in zip(x, want, strict=True):
        np.testing.assert_allclose(run(forms.exponential, matrix)[0], wanted, rtol=4e-14, atol=4e-14)
    flat = np.full((1, 1, 5, 5), angle / 5)  # many small elements, whose sum tells the size
    full = np.eye(5) + np.full((5, 5), (out - 1) / 5)
    np.testing.assert_allclose(get("matrix_exp").evaluate(flat)[0, 0], full, rtol=2e-14)


@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 3, 3)])
@pytest.mark.parametrize("name", ["inverse", "cholesky", "matrix_exp"])
def test_no_elements(name: str, shape: tuple[int, ...]) -> None:
    """Evaluated, and decomposed where the target has the op's parts."""
    record, x = get(name), np.zeros(shape, np.float32)
    attrs = record.complete({})
    assert record.evaluate(x, **attrs).shape == shape
    assert run(lambda b, v: record.decompose(b, v, **attrs), x)[0].shape == shape


SYMMETRIC = [
    normal(1, 1), normal(2, 2), normal(5, 5), normal(2, 3, 4, 4), np.ones((3, 3)), np.zeros((2, 2)),
    np.diag([3.0, 1.0, 2.0]), np.array([[1.0, 2], [2, 1]]), np.array([[5.0, 1], [1, 0]]), np.array([[0.0, 1], [1, 5]]),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(SYMMETRIC)))
def test_eigenvalues(case: int) -> None:
    x = SYMMETRIC[case] + SYMMETRIC[case].swapaxes(-1, -2)
    (found,) = run(forms.eigenvalues, x)
    np.testing.assert_allclose(found, np.linalg.eigvalsh(x), rtol=1e-12, atol=1e-12)


def test_a_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes its entry zero, and turns by less than a right angle's half: what is the larger stays so."""
    monkeypatch.setattr(forms, "SWEEPS", 1)
    for low, high in ((1, 2), (2, 1), (1, 9), (9, 1), (-1, 0.5)):
        x = np.array([[low, 1], [1, high]], np.float64)
        (found,) = run(lambda b, v: forms._rotated(b, v, 2), x)
        values = np.linalg.eigvalsh(x)
        np.testing.assert_allclose(found, np.diag(values if low < high else values[::-1]), rtol=1e-14, atol=1e-14)


def test_one_eigenvalue_takes_no_rotations() -> None:
    for size, scans in ((1, 0), (2, 1)):
        graph = Model().graph
        forms.eigenvalues(Builder(graph), graph.add_input(of(size, size), "x"))
        assert [node.op.name for node in graph].count("scan") == scans


@pytest.mark.parametrize(
    ("name", "attrs", "count"),
    [("inverse", {}, 1), ("determinant", {}, 1), ("solve", {}, 2), ("cholesky", {}, 1), ("matrix_exp", {}, 1),
     ("solve_triangular", {"upper": True}, 2)],
)  # fmt: skip
def test_no_decomposition_of_open_sizes(name: str, attrs: dict[str, Any], count: int) -> None:
    record = get(name)
    graph = Model().graph
    values = [graph.add_input(of(N, N), f"x{k}") for k in range(count)]
    with pytest.raises(NotImplementedError, match="the size of the matrices is not known"):
        record.decompose(Builder(graph), *values, **record.complete(attrs))


@pytest.mark.parametrize("name", ["determinant", "log_determinant", "cholesky", "qr", "lu"])
def test_no_decomposition_of_complex_matrices(name: str) -> None:
    record = get(name)
    graph = Model().graph
    x = graph.add_input(type_of(np.eye(3, dtype=np.complex64)), "x")
    with pytest.raises(NotImplementedError, match="matrices of complex numbers"):
        record.decompose(Builder(graph), x, **record.complete({}))


@pytest.mark.parametrize(("sizes"), [(3, N), (N, 3)])
def test_sizes_that_are_half_known(sizes: tuple[Any, ...]) -> None:
    x = Model().graph.add_input(of(*sizes), "x")
    with pytest.raises(NotImplementedError, match="the size of the matrices is not known"):
        forms.known_sizes(x)
