"""Weights and where their bytes lie."""

from ir.data.weights import Array, Data, Lazy, Mapped, Weight, role_permutation

__all__ = ["Array", "Data", "Lazy", "Mapped", "Weight", "role_permutation"]
