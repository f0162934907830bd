"""Ops of the family: dropout."""
