"""Ops of the family: comparison."""
