"""The tracer: takes over from Keras where work would go to the backend, and hands it to the rules."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from converter.errors import Unsupported
from converter.importers.base import Refusal, place_of
from converter.importers.keras import rules  # noqa: F401 - registration
from converter.importers.keras.context import Behind, KerasContext, Unruled, rule, to_numpy
from converter.importers.keras.refused import why
from converter.importers.keras.scopes import user_line
from converter.importers.keras.tensors import Size, tensor_class
from ir.core import Origin, Value


class Stopped(Exception):
    """Nothing behind a refusal can be read: its results have no known shape."""


class KerasTracer:
    """Answers the diverted calls of one trace."""

    def __init__(self, c: KerasContext, follows: dict[tuple[int, int], bool] | None = None) -> None:
        self.c = c
        self.flags: dict[tuple[int, int], bool] = {}  # (layer, n-th call) -> does it train?
        self._follows = follows or {}
        self._calls: dict[int, int] = {}
        self._depth = 0
        self.aside = False  # while Keras is asked what a result is like: its backend answers itself
        self._held: Origin | None = None
        c.tracer = self

    # -- operations -------------------------------------------------------------------------------------------------
    def call_op(self, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation of keras.ops, by the rule of its class; a user's own operation by its `call`."""
        with self.c.scopes.placed(op):
            return self._call_op(op, args, kwargs)

    def _call_op(self, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        cls = type(op)
        if not cls.__module__.startswith("keras.src.ops."):
            return op.call(*args, **kwargs)
        found = rule.get(f"ops.{cls.__name__}")
        name = f"keras.ops.{cls.__name__}"
        if found is None:
            error = Refusal(*why(cls.__name__))
            return self._refused(name, error, lambda: op.compute_output_spec(*args, **kwargs))
        result = self._run(name, found, (op, *args), kwargs, lambda: op.compute_output_spec(*args, **kwargs))
        return self._of_its_dtype(op, name, args, kwargs, result)

    def _of_its_dtype(self, op: Any, name: str, args: Any, kwargs: Any, result: Any) -> Any:
        """Rules are measured on TensorFlow; elsewhere a result must have the dtype that the backend itself gives, where
        it is not one of those that all agree on."""
        from keras import config, tree
        from keras.src import backend

        if config.backend() == "tensorflow" or self._held is not None:
            return result
        own = [x for x in tree.flatten((args, kwargs, result)) if hasattr(x, "dtype")]
        if all(str(x.dtype) in ("float32", "bool") for x in own):
            return result
        self.aside = True
        try:
            spec = backend.compute_output_spec(op.call, *args, **kwargs)
        except Exception:  # noqa: BLE001 - what cannot be told without numbers is told by the rule alone
            return result
        finally:
            self.aside = False
        pairs = zip(tree.flatten(result), tree.flatten(spec))
        for have, want in ((a, b) for a, b in pairs if hasattr(a, "dtype") and hasattr(b, "dtype")):
            if have.dtype != want.dtype:
                reason = f"a result of {want.dtype} on {config.backend()}, where other backends have {have.dtype}"
                return self._refused(name, Refusal(reason, "cast what goes in"), lambda: spec)
        return result

    def call_backend(self, part: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function of the backend: a rule of its own, or the operation of keras.ops of the same name."""
        key = f"random.{name}" if part == "random" else f"backend.{part}.{name}" if part else f"backend.{name}"
        found = rule.get(key)
        if found is not None:
            return self._run(f"keras {key}", found, args, kwargs, None)
        from keras import ops, tree

        function = getattr(ops.image if part == "image" else ops, name, None)
        if function is None or part == "random" or self._depth > 8:
            return self._refused(f"keras {key}", Refusal(f"no rule for the function {name} of the backend"), None)
        self._depth += 1
        try:
            args, kwargs = tree.map_structure(self.lifted, (args, kwargs))
            if not any(isinstance(x, tensor_class()) for x in tree.flatten((args, kwargs))):  # sizes alone: as numbers
                args, kwargs = tree.map_structure(
                    lambda x: self.c.tensor(self.c.value(x)) if isinstance(x, Size) else x, (args, kwargs)
                )
            return function(*args, **kwargs)
        finally:
            self._depth -= 1

    # -- layers -----------------------------------------------------------------------------------------------------
    def call_layer(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A layer by the rule of its class, else by running its `call` on the traced tensors."""
        cls = type(layer)
        name = f"keras.layers.{cls.__name__}"
        own = cls.__module__.startswith("keras.src.layers.")
        bare = own and not layer.weights  # stands for a function: its operations belong to whoever calls it
        with self.c.scopes.entered(layer, bare):
            if getattr(layer, "quantization_mode", None) is not None:
                advice = "convert the model before it is quantised"
                return self._refused(name, Refusal(f"quantised to {layer.quantization_mode}", advice), None)
            if own and _halved(layer):
                reason = f"{layer.compute_dtype} on torch, where Keras computes a part of this layer in float32"
                error = Refusal(reason, "convert it from the TensorFlow backend")
                return self._refused(name, error, lambda: layer.compute_output_spec(*args, **kwargs))
            found = rule.get(f"layers.{cls.__name__}") if own else None
            if found is not None:
                with contextlib.suppress(Unruled):
                    return self._run(
                        name, found, (layer, *args), kwargs, lambda: layer.compute_output_spec(*args, **kwargs)
                    )
            try:
                return layer.call(*args, **kwargs)
            except Refusal as error:
                return self._refused(error.op or name, error, lambda: layer.compute_output_spec(*args, **kwargs))

    def trains(self, layer: Any, training: Any) -> bool:
        """Whether a layer that was called with this `training` follows the model's mode (False: it never trains).

        Told from the trace in training mode: a layer that is called with `training=False` there does not follow.
        """
        n = self._calls[id(layer)] = self._calls.get(id(layer), -1) + 1
        if self.c.training:
            self.flags[id(layer), n] = bool(training)
            return bool(training)
        return self._follows.get((id(layer), n), True)

    # -- variables --------------------------------------------------------------------------------------------------
    def read(self, variable: Any) -> Any:
        """The current value of a variable."""
        return self.c.tensor(self.c.variable(variable))

    def assign(self, variable: Any, value: Any) -> Any:
        """A variable gets a value: from here on it reads as that, and keeps it after the call."""
        if self.c.bodies:
            raise Refusal(
                f"the variable {variable.path} is assigned inside a loop or branch", "carry it as a loop variable"
            )
        try:
            now = self.c.value(value, variable._dtype)
        except Behind:
            return value
        self.c.weights.assign(variable, now)
        return self.c.tensor(now)

    def adds_loss(self, layer: Any) -> None:
        """A term of the loss is no part of the model's results: told in a note."""
        self.c.note(f"the loss of the source has a term that {layer.name} adds (add_loss); the written model has not")

    def lift(self, item: Any) -> Any:
        """A constant tensor of the backend as a traced one."""
        import numpy as np
        from keras import ops

        if isinstance(item, tensor_class()) or not (isinstance(item, np.ndarray) or ops.is_tensor(item)):
            return item
        return self.c.tensor(self.c.array(to_numpy(item)))

    def lifted(self, item: Any) -> Any:
        """As `lift`; variables, too."""
        from converter.importers.keras.context import is_variable

        return self.read(item) if is_variable(item) else self.lift(item)

    # -- running rules ----------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def spelling(self) -> Iterator[None]:
        """What the block calls belongs to the operation under way: its origin stays, and a refusal is its own."""
        saved, self._held = self._held, self.c.b.origin
        try:
            yield
        finally:
            self._held = saved

    def _run(self, name: str, found: Any, args: Any, kwargs: Any, spec: Any) -> Any:
        if self._held is not None:
            return self._results(found.fn(self.c, *args, **kwargs))
        origin = self._origin(name, found.name)
        try:
            with self.c.b.at(origin):
                return self._results(found.fn(self.c, *args, **kwargs))
        except Behind:
            return self._unknown(spec)
        except Refusal as error:
            return self._refused(name, error, spec, found.file)
        except (TypeError, ValueError) as error:
            return self._refused(name, Refusal(f"does not fit the IR: {error}"), spec, found.file)

    def _results(self, result: Any) -> Any:
        from keras import tree

        return tree.map_structure(lambda x: self.c.tensor(x) if isinstance(x, Value) else x, result)

    def _refused(self, name: str, error: Refusal, spec: Any, file: str = "") -> Any:
        """Report a refusal, and go on behind it with tensors that have no value, where their shapes are known."""
        if self._held is not None:
            raise error
        self._report(name, error, file or "converter/importers/keras/rules_<family>.py")
        return self._unknown(spec)

    def _unknown(self, spec: Any) -> Any:
        from keras import KerasTensor, tree

        if spec is None:
            raise Stopped
        with self._quiet():
            try:
                found = spec()
            except Exception as error:
                raise Stopped from error
        return tree.map_structure(
            lambda t: (
                tensor_class()(None, tuple(7 if d is None else d for d in t.shape), t.dtype)
                if isinstance(t, KerasTensor)
                else t
            ),
            found,
        )

    def refused(self, name: str, error: Refusal) -> None:
        """Report what ended the reading."""
        self._report(name, error, "")

    def _report(self, name: str, error: Refusal, file: str) -> None:
        place = place_of(self._origin(name, ""))
        self.c.plan.add(Unsupported(error.op or name, error.reason, place, advice=error.advice, file=file))

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        """What is refused inside the block is not reported."""
        before = len(self.c.plan.items)
        try:
            yield
        finally:
            del self.c.plan.items[before:]

    def _origin(self, name: str, rule_name: str) -> Origin:
        return Origin(name, "", self.c.scopes.path(), user_line(), rule_name)


_WIDE_ON_TORCH = re.compile(
    r"Functional|Sequential|InputLayer|(Depthwise|Separable)?Conv[123]D(Transpose)?|\w+(Pooling|Padding|Cropping)[123]D"
    r"|(Zero|Up)\w+[123]D|Cropping[123]D|Embedding|Flatten|Reshape|Permute|RepeatVector|Rescaling|Identity|Activation"
    r"|\w*ReLU|ELU|Softmax|Add|Subtract|Multiply|Average|Maximum|Minimum|Concatenate|TimeDistributed"
    r"|(Spatial|Gaussian|Alpha)?Dropout([123]D)?|GaussianNoise|Masking|Lambda"
)
"""Layers of Keras that keep 64 bits on torch: measured, the others may take products, means and moments to float32."""


def _halved(layer: Any) -> bool:
    """Whether a layer of doubles may not compute with doubles: Keras' promotion makes float32 of float64 on torch."""
    from keras import config

    doubles = config.backend() == "torch" and getattr(layer, "compute_dtype", None) == "float64"
    return doubles and not _WIDE_ON_TORCH.fullmatch(type(layer).__name__)


__all__ = ["KerasTracer", "Size", "Stopped"]
