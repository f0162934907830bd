"""Names of weights and modules as attribute paths: kept where they are, made valid where the source's names are not."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field, replace

from converter.exporters.code.names import Namespace, plain_word
from ir.core import Model, Path


@dataclass
class _Place:
    """A module on the way to weights or nodes: the attribute it becomes, what lies in it by the source's names."""

    owned: Set[str]
    name: str = ""
    children: dict[str, _Place] = field(default_factory=dict)
    leaves: set[str] = field(default_factory=set)

    def at(self, steps: Iterable[str]) -> _Place:
        """The place below, made where it is not there."""
        place = self
        for step in steps:
            place = place.children.setdefault(step, _Place(self.owned))
        return place

    def settle(self) -> None:
        """Choose the attributes of everything below: good names stay, others give way to them and to the weights."""
        taken = Namespace(self.leaves)
        for good in (True, False):
            for step, place in self.children.items():
                fits = _is_step(step, self.owned) and step not in self.leaves
                if fits is good:
                    place.name = taken.new(step if good else _module_step(step, self.owned))
        for place in self.children.values():
            place.settle()

    def attributes(self, steps: Iterable[str]) -> Iterator[str]:
        """The attributes along a way of the source's names."""
        place = self
        for step in steps:
            place = place.children[step]
            yield place.name


def normalise(model: Model, owned: Set[str]) -> dict[str, str]:
    """Rename, in place, weights and module paths whose names cannot be attributes (those in `owned` are the framework's
    own); returns target name -> source name of the weights."""
    root = _Place(owned)
    ways = {name: _way(name, owned) for name in model.weights}
    prefixes = _prefixes(model)
    for name, way in ways.items():
        place = root.at(way[:-1])
        if name not in prefixes:
            place.leaves.add(way[-1])
    for node in model.nodes():
        root.at(s.name for s in node.origin.path)
    root.settle()
    names = {name: name for name in model.weights}
    taken = Namespace(model.weights)
    for name, way in ways.items():
        wanted = ".".join((*root.attributes(way[:-1]), way[-1]))
        if wanted != name or name in prefixes:
            new = taken.new(wanted)
            model.rename_weight(name, new)
            names[new] = names.pop(name)
    _keep_valid_aliases(model, root)
    _rename_scopes(model, root)
    return names


def _keep_valid_aliases(model: Model, root: _Place) -> None:
    for weight in list(model.weights.values()):
        kept = tuple(a for a in weight.aliases if _is_path(a, root.owned) and _stays(a, root))
        if kept != weight.aliases:
            model.update_weight(weight.name, aliases=kept)


def _stays(name: str, root: _Place) -> bool:
    """Whether the modules on the way to an alias keep their names."""
    place = root
    for step in name.split(".")[:-1]:
        if step not in place.children:
            return True
        place = place.children[step]
        if place.name != step:
            return False
    return True


def _rename_scopes(model: Model, root: _Place) -> None:
    renamed: dict[Path, Path] = {}
    for node in model.nodes():
        path = node.origin.path
        if path not in renamed:
            names = root.attributes(s.name for s in path)
            renamed[path] = tuple(replace(s, name=name) for s, name in zip(path, names, strict=True))
        if renamed[path] != path:
            node.origin = replace(node.origin, path=renamed[path])


def _prefixes(model: Model) -> set[str]:
    """Names that are also a module on the way to another weight."""
    found = set()
    for name in model.weights:
        parts = name.split(".")
        found |= {".".join(parts[:i]) for i in range(1, len(parts))}
    return found


def _is_step(part: str, owned: Set[str]) -> bool:
    """Whether a name can be the attribute of a module: a plain word, or a number, the place in a list."""
    if part.isdigit():
        return part.isascii() and str(int(part)) == part
    good = part.isidentifier() and part == plain_word(part) and not keyword.iskeyword(part)
    return good and not part.startswith("__") and part not in owned


def _is_path(name: str, owned: Set[str]) -> bool:
    parts = name.split(".")
    return all(_is_step(p, owned) for p in parts) and (not parts[-1].isdigit() or len(parts) > 1)


def _module_step(part: str, owned: Set[str]) -> str:
    word = plain_word(part).strip("_")
    if not word[:1].isidentifier():
        return f"module_{word}" if word else "module"
    return f"{word}_" if keyword.iskeyword(word) or word in owned else word


def _way(name: str, owned: Set[str]) -> tuple[str, ...]:
    """A weight's modules, as the source names them, and its attribute: `onnx::Conv_12` -> `onnx_Conv_12`."""
    if _is_path(name, owned):
        return tuple(name.split("."))
    steps = [p for p in name.replace("/", ".").split(".") if plain_word(p).strip("_")]
    if not steps:
        return ("weight",)
    last = plain_word(steps[-1]).strip("_")
    if not last[0].isidentifier():
        last = f"w{last}"
    return (*steps[:-1], f"{last}_" if keyword.iskeyword(last) or last in owned else last)
