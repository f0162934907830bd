"""How an op is defined: one class, turned into an immutable record by `@op`.

    @op
    class Softmax:
        \"\"\"exp(x) normalised to sum 1 along `axis` (Bridle 1990).\"\"\"
        inputs = ("x: float",)
        axis: int = -1

        @staticmethod
        def infer(x: TensorType, axis: int) -> TensorType: ...
        @staticmethod
        def evaluate(x: Array, axis: int) -> Array: ...

`inputs` entries are `name`, `name?` (optional) or `name*` (variadic), then the dtypes admitted: a domain (`float`,
`integer`, `bool`, `real` = float or integer, `numeric` = real or complex, `index` = integers used as positions, `any`)
or the name of an earlier operand whose dtype it must share. Annotated class attributes are the op's attributes, except
`ClassVar`s, which family mixins use for themselves.
`infer` and `evaluate` get every operand and attribute by keyword; an absent optional operand is None, a variadic one
a tuple. Flags: `modal` (evaluate takes `training: bool`), `random` (evaluate takes `rng`, used only where the op draws),
`discontinuous` (a tiny input change may flip the result). `roles` names the axes of weight operands
(`{"weight": "O I S*"}`), so that importers and exporters permute with `ir.data.role_permutation`.
`decompose(b, ...)` takes values in place of
types and returns the outputs made of smaller ops; it raises NotImplementedError, before it makes any node, where these
operands and attributes have no such form.
`vjp(cotangent, **operands, **attributes)` maps operand names to gradients, in NumPy; an op has one where the
agreed gradient is not the plain derivative (ties, duplicates), and the indexing ops have one throughout.
One output declared as `name*` stands for any number of them: the Builder then returns a tuple.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ir.types import DType, TensorType
from ir.types.attrs import coerce
from ir.types.errors import DTypeError

DOMAINS: dict[str, Callable[[DType], bool]] = {
    "any": lambda d: True,
    "float": lambda d: d.is_float,
    "inexact": lambda d: d.is_float or d.is_complex,
    "complex": lambda d: d.is_complex,
    "integer": lambda d: d.is_integer,
    "index": lambda d: d.is_integer,
    "bool": lambda d: d.is_bool,
    "real": lambda d: d.is_float or d.is_integer,
    "numeric": lambda d: d.is_float or d.is_integer or d.is_complex,
    "bits": lambda d: d.is_integer or d.is_bool,
}
MISSING: Any = object()
_RESERVED = {"inputs", "outputs", "bodies", "modal", "random", "discontinuous", "exact_dtypes", "mutating", "roles", "binds_symbol"}


@dataclass(frozen=True, slots=True)
class OperandSpec:
    """One declared operand. `domain` is a key of DOMAINS, or empty when it must have the dtype of operand `like`."""

    name: str
    mode: Literal["required", "optional", "variadic"]
    domain: str
    like: str = ""


@dataclass(frozen=True, slots=True)
class AttrSpec:
    """One declared attribute; `default` is MISSING when it must be given."""

    name: str
    annotation: Any
    default: Any = MISSING

    @property
    def required(self) -> bool:
        return self.default is MISSING


@dataclass(frozen=True, slots=True, eq=False)
class OpDef:
    """The record of an op. Compared by identity: there is one per name."""

    name: str
    doc: str
    family: str
    operands: tuple[OperandSpec, ...]
    attributes: tuple[AttrSpec, ...]
    outputs: tuple[str, ...]
    bodies: tuple[str, ...]
    infer: Callable[..., Any] = field(repr=False)
    evaluate: Callable[..., Any] = field(repr=False)
    decompose: Callable[..., Any] | None = field(repr=False)
    samples: Callable[..., Iterable[Any]] | None = field(repr=False)
    vjp: Callable[..., Any] | None = field(repr=False)
    modal: bool = False
    random: bool = False
    discontinuous: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)  # axes of weight operands, for `ir.data.role_permutation`
    exact_dtypes: bool = False  # dtype attributes keep their declared width in the reference evaluator (quantisation)
    binds_symbol: bool = False  # the value of output 0 is the size that the attribute `symbol` names
    cls: type = field(default=object, repr=False)

    def operand(self, name: str) -> OperandSpec:
        """The spec of an operand; raises KeyError naming the op."""
        for spec in self.operands:
            if spec.name == name:
                return spec
        raise KeyError(f"{self.name} has no operand {name!r}")

    def complete(self, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """Every attribute, checked and with defaults; raises TypeError on an unknown, missing or mistyped one."""
        unknown = set(attrs) - {a.name for a in self.attributes}
        if unknown:
            raise TypeError(f"{self.name} has no attribute {', '.join(sorted(unknown))}")
        out = {}
        for spec in self.attributes:
            value = attrs.get(spec.name, spec.default)
            if value is MISSING:
                raise TypeError(f"{self.name} needs the attribute {spec.name}")
            out[spec.name] = coerce(value, spec.annotation, f"{self.name}.{spec.name}")
        return out

    def check_operands(self, types: Mapping[str, Any]) -> None:
        """Raise TypeError where an operand is missing, unknown, or its dtype is outside the declared domain."""
        unknown = set(types) - {s.name for s in self.operands}
        if unknown:
            raise TypeError(f"{self.name} has no operand {', '.join(sorted(unknown))}")
        for spec in self.operands:
            given = types.get(spec.name)
            if given is None:
                if spec.mode == "required":
                    raise TypeError(f"{self.name} needs the operand {spec.name}")
                continue
            for t in given if isinstance(given, tuple) else (given,):
                self._check_dtype(spec, t, types)

    def _check_dtype(self, spec: OperandSpec, t: TensorType, types: Mapping[str, Any]) -> None:
        if spec.like:
            other = types.get(spec.like)
            other = other[0] if isinstance(other, tuple) and other else other
            if isinstance(other, TensorType) and other.dtype != t.dtype:
                raise DTypeError(
                    f"{self.name}: {spec.name} is {t.dtype} but {spec.like} is {other.dtype}; dtypes must match"
                )
        elif not DOMAINS[spec.domain](t.dtype):
            raise DTypeError(f"{self.name}: {spec.name} must be {spec.domain}, got {t.dtype}")

    def infer_types(
        self, operands: Mapping[str, Any], attrs: Mapping[str, Any], bodies: Mapping[str, Any]
    ) -> tuple[TensorType, ...]:
        """Output types from operand types; raises TypeError or ValueError when the op does not apply."""
        self.check_operands(operands)
        given = {s.name: operands.get(s.name, () if s.mode == "variadic" else None) for s in self.operands}
        result = self.infer(**given, **attrs, **bodies)
        return result if isinstance(result, tuple) else (result,)


_SPEC = re.compile(r"^(?P<name>\w+)(?P<mark>[?*]?)(?:\s*:\s*(?P<kind>\w+))?$")


def _parse_operand(text: str, earlier: Iterable[str]) -> OperandSpec:
    match = _SPEC.match(text)
    if match is None:
        raise TypeError(f"operand declaration {text!r} is not `name[?*][: domain]`")
    kind = match["kind"] or "any"
    mode: Any = {"": "required", "?": "optional", "*": "variadic"}[match["mark"]]
    if kind in set(earlier) or (kind == match["name"] and mode == "variadic"):
        return OperandSpec(match["name"], mode, "", kind)
    if kind not in DOMAINS:
        raise TypeError(f"operand declaration {text!r}: {kind!r} is neither a domain nor an earlier operand")
    return OperandSpec(match["name"], mode, kind)


def snake_case(name: str) -> str:
    """`ReduceMax` -> `reduce_max`, `GRU` -> `gru`, `Conv` -> `conv`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def define(cls: type) -> OpDef:
    """The record of an op class; raises TypeError when the class is not a complete definition."""
    hints = typing.get_type_hints(cls)
    own = {k: h for k, h in hints.items() if k not in _RESERVED and typing.get_origin(h) is not typing.ClassVar}
    attributes = tuple(AttrSpec(k, h, getattr(cls, k, MISSING)) for k, h in own.items())
    operands: list[OperandSpec] = []
    for text in getattr(cls, "inputs", ()):
        operands.append(_parse_operand(text, [s.name for s in operands]))
    doc = (cls.__doc__ or "").strip()
    if not doc or not hasattr(cls, "infer") or not hasattr(cls, "evaluate"):
        raise TypeError(f"op {cls.__name__} needs a docstring, infer and evaluate")
    return OpDef(
        name=getattr(cls, "name", None) or snake_case(cls.__name__).rstrip("_"),
        doc=doc,
        family=cls.__module__.split(".")[-1],
        operands=tuple(operands),
        attributes=attributes,
        outputs=tuple(getattr(cls, "outputs", ("output",))),
        bodies=tuple(getattr(cls, "bodies", ())),
        infer=cls.infer,
        evaluate=cls.evaluate,
        decompose=getattr(cls, "decompose", None),
        samples=getattr(cls, "samples", None),
        vjp=getattr(cls, "vjp", None),
        modal=getattr(cls, "modal", False),
        random=getattr(cls, "random", False),
        discontinuous=getattr(cls, "discontinuous", False),
        roles=dict(getattr(cls, "roles", {})),
        exact_dtypes=getattr(cls, "exact_dtypes", False),
        binds_symbol=getattr(cls, "binds_symbol", False),
        cls=cls,
    )
