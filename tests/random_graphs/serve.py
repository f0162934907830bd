"""Answers `run SEED` and `died SEED` on its standard input with an outcome as one line of JSON."""

import gc
import json
import os
import sys
from dataclasses import asdict

from tests.random_graphs.outcome import Outcome
from tests.random_graphs.trial import died, run_seed
from tests.suites import faster_export


def main() -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not mix with answers
    _for_many_small_models()
    for line in sys.stdin:
        what, seed = line.split()
        try:
            outcome = run_seed(int(seed)) if what == "run" else died(int(seed))
        except Exception as error:  # noqa: BLE001 - a mistake of the generator is told like one of the product
            outcome = Outcome(int(seed), "crashed", step="generator", detail=f"{type(error).__name__}: {error}")
        answers.write(json.dumps(asdict(outcome)) + "\n")


def _for_many_small_models() -> None:
    """As the test suite does (`tests/conftest.py`): less looking for garbage, exports that share their preparation."""
    import torch  # noqa: F401 - `install` changes what is loaded

    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    sys.dont_write_bytecode = True
    faster_export.install()


if __name__ == "__main__":
    main()
