"""The same cases on the backend that this process was started with: prints how each fared.

    KERAS_BACKEND=jax python -m tests.importers.keras.other_backends [TABLE]... [CASE]...         the first of each operation
    KERAS_BACKEND=jax python -m tests.importers.keras.other_backends --all --state FILE [TABLE]...   every case
    KERAS_BACKEND=jax python -m tests.importers.keras.other_backends --all --state FILE --update     recorded

Of the tables named (default: all of them) the first case of each operation is run, beside the cases named.

A case counts as `equal`, as `refused` (by name and reason: what this backend does differently and is not followed), as `keras`
where Keras itself raises on this backend, as `open` where the backend promises no one answer, or as `wrong`, which fails.
`--state` goes on where a run stopped; `--all` of all tables is compared with what is recorded, case by case.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

if TYPE_CHECKING:
    from tests.importers.keras.op_cases import Case

RECORD = Path(__file__).with_name("other_backends.json")
"""Of each backend: how many cases of each table fared how, and which are not equal, with the reason."""


@dataclass(frozen=True)
class Outcome:
    """What became of one case: `equal`, or the kind and the reason."""

    backend: str
    table: str
    case: str
    result: str

    @property
    def kind(self) -> str:
        return self.result.partition(":")[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every case, or each operation's first; returns 1 where any is wrong, or not as recorded."""
    from tests.importers.keras.tables import TABLES
    from tests.suites.kept import keep, kept

    options = _parser().parse_args(arguments)
    tables = [a for a in options.given if a in TABLES] or list(TABLES)
    chosen = list(_chosen(tables, set(options.given), options.all))
    on = os.environ["KERAS_BACKEND"]
    wanted = {(table, str(case)) for table, case in chosen}
    found = [o for o in kept(options.state, Outcome) if o.backend == on and (o.table, o.case) in wanted]
    done = {(o.table, o.case) for o in found}
    for table, case, result in _results([c for c in chosen if (c[0], str(c[1])) not in done]):
        found.append(Outcome(on, table, str(case), result))
        keep(options.state, found[-1])
        if found[-1].kind != "equal":
            print(f"{case}: {result}", flush=True)
    counts = Counter(o.kind for o in found)
    print(", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))
    whole = options.all and len(tables) == len(TABLES)
    return int(counts["wrong"] > 0 or (whole and not _as_recorded(on, found, options.update)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.importers.keras.other_backends")
    parser.add_argument("given", nargs="*", help="tables, or cases beside the first of each operation")
    parser.add_argument("--all", action="store_true", help="every case of the tables")
    parser.add_argument("--state", type=Path, help="a file of outcomes to go on from and to add to")
    parser.add_argument("--update", action="store_true", help="record these results")
    return parser


def _chosen(tables: Sequence[str], given: set[str], every: bool) -> Iterator[tuple[str, Case]]:
    """Each case to be run, with its table."""
    from tests.importers.keras.op_cases import by_op
    from tests.importers.keras.tables import TABLES

    firsts = {str(g[0]) for _, g in by_op([c for t in tables for c in TABLES[t]()])}
    for name, table in TABLES.items():
        for case in table():
            if str(case) in given or (name in tables and (every or str(case) in firsts)):
                yield name, case


def _results(cases: Sequence[tuple[str, Case]]) -> Iterator[tuple[str, Case, str]]:
    """What became of each case: many are tried as one model, those of a batch that is not equal alone."""
    from tests.importers.keras.op_cases import batches, outcome, together

    for group in batches(cases, key=lambda item: item[1]):
        if len(group) > 1 and together([case for _, case in group]):
            yield from ((table, case, "equal") for table, case in group)
        else:
            yield from ((table, case, outcome(case)) for table, case in group)


def summary(outcomes: Iterable[Outcome]) -> dict[str, object]:
    """What is recorded of a backend."""
    counts: dict[str, Counter[str]] = {}
    for o in outcomes:
        counts.setdefault(o.table, Counter())[o.kind] += 1
    return {
        "counts": {table: dict(sorted(c.items())) for table, c in sorted(counts.items())},
        "unlike": {o.case: _short(o) for o in sorted(outcomes, key=lambda o: o.case) if o.kind != "equal"},
    }


def _short(outcome: Outcome) -> str:
    """The result; of an error of Keras its class alone, which versions keep."""
    return " ".join(outcome.result.split()[:2]) if outcome.kind == "keras" else outcome.result


def _as_recorded(on: str, outcomes: Sequence[Outcome], update: bool) -> bool:
    """Whether every case fared as the record says; writes it instead where asked to."""
    known = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    new = summary(outcomes)
    if update:
        RECORD.write_text(json.dumps({**known, on: new}, indent=1, sort_keys=True) + "\n", "utf-8")
        return True
    if known.get(on) != new:
        print(f"not as recorded in {RECORD.name}")
    return known.get(on) == new


if __name__ == "__main__":
    sys.exit(main())
