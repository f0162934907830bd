"""Ops of the family: indexing."""
