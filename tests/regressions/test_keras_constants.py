"""Constants that an emitted Keras class keeps as variables are handed to operations as tensors: JAX compiles no variable."""

from __future__ import annotations

from pathlib import Path

import ir.ops
from tests.exporters.keras.generated import cases, difference, write


def test_large_constants_on_jax(tmp_path: Path) -> None:
    """The table of places that `max_pool_with_positions` looks up has more than 64 elements."""
    case = next(c for c in cases(ir.ops.get("max_pool_with_positions"), "float32") if c.name.endswith("-5"))
    assert write(case, tmp_path) is None
    text = (tmp_path / "model.py").read_text()
    assert "self.constant_1 = self.add_weight(" in text
    assert difference(case, tmp_path, "jax") is None
