"""Names for sizes and arguments, made of the names that a source has, which may be any text."""

from __future__ import annotations

import keyword
import re


def plain_name(text: str, default: str) -> str:
    """Letters, digits and underscores, the first one no digit: `default` stands for nothing, or before a digit."""
    cleaned = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or default
    return f"{default}{cleaned}" if cleaned[0].isdigit() else cleaned


def argument_name(text: str) -> str:
    """The text where it can be the name of a Python argument, else one like it."""
    plain = text if text.isidentifier() and text.isascii() else plain_name(text, "input_")
    return f"{plain}_" if keyword.iskeyword(plain) or plain == "self" else plain
