"""Definitions of raw ops and signatures of functions: operands, outputs, declared attribute defaults."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from converter.importers.tensorflow.attributes import decoded, type_of
from ir.types import DType


@dataclass(frozen=True)
class Definition:
    """What a raw op is declared to be.

    `inferred` are attributes that restate types and counts of operands; `stateful` ones may have an effect beside their
    outputs. `given` and `made` are the declared operands and outputs (OpDef.ArgDef).
    """

    name: str
    given: tuple[Any, ...]
    made: tuple[Any, ...]
    defaults: Mapping[str, Any]
    inferred: frozenset[str]
    stateful: bool

    def ranges(self, node: Any) -> dict[str, range]:
        """Places of each declared output among the flat outputs of a node."""
        found: dict[str, range] = {}
        start = 0
        for arg in self.made:
            count = _count(arg, node)
            found[arg.name] = range(start, start + count)
            start += count
        return found

    def outputs(self, node: Any) -> int:
        """Number of flat outputs of a node."""
        return sum(_count(arg, node) for arg in self.made)

    def types(self, node: Any) -> list[DType | str]:
        """Element types of a node's flat outputs; names of those that the IR does not have."""
        found: list[DType | str] = []
        for arg in self.made:
            if arg.type_list_attr:
                found += map(type_of, node.attr[arg.type_list_attr].list.type)
            elif arg.type or arg.type_attr in node.attr:
                found += [type_of(arg.type or node.attr[arg.type_attr].type)] * _count(arg, node)
            else:
                found += [self.defaults[arg.type_attr]] * _count(arg, node)
        return found


def _count(arg: Any, node: Any) -> int:
    if arg.number_attr:
        return int(node.attr[arg.number_attr].i)
    return len(node.attr[arg.type_list_attr].list.type) if arg.type_list_attr else 1


@functools.cache
def definition(op: str) -> Definition | None:
    """The definition of a raw op that the installed TensorFlow knows; None for others."""
    from tensorflow.python.framework import op_def_registry

    found = op_def_registry.get(op)
    return None if found is None else of_op(found)


def of_op(found: Any) -> Definition:
    """A definition from an OpDef (of an op, or the signature of a function)."""
    defaults = {a.name: decoded(a.default_value) for a in found.attr if a.HasField("default_value")}
    inferred = {n for a in found.input_arg for n in (a.type_attr, a.number_attr, a.type_list_attr) if n}
    return Definition(
        found.name,
        tuple(found.input_arg),
        tuple(found.output_arg),
        MappingProxyType(defaults),
        frozenset(inferred),
        found.is_stateful,
    )
