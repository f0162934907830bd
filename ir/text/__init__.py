"""The text form: debug view, golden file, bug report and saved graph at once."""

from ir.text.lexer import TextError
from ir.text.parser import Absent, parse
from ir.text.printer import format_graph, format_model, format_node

__all__ = ["Absent", "TextError", "format_graph", "format_model", "format_node", "parse"]
