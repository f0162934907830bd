"""isomorph convert"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from converter.cli.options import graph_options, read_inputs, read_tolerance, source_options, verify_options
from converter.cli.show import exit_code, progress, verification_table


@click.command("convert")
@click.argument("source")
@click.option("--to", required=True, metavar="FRAMEWORK", help="torch or onnx")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="folder of the package, or the .onnx file"
)
@click.option("--opset", type=int, help="ONNX opset to write")
@click.option(
    "--index-policy",
    type=click.Choice(["source", "strict"]),
    default="source",
    show_default=True,
    help="indices the target treats in another way: told in notes, or checked by what is written",
)
@click.option(
    "--input-layout",
    type=click.Choice(["channels_first", "channels_last"]),
    help="how the written model takes its images (default: as the source does)",
)
@click.option(
    "--artifact",
    "artifacts",
    multiple=True,
    type=click.Choice(["weights.h5", "keras", "saved_model"]),
    help="a further file of a package: Keras' variables, or the model without code where Keras' own layers do; "
    "TensorFlow's SavedModel",
)
@click.option(
    "--serve-with",
    multiple=True,
    type=click.Path(path_type=Path),
    help="a further TensorFlow package that the SavedModel serves under its own signature",
)
@click.option("--overwrite", is_flag=True, help="replace an existing output")
@click.option(
    "--verify/--no-verify",
    "check",
    default=True,
    show_default=True,
    help="compare with the source before the output appears",
)
@source_options
@verify_options
def command(source: str, to: str, output: Path, check: bool, as_json: bool, junit: Path | None, **o: Any) -> None:
    """Convert SOURCE (a file, a folder, or file.py:factory) and verify the result.

    On a mismatch the output is left untouched and the result lies in OUTPUT.unverified.
    """
    from converter.api import convert
    from converter.errors import VerificationError

    inputs = read_inputs(o["specs"], o["load_inputs"])
    try:
        with progress() as tell:
            conversion = convert(
                source, to, output, inputs, overwrite=o["overwrite"], verify=check, opset=o["opset"],
                index_policy=o["index_policy"], input_layout=o["input_layout"], artifacts=o["artifacts"], serve_with=o["serve_with"],
                seed=o["seed"],
                rtol=read_tolerance(o["rtol"], "--rtol"),
                atol=read_tolerance(o["atol"], "--atol"), framework=o["framework"], trust=o["trust"],
                trainable=o["trainable"], progress=tell, **graph_options(o),
            )  # fmt: skip
    except VerificationError as error:
        if junit is not None:
            junit.write_text(error.report.to_junit())
        click.echo(error.report.to_json() if as_json else verification_table(error.report))
        raise
    report = conversion.report
    if junit is not None and report.verification is not None:
        junit.write_text(report.verification.to_junit())
    if as_json:
        click.echo(json.dumps({"path": str(conversion.path), **report.to_json()}, indent=2))
    else:
        click.echo(conversion.path)
        if report.verification is not None:
            click.echo(verification_table(report.verification))
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    if o["verbose"]:
        for step, seconds in report.timings.items():
            click.echo(f"{step}: {seconds:.2f} s", err=True)
        for rule, count in report.passes.items():
            click.echo(f"{rule}: {count} times", err=True)
    sys.exit(exit_code(report.verification) if report.verification is not None else 0)
