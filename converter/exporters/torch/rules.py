"""Importing this module registers every rule and form."""

from converter.exporters.torch import (  # noqa: F401 - registration
    rules_activation,
    rules_arithmetic,
    rules_attention,
    rules_cast,
    rules_comparison,
    rules_control,
    rules_conv,
    rules_creation,
    rules_dropout,
    rules_elementwise,
    rules_embedding,
    rules_floats,
    rules_indexing,
    rules_linalg,
    rules_logic,
    rules_modes,
    rules_norm,
    rules_ordering,
    rules_pool,
    rules_recurrent,
    rules_reduction,
    rules_resize,
    rules_sampling,
    rules_scatter,
    rules_shape,
    rules_slicing,
    rules_special,
    rules_triangular,
)
from converter.exporters.torch.table import FORMS, TABLE

__all__ = ["FORMS", "TABLE"]
