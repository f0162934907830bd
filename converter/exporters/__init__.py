"""Exporters: one folder per target framework, over shared rules, outline and code document."""
