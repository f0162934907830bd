"""Ops of the family: cast."""
