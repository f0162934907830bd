"""Chooses the layout of every value, so that the fewest bytes are moved.

    conv (last) -> relu -> conv (last) -> mean over (1, 2)
    transpose -> conv (first) -> relu -> conv (first) -> mean over (2, 3)      after Relayout("channels_first")

`rules` says of each op whether it can run in either layout and what changes at it; `plan` spreads the roles of axes from
the spatial ops and chooses by a minimum cut (`cut`) what lies where; `rewrite` carries it out. Spatial ops take the
target's layout. Values of which no channels are known, and those that an op reads by the order of their axes, keep the
order of the source, as inputs and outputs do. A value that is wanted both ways is transposed once.
"""

from ir.passes.layout.inputs import AXES, InputLayout
from ir.passes.layout.plan import input_roles
from ir.passes.layout.relayout import Relayout

__all__ = ["AXES", "InputLayout", "Relayout", "input_roles"]
