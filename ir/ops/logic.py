"""Ops of the family: logic."""
