"""The ops' signatures are a contract with importers, exporters, plugins and saved models: a change must be meant.

`python -m tests.ops.test_signatures` rewrites `data/signatures.txt`.
"""

from __future__ import annotations

from pathlib import Path

import ir.ops
from ir.ops.define import MISSING, OpDef

FILE = Path(__file__).parent / "data" / "signatures.txt"
MARKS = {"required": "", "optional": "?", "variadic": "*"}
FLAGS = ("modal", "random", "discontinuous", "exact_dtypes", "binds_symbol")


def signature(op: OpDef) -> str:
    """`softmax(x: float; axis=-1) -> output`, then bodies, axes of weights and flags."""
    operands = ", ".join(f"{o.name}{MARKS[o.mode]}: {o.like or o.domain}" for o in op.operands)
    attributes = ", ".join(a.name if a.default is MISSING else f"{a.name}={a.default!r}" for a in op.attributes)
    notes = [f"bodies {' '.join(op.bodies)}"] if op.bodies else []
    notes += [f"{name} has axes {axes}" for name, axes in sorted(op.roles.items())]
    notes += [flag for flag in FLAGS if getattr(op, flag)]
    head = f"{op.name}({'; '.join(part for part in (operands, attributes) if part)}) -> {', '.join(op.outputs)}"
    return head + "".join(f" | {note}" for note in notes)


def text() -> str:
    """One line an op, by name."""
    return "\n".join(signature(op) for op in ir.ops.all_ops()) + "\n"


def test_signatures_are_as_agreed() -> None:
    found, agreed = text().splitlines(), FILE.read_text("utf-8").splitlines()
    changed = [f"- {line}" for line in agreed if line not in found] + [f"+ {line}" for line in found if line not in agreed]
    assert not changed, "run `python -m tests.ops.test_signatures` if this is meant:\n" + "\n".join(changed)


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
