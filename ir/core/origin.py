"""Where a node came from: source op, module path, source line, and the rule and passes that made it."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Scope:
    """One step of the module path: attribute name of the instance, class name, and which call of it this is."""

    name: str
    cls: str = ""
    call: int = 0

    def __str__(self) -> str:
        return self.name + (f"#{self.call}" if self.call else "")


Path = tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Provenance of a node.

    `op` is the source framework's op (`aten.conv2d.default`, `Conv-11`), `name` its node name there, `path` the module
    path from the root's children down, `line` the user's `file.py:12`, `rule` the importer rule, `history` the passes
    that rewrote it, oldest first.
    """

    op: str = ""
    name: str = ""
    path: Path = ()
    line: str = ""
    rule: str = ""
    history: tuple[str, ...] = ()

    @property
    def scope(self) -> str:
        """The dotted module path: `layer1.0.conv1`."""
        return ".".join(s.name for s in self.path)

    def by(self, pass_name: str) -> Origin:
        """This origin with `pass_name` appended to its history."""
        return self if self.history[-1:] == (pass_name,) else replace(self, history=(*self.history, pass_name))

    def __str__(self) -> str:
        parts = [
            self.op,
            f"'{self.name}'" if self.name else "",
            f"in {self.scope}" if self.path else "",
            f"at {self.line}" if self.line else "",
        ]
        return " ".join(p for p in parts if p) or "unknown origin"


def common_path(paths: list[Path]) -> Path:
    """The longest shared prefix of module paths."""
    if not paths:
        return ()
    prefix = paths[0]
    for path in paths[1:]:
        n = 0
        while n < min(len(prefix), len(path)) and prefix[n] == path[n]:
            n += 1
        prefix = prefix[:n]
    return prefix
