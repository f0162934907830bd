"""Ops of the family: activation."""
