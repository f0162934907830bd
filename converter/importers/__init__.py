"""Importers: one folder a framework, each offering `load(source, inputs, options=...) -> ir.core.Model`."""
