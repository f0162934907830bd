"""A minimum cut: two-valued choices at the least total penalty (Dinic 1970)."""

from __future__ import annotations

from collections import deque

SOURCE, SINK = 0, 1


class Cut:
    """Choices on two sides. A penalty falls due where its first choice is on the source's side and its second is not.

    SOURCE and SINK are choices already made. The least penalty is found by the maximum flow, which costs about one
    walk over the penalties for each that is paid: few, where few choices are contested.
    """

    def __init__(self) -> None:
        self.edges: list[list[int]] = [[], []]  # of each choice: the numbers of its penalties, and of their reverses
        self.ends: list[int] = []
        self.room: list[int] = []
        self.paid = 0  # once solved: the penalties of the answer

    def choice(self) -> int:
        """A new choice."""
        self.edges.append([])
        return len(self.edges) - 1

    def penalty(self, first: int, second: int, cost: int) -> None:
        """`cost` (0 or more) where `first` is on the source's side and `second` on the sink's."""
        if first == second or cost == 0 or first == SINK or second == SOURCE:
            return
        for end, room, start in ((second, cost, first), (first, 0, second)):
            self.edges[start].append(len(self.ends))
            self.ends.append(end)
            self.room.append(room)

    def solve(self) -> set[int]:
        """The choices on the source's side; of equally cheap answers, the one with the fewest."""
        while True:
            depth = self._depths()
            if SINK not in depth:
                return set(depth)
            self._block(depth)

    def _depths(self) -> dict[int, int]:
        depth, queue = {SOURCE: 0}, deque([SOURCE])
        while queue:
            at = queue.popleft()
            for e in self.edges[at]:
                if self.room[e] > 0 and self.ends[e] not in depth:
                    depth[self.ends[e]] = depth[at] + 1
                    queue.append(self.ends[e])
        return depth

    def _block(self, depth: dict[int, int]) -> None:
        """Fill every shortest path from source to sink."""
        following = [0] * len(self.edges)
        path: list[int] = []
        at = SOURCE
        while True:
            if at == SINK:
                least = min(self.room[e] for e in path)
                self.paid += least
                for e in path:
                    self.room[e] -= least
                    self.room[e ^ 1] += least
                full = next(i for i, e in enumerate(path) if self.room[e] == 0)
                at = self.ends[path[full] ^ 1]
                del path[full:]
                continue
            onward = self._onward(at, depth, following)
            if onward is not None:
                path.append(onward)
                at = self.ends[onward]
            elif path:
                at = self.ends[path[-1] ^ 1]
                following[at] += 1
                path.pop()
            else:
                return

    def _onward(self, at: int, depth: dict[int, int], following: list[int]) -> int | None:
        edges = self.edges[at]
        while following[at] < len(edges):
            e = edges[following[at]]
            if self.room[e] > 0 and depth.get(self.ends[e]) == depth[at] + 1:
                return e
            following[at] += 1
        return None
