"""Choices that concern reading and writing alike.

Index policy: what happens to indices that another framework treats in another way, such as negative ones, or several
writes to one place. `source` keeps what the source computes and tells in a note where an error, or an order that only
happens to hold, is not carried over; `strict` has the written model check for it, so that an error of the source is an
error there too, the last of several writes wins, and gradients are the canonical ones.
"""

from __future__ import annotations

from typing import Literal

IndexPolicy = Literal["source", "strict"]
INDEX_POLICIES: tuple[IndexPolicy, ...] = ("source", "strict")

MAX_POOL_NAN = "max pooling in TensorFlow passes over NaN on a CPU; the converted model hands it on"
"""The note of a source whose max pooling passes over NaN. Exporters whose target does so, too, take it back."""
