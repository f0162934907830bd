"""isomorph run"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from converter.cli.options import graph_options, read_inputs, source_options


@click.command("run")
@click.argument("model")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="write the outputs to this .npz file")
@click.option("--provider", help="cpu, cuda, tensorrt or webgpu (ONNX)")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="seed of generated inputs, when only specs are given"
)
@click.option("--json", "as_json", is_flag=True, help="print the outputs as JSON")
@source_options
def command(model: str, output: Path | None, provider: str | None, seed: int, as_json: bool, **o: Any) -> None:
    """Run MODEL on the inputs of --load-inputs (or on seeded ones) and print or save its outputs."""
    from converter.api import run
    from converter.runtimes.arrays import save_arrays

    inputs = read_inputs(o["specs"], o["load_inputs"])
    outputs = run(model, inputs, provider, seed=seed, framework=o["framework"], trust=o["trust"], **graph_options(o))
    if output is not None:
        save_arrays(output, outputs)
        click.echo(output)
    elif as_json:
        click.echo(
            json.dumps(
                {k: {"dtype": str(v.dtype), "shape": list(v.shape), "values": v.tolist()} for k, v in outputs.items()}
            )
        )
    else:
        for name, array in outputs.items():
            click.echo(f"{name}: {array.dtype}{list(array.shape)}\n{array}")
