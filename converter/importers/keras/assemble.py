"""Reading a live model: in training mode, in inference, and in inference at other sizes, which must tell the same."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.errors import ConversionError, UsageError
from converter.importers.base import ImportOptions, Planner, Refusal, apply_trainable
from converter.importers.keras import inputs as given_inputs
from converter.importers.keras import penalties
from converter.importers.keras.checkpoint import checkpoint_names
from converter.importers.keras.context import KerasContext
from converter.importers.keras.decisions import Decision, recording_decisions
from converter.importers.keras.inputs import Inputs
from converter.importers.keras.patching import diverted
from converter.importers.keras.scopes import Scopes, class_name
from converter.importers.keras.tensors import is_traced
from converter.importers.keras.tracer import KerasTracer, Stopped
from converter.importers.keras.weights import Weights
from ir.core import Model, Signature, Value
from ir.core.equal import model_key
from ir.core.signature import call_arguments, result_tree
from ir.modes import Unmergeable, merge_modes
from ir.types import Assumption, DimExpr, symbols
from ir.types.dim import recording_assumptions

_FIRST = (11, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_OTHER = (47, 53, 59, 61, 67, 71, 73, 79, 83, 89)
_LARGE = 16  # axes behind the first get sizes this many times as large: room for windows
_TRIALS = 8  # readings at sizes where code would decide otherwise

ADVICE = "write it with keras.ops; where open sizes are to be equal, give the inputs as specs that name them alike"
"""What to do about code that fails on traced tensors."""


def load(model: Any, inputs: Any, options: ImportOptions) -> Model:
    """The model in the IR."""
    graph = given_inputs.functional(model)
    found = (
        given_inputs.of_functional(graph, inputs, options.dynamic)
        if graph is not None
        else given_inputs.of_call(model, inputs, options.dynamic)
    )
    _build(model, found)
    reading = _Reading(model, found, options)
    read = reading.run()
    read.name = options.name or class_name(model)
    read.metadata = _metadata(model, read)
    apply_trainable(read, options.trainable)
    return read


def _build(model: Any, found: Inputs) -> None:
    """Run a model that has never been called, so that all its layers have their variables. What it counts or remembers in
    those that it has already is put back."""
    layers = [model, *model._flatten_layers(include_self=False)]
    if all(layer.built for layer in layers):
        return
    sizes = _sizes(found)
    made = [
        {n: np.full([d if isinstance(d, int) else sizes[str(d)] for d in t.shape], fill, t.dtype.numpy)
         for n, t in found.types.items()}
        for fill in (0, 1)
    ]  # fmt: skip
    before = [(v, np.array(v.numpy())) for v in model.non_trainable_variables]
    try:
        _call(model, found, made[0], training=False)
    except Exception as error:  # noqa: BLE001 - whatever the model's code or a backend raises
        try:
            _call(model, found, made[1], training=False)  # an index fits as 0, a divisor only as 1
        except Exception:  # noqa: BLE001 - as above
            raise UsageError(f"the model cannot be called on the inputs: {_said(error)}") from error
    finally:
        for variable, value in before:
            variable.assign(value)


def _call(model: Any, found: Inputs, leaves: dict[str, Any], training: bool) -> Any:
    """Call the model on leaves by flat name."""
    graph = given_inputs.functional(model)
    if graph is not None:
        from keras import tree

        packed = tree.pack_sequence_as(graph._inputs_struct, [leaves[n] for n in found.types])
        return model(packed, training=training)
    args, kwargs = call_arguments(Signature(found.parameters), leaves, plain_by_name=True)
    if model._call_has_context_arg.get("training", False):
        kwargs["training"] = training
    return model(*args, **kwargs)


def _sizes(found: Inputs, first: Mapping[str, int] | None = None) -> dict[str, int]:
    """A number for each dynamic size: that of the user's example, else primes. Beside a `first` choice, others, odd where
    those are even."""
    sizes: dict[str, int] = {}
    numbers = _OTHER if first else _FIRST
    for name, kind in found.types.items():
        for axis, dim in enumerate(kind.shape):
            if not isinstance(dim, DimExpr) or str(dim) in sizes:
                continue
            prime = numbers[len(sizes) % len(numbers)]
            odd = prime if axis == 0 else prime * _LARGE + 1
            sizes[str(dim)] = odd + first[str(dim)] % 2 if first else found.examples[name][axis] or odd
    return sizes


@dataclass
class _Trace:
    model: Model
    plan: Planner
    tracer: KerasTracer
    decisions: list[Decision]


class _Reading:
    """All readings of one model."""

    def __init__(self, model: Any, found: Inputs, options: ImportOptions) -> None:
        self.model, self.found, self.options = model, found, options
        self.scopes = Scopes(model)
        self.places = checkpoint_names(model)

    def run(self) -> Model:
        """The readings, compared and merged."""
        sizes = _sizes(self.found)
        training = self._trace(True, sizes, None)
        follows = training.tracer
        inference = self._trace(False, sizes, follows)
        _join(inference.plan, training.plan)
        inference.plan.check()
        if any(isinstance(d, DimExpr) for t in self.found.types.values() for d in t.shape):
            other = self._trace(False, _sizes(self.found, sizes), follows)
            other.plan.check()
            _compare(inference.model, other.model)
        assumed = [*self._settled(training, inference), *training.model.assumptions]
        if model_key(inference.model) != model_key(training.model):
            for name, weight in training.model.weights.items():
                if name not in inference.model.weights:
                    inference.model.add_weight(weight)  # what only training reads
            try:
                merge_modes(inference.model, training.model)
            except Unmergeable as error:
                _note(inference.model, f"the model as it is in training is not carried over: {error}")
        held = inference.model.assumptions
        held += [a for a in dict.fromkeys(assumed) if a not in held]
        for note in (*training.model.notes, *penalties.notes(self.model, self.scopes.variables)):
            _note(inference.model, note)
        return inference.model

    def _settled(self, training: _Trace, inference: _Trace) -> list[Assumption]:
        """What has to be assumed of the questions that the code asks about sizes: those whose other answer leads to
        another model, or cannot be tried."""
        found, tried = [], dict[tuple[tuple[str, int], ...], bool]()
        for trace in (inference, training):
            for decision in trace.decisions:
                trial = decision.flipped(trace.tracer.c.sizes, trace.model.assumptions)
                key = tuple(sorted(trial.items())) if trial else ()
                if trial and key not in tried and len(tried) < _TRIALS:
                    tried[key] = self._same_at(trial, training, inference)
                if tried.get(key, False):
                    continue
                if decision.opaque:
                    raise ConversionError(
                        f"{decision.assumption().why}, which only the numbers of a tensor tell, and computes another model "
                        "otherwise; write it without the question"
                    )
                found.append(decision.assumption())
        return found

    def _same_at(self, sizes: dict[str, int], training: _Trace, inference: _Trace) -> bool:
        """Whether the model, read at these sizes in either mode, is the one that was read."""
        for trace in (training, inference):
            again = self._trace(trace is training, dict(sizes), None if trace is training else training.tracer)
            if again.plan or model_key(again.model) != model_key(trace.model):
                return False
        return True

    def _trace(self, training: bool, sizes: dict[str, int], follows: KerasTracer | None) -> _Trace:
        self.scopes.restart()
        ir = Model("model")
        plan = Planner(type(self.model).__name__)
        sizes = dict(sizes)
        weights = Weights(ir, self.scopes.variables, None if follows is None else follows.c.weights)
        c = KerasContext(ir, plan, self.options, self.scopes, weights, sizes, training)
        tracer = KerasTracer(c, None if follows is None else follows.flags)
        values = {n: ir.graph.add_input(t, n) for n, t in self.found.types.items()}
        with recording_assumptions() as assumed, recording_decisions() as decisions:
            self._run(c, tracer, values, training)
        if not plan:
            weights.finish()
            weights.tell_source(self.places)
        ir.assumptions += [a for a in dict.fromkeys(assumed) if not _opaque(a)]
        return _Trace(ir, plan, tracer, list(decisions))

    def _run(self, c: KerasContext, tracer: KerasTracer, values: dict[str, Value], training: bool) -> None:
        leaves = {n: c.tensor(v) for n, v in values.items()}
        name = f"keras.{type(self.model).__name__}"
        try:
            with diverted(tracer):
                result = _call(self.model, self.found, leaves, training)
                self._outputs(c, result)
        except Stopped:
            pass
        except Refusal as error:
            tracer.refused(name, error)
        except Exception as error:  # noqa: BLE001 - whatever the model's code raises
            reason = f"its code does not run on traced tensors: {_said(error)}"
            tracer.refused(name, Refusal(reason, ADVICE))

    def _outputs(self, c: KerasContext, result: Any) -> None:
        """The tree of results; those that the inputs do not decide are constants."""
        from keras import tree

        result = tree.map_structure(
            lambda x: c.tensor(c.value(x)) if not is_traced(x) and hasattr(x, "shape") else x, result
        )
        try:
            shape, found = result_tree(result, is_traced)
        except TypeError as error:
            raise Refusal(f"the model's result cannot be described: {error}") from None
        if not found:
            raise Refusal("the model returns no tensor")
        c.model.signature = Signature(self.found.parameters, shape)
        if all(t.value is not None for _, t in found):
            c.model.graph.set_outputs([t.value for _, t in found])


def _opaque(assumption: Any) -> bool:
    return any(s.opaque for d in assumption.relation if not isinstance(d, str) for s in symbols(d))


def _join(plan: Planner, other: Planner) -> None:
    """Everything that stands in the way in either mode, once."""
    known = {(i.op, i.reason, i.place) for i in plan.items}
    for item in other.items:
        if (item.op, item.reason, item.place) not in known:
            plan.add(item)


def _compare(first: Model, second: Model) -> None:
    """Readings at different sizes must agree, or a size was taken for a number."""
    if model_key(first) == model_key(second):
        return
    for a, b in zip(first.nodes(), second.nodes()):
        if a.op is not b.op or a.attrs != b.attrs or [v.type for v in a.outputs] != [v.type for v in b.outputs]:
            raise ConversionError(
                f"a size of the inputs decides what the model computes in a way that cannot be followed, first at {a.origin} "
                f"({a.op.name}); give the size as a number, for example float32[8,224,224,3]"
            )
    raise ConversionError("the model is another one at other sizes of its inputs; give all sizes as numbers")


_FRAME = re.compile(r"Exception encountered when calling |Arguments received by |\s*\N{BULLET} ")


def _said(error: Exception) -> str:
    """The first line of an error's message that is not what Keras wraps round it."""
    lines = [re.sub(r"\x1b\[\d+m", "", x).strip() for x in str(error).splitlines()]
    return next((x for x in lines if x and not _FRAME.match(x)), type(error).__name__)


def _note(model: Model, text: str) -> None:
    if text not in model.notes:
        model.notes.append(text)


def _metadata(source: Any, model: Model) -> dict[str, Any]:
    import keras

    digest = hashlib.blake2b(digest_size=16)
    for text in _fingerprint(model):
        digest.update(text)
    versions = {"keras": keras.__version__, "backend": keras.config.backend()}
    return {
        "framework": "keras",
        "versions": versions,
        "source": type(source).__name__,
        "fingerprint": digest.hexdigest(),
    }


def _fingerprint(model: Model) -> Iterator[bytes]:
    for node in model.nodes():
        yield node.op.name.encode()
    for weight in model.weights.values():
        yield f"{weight.name} {weight.type}".encode()
        yield np.ascontiguousarray(weight.data.numpy()).tobytes()
