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
        self._modules: dict[int, tuple[Body, dict[Names, Scope]]] = {}

    def path(self, frame: Frame, name: str) -> Path:
        """The module path of a node."""
        if frame.record is not None:
            steps = frame.record.steps.get(name, ())
            return self._recorded(frame, steps) if steps and steps[-1][0] else frame.path
        found = self._scopes(frame.body)
        steps_ = steps_of(name)
        return frame.path + tuple(found[steps_[: i + 1]] for i in range(len(steps_)) if steps_[: i + 1] in found)

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

    def _scopes(self, body: Body) -> dict[Names, Scope]:
        if id(body) not in self._modules:
            self._modules[id(body)] = body, module_scopes(body)
        return self._modules[id(body)][1]


def module_scopes(body: Body) -> dict[Names, Scope]:
    """The name scopes of a graph that are modules, each with the step of the path that it makes."""
    read: dict[Names, set[Key]] = defaultdict(set)
    for wired in body.nodes.values():
        if wired.node.op == "ReadVariableOp":
            continue  # it stands in the scope of the op that reads it
        for key in wired.inputs:
            for variable in _variables(body, key):
                steps = steps_of(wired.name)
                for i in range(len(steps)):
                    read[steps[: i + 1]].add(variable)
    found: dict[Names, Scope] = {}
    calls: Counter[tuple[Names, str, frozenset[Key]]] = Counter()
    for names in sorted(read, key=lambda n: (len(n), _number_of(n[-1]))):
        counted = _COUNTED.match(names[-1])
        base = counted[1] if counted else names[-1]
        twin = read.get((*names[:-1], base))
        step = base if counted and twin == read[names] else names[-1]
        call = names[:-1], step, frozenset(read[names])
        found[names] = Scope(step, "", calls[call])
        calls[call] += 1
    return found


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
