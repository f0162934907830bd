"""`prim::If` and `prim::Loop`: decided here where they can be, else `torch.cond` and `while_loop` on closed bodies.

A body is run once on stand-ins first: this tells which attributes it reads and writes and what it returns. What the
blocks read becomes operands; attributes they write become results.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from converter.importers.base import Refusal
from converter.importers.torch.script import numbers
from converter.importers.torch.script.graphs import at_line
from converter.importers.torch.script.memory import Key, is_tensor, is_tensorlike
from converter.importers.torch.script.numbers import Number, SizeTensor

if TYPE_CHECKING:
    from converter.importers.torch.script.graphs import Block, Step
    from converter.importers.torch.script.machine import Machine

MAX_TRIPS = 10_000
"""Loops of more trips than this are not unrolled."""


class Stopped(Exception):
    """The program raises an exception of its own."""


class _Unset:
    """A variable that a path of the program leaves without a value."""


UNSET = _Unset()


# -- values as flat tensors -------------------------------------------------------------------------------------------
@dataclass
class Flat:
    """A value as a tree whose tensors (numbers known at run time included) are numbered: `leaves` holds them."""

    tree: Any
    leaves: list[Any]

    @classmethod
    def of(cls, value: Any) -> Flat:
        """Take a value apart."""
        leaves: list[Any] = []
        return cls(_take(value, leaves), leaves)

    @property
    def tensors(self) -> list[Any]:
        """The leaves as tensors."""
        return [v.tensor if isinstance(v, Number) else v for v in self.leaves]

    def build(self, tensors: Sequence[Any]) -> Any:
        """The value with other tensors in its places."""
        return _put(self.tree, [_like(v, t) for v, t in zip(self.leaves, tensors, strict=True)])


@dataclass(frozen=True)
class _Place:
    index: int


def _take(value: Any, leaves: list[Any]) -> Any:
    if is_tensorlike(value):
        leaves.append(value.tensor() if isinstance(value, SizeTensor) else value)
        return _Place(len(leaves) - 1)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_take(v, leaves) for v in value))
    if isinstance(value, (list, tuple)):
        return type(value)(_take(v, leaves) for v in value)
    if isinstance(value, dict):
        return {k: _take(v, leaves) for k, v in value.items()}
    return value


def _put(tree: Any, leaves: Sequence[Any]) -> Any:
    if isinstance(tree, _Place):
        return leaves[tree.index]
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_put(v, leaves) for v in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(_put(v, leaves) for v in tree)
    if isinstance(tree, dict):
        return {k: _put(v, leaves) for k, v in tree.items()}
    return tree


def _like(example: Any, tensor: Any) -> Any:
    return Number(tensor, example.kind) if isinstance(example, Number) else tensor


# -- running a block apart --------------------------------------------------------------------------------------------
@dataclass
class Outcome:
    """What a block did: its results, the attributes it wrote and read; or the error it stopped with."""

    results: list[Any]
    written: dict[Key, Any]
    read: set[Key]
    stopped: str = ""


Runner = Callable[["Machine", dict[str, Any]], list[Any]]


@contextlib.contextmanager
def _apart(machine: Machine, attributes: dict[Key, Any]) -> Iterator[None]:
    """Inside the block, attributes have these values, and what is written goes nowhere else."""
    saved = machine.memory.current
    machine.memory.current = dict(attributes)
    try:
        yield
    finally:
        machine.memory.current = saved


def probe(machine: Machine, body: Block, env: dict[str, Any], names: Sequence[str], args: Sequence[Any] = ()) -> Outcome:
    """Run a block on stand-ins of the same types, leaving no trace."""
    memory = machine.memory
    before = {n: Flat.of(env[n]) for n in names}
    watched: list[Any] = []
    inner = {**env, **{n: f.build(_stand_ins(f.tensors, watched)) for n, f in before.items()}}
    shapes = {n: _skeleton(inner[n]) for n in names}
    current = {k: f.build(_stand_ins(f.tensors, watched)) for k, v in memory.current.items() for f in [Flat.of(v)]}
    given, held = dict(current), _skeleton(list(current.values()))
    seen: set[Key] = set()
    memory.reads.append(seen)
    outer, memory.watched = memory.watched, watched
    try:
        with _apart(machine, current), _untraced():
            stand_ins = [f.build(_stand_ins(f.tensors, watched)) for f in map(Flat.of, args)]
            results = machine.block(body, inner, stand_ins)
            if any(t._version for t in watched):
                raise Refusal(
                    "writes in place into a tensor from outside, where only the run knows whether or how often",
                    "assign a new tensor instead",
                )
            held_now = _skeleton([given[k] if k in memory.written else memory.current[k] for k in given])
            written = {k: v for k, v in memory.current.items() if k in memory.written and given.get(k, UNSET) is not v}
    except Stopped as stop:
        return Outcome([], {}, seen, str(stop) or "an error of the program")
    finally:
        memory.reads.pop()
        memory.watched = outer
    if any(_skeleton(inner[n]) != shapes[n] for n in names) or held_now != held:
        raise Refusal("a list or dict from outside is changed where only the run knows whether or how often")
    return Outcome(results, written, seen)


def _skeleton(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_skeleton(v) for v in value]
    if isinstance(value, dict):
        return {k: _skeleton(v) for k, v in value.items()}
    return id(value) if is_tensorlike(value) else repr(value) if isinstance(value, (bool, int, float, str)) else None


def _stand_ins(tensors: Sequence[Any], watched: list[Any]) -> list[Any]:
    """Copies of tensors; `watched` gets them too."""
    with _untraced():
        copies = [t.detach().clone() for t in tensors]
    watched += copies
    return copies


@contextlib.contextmanager
def _untraced() -> Iterator[None]:
    """Inside the block nothing is recorded by a running export; sizes it makes up are forgotten."""
    import torch
    from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing

    with contextlib.ExitStack() as stack:
        stack.enter_context(disable_proxy_modes_tracing())
        fake = torch._guards.detect_fake_mode()
        if fake is not None and fake.shape_env is not None:
            stack.enter_context(fake.shape_env.ignore_fresh_unbacked_symbols())
        yield


# -- branches ---------------------------------------------------------------------------------------------------------
def branch(machine: Machine, step: Step, env: dict[str, Any]) -> None:
    """Take the branch that a known condition names; a condition only the run knows becomes `torch.cond`."""
    test = env[step.inputs[0]]
    if not isinstance(test, Number):
        results = machine.block(step.blocks[0 if decide(step, test) else 1], env)
        env.update(zip(step.outputs, results, strict=True))
        return
    outcomes = [probe(machine, b, env, _tensor_names(step.blocks, env)) for b in step.blocks]
    stopped = [o.stopped for o in outcomes if o.stopped]
    if len(stopped) == 2:
        raise Stopped(stopped[0])
    if stopped:
        machine.note(f"the source stops with an error ({stopped[0]}) for some values; the result computes on")
        taken = step.blocks[1 if outcomes[0].stopped else 0]
        env.update(zip(step.outputs, machine.block(taken, env), strict=True))
        return
    _Cond(machine, step, env, outcomes).make(test)


def decide(step: Step, test: Any) -> bool:
    """A condition on sizes or fixed values, asked in a frame of the program's own: decisions on sizes are recorded."""
    return bool(at_line(*step.line)(bool, test))


def _tensor_names(blocks: Sequence[Block], env: dict[str, Any]) -> list[str]:
    return [n for n in dict.fromkeys(n for b in blocks for n in b.free) if Flat.of(env[n]).leaves or _mutable(env[n])]


def _mutable(value: Any) -> bool:
    return isinstance(value, (list, dict))


class _Cond:
    """Two blocks as one `torch.cond`."""

    def __init__(self, machine: Machine, step: Step, env: dict[str, Any], outcomes: list[Outcome]) -> None:
        self.machine, self.step, self.env = machine, step, env
        self.names = _tensor_names(step.blocks, env)
        self.keys = sorted({k for o in outcomes for k in (*o.read, *o.written)})
        self.written = sorted({k for o in outcomes for k in o.written})
        self.attributes = {k: attribute(machine, k) for k in self.keys}
        then, other = ([*o.results, *(o.written.get(k, self.attributes[k]) for k in self.written)] for o in outcomes)
        used = [*step.used, *([True] * len(self.written))]
        self.plan = [joined(a, b, u) for a, b, u in zip(then, other, used, strict=True)]

    def make(self, test: Number) -> None:
        """Emit the op; its results go into the environment and the attributes."""
        import torch

        operands = Flat.of([[self.env[n] for n in self.names], [self.attributes[k] for k in self.keys]])
        leaves = _distinct(operands.tensors)
        bodies = [self._body(operands, block) for block in self.step.blocks]
        found = list(torch.ops.higher_order.cond(test.tensor, *bodies, tuple(leaves))) if any(
            p.leaves for p in self.plan) else []
        for place, plan in enumerate(self.plan):
            count = len(plan.leaves)
            value, found = plan.build(found[:count]), found[count:]
            if place < len(self.step.outputs):
                self.env[self.step.outputs[place]] = value
            else:
                self.machine.memory.current[self.written[place - len(self.step.outputs)]] = value

    def _body(self, operands: Flat, block: Block) -> Callable[..., Any]:
        def run(*tensors: Any) -> list[Any]:
            values, attributes = operands.build(tensors)
            env = {**self.env, **dict(zip(self.names, values, strict=True))}
            current = {**self.machine.memory.current, **dict(zip(self.keys, attributes, strict=True))}
            with _apart(self.machine, current):
                results = self.machine.block(block, env)
                results += [self.machine.memory.current[k] for k in self.written]
            return _outputs(self.plan, results, tensors)

        return run


def attribute(machine: Machine, key: Key) -> Any:
    """An attribute's value now, by key."""
    return machine.memory.read(machine.memory.modules[key[0]], key[1])


def joined(a: Any, b: Any, used: bool = True) -> Flat:
    """The form of a value that is `a` on one path and `b` on the other; raises Refusal where there is none."""
    if not used:
        return Flat(UNSET, [])
    leaves: list[Any] = []
    return Flat(_join(a, b, leaves), leaves)


def _join(a: Any, b: Any, leaves: list[Any]) -> Any:
    if a is UNSET or b is UNSET:
        return _take(b if a is UNSET else a, leaves)
    if is_tensor(a) and is_tensor(b):
        if a.dtype != b.dtype or a.dim() != b.dim():
            raise Refusal(f"a tensor that is {_type(a)} on one path and {_type(b)} on the other")
        return _take(a, leaves)
    kinds = numbers.kind_of(a), numbers.kind_of(b)
    if kinds[0] and kinds[0] == kinds[1]:
        if not isinstance(a, Number) and not isinstance(b, Number) and type(a) is type(b) and a == b:
            return a
        leaves.append(Number(numbers.tensor_of(a, kinds[0]), kinds[0]))
        return _Place(len(leaves) - 1)
    if isinstance(a, (list, tuple)) and type(a) is type(b) and len(a) == len(b):
        items = [_join(x, y, leaves) for x, y in zip(a, b, strict=True)]
        return type(a)(*items) if hasattr(a, "_fields") else type(a)(items)
    if isinstance(a, dict) and isinstance(b, dict) and list(a) == list(b):
        return {k: _join(a[k], b[k], leaves) for k in a}
    if a is b or (isinstance(a, str) and a == b) or (a is None and b is None):
        return a
    raise Refusal(f"a value that is {_type(a)} on one path and {_type(b)} on the other, where only the run knows which")


def _type(value: Any) -> str:
    if is_tensor(value):
        return f"{str(value.dtype).removeprefix('torch.')}[{', '.join(map(str, value.shape))}]"
    return "None" if value is None else f"a {type(value).__name__}"


def _outputs(plan: Sequence[Flat], results: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """The tensors of a body's results as the plan orders them; none is an input itself, none comes twice."""
    out: list[Any] = []
    for form, value in zip(plan, results, strict=True):
        _fill(form.tree, value, form.leaves, out)
    seen: set[int] = {id(t) for t in inputs}
    for i, tensor in enumerate(out):
        if id(tensor) in seen or _is_view(tensor):
            out[i] = tensor.clone()
        seen.add(id(out[i]))
    return out


def _is_view(tensor: Any) -> bool:
    return bool(tensor._is_view())


def _fill(tree: Any, value: Any, examples: Sequence[Any], out: list[Any]) -> None:
    if isinstance(tree, _Place):
        example = examples[tree.index]
        if value is UNSET:
            value = (example.tensor if isinstance(example, Number) else example).new_zeros(
                (example.tensor if isinstance(example, Number) else example).shape
            )
        elif isinstance(example, Number):
            value = numbers.tensor_of(value, example.kind)
        out.append(value.tensor() if isinstance(value, SizeTensor) else value)
    elif isinstance(tree, (list, tuple)):
        for part, item in zip(tree, value, strict=True):
            _fill(part, item, examples, out)
    elif isinstance(tree, dict):
        for key, part in tree.items():
            _fill(part, value[key], examples, out)


def _distinct(tensors: Sequence[Any]) -> list[Any]:
    """Operands of control flow: each an object of its own."""
    seen: set[int] = set()
    out = []
    for tensor in tensors:
        out.append(tensor.clone() if id(tensor) in seen else tensor)
        seen.add(id(tensor))
    return out


# -- loops ------------------------------------------------------------------------------------------------------------
def loop(machine: Machine, step: Step, env: dict[str, Any]) -> None:
    """Unroll while trip count and condition are known; from where they are not, `while_loop`."""
    trips, test, *carried = (env[n] for n in step.inputs)
    body = step.blocks[0]
    i = 0
    while type(trips) is int and not isinstance(test, Number) and decide(step, test):
        if i >= trips:
            break
        if i >= MAX_TRIPS:
            raise Refusal(f"a loop of more than {MAX_TRIPS} trips")
        test, *carried = machine.block(body, env, [i, *carried])
        i += 1
    else:
        if isinstance(test, Number) or (type(trips) is not int and decide(step, test)):
            carried = _While(machine, step, env, trips).make(i, test, carried)
    env.update(zip(step.outputs, carried, strict=True))


class _While:
    """A loop as one `while_loop`."""

    def __init__(self, machine: Machine, step: Step, env: dict[str, Any], trips: Any) -> None:
        self.machine, self.step, self.env, self.body = machine, step, env, step.blocks[0]
        self.bounded = type(trips) is not int or trips < 2**62
        self.trips = numbers.tensor_of(trips, "int") if self.bounded else None
        self.names = _tensor_names(step.blocks, env)
        self.read: list[Key] = []
        self.written: list[Key] = []

    def _settle(self, i: int, test: Any, carried: Sequence[Any]) -> Flat:
        """The form of what a trip hands on: (condition, carried.., written attributes..)."""
        state = [test, *carried]
        for _ in range(8):
            counter = Number(numbers.tensor_of(i, "int"), "int")
            count = len(self.written)
            own, attributes = state[: len(state) - count], state[len(state) - count :]
            with self._with(dict(zip(self.written, attributes, strict=True))):
                outcome = probe(self.machine, self.body, self.env, self.names, [counter, *own[1:]])
            if outcome.stopped:
                raise Refusal(f"a loop whose first trip stops with an error: {outcome.stopped}")
            new = sorted(set(outcome.written) - set(self.written))
            self.read = sorted({*self.read, *outcome.read} - {*self.written, *new})
            results = [*outcome.results, *(outcome.written.get(k, v) for k, v in zip(self.written, attributes, strict=True))]
            form = joined(state, results)
            promoted = form.build(form.tensors)
            if not new and _numbers(promoted) == _numbers(state):
                return form
            state = [*promoted, *(attribute(self.machine, k) for k in new)]
            self.written += new
        raise Refusal("a loop whose carried values do not settle on one type")

    @contextlib.contextmanager
    def _with(self, attributes: dict[Key, Any]) -> Iterator[None]:
        with _apart(self.machine, {**self.machine.memory.current, **attributes}):
            yield

    def make(self, i: int, test: Any, carried: Sequence[Any]) -> list[Any]:
        """Emit the op; what the loop leaves of the carried values."""
        import torch

        form = self._settle(i, test, carried)
        start = [test, *carried, *(attribute(self.machine, k) for k in self.written)]
        tensors: list[Any] = []
        _fill(form.tree, start, form.leaves, tensors)
        rest = Flat.of([[self.env[n] for n in self.names], [attribute(self.machine, k) for k in self.read]])
        extra = [*rest.tensors, *([self.trips] if self.bounded else [])]
        first = numbers.tensor_of(i, "int")
        operands = _distinct([first, *tensors, *extra])
        size = 1 + len(tensors)
        run = self._functions(form, rest, size)
        found = torch.ops.higher_order.while_loop(*run, tuple(operands[:size]), tuple(operands[size:]))
        values = form.build(list(found)[1:])
        count = len(self.written)
        self.machine.memory.current.update(zip(self.written, values[len(values) - count :], strict=True))
        return list(values[1 : len(values) - count])

    def _functions(self, form: Flat, rest: Flat, size: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
        import torch

        def test(*tensors: Any) -> Any:
            value = form.build(tensors[1:size])[0]
            going = numbers.tensor_of(value, "bool")
            return torch.logical_and(going, tensors[0] < tensors[-1]) if self.bounded else going.clone()

        def trip(*tensors: Any) -> list[Any]:
            extra = tensors[size : len(tensors) - self.bounded]
            values, attributes = rest.build(extra)
            _, *state = form.build(tensors[1:size])
            count = len(self.written)
            own, held = state[: len(state) - count], state[len(state) - count :]
            env = {**self.env, **dict(zip(self.names, values, strict=True))}
            with self._with(dict(zip((*self.written, *self.read), (*held, *attributes), strict=True))):
                results = self.machine.block(self.body, env, [Number(tensors[0], "int"), *own])
                results += [self.machine.memory.current[k] for k in self.written]
            return [tensors[0] + 1, *_outputs([form], [results], tensors)]

        return test, trip


def _numbers(state: Sequence[Any]) -> Any:
    """How a state's values are held: tensors, numbers that only the run knows, and fixed ones by value."""
    flat = Flat.of(list(state))
    return [type(v).__name__ + getattr(v, "kind", "") for v in flat.leaves], repr(flat.tree)


def changed_values(machine: Machine) -> list[Any]:
    """The tensors in attributes whose first call changes their type, in order: what a proof compares."""
    memory = machine.memory
    return [attribute(machine, k).clone() for k, s in sorted(memory.starts.items()) if s.shape is not None]
