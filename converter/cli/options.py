"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from converter.errors import UsageError

Command = Callable[..., Any]
PATH = click.Path(path_type=Path)


def _all(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def source_options(command: Command) -> Command:
    """How to open the source: inputs, framework, trust, trainable weights."""
    spec = "an input, such as x:float32[batch,3,224,224]; a named size is dynamic; NAME=VALUE fixes an input"
    return _all(command, [
        click.option("-i", "--input", "specs", multiple=True, metavar="NAME:TYPE[SHAPE]|NAME=VALUE", help=spec),
        click.option("--load-inputs", type=PATH, metavar="FILE.npz", help="example inputs by name"),
        click.option("--from", "framework", metavar="FRAMEWORK", help="the source's framework, if not detected"),
        click.option("--trust", is_flag=True, help="allow the source to execute code while it is read"),
        click.option("--signature", metavar="NAME", help="the signature or function of a SavedModel"),
        click.option("--tags", metavar="A,B", help="the tags of the graph in a SavedModel"),
        click.option("--graph-inputs", metavar="A,B:1", help="the tensors at which a TensorFlow graph begins"),
        click.option("--graph-outputs", metavar="A,B:1", help="the tensors at which it ends"),
        click.option("--trainable", metavar="REGEX", help="which parameters train, where the source is silent"),
        click.option("-v", "--verbose", is_flag=True, help="show passes, timings and tracebacks"),
    ])  # fmt: skip


def graph_options(o: dict[str, Any]) -> dict[str, Any]:
    """Which graph of a TensorFlow file is meant, and where it begins and ends."""

    def names(key: str) -> tuple[str, ...]:
        return tuple(n.strip() for n in o[key].split(",") if n.strip()) if o[key] else ()

    lists = {key: names(key) for key in ("tags", "graph_inputs", "graph_outputs")}
    return {"signature": o["signature"], **lists}


def verify_options(command: Command) -> Command:
    """How to compare: tolerances and seed."""
    rtol = "allowed error relative to the output's scale, instead of the measured noise"
    return _all(command, [
        click.option("--rtol", multiple=True, metavar="[OUTPUT:]NUMBER", help=rtol),
        click.option("--atol", multiple=True, metavar="[OUTPUT:]NUMBER", help="allowed absolute error, likewise"),
        click.option("--seed", type=int, default=0, show_default=True, help="seed of the generated inputs"),
        click.option("--json", "as_json", is_flag=True, help="print the report as JSON on stdout"),
        click.option("--junit", type=PATH, metavar="FILE", help="write the report as JUnit XML"),
    ])  # fmt: skip


def read_inputs(specs: tuple[str, ...], load_inputs: Path | None) -> Any:
    """Inputs from `-i` and `--load-inputs`: a dict by name, a tuple of unnamed specs, or None when none were given.

    `NAME=VALUE` fixes an input at a number, true or false, or a plain argument at these or none.
    """
    named: dict[str, Any] = dict(_load(load_inputs)) if load_inputs is not None else {}
    positional = []
    for text in specs:
        plain = re.fullmatch(r"(?P<name>[^:=\[\]]+)=(?P<value>[^:\[\]]+)", text)
        if plain is not None:
            named[plain["name"]] = _plain(plain["value"], text)
            continue
        match = re.fullmatch(r"(?:(?P<name>[^:\[\]]+):)?(?P<spec>\w+(\[[^\]]*\])?)", text)
        if match is None:
            raise UsageError(
                f"-i {text!r} is not NAME:DTYPE[SHAPE], for example x:float32[batch,3,224,224], nor NAME=VALUE"
            )
        if match["name"]:
            named[match["name"]] = match["spec"]
        else:
            positional.append(match["spec"])
    if positional and named:
        raise UsageError("give every input a name, or none")
    return tuple(positional) or named or None


def _plain(value: str, text: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    if value.lower() in words:
        return words[value.lower()]
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    raise UsageError(f"-i {text!r}: {value!r} is no number, true, false or none")


def read_tolerance(values: tuple[str, ...], flag: str) -> Any:
    """A number for all outputs, or a dict by output name; None when not given."""
    chosen: dict[str, float] = {}
    for text in values:
        name, _, number = text.rpartition(":")
        try:
            chosen[name] = float(number)
        except ValueError:
            raise UsageError(f"{flag} {text!r}: {number!r} is no number") from None
    return chosen[""] if set(chosen) == {""} else chosen or None


def _load(path: Path) -> dict[str, Any]:
    from converter.runtimes.arrays import load_arrays

    try:
        return load_arrays(path)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{path}: not an .npz file of arrays ({error})") from None
