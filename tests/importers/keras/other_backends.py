"""The same cases on the backend that this process was started with: prints how each fared.

    KERAS_BACKEND=jax python -m tests.importers.keras.other_backends [--all]

A case counts as `equal`, as `refused` (by name and reason: what this backend does differently and is not followed), as `keras`
where Keras itself raises on this backend, or as `wrong`, which fails.
"""

from __future__ import annotations

import os
import sys
from collections import Counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def main(arguments: list[str]) -> int:
    """Run every case, or each operation's first; returns how many are wrong."""
    from tests.importers.keras.op_cases import by_op, outcome
    from tests.importers.keras.tables import TABLES

    chosen = [a for a in arguments if not a.startswith("-")] or list(TABLES)
    cases = [case for name in chosen for case in TABLES[name]()]
    if "--all" not in arguments:
        cases = [group[0] for _, group in by_op(cases)]
    counts: Counter[str] = Counter()
    for case in cases:
        result = outcome(case)
        kind = result.partition(":")[0]
        counts[kind] += 1
        if kind != "equal":
            print(f"{case}: {result}", flush=True)
    print(", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))
    return counts["wrong"]


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
