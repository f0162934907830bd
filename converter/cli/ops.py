"""isomorph ops"""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command("ops")
@click.option("--source", metavar="FRAMEWORK", help="list the source ops that this framework's importer reads")
@click.option("--json", "as_json", is_flag=True, help="print the table as JSON")
def command(source: str | None, as_json: bool) -> None:
    """List the operations, and how each framework writes them."""
    from converter.coverage import EXPORTERS, op_rows, source_ops

    if source is not None:
        _list(source_ops(source), as_json)
        return
    rows = op_rows()
    if as_json:
        click.echo(json.dumps([asdict(r) for r in rows], indent=2))
        return
    width = max(len(r.name) for r in rows)
    for row in rows:
        ways = "  ".join(f"{name}: {row.targets[name]:10}" for name in EXPORTERS)
        click.echo(f"{row.name:{width}}  {ways}  {row.meaning}")


def _list(names: list[str], as_json: bool) -> None:
    click.echo(json.dumps(names, indent=2) if as_json else "\n".join(names))
