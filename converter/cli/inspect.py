"""isomorph inspect"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from converter.cli.options import graph_options, read_inputs, source_options

if TYPE_CHECKING:
    from ir.core import Model


@click.command("inspect")
@click.argument("source")
@click.option("--graph", is_flag=True, help="print the whole graph in text form")
@click.option("--json", "as_json", is_flag=True, help="print the summary as JSON")
@source_options
def command(source: str, graph: bool, as_json: bool, **o: Any) -> None:
    """Show SOURCE's signature, modules, weights and operations."""
    from converter.api import load

    inputs = read_inputs(o["specs"], o["load_inputs"])
    model = load(
        source, inputs, framework=o["framework"], trust=o["trust"], trainable=o["trainable"], **graph_options(o)
    )
    if graph:
        from ir.text import format_model

        click.echo(format_model(model))
    elif as_json:
        click.echo(json.dumps(summary(model), indent=2))
    else:
        _show(summary(model))


def summary(model: Model) -> dict[str, Any]:
    """Signature, weight counts, op counts, modules and notes as plain values."""
    weights = list(model.weights.values())
    sizes: dict[str, int] = {}
    for w in weights:
        label = "trainable" if w.trainable else "frozen" if w.trainable is False else "unknown"
        key = f"parameters ({label})" if w.kind == "parameter" else f"{w.kind}s"
        sizes[key] = sizes.get(key, 0) + int(w.data.numpy().size)
    return {
        "name": model.name,
        "inputs": {k: str(v) for k, v in model.input_types.items()},
        "outputs": {k: str(v) for k, v in model.output_types.items()},
        "elements": sizes,
        "tied": {w.name: list(w.aliases) for w in weights if w.aliases},
        "state": list(model.state),
        "ops": dict(Counter(n.op.name for n in model.nodes()).most_common()),
        "modules": dict(model.modules),
        "assumptions": [str(a) for a in model.assumptions],
        "notes": list(model.notes),
    }


def _show(data: dict[str, Any]) -> None:
    for title in ("inputs", "outputs", "elements", "tied", "ops"):
        if data[title]:
            click.echo(f"{title}:")
            for key, value in data[title].items():
                click.echo(f"  {key}: {', '.join(value) if isinstance(value, list) else value}")
    for title in ("state", "assumptions", "notes"):
        for line in data[title]:
            click.echo(f"{title.rstrip('s')}: {line}")
