"""Subscripts against NumPy and PyTorch on random specs; scatters and gradients against PyTorch and differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ir.core import Builder, Leaf, Model, Signature
from ir.eval import EvaluationError, Evaluator
from ir.ops import get
from ir.ops.positions import resolve
from ir.ops.scatter import REDUCTIONS
from ir.types import dtypes, symbol, tensor_type, type_of
from tests.ops.indexing_model import evaluate

SHAPE = (5, 6, 7, 8)  # all different: a wrong order of axes shows
SEEDS = range(300)
Spec = tuple[tuple[Any, ...], ...]


def random_spec(rng: np.random.Generator, positive: bool) -> tuple[Spec, list[np.ndarray]]:
    """Random entries over SHAPE: slices, integers, arrays of one broadcast shape, masks, new axes, an ellipsis."""
    block = [(3,), (2, 3), (4, 1)][rng.integers(3)]
    spec: list[tuple[Any, ...]] = []
    arrays: list[np.ndarray] = []
    axis, dotted = 0, False
    while axis < len(SHAPE):
        size, kind = (
            SHAPE[axis],
            rng.choice(["slice", "all", "int", "array", "array", "0d", "mask", "new", "dots", "end"]),
        )
        axis += kind not in ("new", "dots", "end")
        if kind == "end" and not dotted:  # after an ellipsis, which ends where it is said to, all axes are named
            break
        if kind == "all":
            spec.append(("slice", None, None, None))
        elif kind == "slice":
            step = int(rng.choice([1, 2] if positive else [1, 2, -1, -2]))
            spec.append(("slice", *(None if rng.random() < 0.4 else int(rng.integers(-6, 7)) for _ in "ab"), step))
        elif kind == "int":
            spec.append(("int", int(rng.integers(-size, size))))
        elif kind == "new":
            spec.append(("newaxis",))
        elif kind == "dots" and not dotted:
            dotted = True
            spec.append(("ellipsis",))
            axis += int(rng.integers(0, len(SHAPE) - axis + 1))
        elif kind in ("array", "0d", "mask"):
            spec.append(("array", len(arrays)))
            arrays.append(_array(rng, str(kind), size, block))
    return tuple(spec), arrays


def _array(rng: np.random.Generator, kind: str, size: int, block: tuple[int, ...]) -> np.ndarray:
    if kind == "mask" and len(block) == 1:
        mask = np.zeros(size, np.bool_)
        mask[rng.permutation(size)[: block[0]]] = True
        return mask
    shape = () if kind == "0d" else tuple(n if rng.random() < 0.8 else 1 for n in block)
    return rng.integers(-size, size, shape)


def key(spec: Spec, arrays: list[Any]) -> tuple[Any, ...]:
    """The spec as Python subscripts."""
    simple = {"newaxis": None, "ellipsis": Ellipsis}
    return tuple(
        simple[e[0]]
        if e[0] in simple
        else slice(*e[1:])
        if e[0] == "slice"
        else arrays[e[1]]
        if e[0] == "array"
        else e[1]
        for e in spec
    )


def attributes(spec: Spec, arrays: list[np.ndarray], rule: str) -> dict[str, Any]:
    masks = any(a.dtype == np.bool_ for a in arrays)
    return {"spec": spec, "rule": rule, **({"symbol": "count"} if masks else {})}


def fits(spec: Spec) -> bool:
    """Whether the spec leaves no more axes than there are."""
    return sum(e[0] in ("slice", "int", "array") for e in spec) <= len(SHAPE)


@pytest.mark.parametrize("lowered", [False, True])
def test_index_get_is_numpy(lowered: bool) -> None:
    x = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    for seed in SEEDS:
        spec, arrays = random_spec(np.random.default_rng(seed), positive=False)
        if fits(spec):
            operands = {"data": x, "arrays": tuple(arrays)}
            got = evaluate("index_get", operands, attributes(spec, arrays, "numpy"), lowered=lowered)
            np.testing.assert_array_equal(got, x[key(spec, arrays)], err_msg=str(spec))


@pytest.mark.parametrize("lowered", [False, True])
def test_index_get_is_torch(lowered: bool) -> None:
    x = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    t = torch.from_numpy(x)
    for seed in SEEDS:
        spec, arrays = random_spec(np.random.default_rng(seed), positive=True)
        if fits(spec):
            want = t[key(spec, [torch.from_numpy(np.asarray(a)) for a in arrays])].numpy()
            operands = {"data": x, "arrays": tuple(arrays)}
            got = evaluate("index_get", operands, attributes(spec, arrays, "torch"), lowered=lowered)
            np.testing.assert_array_equal(got, want, err_msg=str(spec))


@pytest.mark.parametrize("lowered", [False, True])
@pytest.mark.parametrize("rule", ["numpy", "torch"])
@pytest.mark.parametrize("reduction", ["none", "add"])
def test_index_put_is_numpy_and_torch(reduction: str, rule: str, lowered: bool) -> None:
    x = np.arange(float(np.prod(SHAPE))).reshape(SHAPE)
    for seed in SEEDS[:150]:
        rng = np.random.default_rng(seed)
        spec, arrays = random_spec(rng, positive=rule == "torch")
        if not fits(spec):
            continue
        subscript = key(spec, [torch.from_numpy(np.asarray(a)) for a in arrays] if rule == "torch" else arrays)
        shape = (torch.from_numpy(x) if rule == "torch" else x)[subscript].shape
        updates = rng.standard_normal([n if rng.random() < 0.7 else 1 for n in shape])[..., None][..., 0]
        want = _written(x, subscript, updates, reduction, rule)
        attrs = attributes(spec, arrays, rule) | {"reduction": reduction}
        got = evaluate("index_put", {"data": x, "arrays": tuple(arrays), "updates": updates}, attrs, lowered=lowered)
        np.testing.assert_allclose(got, want, rtol=1e-12, err_msg=str(spec))


def _written(x: np.ndarray, subscript: Any, updates: np.ndarray, reduction: str, rule: str) -> np.ndarray:
    out = x.copy()
    if rule == "torch":  # through the positions that torch reads, so that duplicates are ordered
        places = torch.arange(x.size).reshape(x.shape)[subscript].numpy()
        values = np.broadcast_to(updates, places.shape).reshape(-1)
        cells = out.reshape(-1)
        if reduction == "add":
            np.add.at(cells, places.reshape(-1), values)
        else:
            for place, value in zip(places.reshape(-1), values):
                cells[place] = value
        return out
    if reduction == "add":
        np.add.at(out, subscript, updates)
    else:
        out[subscript] = updates
    return out


def test_torch_rule_differs_from_numpy_as_torch_does() -> None:
    """x[0, :, [0, 1]] of shape (2, 3, 4): (2, 3) for NumPy, (3, 2) for torch."""
    x, i = np.arange(24).reshape(2, 3, 4), np.array([0, 1])
    spec = (("int", 0), ("slice", None, None, None), ("array", 0))
    got = [evaluate("index_get", {"data": x, "arrays": (i,)}, {"spec": spec, "rule": r}) for r in ("numpy", "torch")]
    assert [g.shape for g in got] == [(2, 3), (3, 2)]
    np.testing.assert_array_equal(got[0], got[1].T)


def test_a_mask_of_another_count_is_refused() -> None:
    x, mask = np.zeros((4, 3)), np.array([True, True, False, False])
    with pytest.raises(ValueError, match="broadcast"):
        evaluate("index_put", {"data": x, "arrays": (mask,), "updates": np.ones((3, 3))}, {"spec": (("array", 0),)})
    masks = (mask, np.array([True, False, False]))
    with pytest.raises(ValueError, match="different counts"):
        attrs = {"spec": (("array", 0), ("array", 1)), "symbol": "count"}
        evaluate("index_get", {"data": x, "arrays": masks}, attrs)


def test_masked_write_of_what_the_mask_selected_lowers() -> None:
    """x[mask] = -x[mask]: the count of the read names that of the write."""
    model = Model(signature=Signature((), Leaf("output")))
    x = model.graph.add_input(tensor_type("float64", symbol("n"), 2), "x")
    mask = model.graph.add_input(tensor_type("bool", symbol("n")), "mask")
    b = Builder(model.graph)
    chosen = b.neg(b.mask_select(x, mask, symbol="count"))
    for name, operands, attrs in (
        ("mask_scatter", {"data": x, "mask": mask, "source": chosen}, {}),
        ("index_put", {"data": x, "arrays": (mask,), "updates": chosen}, {"spec": (("array", 0),)}),
    ):
        op = get(name)
        model.graph.set_outputs([op.decompose(b, **operands, **op.complete(attrs))])
        data, m = np.arange(10.0).reshape(5, 2), np.array([True, False, True, True, False])
        out = Evaluator().run(model, {"x": data, "mask": m})["output"]
        np.testing.assert_array_equal(out, np.where(m[:, None], -data, data))


# -- bounds ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["int8", "int32", "int64", "uint8", "uint64"])
def test_extreme_indices(kind: str) -> None:
    info = np.iinfo(kind)
    indices = np.array([info.min, info.max, 0, 1], kind)
    for size in (1, 3, 200):
        exact = [int(i) for i in indices]
        clipped, _ = resolve(indices, size, "clip", "invalid")
        assert clipped.tolist() == [min(max(i, 0), size - 1) for i in exact]
        wrapped, _ = resolve(indices, size, "wrap", "from_end")
        assert wrapped.tolist() == [i % size for i in exact]
        _, ok = resolve(indices, size, "fill", "from_end")
        assert ok is not None and ok.tolist() == [-size <= i < size for i in exact]


def test_fill_of_every_dtype() -> None:
    """jnp.take's fills: NaN, the lowest signed, the highest unsigned, True."""
    for kind, value in (("float32", np.nan), ("int32", -(2**31)), ("uint8", 255), ("bool", True)):
        data = np.zeros(2, kind)
        got = evaluate("gather", {"data": data, "indices": np.array([5])}, {"bounds": "fill", "fill_value": value})
        np.testing.assert_array_equal(got, np.array([value], kind))
    with pytest.raises(TypeError, match="fill_value 256 is no uint8"):
        get("gather").infer(tensor_type("uint8", 2), tensor_type("int64"), 0, 0, "fill", "from_end", 256)


@pytest.mark.parametrize("name", ["gather", "gather_elements", "gather_nd"])
@pytest.mark.parametrize("size", [1, 3])
def test_unchecked_reads_clip(name: str, size: int) -> None:
    data, index = np.arange(1.0, size + 1), np.array([0, 5, size, size - 1, -9])
    operands = {"data": data, "indices": index[:, None] if name == "gather_nd" else index}
    got = evaluate(name, operands, {"bounds": "unchecked", "fill_value": 7.0})
    np.testing.assert_array_equal(got, data[np.clip(index, 0, size - 1)])


EMPTY: list[tuple[str, tuple[int, ...], np.ndarray, dict[str, Any], tuple[int, ...]]] = [
    ("gather", (0, 3, 2), np.zeros((4, 5), np.int64), {}, (4, 5, 3, 2)),
    ("gather", (0, 3, 2), np.zeros((0, 5), np.int64), {}, (0, 5, 3, 2)),
    ("gather", (2, 0, 3), np.zeros(4, np.int64), {"axis": 1}, (2, 4, 3)),
    ("gather", (2, 3, 0), np.zeros((2, 4), np.int64), {"axis": -1, "batch_dims": 1}, (2, 3, 4)),
    ("gather", (0, 3, 0), np.zeros(4, np.int64), {}, (4, 3, 0)),
    ("gather_elements", (2, 0, 3), np.zeros((1, 4, 3), np.int64), {"axis": 1}, (1, 4, 3)),
    ("gather_elements", (2, 0, 3), np.zeros((0, 4, 3), np.int64), {"axis": 1}, (0, 4, 3)),
    ("gather_nd", (0, 3, 2), np.zeros((4, 1), np.int64), {}, (4, 3, 2)),
    ("gather_nd", (3, 0, 2), np.zeros((4, 2), np.int64), {}, (4, 2)),
    ("gather_nd", (3, 0, 2), np.zeros((3, 4, 1), np.int64), {"batch_dims": 1}, (3, 4, 2)),
    ("gather_nd", (3, 0, 2, 5), np.zeros((3, 4, 2), np.int64), {"batch_dims": 1}, (3, 4, 5)),
    ("gather_nd", (0, 3, 2), np.zeros((0, 1), np.int64), {}, (0, 3, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "shape", "indices", "attrs", "result"), EMPTY)
def test_reads_of_empty_axes(
    name: str, shape: tuple[int, ...], indices: np.ndarray, attrs: dict[str, Any], result: tuple[int, ...]
) -> None:
    """All is out of range: filled, or refused where there is an index."""
    operands = {"data": np.zeros(shape, np.float32), "indices": indices}
    filled = evaluate(name, operands, {**attrs, "bounds": "fill", "fill_value": 7.5})
    np.testing.assert_array_equal(filled, np.full(result, 7.5, np.float32))
    for bounds in ("error", "clip", "wrap", "unchecked"):
        if indices.size:
            with pytest.raises(IndexError, match="indices into an axis of size 0"):
                evaluate(name, operands, {**attrs, "bounds": bounds})
        else:
            assert evaluate(name, operands, {**attrs, "bounds": bounds}).shape == result


@pytest.mark.parametrize("lowered", [False, True])
@pytest.mark.parametrize(("neg", "index"), [("invalid", -1), ("invalid", 3), ("from_end", -4), ("from_end", 3)])
def test_one_hot_of_what_is_out_of_range(neg: str, index: int, lowered: bool) -> None:
    attrs = {"depth": 3, "bounds": "error", "neg": neg}
    with pytest.raises(IndexError, match=f"index {index} is out of range"):
        evaluate("one_hot", {"indices": np.array([0, index])}, attrs, lowered=lowered)
    got = evaluate("one_hot", {"indices": np.array([0, 2])}, attrs, lowered=lowered)
    np.testing.assert_array_equal(got, np.eye(3, dtype=np.float32)[[0, 2]])


def test_errors_of_evaluation_name_index_and_axis() -> None:
    with pytest.raises(IndexError, match="index -5 is out of range for an axis of size 3"):
        evaluate("gather", {"data": np.zeros(3), "indices": np.array([0, -5])}, {})


# -- scatters -------------------------------------------------------------------------------------------------------
TORCH = {"add": "sum", "mul": "prod", "mean": "mean", "max": "amax", "min": "amin"}


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("kind", ["float64", "int64", "int32"])
@pytest.mark.parametrize("reduction", list(TORCH))
def test_scatter_elements_is_torch(reduction: str, kind: str, include_self: bool) -> None:
    rng = np.random.default_rng(3)
    for axis in (0, 1):
        data, updates = (rng.integers(-9, 10, s).astype(kind) for s in ((5, 4), (6, 3) if axis == 0 else (4, 7)))
        indices = rng.integers(0, data.shape[axis], updates.shape)
        t = [torch.from_numpy(a) for a in (data, indices, updates)]
        want = t[0].scatter_reduce(axis, t[1], t[2], TORCH[reduction], include_self=include_self).numpy()
        operands = {"data": data, "indices": indices, "updates": updates}
        got = evaluate(
            "scatter_elements", operands, {"axis": axis, "reduction": reduction, "include_self": include_self}
        )
        np.testing.assert_allclose(got, want, rtol=1e-12)
        assert got.dtype == want.dtype


def test_small_integer_mean_does_not_wrap_the_count() -> None:
    n = 300
    operands = {"data": np.zeros(1, np.uint8), "indices": np.zeros(n, np.int64), "updates": np.zeros(n, np.uint8)}
    assert evaluate("scatter_elements", operands, {"reduction": "mean"}).tolist() == [0]


def test_half_sums_are_rounded_once() -> None:
    """4096 ones into one cell of a half type: summed in float32 by the evaluator."""
    for kind in (dtypes.float16, dtypes.bfloat16):
        ones = np.ones(4096, kind.numpy)
        operands = {"data": np.zeros(1, kind.numpy), "indices": np.zeros(4096, np.int64), "updates": ones}
        assert float(evaluate("scatter_elements", operands, {"reduction": "add"})[0]) == 4096


def test_scatter_order_of_negative_zero() -> None:
    """A touched cell that starts from its first update keeps the sign of a zero."""
    operands = {"data": np.array([1.0]), "indices": np.array([0]), "updates": np.array([-0.0])}
    out = evaluate("scatter_elements", operands, {"reduction": "add", "include_self": False})
    assert np.signbit(out[0])


# -- gradients ------------------------------------------------------------------------------------------------------
def gradient_operands(name: str, rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    """Float operands to differentiate by, and the rest."""
    rest: dict[str, Any]
    if name == "scatter_elements":
        rest = {"indices": rng.integers(0, 4, (5, 3))}
        return {"data": rng.standard_normal((4, 3)), "updates": rng.standard_normal((5, 3))}, rest
    if name == "scatter_nd":
        rest = {"indices": rng.integers(0, 3, (6, 1))}
        return {"data": rng.standard_normal((3, 2)), "updates": rng.standard_normal((6, 2))}, rest
    rest = {"ids": rng.permutation(np.arange(6) % 3)}
    return {"data": rng.standard_normal((6, 2))}, rest


def check_gradient(
    name: str, given: dict[str, Any], rest: dict[str, Any], attrs: dict[str, Any], seed: int = 0
) -> None:
    """The canonical gradient is the derivative here: central differences along every coordinate."""
    op, rng = get(name), np.random.default_rng(seed)
    complete = op.complete(attrs)
    out = op.evaluate(**given, **rest, **complete)
    g = rng.standard_normal(out.shape)
    grads = op.vjp(g, **given, **rest, **complete)
    assert set(grads) == set(given)
    for key_, array in given.items():
        assert grads[key_].shape == array.shape
        numeric = np.zeros(array.shape)
        for place in np.ndindex(array.shape):
            moved = [array.copy(), array.copy()]
            moved[0][place] += 1e-5
            moved[1][place] -= 1e-5
            up, down = (op.evaluate(**(given | {key_: m}), **rest, **complete) for m in moved)
            numeric[place] = ((up - down) * g).sum() / 2e-5
        np.testing.assert_allclose(grads[key_], numeric, rtol=1e-6, atol=1e-8, err_msg=f"{name} {attrs} {key_}")


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ["scatter_elements", "scatter_nd", "segment_reduce"])
def test_scatter_gradients_are_derivatives(name: str, reduction: str, include_self: bool) -> None:
    if name == "segment_reduce" and reduction == "none":
        return
    given, rest = gradient_operands(name, np.random.default_rng(5))
    attrs: dict[str, Any] = {"reduction": reduction}
    attrs |= {"num_segments": 3} if name == "segment_reduce" else {"include_self": include_self}
    check_gradient(name, given, rest, attrs)


FAR = np.array([[0, 5], [2, 2], [1, -9], [0, 0]])
A, B = ("array", 0), ("array", 1)


@pytest.mark.parametrize(
    ("name", "rest", "attrs"),
    [
        ("gather", {"indices": np.array([[0, -1], [2, 2]])}, {"axis": 1}),
        ("gather", {"indices": FAR}, {"axis": 2, "batch_dims": 1, "bounds": "clip"}),
        ("gather", {"indices": FAR}, {"axis": 2, "batch_dims": 1, "bounds": "fill"}),
        ("gather_elements", {"indices": np.array([[[0, 1, 0]], [[-7, 2, 9]]])}, {"axis": 1, "bounds": "wrap"}),
        ("gather_nd", {"indices": np.array([[0, 1], [0, 1], [9, 0], [3, -1]])}, {"bounds": "fill"}),
        ("gather_elements", {"indices": np.array([[[0, 1, 0]], [[-7, 2, 9]]])}, {"axis": 1, "bounds": "fill"}),
        ("gather_nd", {"indices": np.array([[0], [2], [2], [1]])}, {"batch_dims": 1}),
        ("gather_nd", {"indices": np.array([[[0, 1], [3, 2], [0, 1]], [[1, 1], [1, 1], [-1, 0]]])}, {}),
        ("gather_nd", {"indices": np.arange(24).reshape(4, 6, 1) % 3}, {"batch_dims": 1}),
        ("gather_nd", {"indices": np.arange(24).reshape(4, 3, 2, 1) % 4}, {"batch_dims": 2, "bounds": "fill"}),
        ("index_get", {"arrays": (np.array([0, 3, 3]), np.array([1]))}, {"spec": (A, ("newaxis",), B)}),
        ("index_get", {"arrays": ()}, {"spec": (("int", 1), ("newaxis",), ("slice", None, None, -2))}),
        ("slice", {}, {"axes": (0, 2), "starts": (-1, 0), "stops": (None, 2), "steps": (-2, 1)}),
        ("mask_select", {"mask": np.array([True, False, True, True])}, {"symbol": "count"}),
    ],
)  # fmt: skip
def test_read_gradients_are_derivatives(name: str, rest: dict[str, Any], attrs: dict[str, Any]) -> None:
    operand = get(name).operands[0].name
    check_gradient(name, {operand: np.random.default_rng(1).standard_normal((4, 3, 3))}, rest, attrs)


@pytest.mark.parametrize("reduction", ["none", "add"])
@pytest.mark.parametrize("updates", [(3, 3), (3, 1), (3,), ()])
def test_index_put_gradients_are_derivatives(updates: tuple[int, ...], reduction: str) -> None:
    rng = np.random.default_rng(2)
    given = {"data": rng.standard_normal((4, 3, 3)), "updates": rng.standard_normal(updates)}
    spec = (("slice", 1, None, None), ("array", 0), ("int", -1))
    attrs = {"spec": spec, "reduction": reduction, "rule": "torch"}
    check_gradient("index_put", given, {"arrays": (np.array([0, 2, 2]),)}, attrs)
    given["updates"] = rng.standard_normal(updates[-1:])
    check_gradient("index_put", given, {"arrays": ()}, {"spec": (("ellipsis",),), "reduction": reduction})


@pytest.mark.parametrize("reduction", ["max", "min"])
def test_tie_gradients_are_shared_as_torch_does(reduction: str) -> None:
    data, indices = np.array([1.0, 5.0, 2.0]), np.array([0, 0, 1, 1, 2])
    updates = np.array([1.0, 1.0, 5.0, 5.0, 2.0])
    t, u = (torch.from_numpy(a.copy()).requires_grad_() for a in (data, updates))
    g = np.array([2.0, 3.0, 4.0])
    t.scatter_reduce(0, torch.from_numpy(indices), u, TORCH[reduction]).backward(torch.from_numpy(g))
    op = get("scatter_elements")
    grads = op.vjp(g, data=data, indices=indices, updates=updates, **op.complete({"reduction": reduction}))
    np.testing.assert_allclose(grads["data"], t.grad.numpy())
    np.testing.assert_allclose(grads["updates"], u.grad.numpy())


def test_products_with_zeros_have_a_gradient() -> None:
    op = get("scatter_elements")
    operands = {"data": np.array([2.0]), "indices": np.zeros(3, np.int64), "updates": np.array([0.0, 3.0, 4.0])}
    grads = op.vjp(np.ones(1), **operands, **op.complete({"reduction": "mul"}))
    assert grads["updates"].tolist() == [24, 0, 0] and grads["data"].tolist() == [0]


# -- symbolic sizes -------------------------------------------------------------------------------------------------
def test_data_dependent_sizes_are_named() -> None:
    n = symbol("n")
    x, mask = tensor_type("float32", n, 3), tensor_type("bool", n)
    assert str(get("mask_select").infer(x, mask, "hits")) == "float32[hits, 3]"
    assert str(get("nonzero").infer(x, "hits")) == "int64[hits, 2]"
    assert get("nonzero").infer(x, "hits").shape[0].symbol.opaque  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="needs a name"):
        get("nonzero").infer(x, "")


def test_a_symbol_bound_by_a_mask_is_readable_later() -> None:
    model = Model(signature=Signature((), Leaf("output")))
    x = model.graph.add_input(type_of(np.zeros(4)), "x")
    b = Builder(model.graph)
    found = b.nonzero(x, symbol="hits")
    model.graph.set_outputs([b.dim(size=found.type.shape[0] * 2)])
    assert Evaluator().run(model, {"x": np.array([1.0, 0.0, 2.0, 3.0])})["output"] == 6
    with pytest.raises(EvaluationError, match="must be"):
        Evaluator().run(model, {"x": np.zeros(3)})
