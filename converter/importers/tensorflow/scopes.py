"""Module paths: from what was recorded while a function was traced, else from the names of nodes.

Names of nodes hold scopes of modules and scopes of mere functions (`einsum/`, `strided_slice/`). A scope is a module when
something in it reads a variable. Scopes that differ by a counted ending and read the same variables are calls of one module.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
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
_COUNTED = re.compile(r"^(.+)_(\d+)$")


class Places:
    """Paths of nodes. `classes` names the classes of modules, by their names from the root."""

    def __init__(self, classes: Mapping[Names, str]) -> None:
        self.classes = classes
        self._numbers: dict[tuple[Names, int, int], int] = {}
        self._counts: Counter[Names] = Counter()
        self._modules: dict[int, tuple[Frame, dict[Names, Path]]] = {}

    def path(self, frame: Frame, name: str) -> Path:
        """The module path of a node."""
        if frame.record is not None:
            steps = frame.record.steps.get(name, ())
            return self._recorded(frame, steps) if steps and steps[-1][0] else frame.path
        found, steps_ = self._scopes(frame), steps_of(name)
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

    def _scopes(self, frame: Frame) -> dict[Names, Path]:
        if id(frame) not in self._modules:
            self._modules[id(frame)] = frame, module_scopes(frame)
        return self._modules[id(frame)][1]


def module_scopes(frame: Frame) -> dict[Names, Path]:
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
                steps = steps_of(wired.name)
                for i in range(len(steps)):
                    direct = i == len(steps) - 1
                    read[steps[: i + 1]][variable] = direct or read[steps[: i + 1]].get(variable, False)
    return _by_variables(frame, read) or _by_scopes(read)


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


def _by_variables(frame: Frame, read: dict[Names, dict[Key, bool]]) -> dict[Names, Path] | None:
    """Paths made of the names of variables; None where these do not fit the scopes."""
    targets: dict[Names, Names] = {}
    for scope, variables in read.items():
        modules = {_module_of(frame, v) for v, direct in variables.items() if direct}
        if not modules:
            continue
        module = _common(modules)
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


def _module_of(frame: Frame, key: Key) -> Names:
    """Where a variable stands, below the frame's own path; nothing where that is not known."""
    item = frame.names.get(key)
    stored = getattr(getattr(item, "ref", item), "stored", None)
    names = tuple(stored.name.split(".")[:-1]) if stored is not None else ()
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


def steps_of(name: str) -> Names:
    """The name scopes of a node, outermost first, those of plain calls and of TensorFlow's own functions left out."""
    return tuple(s for s in name.split("/")[:-1] if s and not _CALLS.match(s) and not _OWN.match(s))


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
