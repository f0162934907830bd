"""Branches and loops: the functions they call are traced into bodies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.importers.keras.bodies import close
from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.nests import initial, same_nest, traced, with_symbols
from converter.importers.keras.rules_indexing import backend
from converter.importers.keras.spelled import spelled
from ir.core import Graph, Value
from ir.types import Dim, dtypes


@rule("ops.Cond")
def cond(c: KerasContext, _: Any, pred: Any, true_fn: Any, false_fn: Any) -> Any:
    from keras import tree

    test = c.value(pred, "bool")
    if test.type.rank:
        test = c.b.reshape(test, shape=())
    then, result = traced(c, "then", (), true_fn)
    other, alternative = traced(c, "else", (), false_fn)
    same_nest(result, alternative, "branches")
    captures = close((then, other))
    found = with_symbols(c, lambda names: c.b.cond(test, captures, then=then, else_=other, symbols=names))
    return tree.pack_sequence_as(result, _fill(tree.flatten(result), found))


def _fill(leaves: list[Any], values: Any) -> list[Any]:
    """The leaves of a nest with values for those that are no None."""
    rest = iter(values)
    return [None if leaf is None else next(rest) for leaf in leaves]


@spelled("ops.Switch")
def switch(_: Any, index: Any, branches: Any, *operands: Any) -> Any:
    """An index out of range is moved to the nearest branch."""
    from keras import ops

    def from_(i: int) -> Any:
        if i == len(branches) - 1:
            return branches[i](*operands)
        return ops.cond(ops.less_equal(index, i), lambda: branches[i](*operands), lambda: from_(i + 1))

    return from_(0)


# -- while --------------------------------------------------------------------------------------------------------------
@rule("ops.WhileLoop")
def while_loop(c: KerasContext, op: Any, loop_vars: Any) -> Any:
    many = isinstance(loop_vars, (tuple, list))
    packed = tuple(loop_vars) if many else (loop_vars,)
    bounds: dict[str, Any] = {} if op.maximum_iterations is None else _trips(c, op.maximum_iterations)

    def step(*values: Any) -> Any:
        found = op.body(*values)
        return tuple(found) if many else (found,)

    result = _while(c, packed, lambda *v: op.cond(*v), step, bounds)
    return result if many else result[0]


def _trips(c: KerasContext, limit: Any) -> dict[str, Any]:
    from converter.importers.base import Refusal

    try:
        return {"trips": c.dim(limit)}
    except Refusal:
        return {"trip_count": c.cast(c.value(limit), dtypes.int64)}


def _while(
    c: KerasContext, start: Any, test: Callable[..., Any] | None, step: Callable[..., Any], bounds: dict[str, Any]
) -> Any:
    """A loop over a nest of tensors; without a test it is bounded by its trips alone."""
    from keras import tree

    first = [initial(c, x) for x in tree.flatten(start)]
    types = [v.type for v in first]

    def packed(call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *values: call(*tree.pack_sequence_as(start, list(values)))

    body, result = traced(c, "body", types, packed(step))
    same_nest(start, result, "the variables of a loop before and after a step")
    if test is None:
        condition, _ = traced(c, "cond", types, lambda *_: True)
    else:
        condition, answer = traced(c, "cond", types, packed(test))
        _truth(c, condition, answer)
    invariant = close((condition, body))
    loop = getattr(c.b, "while")
    found = with_symbols(c, lambda names: loop(first, invariant, cond=condition, body=body, symbols=names, **bounds))
    return tree.pack_sequence_as(start, list(found))


def _truth(c: KerasContext, body: Graph, answer: Any) -> None:
    """Make the only result of a condition a 0-d truth value."""
    from keras import tree

    (value,) = tree.flatten(answer)
    with c.within(body):
        value = c.cast(value, dtypes.bool_)
        body.set_outputs([c.b.reshape(value, shape=()) if value.type.rank else value])


@rule("ops.ForiLoop")
def fori_loop(c: KerasContext, op: Any, init_val: Any) -> Any:
    from keras import ops

    from converter.importers.base import Refusal

    def step(i: Any, value: Any) -> Any:
        return ops.add(i, 1), op.body_fun(i, value)

    try:
        lower, upper = c.dim(op.lower), c.dim(op.upper)
    except Refusal:
        start = c.tensor(initial(c, op.lower))
        return _while(c, (start, init_val), lambda i, _: ops.less(i, op.upper), step, {})[1]
    if backend() == "torch":  # there the steps are Python's, and so is the counter
        return _unrolled(c, op, init_val, lower, upper)
    start = c.tensor(c.cast(initial(c, op.lower), dtypes.int32))
    return _while(c, (start, init_val), None, step, {"trips": upper - lower})[1]


def _unrolled(c: KerasContext, op: Any, value: Any, lower: Dim, upper: Dim) -> Any:
    if not isinstance(lower, int) or not isinstance(upper, int):
        c.refuse("steps of an open number, which torch takes as a Python loop", "use ops.while_loop")
    for i in range(lower, upper):
        value = op.body_fun(i, value)
    return value


# -- scan ---------------------------------------------------------------------------------------------------------------
@rule("ops.Scan")
def scan(c: KerasContext, op: Any, f: Any, init: Any, xs: Any = None) -> Any:
    """TensorFlow's backend has outputs of the structure and types of what is carried, and nothing else."""
    from keras import tree

    first = [initial(c, x) for x in tree.flatten(init)]
    slices = [] if xs is None else [c.value(x) for x in tree.flatten(xs)]
    types = [v.type for v in first] + [v.type.with_shape(v.type.shape[1:]) for v in slices]

    def step(*values: Any) -> Any:
        carry = tree.pack_sequence_as(init, list(values[: len(first)]))
        return f(carry, None if xs is None else tree.pack_sequence_as(xs, list(values[len(first) :])))

    body, result = traced(c, "body", types, step)
    carry, out = result
    same_nest(init, carry, "what a scan carries before and after a step")
    leaves = tree.flatten(out)
    if any(y is None for y in leaves) or not leaves:
        c.refuse("a scan whose steps return nothing", "return the carried value as the output, or use ops.while_loop")
    if backend() == "tensorflow":
        same_nest(init, out, "what a scan carries and returns on TensorFlow")
        if [v.type for v in leaves] != [v.type for v in first]:
            c.refuse(
                "outputs of a scan that are not of the types of what it carries, as TensorFlow's backend needs them"
            )
    found = _scan(c, first, slices, body, bool(op.reverse), len(leaves), op.length)
    return tree.pack_sequence_as(init, found[: len(first)]), tree.pack_sequence_as(out, found[len(first) :])


def _scan(
    c: KerasContext, first: list[Value], slices: list[Value], body: Graph, reverse: bool, outputs: int, length: Any
) -> list[Value]:
    invariant = close((body,))
    size: Dim | None = None if length is None else c.dim(length)
    if slices and size is not None and any(v.type.shape[0] != size for v in slices):
        c.refuse("a length of its own beside what is scanned", "slice the tensors to that length")
    back = {"reverse": (True,) * len(slices), "output_reverse": (True,) * outputs} if reverse else {}
    return list(
        with_symbols(
            c,
            lambda names: c.b.scan(
                first, slices, invariant, body=body, length=None if slices else size, symbols=names, **back
            ),
        )
    )


@rule("ops.Map", "ops.VectorizedMap")
def map_(c: KerasContext, op: Any, *args: Any) -> Any:
    """A function of each slice along the first axis."""
    from keras import tree

    f, xs = args if len(args) == 2 else (op.function, args[0])
    slices = [c.value(x) for x in tree.flatten(xs)]
    types = [v.type.with_shape(v.type.shape[1:]) for v in slices]
    body, result = traced(c, "body", types, lambda *values: f(tree.pack_sequence_as(xs, list(values))))
    leaves = tree.flatten(result)
    if any(y is None for y in leaves):
        c.refuse("a function that returns None among tensors")
    return tree.pack_sequence_as(result, _scan(c, [], slices, body, False, len(leaves), None))


@spelled("ops.AssociativeScan")
def associative_scan(op: Any, f: Any, elems: Any) -> Any:
    """Pairs of neighbours are combined, level by level, as all backends have it."""
    from keras import ops, tree

    flat = tree.flatten(elems)
    axis = op.axis % len(flat[0].shape)
    size = flat[0].shape[axis]
    if type(size) is not int:
        _open_length()

    def part(x: Any, start: Any, stop: Any, step: int = 1) -> Any:
        return x[(*(slice(None),) * axis, slice(start, stop, step))]

    def combine(a: list[Any], b: list[Any]) -> list[Any]:
        return tree.flatten(f(tree.pack_sequence_as(elems, a), tree.pack_sequence_as(elems, b)))

    def level(items: list[Any], n: int) -> list[Any]:
        if n < 2:
            return items
        odd = level(combine([part(x, 0, n - 1, 2) for x in items], [part(x, 1, None, 2) for x in items]), n // 2)
        firsts = [part(x, 0, 1) for x in items]
        if n < 3:
            return [ops.concatenate([a, b], axis) for a, b in zip(firsts, odd)]
        before = [part(x, 0, -1) for x in odd] if n % 2 == 0 else odd
        even = combine(before, [part(x, 2, None, 2) for x in items])
        even = [ops.concatenate([a, b], axis) for a, b in zip(firsts, even)]
        return [_interleaved(a, b, axis, n) for a, b in zip(even, odd)]

    flat = [ops.flip(x, axis) for x in flat] if op.reverse else flat
    found = level(flat, size)
    return tree.pack_sequence_as(elems, [ops.flip(x, axis) for x in found] if op.reverse else found)


def _open_length() -> None:
    from converter.importers.base import Refusal

    raise Refusal("an associative scan over an axis of open size", "fix the size, or use ops.scan")


def _interleaved(a: Any, b: Any, axis: int, size: int) -> Any:
    """a0 b0 a1 b1 ...: `a` may have one element more."""
    from keras import ops

    pairs = b.shape[axis]
    lead = (slice(None),) * axis
    woven = ops.stack([a[(*lead, slice(0, pairs))], b], axis + 1)
    woven = ops.reshape(woven, (*b.shape[:axis], 2 * pairs, *b.shape[axis + 1 :]))
    return woven if size % 2 == 0 else ops.concatenate([woven, a[(*lead, slice(pairs, None))]], axis)
