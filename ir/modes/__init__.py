"""One graph from two: what a model computes in inference, and what it computes in training."""

from ir.modes.merge import Unmergeable, merge_modes

__all__ = ["Unmergeable", "merge_modes"]
