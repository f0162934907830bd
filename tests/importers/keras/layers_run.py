"""Every row of the tables: `python -m tests.importers.keras.layers_run [PATTERN]` reads, writes and runs each, and counts.

Exit code 1 where anything is wrong or crashed. What is refused is listed with its reason.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections import Counter

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(pattern: str = "") -> int:
    """Print a table of verdicts for each step."""
    from tests.importers.keras.layer_export import TARGETS
    from tests.importers.keras.test_layers import all_rows

    warnings.filterwarnings("ignore")
    counts: dict[str, Counter[str]] = {step: Counter() for step in ("read", *TARGETS)}
    for case in all_rows():
        if pattern and not re.search(pattern, case.name):
            continue
        for step, verdict, detail in outcomes(case):
            counts[step][verdict] += 1
            if verdict != "passed":
                print(f"{verdict} {step}: {case.name}: {detail}", flush=True)
    for step, found in counts.items():
        print(f"{step:6} {sum(found.values()):4} rows: " + ", ".join(f"{n} {v}" for v, n in sorted(found.items())))
    return int(any(c["wrong"] or c["crashed"] for c in counts.values()))


def outcomes(case):  # type: ignore[no-untyped-def]
    """(step, verdict, detail) of reading a row, and of writing it for each target."""
    from converter.errors import ConversionError
    from tests.importers.keras.layer_case import build
    from tests.importers.keras.layer_export import TARGETS, check_written
    from tests.importers.keras.test_layers import check_case

    steps = {
        "read": lambda: check_case(case),
        **{to: lambda to=to: check_written(case, build(case), to) for to in TARGETS},
    }
    for step, run in steps.items():
        verdict, detail = "passed", ""
        try:
            run()
        except ConversionError as error:
            verdict, detail = "refused", " ".join(str(error).split())
        except AssertionError as error:
            verdict, detail = "wrong", " ".join(str(error).split())
        except Exception as error:  # noqa: BLE001 - counted, and shown
            verdict, detail = "crashed", f"{type(error).__name__}: {' '.join(str(error).split())}"
        if step == "read" and verdict == "passed" and case.refused:
            yield step, "refused", case.refused
            return
        yield step, verdict, detail[:300]
        if step == "read" and verdict != "passed":
            return


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
