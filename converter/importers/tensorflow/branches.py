"""Branches of TensorFlow 1 (Switch, Merge) as one `If` over two functions for each merged tensor, innermost first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from converter.importers.tensorflow.wiring import Body, Key, Wired

MERGE, SWITCH = ("Merge", "RefMerge"), ("Switch", "RefSwitch")
_OTHERS = (
    *MERGE, "Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration", "LoopCond", "Placeholder",
    "PlaceholderWithDefault", "VariableV2", "Variable", "VarHandleOp",
)  # fmt: skip
"""What does not lie in a branch: there the way back from a merged tensor has left it, or a loop or branch lies inside."""

Nodes = dict[str, Wired]


def merged(nodes: Nodes, add: Callable[[str, Body], str], frozen: bool) -> tuple[Nodes, bool]:
    """The nodes of a graph, its branches made one node each where nothing else lies inside; whether any was."""
    found, read = False, {k for w in nodes.values() for k in w.inputs}
    for name, wired in list(nodes.items()):
        if wired.node.op in MERGE and len(wired.inputs) == 2 and (name, 1) not in read:
            made = _branch(wired, nodes, add, frozen)
            if made is not None:
                nodes, found = {**nodes, name: made}, True
    return nodes, found


def _branch(wired: Wired, nodes: Nodes, add: Callable[[str, Body], str], frozen: bool) -> Wired | None:
    """The node in place of a merge; None where it is no plain branch. By convention the first operand is the false one."""
    sides = [_side(key, nodes) for key in wired.inputs]
    if sides[0] is None or sides[1] is None:
        return None
    switches = [nodes[n] for side in sides if side is not None for n, _ in side[1]]
    tests = {w.inputs[1] for w in switches}
    if len(tests) != 1 or any(place != i for i, side in enumerate(sides) if side is not None for _, place in side[1]):
        return None
    given = {w.name: w for w in switches}
    data = list(dict.fromkeys(w.inputs[0] for w in given.values()))
    arguments = tuple(f"given_{i}" for i in range(len(data)))
    functions = []
    for place, (key, side) in enumerate(zip(wired.inputs, sides, strict=True)):
        assert side is not None
        known = {(n, place): (arguments[data.index(w.inputs[0])], 0) for n, w in given.items()}
        functions.append(_function(f"{wired.name}/{('else', 'then')[place]}", key, side[0], known, arguments, frozen))
    kinds = [next(w for w in given.values() if w.inputs[0] == k).node.attr["T"].type for k in data]
    names = [add(b.name, b) for b in functions]
    return Wired(_node(wired, names, kinds), (tests.pop(), *data), ())


def _side(result: Key, nodes: Nodes) -> tuple[Nodes, set[Key]] | None:
    """The nodes of a side, and the outputs of switches that it begins with."""
    found: Nodes = {}
    begins: set[Key] = set()
    waiting = [result]
    while waiting:
        key = waiting.pop()
        wired = nodes.get(key[0])
        if wired is None or wired.node.op in _OTHERS:
            return None
        if wired.node.op in SWITCH:
            test = nodes.get(wired.inputs[1][0])
            if test is None or test.node.op == "LoopCond":
                return None
            begins.add(key)
        elif key[0] not in found:
            found[key[0]] = wired
            waiting += wired.inputs
    return found, begins


def _function(
    name: str, result: Key, nodes: Nodes, given: Mapping[Key, Key], arguments: tuple[str, ...], frozen: bool
) -> Body:
    inner = {
        n: replace(
            w, inputs=tuple(given.get(k, k) for k in w.inputs), controls=tuple(c for c in w.controls if c in nodes)
        )
        for n, w in nodes.items()
    }
    return Body(name, inner, arguments, (given.get(result, result),), frozen=frozen)


def _node(merge: Wired, functions: list[str], kinds: list[int]) -> Any:
    from tensorflow.core.framework import node_def_pb2

    node = node_def_pb2.NodeDef(name=merge.name, op="StatelessIf")
    node.attr["else_branch"].func.name, node.attr["then_branch"].func.name = functions
    node.attr["Tcond"].type = 10
    node.attr["Tin"].list.type.extend(kinds)
    node.attr["Tout"].list.type.append(merge.node.attr["T"].type)
    return node
