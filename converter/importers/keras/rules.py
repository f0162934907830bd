"""Importing this module registers every rule."""

from converter.importers.keras import (  # noqa: F401 - registration
    rules_activation,
    rules_arithmetic,
    rules_cast,
    rules_conv,
    rules_creation,
    rules_dropout,
    rules_elementwise,
    rules_embedding,
    rules_linalg,
    rules_norm,
    rules_pool,
    rules_recurrent,
    rules_reduction,
    rules_shape,
)
