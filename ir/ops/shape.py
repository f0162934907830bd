"""Ops of the family: shape."""
