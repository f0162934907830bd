"""Ops of the family: recurrent."""
