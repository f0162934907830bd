"""The families of cases as programs: what a family exports to, and what the importer makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch

from converter.errors import ConversionError
from converter.importers.base import ImportOptions
from converter.importers.torch import assemble, load
from ir.core import Model
from ir.text import format_model
from tests.importers.torch import (
    cases,
    cases_factor,
    cases_forms,
    cases_layers,
    cases_recurrent,
    cases_refused,
    cases_shape,
    cases_sized,
    cases_special,
)
from tests.importers.torch.support import Bundle

FAMILIES = {
    "elementwise": cases.ELEMENTWISE,
    "activation": cases.ACTIVATION,
    "logic": cases.LOGIC,
    "cast": cases.CAST,
    "reduction": cases.REDUCTION,
    "shape": cases_shape.SHAPE,
    "slicing": cases_shape.SLICING,
    "indexing": cases_shape.INDEXING,
    "in_place": cases_shape.IN_PLACE,
    "creation": cases_shape.CREATION,
    "conv": cases_layers.CONV,
    "pool": cases_layers.POOL,
    "norm": cases_layers.NORM,
    "linalg": cases_layers.LINALG,
    "attention": cases_layers.ATTENTION,
    "resize": cases_layers.RESIZE,
}
FORMS = {
    "special": cases_special.SPECIAL, "floats": cases_special.FLOATS, "aliases": cases_special.ALIASES, "bits": cases_special.BITS,
    "complex": cases_special.COMPLEX, "factor": cases_factor.FACTOR, "triangular": cases_factor.TRIANGULAR,
    "ordering": cases_factor.ORDERING, "distances": cases_factor.DISTANCES, "moved": cases_forms.MOVED, "casts": cases_forms.CASTS,
    "created": cases_forms.CREATED, "reduced": cases_forms.REDUCED, "placed": cases_forms.PLACED, "recurrent": cases_recurrent.RECURRENT,
    "layers": cases_recurrent.LAYERS, "random": cases_recurrent.RANDOM,
}  # fmt: skip
"""Other names, overloads and decomposed forms: what tells them apart is how they are written, not the sizes they meet, so
that one run shows them."""
FAMILIES |= FORMS | {"sized": cases_sized.SIZED}
DYNAMIC = {
    "x", "pos", "unit", "i", "j", "i32", "u8", "b", "b2", "img", "sig", "vol", "half", "m", "rows", "z", "sq", "spd", "zsq", "deficient",
    "cutoff", "grid", "grid3",
}  # fmt: skip
RUNS = {
    "float64": (torch.float64, [(2, 8)], 1e-9), "float32": (torch.float32, [(2, 8)], 2e-5),
    "dynamic": (torch.float64, [(2, 8), (5, 12), (3, 7)], 1e-9),
}  # fmt: skip
FIXED_SIZE = {
    "indexing/take_along",
    "shape/pixel_shuffle", "shape/pixel_unshuffle", "shape/view_minus", "shape/reshape", "creation/tril_mask", "in_place/mask_rows",
    "resize/nearest_odd", "resize/exact_odd", "resize/bilinear_False_odd", "resize/bilinear_True_odd", "resize/bicubic_False_odd",
    "resize/bicubic_True_odd", "resize/recompute", "resize/keeps_size",
    "resize/keeps_size_nearest", "resize/keeps_size_antialias", "resize/keeps_or_doubles_size_nearest",
}  # fmt: skip
"""Cases that only exist for sizes other than the dynamic runs' (an even height, a multiple of 6 elements, a whole factor)."""
ALSO = {"special": ("float32",)}
ONLY = {**{f: ("float64", *ALSO.get(f, ())) for f in FORMS}, "sized": ("dynamic",)}
PROGRAMS = [(f, r) for f in FAMILIES for r in RUNS if r in ONLY.get(f, RUNS)]
REFUSED = {"float64": cases_refused.REFUSED, "dynamic": cases_refused.REFUSED_DYNAMIC}
"""By run, the cases of the family `refused`."""
READ = [*PROGRAMS, *(("refused", run) for run in REFUSED)]


def bundle(family: str, run: str) -> tuple[Bundle, dict, dict[str, dict[int, str]]]:
    """A family's cases as one module, its example inputs, and what is dynamic in them."""
    dtype, sizes, _ = RUNS[run]
    if family == "refused":
        wanted = {n: case.function for n, case in REFUSED[run].items()}
    else:
        wanted = {n: f for n, f in FAMILIES[family].items() if run != "dynamic" or f"{family}/{n}" not in FIXED_SIZE}
    dynamic = {}
    if run == "dynamic":
        dynamic = {f"t.{n}": {0: "n", **({2: "h"} if n == "img" else {})} for n in DYNAMIC}
    return Bundle(wanted).to(dtype), cases.pool(dtype, *sizes[0]), dynamic


@dataclass
class Reading:
    """The first reading of a family, that of its inference: the ops of its program, the text of its IR or of its refusal."""

    targets: frozenset[str]
    text: str = ""


def imported(family: str, run: str) -> tuple[Model | ConversionError, Reading]:
    """A family as the importer reads it, or its refusal."""
    module, pool, dynamic = bundle(family, run)
    with watched() as readings:
        try:
            found: Any = load(module, (pool,), options=ImportOptions(dynamic=dynamic))
        except ConversionError as error:
            if not readings:
                raise
            found = error
    return found, readings[0]


@contextmanager
def watched() -> Iterator[list[Reading]]:
    """Inside the block every reading of a program is kept."""
    found: list[Reading] = []
    whole = assemble.assemble

    def reading(program: Any, *args: Any, **kwargs: Any) -> Model:
        found.append(Reading(targets_of(program)))
        kept = found[-1]
        try:
            model = whole(program, *args, **kwargs)
        except ConversionError as error:
            kept.text = text_of(error)
            raise
        kept.text = text_of(model)
        return model

    with mock.patch.object(assemble, "assemble", reading):
        yield found


def targets_of(program: Any) -> frozenset[str]:
    """The ops that a program calls, in branches and loops as well."""
    graphs = [m.graph for m in program.graph_module.modules() if isinstance(m, torch.fx.GraphModule)]
    return frozenset(str(n.target) for g in graphs for n in g.nodes if n.op == "call_function")


def text_of(found: Model | ConversionError) -> str:
    """What was read, without places in source files."""
    if isinstance(found, ConversionError):
        return "\n".join([found.message, *(f"{u.op} ({u.count}): {u.reason}; {u.advice}" for u in found.unsupported)])
    return format_model(found, origins=False)
