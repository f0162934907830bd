"""The table of TensorFlow rules, keyed by the name of the raw op."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.errors import Unsupported
from converter.importers.base import RuleTable
from converter.importers.tensorflow.refused import why


class RawOps(RuleTable[Callable[..., Any]]):
    """Rules by the raw op's name; those that have none for a reason say it."""

    def missing(self, op: str, place: str = "", advice: str = "") -> Unsupported:
        found = why(op)
        return Unsupported(op, found[0], place, advice=found[1]) if found else super().missing(op, place, advice)


rule = RawOps("converter/importers/tensorflow")
"""Every rule by the raw op's name: `@rule("Relu", "Relu6")`. A rule takes a `TensorflowContext`, reads every attribute that
matters, and gives a value (or a `Ref`), or one for each output of the op."""
