"""Ops of the family: resize."""
