"""Ops of the family: control."""
