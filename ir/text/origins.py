"""Origins as trailing comments: `# op="aten.relu.default" path="layer1:Bottleneck/relu:ReLU#1"`."""

from __future__ import annotations

import re
from urllib.parse import quote as percent
from urllib.parse import unquote as unpercent

from ir.core.origin import Origin, Scope
from ir.text.lexer import quote, unquote

_FIELD = r'(?:op|name|path|line|rule|history)="(?:[^"\\]|\\.)*"'
_COMMENT = re.compile(rf"# {_FIELD}(?: {_FIELD})*\Z")
_ONE = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*")')
_SAFE = " !$&'()*+;=?@[]<>|"  # everything but the separators / : # , and %


def origin_text(origin: Origin) -> str:
    """The comment, or nothing for an origin that says nothing."""
    path = "/".join(_scope_text(s) for s in origin.path)
    history = ",".join(percent(h, safe=_SAFE) for h in origin.history)
    fields = {"op": origin.op, "name": origin.name, "path": path, "line": origin.line, "rule": origin.rule}
    parts = [f"{k}={quote(v)}" for k, v in {**fields, "history": history}.items() if v]
    return "# " + " ".join(parts) if parts else ""


def parse_origin(comment: str) -> Origin | None:
    """The origin in a comment that `origin_text` wrote; None for any other comment."""
    if not _COMMENT.match(comment):
        return None
    fields = {k: unquote(v) for k, v in _ONE.findall(comment)}
    path = tuple(_parse_scope(t) for t in fields.pop("path", "").split("/") if t)
    history = tuple(unpercent(t) for t in fields.pop("history", "").split(",") if t)
    return Origin(path=path, history=history, **fields)


def _scope_text(scope: Scope) -> str:
    text = f"{percent(scope.name, safe=_SAFE)}:{percent(scope.cls, safe=_SAFE)}"
    return text + (f"#{scope.call}" if scope.call else "")


def _parse_scope(text: str) -> Scope:
    head, _, call = text.partition("#")
    name, _, cls = head.partition(":")
    return Scope(unpercent(name), unpercent(cls), int(call or 0))
