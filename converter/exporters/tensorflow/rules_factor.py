"""Matrix factorisations, inverses and solutions."""

from __future__ import annotations

from collections.abc import Callable

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.rules_linalg import LINALG
from converter.exporters.tensorflow.table import rule
from ir.core import Node, Value

SINGULAR = (
    "a matrix that has no inverse or no factor is an error in the source and in TensorFlow on a CPU; compiled by XLA it gives "
    "NaN or infinities"
)
ORDER = (
    "the order of eigenvalues and the phases of eigenvectors are those of TensorFlow's own routine, which XLA does not compile; "
    "matrices with NaN or infinities are an error"
)
SIGNS = "the signs of singular vectors and eigenvectors are free, and TensorFlow's may be others than the source's"
_KERNELS = ("float32", "float64", "complex64", "complex128")


def supported(node: Node) -> str | None:
    """Why TensorFlow's kernels do not take it."""
    kind = node.inputs[0].type.dtype
    if kind.name not in _KERNELS:
        return f"TensorFlow has no kernel for {kind}"
    return "TensorFlow's kernels differ in matrices without elements" if _empty(node) else None


def _empty(node: Node) -> bool:
    return any(0 in v.type.shape for v in node.inputs)


_FUNCTIONS = {"inverse": "inv", "determinant": "det", "matrix_exp": "expm"}


@rule(*_FUNCTIONS, accepts=supported)
def function(c: Context, node: Node) -> Expr:
    if node.op.name == "inverse":
        c.note(SINGULAR)
    return getattr(LINALG, _FUNCTIONS[node.op.name])(c.x(node.operand("x")))


@rule("log_determinant", accepts=supported)
def log_determinant(c: Context, node: Node) -> tuple[Expr | None, ...]:
    sign, log = c.unpack(LINALG.slogdet(c.x(node.operand("x"))), [bool(v.uses) for v in node.outputs], "determinant")
    complex_ = node.operand("x").type.dtype.is_complex
    return sign, TF.math.real(log) if log is not None and complex_ else log


@rule("cholesky", accepts=supported)
def cholesky(c: Context, node: Node) -> Expr:
    """TensorFlow reads the lower triangle and gives the lower factor."""
    c.note(SINGULAR)
    if not node.attrs["upper"]:
        return LINALG.cholesky(c.x(node.operand("x")))
    return LINALG.adjoint(LINALG.cholesky(LINALG.adjoint(c.x(node.operand("x")))))


def _broadcast(c: Context, node: Node, value: Value) -> Expr:
    """A matrix repeated for each of the batches of the result, which TensorFlow leaves to the caller."""
    batch = node.output.type.shape[:-2]
    if value.type.shape[:-2] == batch:
        return c.x(value)
    return TF.broadcast_to(c.x(value), lift(c.shape((*batch, *value.type.shape[-2:]))))


@rule("solve", accepts=supported)
def solve(c: Context, node: Node) -> Expr:
    c.note(SINGULAR)
    return LINALG.solve(*(_broadcast(c, node, node.operand(k)) for k in ("x", "y")))


@rule("solve_triangular", accepts=supported)
def solve_triangular(c: Context, node: Node) -> Expr:
    """A diagonal of ones, where `unit` says so: TensorFlow reads it."""
    x = _broadcast(c, node, node.operand("x"))
    if node.attrs["unit"]:
        x = c.name_once(x, "matrix")
        x = LINALG.set_diag(x, TF.ones_like(LINALG.diag_part(x)))
    lower = hole(not node.attrs["upper"], "lower", True)
    return LINALG.triangular_solve(x, _broadcast(c, node, node.operand("y")), lower=lower)


@rule("qr", accepts=supported)
def qr(c: Context, node: Node) -> tuple[Expr | None, ...]:
    full = hole(node.attrs["mode"] == "complete", "full_matrices", False)
    result = LINALG.qr(c.x(node.operand("x")), full_matrices=full)
    return c.unpack(result, [bool(v.uses) for v in node.outputs], "qr")


def _values_alone(values: str) -> Callable[[Node], str | None]:
    """Vectors have no fixed signs: those of a model of TensorFlow are TensorFlow's."""

    def accepts(node: Node) -> str | None:
        wanted = [k for k, v in zip(node.op.outputs, node.outputs) if v.uses]
        return supported(node) or (None if wanted in ([], [values]) else SIGNS)

    return accepts


@rule("svd", accepts=_values_alone("s"))
def svd(c: Context, node: Node) -> tuple[Expr | None, ...]:
    return None, LINALG.svd(c.x(node.operand("x")), compute_uv=lift(False)), None


@rule("eigh", accepts=_values_alone("values"))
def eigh(c: Context, node: Node) -> tuple[Expr | None, ...]:
    """TensorFlow reads the lower triangle."""
    x = c.x(node.operand("x"))
    return LINALG.eigvalsh(LINALG.matrix_transpose(x) if node.attrs["upper"] else x), None


@rule("eig", accepts=supported)
def eig(c: Context, node: Node) -> tuple[Expr | None, ...]:
    c.note(ORDER)
    x, (values, vectors) = c.x(node.operand("x")), node.outputs
    if not vectors.uses:
        return LINALG.eigvals(x), None
    return c.unpack(LINALG.eig(x), [bool(values.uses), True], "eigen")
