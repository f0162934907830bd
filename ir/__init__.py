"""Isomorph's intermediate representation: graph, types, ops, evaluation, passes. Knows no framework."""
