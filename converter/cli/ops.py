"""isomorph ops"""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command("ops")
@click.option("--source", metavar="FRAMEWORK", help="list the source ops that this framework's importer reads")
@click.option("--json", "as_json", is_flag=True, help="print the table as JSON")
@click.option("--markdown", "as_markdown", is_flag=True, help="print docs/coverage.md")
def command(source: str | None, as_json: bool, as_markdown: bool) -> None:
    """List the operations, and how each framework writes them."""
    from converter import coverage
    from converter.errors import UsageError

    if as_markdown:
        click.echo(coverage.markdown(), nl=False)
    elif source is not None:
        if source not in coverage.READERS:
            raise UsageError(f"{source!r} is no source; sources: {', '.join(coverage.READERS)}")
        names = coverage.source_ops(source)
        click.echo(json.dumps(names, indent=2) if as_json else "\n".join(names))
    elif as_json:
        click.echo(json.dumps([asdict(r) for r in coverage.op_rows()], indent=2))
    else:
        rows = coverage.op_rows()
        width = max(len(r.name) for r in rows)
        for row in rows:
            ways = "  ".join(f"{name}: {way:10}" for name, way in row.targets.items())
            click.echo(f"{row.name:{width}}  {ways}  {row.meaning}")
