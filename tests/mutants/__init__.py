"""Planting faults in the rules to see whether the generated tests notice: `make mutants`."""
