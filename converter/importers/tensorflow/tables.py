"""Lookup tables of integers that a live function reads: what they hold when they are converted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.importers.tensorflow.handles import Handle
from ir.types import DType


@dataclass(eq=False)
class Table(Handle):
    """A resource of a live function that is no variable, and may be a lookup table."""

    name: str
    resource: Any

    what = "resource of no kind that is known"

    def contents(self, keys: DType, values: DType) -> tuple[np.ndarray, np.ndarray]:
        """Its keys [n] and values [n, ...]; raises ValueError where it is no table of these types."""
        import tensorflow as tf

        kinds = {"Tkeys": tf.as_dtype(keys.name), "Tvalues": tf.as_dtype(values.name)}
        try:
            found = tf.raw_ops.LookupTableExportV2(table_handle=self.resource, **kinds)
        except (tf.errors.OpError, TypeError) as error:
            raise ValueError(str(error)) from None
        return found[0].numpy(), found[1].numpy()

    def size(self) -> int:
        """How many keys it has; raises ValueError where it is no table."""
        import tensorflow as tf

        try:
            return int(tf.raw_ops.LookupTableSizeV2(table_handle=self.resource))
        except (tf.errors.OpError, TypeError) as error:
            raise ValueError(str(error)) from None
