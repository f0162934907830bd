"""Ops of the family: conv."""
