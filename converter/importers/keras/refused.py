"""Why some operations of keras.ops have no rule, and what to do instead."""

from __future__ import annotations

_STEPS = ("a search over the steps of a sequence, whose result has a length of its own", "decode outside the model")
_MOVED = (
    "pixels between pixels and beyond the edge are read in the way of one library's routine",
    "transform images outside the model",
)
REASONS: dict[str, tuple[str, str]] = {
    "CTCLoss": ("the steps of this loss follow lengths that the data gives", "compute the loss outside the model"),
    "CTCDecode": _STEPS,
    "JVP": ("it differentiates a function while the model runs", "compute derivatives outside the model"),
    "Argpartition": (
        "the order within the two parts is left open, and differs from backend to backend", "use ops.argsort or ops.top_k",
    ),
    "ElasticTransform": ("it moves pixels at random, in draws of its own", "augment images outside the model"),
    "Bincount": (
        "the number of counts depends on the data", "use ops.sum(ops.one_hot(x, num_classes), 0) with a fixed number of classes",
    ),
    "Unique": (
        "the number of results depends on the data, and their fill differs from backend to backend", "use fixed classes",
    ),
    "Histogram": (
        "its edges depend on the data, and what lies on one the backends count differently", "use ops.searchsorted on fixed edges",
    ),
    "ISTFT": (
        "at the edges the backends weigh the windows differently", "compute the inverse outside the model",
    ),
    **dict.fromkeys(("AffineTransform", "PerspectiveTransform"), _MOVED),
    "SegmentReduction": ("the base of the four segment operations, which computes nothing", "use ops.segment_sum"),
}  # fmt: skip
"""By class name: the reason, and advice."""


def why(name: str) -> tuple[str, str]:
    """Why an operation is refused."""
    return REASONS.get(name, ("no rule for this operation", "write it with other operations of keras.ops"))
