"""Ops of the family: elementwise."""
