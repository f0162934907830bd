"""Importing this module registers every rule and form."""

from converter.exporters.torch import (  # noqa: F401 - registration
    rules_activation,
    rules_conv,
    rules_elementwise,
    rules_linalg,
    rules_norm,
    rules_pool,
    rules_shape,
)
from converter.exporters.torch.table import FORMS, TABLE

__all__ = ["FORMS", "TABLE"]
