"""Reads ONNX Runtime's own registry of CPU kernels.

`python -m tests.exporters.onnx.kernel_table` rewrites `converter/exporters/onnx/kernels.json`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

from converter.exporters.onnx.dtypes import schema_dtype

FOLDER = Path(__file__).parents[3] / "converter" / "exporters" / "onnx"
OLDEST = 13
Table = dict[str, dict[str, list[list[object]]]]


def used_ops() -> set[str]:
    """Names of ONNX ops that the exporter's files mention as strings."""
    import onnx

    known = {s.name for s in onnx.defs.get_all_schemas() if s.domain == ""}
    text = "\n".join(p.read_text("utf-8") for p in sorted(FOLDER.glob("*.py")))
    return known & set(re.findall(r'"([A-Z]\w+)"', text))


def installed() -> Table:
    """Op -> type variable -> rows of [first opset, last opset (0: newest), types] of the installed ONNX Runtime."""
    from onnxruntime.capi.onnxruntime_pybind11_state import get_all_opkernel_def

    found: dict[str, dict[str, dict[tuple[int, int], set[str]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(set))
    )
    wanted = used_ops()
    for kernel in get_all_opkernel_def():
        low, high = kernel.version_range
        if kernel.domain or kernel.provider != "CPUExecutionProvider" or kernel.op_name not in wanted or high < OLDEST:
            continue
        for variable, types in kernel.type_constraints.items():
            names = {d.name for t in types if (d := schema_dtype(t)) is not None}
            found[kernel.op_name][variable][low, 0 if high > 10**6 else high] |= names
    return {
        op: {
            var: [[*span, sorted(names)] for span, names in sorted(spans.items())]
            for var, spans in sorted(variables.items())
        }
        for op, variables in sorted(found.items())
    }


def render(table: Table) -> str:
    """The text of kernels.json: one row a line."""
    ops = []
    for op, variables in table.items():
        rows = [f"  {json.dumps(var)}: {json.dumps(spans)}" for var, spans in variables.items()]
        ops.append(f'"{op}": {{\n' + ",\n".join(rows) + "\n}")
    return "{\n" + ",\n".join(ops) + "\n}\n"


if __name__ == "__main__":
    (FOLDER / "kernels.json").write_text(render(installed()), "utf-8")
