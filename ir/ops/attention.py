"""Ops of the family: attention."""
