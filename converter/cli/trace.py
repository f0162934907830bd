"""isomorph trace"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from converter.cli.options import graph_options, read_inputs, source_options


@click.command("trace")
@click.argument("source")
@click.option("--to", "target", metavar="FRAMEWORK", help="the passes for this target: its layout, its weights")
@click.option("--pass", "only", metavar="NAME", help="show this pass alone")
@click.option("--diff/--no-diff", default=True, show_default=True, help="show what each pass changed in the text form")
@click.option("--misses", is_flag=True, help="show also where a rule looked and declined, and why")
@click.option("--json", "as_json", is_flag=True, help="print the log as JSON")
@source_options
def command(
    source: str, target: str | None, only: str | None, diff: bool, misses: bool, as_json: bool, **o: Any
) -> None:
    """Read SOURCE, run the passes, and show each edit with its rule and reason.

    `--to FRAMEWORK --pass layout --no-diff` shows where the channels of each region come to lie, which transposes stay,
    their bytes, and the ops that ask for them.
    """
    from converter.api import load
    from converter.errors import UsageError
    from converter.frameworks import TARGETS
    from converter.prepare import prepare

    if target is not None and target not in TARGETS:
        raise UsageError(f"{target!r} is no target; targets: {', '.join(TARGETS)}")

    inputs = read_inputs(o["specs"], o["load_inputs"])
    model = load(
        source, inputs, framework=o["framework"], trust=o["trust"], trainable=o["trainable"], **graph_options(o)
    )
    log = prepare(model, diff=diff, target=target)
    entries = [*log.rewrites, *(log.misses if misses else ())]
    entries = [e for e in entries if only in (None, e.pass_name)]
    steps = [s for s in log.steps if only in (None, s.pass_name)]
    if as_json:
        rows = [{"pass": e.pass_name, "rule": e.rule, "node": e.node, "reason": e.reason} for e in entries]
        click.echo(json.dumps({"steps": [asdict(s) for s in steps], "edits": rows}, indent=2))
        return
    for step in steps:
        before, after = step.nodes
        click.echo(f"{step.pass_name}, round {step.round}: {before} -> {after} nodes, {step.seconds * 1e3:.1f} ms")
        if step.diff:
            click.echo(step.diff)
    for entry in entries:
        click.echo(str(entry))
