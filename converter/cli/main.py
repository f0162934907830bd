"""The command line: sub-commands are imported when called, so that `isomorph --help` answers at once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

import converter

COMMANDS = {
    "convert": "convert a model to another framework, verified",
    "run": "run a model on inputs from an .npz file",
    "verify": "compare two models against the float64 reference",
    "inspect": "show a model's signature, modules, weights and operations",
    "trace": "show what each pass changed, and why",
    "ops": "list every operation and which framework reads and writes it",
    "doctor": "show which frameworks and runtimes are installed",
}

USAGE, INTERNAL, ENVIRONMENT = 2, 4, 5


class LazyGroup(click.Group):
    """A group whose commands live in modules of the same name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Command names, in the order of a typical session."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        converter.check_ir()
        return importlib.import_module(f"converter.cli.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command list, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="isomorph", prog_name="isomorph")
def isomorph() -> None:
    """Convert models between deep-learning frameworks as readable source code, with proof.

    Exit codes: 0 equal, 1 mismatch, 2 usage, 3 unsupported, 4 internal error, 5 framework or device missing,
    6 inconclusive.
    """


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the console script."""
    args = list(sys.argv[1:] if argv is None else argv)
    verbose = any(a in ("-v", "--verbose") for a in args)
    try:
        isomorph.main(args, prog_name="isomorph", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a typed line instead of a traceback
        _fail(error, verbose)


def _fail(error: Exception, verbose: bool) -> None:
    from converter.errors import ConversionError

    if isinstance(error, ImportError) and "package 'ir'" in str(error):
        click.echo(f"isomorph: {error}", err=True)
        sys.exit(ENVIRONMENT)
    if isinstance(error, ConversionError):
        click.echo(f"isomorph: {error}", err=True)
        sys.exit(error.exit_code)
    if verbose:
        raise error
    text = str(error).splitlines()[0] if str(error) else ""
    click.echo(
        f"isomorph: internal error: {type(error).__name__}: {text} (run again with -v for the traceback)", err=True
    )
    sys.exit(INTERNAL)
