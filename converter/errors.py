"""What can go wrong, each with the exit code the command gives it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Unsupported:
    """One thing that cannot be converted exactly.

    `op` is the source op with what is special about it (`aten.gather.default with sparse_grad=True`), `place` where it
    stands in the source (module path and user line), `count` how often, `advice` what the user can do, `file` where a
    contributor would add it.
    """

    op: str
    reason: str
    place: str = ""
    count: int = 1
    advice: str = ""
    file: str = ""

    def __str__(self) -> str:
        times = f" ({self.count}x)" if self.count > 1 else ""
        lines = [f"{self.op}{times}: {self.reason}"]
        lines += [f"    first at {self.place}"] if self.place else []
        lines += [f"    {self.advice}"] if self.advice else []
        lines += [f"    to add it: {self.file}"] if self.file else []
        return "\n".join(lines)


class ConversionError(Exception):
    """A conversion that cannot be done exactly. `unsupported` lists every reason at once."""

    exit_code = 3

    def __init__(self, message: str, unsupported: Iterable[Unsupported] = ()) -> None:
        self.unsupported: tuple[Unsupported, ...] = tuple(unsupported)
        self.message = message
        super().__init__("\n".join([message, *("  " + str(u).replace("\n", "\n  ") for u in self.unsupported)]))


class UsageError(ConversionError):
    """A bad argument, or a file that is missing or unreadable."""

    exit_code = 2


class EnvironmentMissing(ConversionError):
    """A framework, runtime or device that is not there; the message says what to install."""

    exit_code = 5


class UntrustedSource(UsageError):
    """A source that would have to execute code to be read; `--trust` allows it."""


class VerificationError(ConversionError):
    """A written model that does not agree with its source; `report` tells where and by how much."""

    exit_code = 1

    def __init__(self, message: str, report: Any = None) -> None:
        super().__init__(message)
        self.report = report


def merge(items: Iterable[Unsupported]) -> tuple[Unsupported, ...]:
    """Collapse equal (op, reason) pairs into one with the total count, keeping the first place."""
    merged: dict[tuple[str, str], Unsupported] = {}
    for item in items:
        key = (item.op, item.reason)
        old = merged.get(key)
        merged[key] = (
            item
            if old is None
            else Unsupported(old.op, old.reason, old.place, old.count + item.count, old.advice, old.file)
        )
    return tuple(merged.values())
