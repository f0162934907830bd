"""Which nodes a graph needs, each after what it reads and after what must run before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from converter.errors import UsageError
from converter.importers.tensorflow.effects import Effects, read
from converter.importers.tensorflow.wiring import Body, Wired


def live_nodes(body: Body, known: Iterable[str], effects: Effects) -> list[Wired]:
    """The nodes that outputs need, and those with an effect, in an order that data and control edges allow.

    A node that is reached only because it runs before another one is needed when it has an effect. `known` are names
    from elsewhere: arguments and inputs. Raises UsageError on a name that nothing defines and on a cycle.
    """
    return _Sorter(body, set(known)).run(effects)


class _Sorter:
    """Depth-first order from the outputs, without recursion (graphs are deep)."""

    def __init__(self, body: Body, known: set[str]) -> None:
        self.body, self.known = body, known

    def run(self, effects: Effects) -> list[Wired]:
        roots = [*(n for n, _ in self.body.outputs), *self.body.effects]
        order = self._sorted([r for r in roots if self._is_node(r, "an output")])
        needed = {n for n, _ in self.body.outputs}
        for wired in reversed(order):
            if wired.name in needed or effects.of_node(wired):
                needed.add(wired.name)
                needed.update(n for n, _ in read(wired))
        return [w for w in order if w.name in needed]

    def _is_node(self, name: str, reader: str) -> bool:
        if name in self.known:
            return False
        if name not in self.body.nodes:
            raise UsageError(f"{self.body.name}: {reader} reads {name!r}, which nothing defines")
        return True

    def _before(self, name: str) -> Iterator[str]:
        wired = self.body.nodes[name]
        reader = f"{wired.node.op} {name!r}"
        for other in dict.fromkeys([*(n for n, _ in wired.inputs), *wired.controls]):
            if self._is_node(other, reader):
                yield other

    def _sorted(self, roots: list[str]) -> list[Wired]:
        done: dict[str, None] = {}
        for root in roots:
            if root in done:
                continue
            stack: list[tuple[str, Iterator[str]]] = [(root, self._before(root))]
            trail = {root: None}
            while stack:
                name, pending = stack[-1]
                following = next((d for d in pending if d not in done), None)
                if following is None:
                    done[name] = None
                    stack.pop()
                    del trail[name]
                elif following in trail:
                    path = list(trail)
                    shown = " -> ".join([*path[path.index(following) :], following][-5:])
                    raise UsageError(f"{self.body.name}: the graph has a cycle: {shown}")
                else:
                    stack.append((following, self._before(following)))
                    trail[following] = None
        return [self.body.nodes[n] for n in done]
