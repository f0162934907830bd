"""Ops of the family: linalg."""
