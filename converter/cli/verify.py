"""isomorph verify"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from converter.cli.options import graph_options, read_inputs, read_tolerance, source_options, verify_options
from converter.cli.show import exit_code, progress, verification_table


@click.command("verify")
@click.argument("source")
@click.argument("converted")
@source_options
@verify_options
def command(source: str, converted: str, as_json: bool, junit: Path | None, **o: Any) -> None:
    """Compare CONVERTED with SOURCE on seeded inputs, both against the float64 reference of SOURCE."""
    from converter.api import verify

    with progress() as tell:
        tell("verify")
        report = verify(
            source, converted, read_inputs(o["specs"], o["load_inputs"]), seed=o["seed"], rtol=read_tolerance(o["rtol"], "--rtol"),
            atol=read_tolerance(o["atol"], "--atol"), framework=o["framework"], trust=o["trust"],
            trainable=o["trainable"], **graph_options(o),
        )  # fmt: skip
    if junit is not None:
        junit.write_text(report.to_junit())
    click.echo(report.to_json() if as_json else verification_table(report))
    sys.exit(exit_code(report))
