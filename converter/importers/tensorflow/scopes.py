"""Module paths from the names of nodes."""

from __future__ import annotations

import re

from ir.core import Path, Scope

_CALLS = re.compile(r"^(StatefulPartitionedCall|PartitionedCall)(_\d+)?$")


def steps_of(name: str) -> list[str]:
    """The name scopes of a node, outermost first, those of plain function calls left out."""
    return [s for s in name.split("/")[:-1] if s and not _CALLS.match(s)]


def node_path(name: str) -> Path:
    """The module path of a node from its name."""
    return tuple(Scope(s) for s in steps_of(name))


def call_path(name: str) -> Path:
    """The path inside a function that a node calls: its scopes, and its own name where that was chosen."""
    last = name.rsplit("/", 1)[-1]
    return node_path(name) if _CALLS.match(last) else (*node_path(name), Scope(last))


_GENERATED = re.compile(
    r"^(Identity|Const|Placeholder|ReadVariableOp|PartitionedCall|StatefulPartitionedCall|Cast)(_\d+)?$"
)


def hint(name: str) -> str:
    """A readable name for a value from a node's name; empty for generated ones."""
    last = name.rsplit("/", 1)[-1].split(":")[0]
    if not last or _GENERATED.match(last):
        return ""
    cleaned = re.sub(r"\W", "_", last)
    return cleaned.lower() if not cleaned[0].isdigit() else ""
