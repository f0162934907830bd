"""Source of the helpers that order elements: NaN above all numbers, equal elements by their places."""

# Names of math, np, keras, layers and ops come from the head of the emitted file.
# ruff: noqa: ANN001, ANN201, F821
# mypy: ignore-errors


def place_of(x, axis, largest=True, last=False, keepdims=False):
    """Where the extreme of an axis lies, the first (or last) of equals; NaN is an extreme of both kinds."""
    best = (ops.max if largest else ops.min)(x, axis=axis, keepdims=True)
    missing = x != x
    hit = ops.where(ops.any(missing, axis=axis, keepdims=True), missing, x == best)
    size = ops.shape(x)[axis]
    ramp = ops.reshape(ops.arange(size, dtype="int64"), [-1 if k == axis else 1 for k in range(len(x.shape))])
    if last:
        return ops.max(ops.where(hit, ramp, ops.full_like(ramp, -1)), axis=axis, keepdims=keepdims)
    return ops.min(ops.where(hit, ramp, ops.full_like(ramp, size)), axis=axis, keepdims=keepdims)


def ordered(x, axis, descending=False):
    """Elements along an axis in order, and where they were."""
    size = ops.shape(x)[axis]
    back = ops.flip(x, axis=axis) if descending else x
    kind = keras.backend.standardize_dtype(x.dtype)
    if "float" in kind:
        missing = back != back
        key = ops.where(
            missing,
            float("inf"),
            ops.where(back == 0, 0.0, ops.cast(back, "float64" if kind == "float64" else "float32")),
        )
        order = ops.argsort(key, axis=axis)
        order = ops.take_along_axis(
            order, ops.argsort(ops.cast(ops.take_along_axis(missing, order, axis=axis), "int32"), axis=axis), axis=axis
        )
    else:
        order = ops.argsort(back, axis=axis)
    order = ops.cast(order, "int64")
    if descending:
        order = (size if isinstance(size, int) else ops.cast(size, "int64")) - 1 - ops.flip(order, axis=axis)
    return ops.take_along_axis(x, order, axis=axis), order
