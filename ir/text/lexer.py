"""Tokens of the text form. Newlines end statements, except inside brackets; `#` starts a comment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+)
      | (?P<comment>\#[^\n]*)
      | (?P<newline>\n)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<quoted>'(?:[^'\\\n]|\\.)*')
      | (?P<number>\d+\.\d*(?:e[+-]?\d+)?|\d+(?:e[+-]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)
      | (?P<punct>->|//|==|[()\[\]{}<>,:;=@?*+%-])""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*\Z")
_OPEN, _CLOSE = set("([{<"), set(")]}>")


class TextError(ValueError):
    """The text is not a model in text form; the message starts with line and column."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is name, string, number, punct, newline, comment or end; quoted names have kind name."""

    kind: str
    text: str
    line: int
    column: int
    offset: int
    quoted: bool = False

    def __str__(self) -> str:
        return {"newline": "the end of the line", "end": "the end of the text"}.get(self.kind, repr(self.text))


def tokenize(text: str) -> Iterator[Token]:
    """All tokens, comments that follow a statement included, ending with one of kind `end`; raises TextError."""
    position, line, start, depth = 0, 1, 0, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        column = position - start + 1
        if match is None:
            raise TextError(f"unexpected character {text[position]!r}", line, column)
        kind, raw = match.lastgroup or "", match.group()
        depth += (kind == "punct") * ((raw in _OPEN) - (raw in _CLOSE))
        if kind == "quoted":
            yield Token("name", unquote(raw, line, column), line, column, position, quoted=True)
        elif kind == "string":
            yield Token("string", unquote(raw, line, column), line, column, position)
        elif kind != "space" and not (kind in ("newline", "comment") and depth > 0):
            yield Token(kind, raw, line, column, position)
        position = match.end()
        if kind == "newline":
            line, start = line + 1, position
    yield Token("newline", "", line, position - start + 1, position)
    yield Token("end", "", line, position - start + 1, position)


def quote(text: str) -> str:
    """A string literal."""
    return json.dumps(text)


def quote_name(text: str, reserved: frozenset[str] = frozenset()) -> str:
    """A name as it is, or in single quotes when it is unusual or reserved."""
    if _PLAIN.match(text) and text not in reserved:
        return text
    return "'" + json.dumps(text)[1:-1].replace("'", "\\u0027") + "'"


def unquote(raw: str, line: int = 1, column: int = 1) -> str:
    """The text of a quoted literal of either kind; raises TextError on a bad escape."""
    try:
        return str(json.loads('"' + raw[1:-1] + '"'))
    except json.JSONDecodeError as error:
        raise TextError(f"bad string {raw}: {error.msg}", line, column) from None
