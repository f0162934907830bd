"""Ops of the family: pool."""
