"""Ops of the family: norm."""
