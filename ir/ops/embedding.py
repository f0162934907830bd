"""Ops of the family: embedding."""
