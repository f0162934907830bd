"""The same cases on the backend that this process was started with: prints how each fared.

    KERAS_BACKEND=jax python -m tests.importers.keras.other_backends [--all] [TABLE]... [CASE]...

Of the tables named (default: all of them) the first case of each operation is run, beside the cases named.

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

    given = [a for a in arguments if not a.startswith("-")]
    chosen = [a for a in given if a in TABLES] or list(TABLES)
    cases = [case for name in chosen for case in TABLES[name]()]
    if "--all" not in arguments:
        cases = [group[0] for _, group in by_op(cases)]
    known = {str(c) for c in cases}
    cases += [c for table in TABLES.values() for c in table() if str(c) in given and str(c) not in known]
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
