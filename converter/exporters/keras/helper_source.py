"""Source of the helpers that emitted files may carry. Never imported by us: `helpers.py` reads it as text."""

# Names of math, np, keras, layers and ops come from the head of the emitted file.
# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors


def integer_power(x, y):
    """x to the power y for integers, by repeated squaring."""
    raise NotImplementedError
