"""isomorph doctor"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
from typing import Any

import click

PACKAGES = {
    "torch": "isomorph[torch]", "tensorflow": "isomorph[tensorflow]", "keras": "isomorph[keras]",
    "pytensor": "isomorph[pytensor]", "onnx": "onnx", "onnxruntime": "onnxruntime",
}  # fmt: skip


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="print the findings as JSON")
def command(as_json: bool) -> None:
    """Show which frameworks are installed and which runtimes answer."""
    found = findings()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"Python {found['python']} on {found['platform']}")
    for name, version in found["packages"].items():
        click.echo(f"  {name:12} {version or 'not installed: pip install ' + repr(PACKAGES[name])}")
    click.echo(f"ONNX Runtime providers: {', '.join(found['providers']) or 'none'}")


def findings() -> dict[str, Any]:
    """Versions, ONNX Runtime and providers as plain values; imports no framework but ONNX Runtime."""
    packages = {name: _version(name) for name in PACKAGES}
    providers: list[str] = []
    if packages["onnxruntime"]:
        import onnxruntime

        providers = list(onnxruntime.get_available_providers())
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": packages,
        "providers": providers,
    }


def _version(name: str) -> str | None:
    if importlib.util.find_spec(name) is None:
        return None
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown version"
