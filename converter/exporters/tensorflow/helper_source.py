"""Source of the helpers that emitted files may carry. Never imported by us: `helpers.py` reads it as text."""

# Names of math, np and tf come from the head of the emitted file.
# ruff: noqa: ANN001, ANN201, F821
# mypy: ignore-errors


def shape_of(x):
    """The sizes of x: numbers where they are known, else tensors."""
    sizes = tf.shape(x)
    return [sizes[i] if n is None else n for i, n in enumerate(x.shape)]


def check(test, message):
    """Raise an error where a condition does not hold: at once where it is known, else when the graph runs."""
    if tf.is_tensor(test):
        tf.debugging.Assert(test, [message])
    elif not test:
        raise ValueError(message)
