"""Loops of TensorFlow 1 (Enter, Merge, Switch, NextIteration, Exit) as one `While` over two functions, innermost first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from converter.importers.tensorflow.branches import MERGE, merged
from converter.importers.tensorflow.wiring import Body, Key, Wired

ENTER, NEXT, EXIT = ("Enter", "RefEnter"), ("NextIteration", "RefNextIteration"), ("Exit", "RefExit")
_LOOP = (*ENTER, *NEXT, *EXIT, "LoopCond")
_WRITES = ("Assign", "Resource", "Scatter", "Stack", "Queue", "Write", "PyFunc", "EagerPyFunc")
"""Beginnings of ops that do something although nothing reads them: a loop that has such ones stays as it is."""

Nodes = dict[str, Wired]


@dataclass
class _Frame:
    """One loop: its variables are merges of what enters and of what comes back."""

    name: str
    test: Wired
    merges: list[Wired] = field(default_factory=list)
    enters: list[Wired] = field(default_factory=list)  # of the variables, then of what stays the same
    nexts: list[Wired] = field(default_factory=list)
    switches: dict[str, int] = field(default_factory=dict)  # to the place of their variable
    exits: dict[str, int] = field(default_factory=dict)

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(w.name for w in self.enters)


def raised(nodes: Nodes, add: Callable[[str, Body], str], frozen: bool) -> Nodes:
    """The nodes of a graph, its loops and branches of TensorFlow 1 made one node each. `add` keeps a function and gives its name. What is
    no such one stays."""
    found = any(w.node.op in (*ENTER, *MERGE) for w in nodes.values())
    while found:
        nodes, found = merged(nodes, add, frozen)
        for name in dict.fromkeys(_frame_of(w) for w in nodes.values() if w.node.op in ENTER):
            frame = _frame(name, nodes)
            parts = None if frame is None else _functions(frame, nodes, frozen)
            if frame is not None and parts is not None:
                nodes = _replaced(frame, parts, nodes, add)
                found = True
    return nodes


def _frame_of(wired: Wired) -> str:
    return str(wired.node.attr["frame_name"].s.decode())


def _frame(name: str, nodes: Nodes) -> _Frame | None:
    """The loop of a name, if it is whole."""
    enters = {w.name: w for w in nodes.values() if w.node.op in ENTER and _frame_of(w) == name}
    merges, ends = [], []
    for wired in nodes.values():
        if wired.node.op not in ("Merge", "RefMerge") or len(wired.inputs) != 2:
            continue
        first, second = (nodes.get(k[0]) for k in wired.inputs)
        if first is not None and second is not None and first.name in enters and second.node.op in NEXT:
            merges.append(wired)
            ends.append(second)
    places = {w.name: i for i, w in enumerate(merges)}
    switches, tests = {}, set()
    for wired in nodes.values():
        if wired.node.op in ("Switch", "RefSwitch") and wired.inputs[0][0] in places:
            test = nodes.get(wired.inputs[1][0])
            if test is None or test.node.op != "LoopCond":
                return None
            switches[wired.name] = places[wired.inputs[0][0]]
            tests.add(test.name)
    if len(tests) != 1:
        return None
    frame = _Frame(name, nodes[tests.pop()], merges, [], ends, switches)
    frame.enters = [enters[w.inputs[0][0]] for w in merges]
    taken = {w.name for w in frame.enters}
    frame.enters += [w for w in enters.values() if w.name not in taken]
    for wired in nodes.values():
        if wired.node.op in EXIT and wired.inputs[0][0] in switches and wired.inputs[0][1] == 0:
            frame.exits[wired.name] = switches[wired.inputs[0][0]]
    return frame


def _functions(frame: _Frame, nodes: Nodes, frozen: bool) -> tuple[Body, Body] | None:
    """The condition and the body; None where a loop lies inside that is not one node yet, or that does something beside."""
    steady = {(w.name, 0): (w.name, 0) for w in frame.enters[len(frame.merges) :]}
    before = {(w.name, 0): (frame.arguments[i], 0) for i, w in enumerate(frame.merges)}
    inside = {(name, 1): (frame.arguments[i], 0) for name, i in frame.switches.items()}
    test = _region([frame.test.inputs[0]], {**before, **steady}, nodes)
    step = _region([w.inputs[0] for w in frame.nexts], {**inside, **steady}, nodes)
    if test is None or step is None or _does_more(frame, {*test, *step}, nodes):
        return None
    return (
        _body(frame, "cond", [frame.test.inputs[0]], test, {**before, **steady}, (), frozen),
        _body(frame, "body", [w.inputs[0] for w in frame.nexts], step, {**inside, **steady}, tuple(steady), frozen),
    )


def _region(results: Iterable[Key], given: Mapping[Key, Key], nodes: Nodes) -> Nodes | None:
    """The nodes between what is given and some results."""
    found: Nodes = {}
    waiting = [k for k in results if k not in given]
    while waiting:
        name = waiting.pop()[0]
        if name in found:
            continue
        wired = nodes.get(name)
        if wired is None or wired.node.op in _LOOP or any(name == k[0] for k in given):
            return None
        found[name] = wired
        waiting += [k for k in wired.inputs if k not in given]
    return found


def _does_more(frame: _Frame, known: set[str], nodes: Nodes) -> bool:
    """Whether a node of the loop that no result needs writes something."""
    starts = {w.name for w in (*frame.merges, *frame.enters)} | set(frame.switches) | known
    return any(
        w.name not in known
        and w.node.op.startswith(_WRITES)
        and any(n in starts for n in (*(k[0] for k in w.inputs), *w.controls))
        for w in nodes.values()
    )


def _body(
    frame: _Frame,
    kind: str,
    results: Sequence[Key],
    nodes: Nodes,
    given: Mapping[Key, Key],
    steady: tuple[Key, ...],
    frozen: bool,
) -> Body:
    """A function of the loop's variables and of what stays the same, which it hands on."""
    inner = {
        name: replace(
            w, inputs=tuple(given.get(k, k) for k in w.inputs), controls=tuple(n for n in w.controls if n in nodes)
        )
        for name, w in nodes.items()
    }
    outputs = (*(given.get(k, k) for k in results), *steady)
    return Body(f"{kind} of the loop {frame.name!r}", inner, frame.arguments, outputs, frozen=frozen)


def _replaced(frame: _Frame, parts: tuple[Body, Body], nodes: Nodes, add: Callable[[str, Body], str]) -> Nodes:
    """The graph with one node for the loop."""
    own = _node(
        frame, nodes, [add(f"{frame.name}/{kind}", body) for kind, body in zip(("cond", "body"), parts, strict=True)]
    )
    gone = (
        {w.name for w in (*frame.merges, *frame.enters, *frame.nexts, frame.test)}
        | set(frame.switches)
        | set(frame.exits)
    )
    gone |= {name for body in parts for name in body.nodes}
    left: Nodes = {own.name: Wired(own, tuple(w.inputs[0] for w in frame.enters), ())}
    for name, wired in nodes.items():
        if name in frame.exits:
            left[name] = Wired(_exit(wired), ((own.name, frame.exits[name]),), ())
        elif name not in gone:
            controls = dict.fromkeys(own.name if n in gone else n for n in wired.controls)
            left[name] = replace(wired, controls=tuple(controls))
    return left


def _exit(wired: Wired) -> Any:
    """A result of the loop, under the name that it has."""
    from tensorflow.core.framework import node_def_pb2

    node = node_def_pb2.NodeDef(name=wired.name, op="Identity")
    node.attr["T"].CopyFrom(wired.node.attr["T"])
    return node


def _node(frame: _Frame, nodes: Nodes, functions: Sequence[str]) -> Any:
    """The node of the loop, in the name scope of its condition."""
    from tensorflow.core.framework import node_def_pb2

    scope = frame.test.name.rpartition("/")[0] or frame.name
    name = f"{scope}/loop"
    while name in nodes:
        name += "_"
    node = node_def_pb2.NodeDef(name=name, op="StatelessWhile")
    for attr, function in zip(("cond", "body"), functions, strict=True):
        node.attr[attr].func.name = function
    node.attr["T"].list.type.extend(w.node.attr["T"].type for w in frame.enters)
    return node
