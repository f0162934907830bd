"""Names of weights and modules as attribute paths: kept where they are, made valid where the source's names are not."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from converter.exporters.code.names import Namespace, plain_word
from ir.core import Model, Path

OWNED = frozenset(
    """
    T_destination _apply _backward_hooks _backward_pre_hooks _buffers _call_impl _compiled_call_impl _forward_hooks
    _forward_hooks_always_called _forward_hooks_with_kwargs _forward_pre_hooks _forward_pre_hooks_with_kwargs
    _get_backward_hooks _get_backward_pre_hooks _get_name _is_full_backward_hook _load_from_state_dict
    _load_state_dict_post_hooks _load_state_dict_pre_hooks _maybe_warn_non_full_backward_hook _modules
    _named_members _non_persistent_buffers_set _parameters _register_load_state_dict_pre_hook
    _register_state_dict_hook _replicate_for_data_parallel _save_to_state_dict _slow_forward _state_dict_hooks
    _state_dict_pre_hooks _version _wrapped_call_impl add_module apply bfloat16 buffers call_super_init children
    compile cpu cuda double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter
    get_submodule half ipu load_state_dict modules mtia named_buffers named_children named_modules named_parameters
    parameters register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty
    train training type xpu zero_grad
""".split()
)
"""Attributes that every nn.Module has."""


@dataclass
class _Place:
    """A module on the way to weights or nodes: the attribute it becomes, what lies in it by the source's names."""

    name: str = ""
    children: dict[str, _Place] = field(default_factory=dict)
    leaves: set[str] = field(default_factory=set)

    def at(self, steps: Iterable[str]) -> _Place:
        """The place below, made where it is not there."""
        place = self
        for step in steps:
            place = place.children.setdefault(step, _Place())
        return place

    def settle(self) -> None:
        """Choose the attributes of everything below: good names stay, others give way to them and to the weights."""
        taken = Namespace(self.leaves)
        for good in (True, False):
            for step, place in self.children.items():
                fits = _is_step(step) and step not in self.leaves
                if fits is good:
                    place.name = taken.new(step if good else _module_step(step))
        for place in self.children.values():
            place.settle()

    def attributes(self, steps: Iterable[str]) -> Iterator[str]:
        """The attributes along a way of the source's names."""
        place = self
        for step in steps:
            place = place.children[step]
            yield place.name


def normalise(model: Model) -> dict[str, str]:
    """Rename, in place, weights and module paths whose names cannot be attributes; returns target name -> source name
    of the weights."""
    root = _Place()
    ways = {name: _way(name) for name in model.weights}
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
        kept = tuple(a for a in weight.aliases if _is_path(a) and _stays(a, root))
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


def _is_step(part: str) -> bool:
    """Whether a name can be the attribute of a module: a plain word, or a number, the place in a list."""
    if part.isdigit():
        return part.isascii() and str(int(part)) == part
    good = part.isidentifier() and part == plain_word(part) and not keyword.iskeyword(part)
    return good and not part.startswith("__") and part not in OWNED


def _is_path(name: str) -> bool:
    parts = name.split(".")
    return all(map(_is_step, parts)) and (not parts[-1].isdigit() or len(parts) > 1)


def _module_step(part: str) -> str:
    word = plain_word(part).strip("_")
    if not word[:1].isidentifier():
        return f"module_{word}" if word else "module"
    return f"{word}_" if keyword.iskeyword(word) or word in OWNED else word


def _way(name: str) -> tuple[str, ...]:
    """A weight's modules, as the source names them, and its attribute: `onnx::Conv_12` -> `onnx_Conv_12`."""
    if _is_path(name):
        return tuple(name.split("."))
    steps = [p for p in name.replace("/", ".").split(".") if plain_word(p).strip("_")]
    if not steps:
        return ("weight",)
    last = plain_word(steps[-1]).strip("_")
    if not last[0].isidentifier():
        last = f"w{last}"
    return (*steps[:-1], f"{last}_" if keyword.iskeyword(last) or last in OWNED else last)
