"""Module paths: from what was recorded while a function was traced, else from the names of nodes.

Names of nodes hold scopes of modules and scopes of mere functions (`einsum/`, `strided_slice/`). A scope is a module when
something in it reads a variable. Scopes that differ by a counted ending and read the same variables are calls of one module.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from converter.importers.tensorflow.effects import VARIABLE_OPS
from converter.importers.tensorflow.wiring import Body, Key
from ir.core import Path, Scope

if TYPE_CHECKING:
    from converter.importers.tensorflow.graph import Frame
    from converter.importers.tensorflow.recorder import Step

Names = tuple[str, ...]

_CALLS = re.compile(r"^(StatefulPartitionedCall|PartitionedCall)(_\d+)?$")
_OWN = re.compile(
    r"^(einsum|Tensordot|tensordot|batchnorm|moments|conv1d|Conv1D|conv3d|separable_conv2d|embedding_lookup|embedding_lookup_sparse"
    r"|l2_normalize|normalize|norm|bincount|strided_slice|while|cond|map|scan|foldl|switch_case)(_\d+)?$"
)
"""Name scopes that TensorFlow's own functions open."""
_NORM = re.compile(r"(norm|normalize)(_\d+)?")
_OF_NORM = re.compile(r"(mul|Mul|Sum|Sqrt|Squeeze|Abs|Max|Min|Pow|pow|Cast|Conj|Real|norm|truediv|Maximum|Minimum|Const|ord)\w*")
"""Nodes in the scopes of `tf.norm` and `tf.linalg.normalize`, which people also call their layers."""
_COUNTED = re.compile(r"^(.+)_(\d+)$")


class Places:
    """Paths of nodes. `classes` names the classes of modules, by their names from the root; `loose` are names of variables
    that no attribute tells, but TensorFlow counted."""

    def __init__(self, classes: Mapping[Names, str], loose: Collection[str] = ()) -> None:
        self.classes = classes
        self.loose = loose
        self._numbers: dict[tuple[Names, int, int], int] = {}
        self._counts: Counter[Names] = Counter()
        self._modules: dict[int, tuple[Frame, dict[Names, Path], frozenset[str]]] = {}

    def path(self, frame: Frame, name: str) -> Path:
        """The module path of a node."""
        if frame.record is not None:
            steps = frame.record.steps.get(name, ())
            return self._recorded(frame, steps) if steps and steps[-1][0] else frame.path
        found, norms = self._scopes(frame)
        steps_ = steps_of(name, norms)
        place = next((steps_[:i] for i in range(len(steps_), 0, -1) if steps_[:i] in found), None)
        return frame.path if place is None else frame.path + found[place]

    def inside(self, frame: Frame, name: str) -> Path:
        """The path inside a function that a node calls: its own, and its name where that was chosen."""
        path = self.path(frame, name)
        last = name.rsplit("/", 1)[-1]
        return path if frame.record is not None or _CALLS.match(last) else (*path, Scope(last))

    def _recorded(self, frame: Frame, steps: tuple[Step, ...]) -> Path:
        names = steps[-1][0]
        calls = {n: self._number(n, frame.serial, call) for n, call in steps}
        outer = tuple(s.name for s in frame.path)
        found = []
        for i in range(1, len(names) + 1):
            here = names[:i]
            call = frame.path[i - 1].call if outer[:i] == here and here not in calls else calls.get(here, 0)
            found.append(Scope(here[-1], self.classes.get(here, ""), call))
        return tuple(found)

    def _number(self, names: Names, serial: int, call: int) -> int:
        key = names, serial, call
        if key not in self._numbers:
            self._numbers[key] = self._counts[names]
            self._counts[names] += 1
        return self._numbers[key]

    def _scopes(self, frame: Frame) -> tuple[dict[Names, Path], frozenset[str]]:
        """The scopes that are modules, and those that only look like TensorFlow's own."""
        if id(frame) not in self._modules:
            norms = layers_called_norm(frame.body.nodes)
            self._modules[id(frame)] = frame, module_scopes(frame, self.loose, norms), norms
        return self._modules[id(frame)][1:]


def module_scopes(frame: Frame, loose: Collection[str] = (), norms: Collection[str] = ()) -> dict[Names, Path]:
    """The name scopes of a graph that are modules, each with the path of the module below the frame's own.

    Names of variables tell the path where they fit the scopes but for counted endings: a model that was built twice has
    `dense_1/MatMul` reading `dense/kernel`.
    """
    read: dict[Names, dict[Key, bool]] = defaultdict(
        dict
    )  # by scope: the variables, and whether they are read just there
    for wired in frame.body.nodes.values():
        if wired.node.op == "ReadVariableOp":
            continue  # it stands in the scope of the op that reads it
        for key in wired.inputs:
            for variable in _variables(frame.body, key):
                steps = steps_of(wired.name, norms)
                for i in range(len(steps)):
                    direct = i == len(steps) - 1
                    read[steps[: i + 1]][variable] = direct or read[steps[: i + 1]].get(variable, False)
    return _by_variables(frame, read, loose) or _by_scopes(read)


def _by_scopes(read: dict[Names, dict[Key, bool]]) -> dict[Names, Path]:
    """Paths made of the scopes themselves; those that differ by a counted ending and read the same are calls of one."""
    found: dict[Names, Path] = {}
    calls: Counter[tuple[Path, str]] = Counter()
    for names in sorted(read, key=lambda n: (len(n), _number_of(n[-1]))):
        twin = (*names[:-1], _plain(names[-1]))
        step = twin[-1] if twin in read and set(read[twin]) == set(read[names]) else names[-1]
        outer = found.get(names[:-1], ())
        found[names] = (*outer, Scope(step, "", calls[outer, step]))
        calls[outer, step] += 1
    return found


def _by_variables(
    frame: Frame, read: dict[Names, dict[Key, bool]], loose: Collection[str]
) -> dict[Names, Path] | None:
    """Paths made of the names of variables; None where these do not fit the scopes.

    Of `loose` variables, a scope may lie deeper than the name: layers of Keras that other layers make have variables named
    after these.
    """
    targets: dict[Names, Names] = {}
    for scope, variables in read.items():
        direct = [v for v, here in variables.items() if here]
        modules = {_module_of(frame, v) for v in direct}
        if not modules:
            continue
        module = _common(modules)
        if all(_name_of(frame, v) in loose for v in direct):
            module += _below(scope, module, read)
        while module and not _alike(scope[-1], module[-1]):
            module = module[:-1]  # a part of the module that has no scope of its own
        if not module:
            return None
        while scope:
            fits = bool(module) and _alike(scope[-1], module[-1])
            if (not fits and module) or targets.setdefault(scope, module) != module:
                return None
            scope, module = scope[:-1], module[:-1]
    found: dict[Names, Path] = {}
    calls: Counter[tuple[Path, str]] = Counter()
    for scope in sorted(targets, key=lambda n: (len(n), _number_of(n[-1]))):
        outer, target = found.get(scope[:-1], ()), targets[scope]
        if target:
            found[scope] = (*outer, Scope(target[-1], "", calls[outer, target[-1]]))
            calls[outer, target[-1]] += 1
        else:
            found[scope] = outer
    return found


def _below(scope: Names, module: Names, read: Mapping[Names, Any]) -> Names:
    """The scopes behind the one that is the module, by what they were called before they were counted."""
    if not module or _alike(scope[-1], module[-1]):
        return ()
    at = next((i for i in range(len(scope) - 1, len(module) - 1, -1) if _alike(scope[i - 1], module[-1])), None)
    if at is None:
        return ()
    found = []
    for i in range(at, len(scope)):
        beside = {names[i] for names in read if len(names) > i and names[:i] == scope[:i]}
        plain = _plain(scope[i])
        found.append(plain if sum(_plain(b) == plain for b in beside) == 1 else scope[i])
    return tuple(found)


def _name_of(frame: Frame, key: Key) -> str:
    """The name of a variable; empty where that is not known."""
    item = frame.names.get(key)
    stored = getattr(getattr(item, "ref", item), "stored", None)
    return "" if stored is None else str(stored.name)


def _module_of(frame: Frame, key: Key) -> Names:
    """Where a variable stands, below the frame's own path; nothing where that is not known."""
    names = tuple(_name_of(frame, key).split(".")[:-1])
    outer = tuple(s.name for s in frame.path)
    return names[len(outer) :] if names[: len(outer)] == outer else ()


def _common(paths: set[Names]) -> Names:
    """The path that several modules share."""
    first, last = min(paths), max(paths)
    same = next((i for i, (a, b) in enumerate(zip(first, last)) if a != b), min(len(first), len(last)))
    return first[:same]


def _alike(a: str, b: str) -> bool:
    """Whether names are the same but for what was counted."""
    return re.sub(r"(_\d+)+$", "", a) == re.sub(r"(_\d+)+$", "", b)


def _plain(name: str) -> str:
    counted = _COUNTED.match(name)
    return counted[1] if counted else name


def _number_of(name: str) -> int:
    counted = _COUNTED.match(name)
    return int(counted[2]) if counted else -1


def _variables(body: Body, key: Key) -> set[Key]:
    """The variables behind a tensor that a node reads: it is what a read gives, or a variable itself."""
    maker = body.nodes.get(key[0])
    if key[0] in body.handles or (maker is not None and maker.node.op in VARIABLE_OPS):
        return {key}
    if maker is None:
        return set()
    if maker.node.op == "ReadVariableOp":
        return set(maker.inputs[:1])
    if maker.node.op == "Identity" and maker.name.endswith("/read"):  # how TensorFlow 1 reads a variable, frozen or not
        return set(maker.inputs[:1])
    return {key} if body.frozen and maker.node.op == "Const" and _is_tensor(maker.node) else set()


def _is_tensor(node: Any) -> bool:
    """Whether a constant is one of floats with axes."""
    value = node.attr["value"].tensor
    return len(value.tensor_shape.dim) > 0 and value.dtype in (1, 2, 14, 19)  # float, double, bfloat16, half


def steps_of(name: str, layers: Collection[str] = ()) -> Names:
    """The name scopes of a node, outermost first, those of plain calls and of TensorFlow's own functions left out. `layers` are
    scopes, from the root, that only look like such."""
    parts = name.split("/")[:-1]
    return tuple(
        s
        for i, s in enumerate(parts)
        if s and not _CALLS.match(s) and (not _OWN.match(s) or (layers and "/".join(parts[: i + 1]) in layers))
    )


def layers_called_norm(names: Iterable[str]) -> frozenset[str]:
    """Scopes of that name in which more happens than in TensorFlow's functions of that name."""
    found = set()
    for name in names:
        parts = name.split("/")
        for i, step in enumerate(parts[:-1]):
            plain = all(map(_NORM.fullmatch, parts[i:-1])) and _OF_NORM.fullmatch(parts[-1])
            if _NORM.fullmatch(step) and not plain:
                found.add("/".join(parts[: i + 1]))
    return frozenset(found)


_GENERATED = re.compile(
    r"^(Identity|Const|Placeholder|ReadVariableOp|PartitionedCall|StatefulPartitionedCall|Cast)(_\d+)?$"
)


def hint(name: str) -> str:
    """A readable name for a value from a node's name; empty for generated ones."""
    last = name.rsplit("/", 1)[-1].split(":")[0]
    if not last or _GENERATED.match(last):
        return ""
    cleaned = re.sub(r"\W", "_", last)
    return cleaned.lower() if not cleaned[0].isdigit() else ""
