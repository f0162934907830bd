"""What every importer shares: options, the table of rules, the plan of refusals, and the context a rule works in."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from converter.errors import ConversionError, Unsupported, UsageError, merge
from converter.policies import IndexPolicy
from ir.core import Builder, Model, Origin

F = TypeVar("F", bound=Callable[..., Any])
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class ImportOptions:
    """How to read a source.

    `trust` allows executing code that comes with the source. `trainable` is a regular expression over weight names:
    parameters it matches are trainable, all others frozen. `dynamic` maps an input's name to its dynamic axes: a list
    of axes, or axis -> name of the size. `name` overrides the model's name. `index_policy`: see `converter.policies`.
    Of a SavedModel, `tags` choose the graph and `signature` the signature or function; `graph_inputs` and
    `graph_outputs` name the tensors between which a graph of TensorFlow is read.
    """

    trust: bool = False
    trainable: str | None = None
    dynamic: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    index_policy: IndexPolicy = "source"
    tags: tuple[str, ...] = ()
    signature: str | None = None
    graph_inputs: tuple[str, ...] = ()
    graph_outputs: tuple[str, ...] = ()


class Refusal(Exception):
    """Raised by a rule that cannot convert its node exactly; the plan turns it into an `Unsupported`."""

    def __init__(self, reason: str, advice: str = "", op: str = "") -> None:
        self.reason, self.advice, self.op = reason, advice, op
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Rule(Generic[F]):
    """One rule: the exact key it serves, the function, its name for origins, the file it lies in."""

    key: Hashable
    fn: F
    name: str
    file: str


class RuleTable(Generic[F]):
    """Rules by exact key: an op name (`aten.relu.default`), or a tuple such as (domain, op, version).

    Used as a decorator: `@rule("aten.relu.default")`; several keys share one function. A key given twice raises
    ValueError naming both files.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._rules: dict[Hashable, Rule[F]] = {}

    def __call__(self, *keys: Hashable) -> Callable[[F], F]:
        """Decorator that registers a function under every key."""

        def register(fn: F) -> F:
            for key in keys:
                self.add(key, fn)
            return fn

        return register

    def add(self, key: Hashable, fn: F, name: str = "") -> None:
        """Register `fn` under `key`; raises ValueError when the key is taken."""
        code = getattr(fn, "__code__", None)
        file = _relative(code.co_filename) if code is not None else ""
        rule = Rule(key, fn, name or fn.__name__, file)
        if key in self._rules:
            taken = self._rules[key]
            raise ValueError(f"two rules for {key}: {taken.file}:{taken.name} and {file}:{rule.name}")
        self._rules[key] = rule

    def get(self, key: Hashable) -> Rule[F] | None:
        """The rule for exactly this key, or None."""
        return self._rules.get(key)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._rules

    def __iter__(self) -> Iterator[Rule[F]]:
        return iter(self._rules.values())

    def __len__(self) -> int:
        return len(self._rules)

    def missing(self, op: str, place: str = "", advice: str = "") -> Unsupported:
        """The refusal for an op without a rule."""
        return Unsupported(op, "no rule for this op", place, advice=advice, file=f"{self.folder}/rules_<family>.py")


def _relative(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


class Planner:
    """Collects everything that stands in the way of a conversion, so that one error reports it all."""

    def __init__(self, what: str = "the model") -> None:
        self.what = what
        self.items: list[Unsupported] = []

    def add(self, item: Unsupported) -> None:
        """Record one refusal."""
        self.items.append(item)

    @contextlib.contextmanager
    def collecting(self, op: str, place: str = "", file: str = "") -> Iterator[None]:
        """Record the refusal a rule raises inside the block, and go on after it.

        TypeError and ValueError come from an IR op that does not apply to its operands (see `Builder.op`); they count
        as refusals too, with the op's own message.
        """
        try:
            yield
        except Refusal as error:
            self.add(Unsupported(error.op or op, error.reason, place, advice=error.advice, file=file))
        except (TypeError, ValueError) as error:
            self.add(Unsupported(op, f"does not fit the IR: {error}", place, file=file))

    def __bool__(self) -> bool:
        return bool(self.items)

    def check(self) -> None:
        """Raise one ConversionError with every refusal collected; does nothing when there is none."""
        if self.items:
            merged = merge(self.items)
            kinds = "1 thing" if len(merged) == 1 else f"{len(merged)} things"
            raise ConversionError(f"{self.what} cannot be converted exactly: {kinds} not supported", merged)


class Context:
    """What a rule works with: `b` builds nodes that carry the source node's origin; `refuse` gives up on the node.

    Importers subclass it with access to operands and literals in their framework's terms.
    """

    def __init__(self, model: Model, plan: Planner, options: ImportOptions) -> None:
        self.model = model
        self.plan = plan
        self.options = options
        self.b = Builder(model.graph)

    @contextlib.contextmanager
    def at(self, origin: Origin) -> Iterator[None]:
        """Nodes made inside the block carry `origin`."""
        with self.b.at(origin):
            yield

    def refuse(self, reason: str, advice: str = "", op: str = "") -> NoReturn:
        """Give up on the current node: `reason` says what is not exact, `advice` what the user can do."""
        raise Refusal(reason, advice, op)

    def note(self, text: str) -> None:
        """Tell the user what the conversion does not carry over; repeated notes are kept once."""
        if text not in self.model.notes:
            self.model.notes.append(text)


def place_of(origin: Origin) -> str:
    """Where a node stands in the source, for messages: `layer1.0.conv1, model.py:12`."""
    return ", ".join(p for p in (origin.scope or (origin.name and f"node {origin.name}"), origin.line) if p)


def apply_trainable(model: Model, pattern: str | None) -> None:
    """Set the trainable flag of every parameter from a regular expression over weight names (and aliases).

    None changes nothing. Raises UsageError on an invalid expression or one that matches no parameter.
    """
    if pattern is None:
        return
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--trainable {pattern!r} is no regular expression: {error}") from None
    hits = {w.name for w in model.parameters() if any(regex.search(n) for n in (w.name, *w.aliases))}
    if not hits:
        raise UsageError(f"--trainable {pattern!r} matches no parameter of {model.name}")
    for weight in list(model.parameters()):
        model.update_weight(weight.name, trainable=weight.name in hits)
