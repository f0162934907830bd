"""Tables and progress: talk goes to stderr, results to stdout."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from converter.verification import VerificationReport

TITLES = {"import": "reading", "optimise": "simplifying", "export": "writing", "verify": "verifying"}


@contextlib.contextmanager
def progress(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """A spinner on a terminal, one plain line a step elsewhere; nothing when `quiet`."""
    if quiet:
        yield lambda step: None
    elif sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("starting") as status:
            yield lambda step: status.update(TITLES.get(step, step))
    else:
        yield lambda step: click.echo(f"{TITLES.get(step, step)} ...", err=True)


def verification_table(report: VerificationReport) -> str:
    """One row an output: error of the converted model, of the source, what is allowed, verdict."""
    rows = [("output", "dtype", "error", "source's own", "allowed", "verdict")]
    for o in report.outputs:
        rows.append((o.name, o.dtype, f"{o.error:.2e}", f"{o.source_error:.2e}", f"{o.tolerance:.2e}", o.verdict))
    widths = [max(len(r[i]) for r in rows) for i in range(6)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{o.name}: {o.reason}" + (f" ({o.worst})" if o.worst else "") for o in report.outputs if o.reason]
    lines += [f"{name}: not compared (depends on a random draw)" for name in report.not_compared]
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines)


def exit_code(report: VerificationReport) -> int:
    """0 equal, 1 mismatch, 6 inconclusive."""
    return {"equal": 0, "mismatch": 1, "inconclusive": 6}[report.verdict]
