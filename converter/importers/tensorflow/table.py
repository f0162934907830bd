"""The table of TensorFlow rules, keyed by the name of the raw op."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.importers.base import RuleTable

rule: RuleTable[Callable[..., Any]] = RuleTable("converter/importers/tensorflow")
"""Every rule by the raw op's name: `@rule("Relu", "Relu6")`. A rule takes a `TensorflowContext`, reads every attribute that
matters, and gives a value (or a `Ref`), or one for each output of the op."""
