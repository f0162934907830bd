"""Matrix factorisations, inverses and solutions."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Lit, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from ir.core import Node, Value
from ir.types import dtypes

SINGULAR = (
    "a matrix that has no inverse or no factor is an error in the source; Keras' backends differ in it (JAX computes NaN "
    "or infinities)"
)
ORDER = (
    "the order of eigenvalues and the phases of eigenvectors are those of the backend's own routine: TensorFlow's differ from "
    "those that JAX and PyTorch take from LAPACK"
)
EIG_RUNS = (
    "JAX has eigenvalues of general matrices on CPUs, XLA does not compile TensorFlow's (`jit_compile=False`), and matrices with "
    "NaN or infinities are an error on TensorFlow and PyTorch and NaN on JAX"
)
SIGNS = "the signs of singular vectors and eigenvectors are free, and Keras' backends differ in them"


def supported(node: Node) -> str | None:
    """Why the kernels of Keras' backends do not take it."""
    kind = node.output.type.dtype if len(node.outputs) == 1 else node.inputs[0].type.dtype
    if kind not in (dtypes.float32, dtypes.float64):
        return f"Keras' backends have no kernel for {kind}"
    return (
        "Keras' backends differ in matrices without elements" if any(0 in v.type.shape for v in node.inputs) else None
    )


@rule("inverse", "determinant", accepts=supported)
def function(c: Context, node: Node) -> Expr:
    if node.op.name == "inverse":
        c.note(SINGULAR)
    return getattr(OPS, {"inverse": "inv", "determinant": "det"}[node.op.name])(c.x(node.operand("x")))


@rule("cholesky", accepts=supported)
def cholesky(c: Context, node: Node) -> Expr:
    c.note(SINGULAR)
    return OPS.cholesky(c.x(node.operand("x")), upper=hole(node.attrs["upper"], "upper", False))


@rule("solve", accepts=supported)
def solve(c: Context, node: Node) -> Expr:
    """Batches broadcast, which TensorFlow leaves to the caller."""
    c.note(SINGULAR)
    batch = node.output.type.shape[:-2]

    def widened(v: Value) -> Expr:
        same = v.type.shape[:-2] == batch
        return c.x(v) if same else OPS.broadcast_to(c.x(v), lift(tuple(c.shape((*batch, *v.type.shape[-2:])))))

    return OPS.solve(widened(node.operand("x")), widened(node.operand("y")))


@rule("qr", accepts=supported)
def qr(c: Context, node: Node) -> tuple[Expr | None, ...]:
    result = OPS.qr(c.x(node.operand("x")), mode=hole(node.attrs["mode"], "mode", "reduced"))
    return c.unpack(result, [bool(v.uses) for v in node.outputs], "qr")


def _values_alone(node: Node) -> str | None:
    wanted = [k for k, v in zip(node.op.outputs, node.outputs) if v.uses]
    return supported(node) or (None if wanted in ([], ["s"], ["values"]) else SIGNS)


@rule("svd", accepts=_values_alone)
def svd(c: Context, node: Node) -> tuple[Expr | None, ...]:
    return None, OPS.svd(c.x(node.operand("x")), compute_uv=lift(False)), None


@rule("eigh", accepts=_values_alone)
def eigh(c: Context, node: Node) -> tuple[Expr | None, ...]:
    """Of the triangle that is read a symmetric matrix: Keras' backends read different ones."""
    x = c.name_once(c.x(node.operand("x")), "matrix")
    part, inner = (OPS.triu, OPS.triu(x, k=1)) if node.attrs["upper"] else (OPS.tril, OPS.tril(x, k=-1))
    return OPS.eigh(part(x) + OPS.swapaxes(inner, -1, -2))[Lit(0)], None


@rule("eig", accepts=supported)
def eig(c: Context, node: Node) -> tuple[Expr | None, ...]:
    """Complex on every backend; the model goes on with the parts."""
    c.note(ORDER)
    c.note(EIG_RUNS)
    return c.unpack(OPS.eig(c.x(node.operand("x"))), [bool(v.uses) for v in node.outputs], "eigen")


@rule("real", "imag")
def part(c: Context, node: Node) -> Expr:
    """Of what an op gives that the backends compute with complex numbers."""
    return getattr(OPS, node.op.name)(c.x(node.operand("x")))
