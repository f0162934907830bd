"""All ops by name. Importing `ir.ops` fills it; plugins add theirs with the same decorator."""

from __future__ import annotations

from collections.abc import Iterator

from ir.ops.define import OpDef, define

_OPS: dict[str, OpDef] = {}


def op(cls: type) -> OpDef:
    """Class decorator: define and register an op; raises ValueError when the name is taken."""
    record = define(cls)
    if record.name in _OPS:
        raise ValueError(f"op {record.name!r} is defined twice: {_OPS[record.name].cls.__module__} and {cls.__module__}")
    _OPS[record.name] = record
    return record


def get(name: str) -> OpDef:
    """The op called `name`; raises KeyError with the closest names."""
    import difflib

    if name not in _OPS:
        near = difflib.get_close_matches(name, _OPS, 3)
        raise KeyError(f"no op {name!r}" + (f"; close: {', '.join(near)}" if near else ""))
    return _OPS[name]


def all_ops() -> Iterator[OpDef]:
    """Every op, by name."""
    return iter(sorted(_OPS.values(), key=lambda o: o.name))
