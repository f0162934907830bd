"""Why some ATen ops have no rule, and what to do instead."""

from __future__ import annotations

REASONS: dict[str, tuple[str, str]] = {
    "aten.hash_tensor": ("a hash of the bits in an order that torch leaves open", "compute a checksum outside the model"),
    "aten.linalg_ldl_": (
        "the factors depend on the pivots that one library's routine chooses", "use torch.linalg.cholesky or torch.linalg.solve",
    ),
    "aten.special_airy_ai": ("the Airy function has no form in the functions of other frameworks", "tabulate and interpolate it"),
    "aten._histogramdd": (
        "a histogram of several axes, whose edges torch computes apart", "torch.bucketize each axis and count with scatter_add",
    ),
    "aten._ctc_loss": (
        "the steps of this loss follow lengths that the data gives", "compute the loss outside the model",
    ),
    "aten.linalg_lstsq": (
        "the sizes of its results depend on the rank of the data", "use torch.linalg.qr and solve_triangular, or pinv",
    ),
    "torch_nn._linear_cross_entropy": (
        "a private form of linear and cross_entropy in chunks", "call torch.nn.functional.linear and cross_entropy",
    ),
    "aten.fractional_max_pool": (
        "its windows lie where random numbers say", "use MaxPool or AdaptiveMaxPool",
    ),
}  # fmt: skip
"""By the beginning of an op's name: the reason, and advice."""


def reason(target: str) -> tuple[str, str] | None:
    """Why an op is refused for good; None for one that only lacks a rule so far."""
    return next((why for start, why in REASONS.items() if target.startswith(start)), None)
