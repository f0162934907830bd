"""Weights and where their bytes lie."""

from ir.data.weights import Array, Blocks, Data, Lazy, Mapped, Pieces, Weight, role_permutation

__all__ = ["Array", "Blocks", "Data", "Lazy", "Mapped", "Pieces", "Weight", "role_permutation"]
