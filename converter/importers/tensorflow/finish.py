"""What a model is told once its graph stands: state, assumptions, kinds of weights, versions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from converter.importers.base import apply_trainable
from converter.importers.partial.importer import keep_assumptions
from converter.importers.partial.roles import classify, kind_of
from converter.importers.tensorflow.dense import settle_products
from converter.importers.tensorflow.dropout import settle_dropout
from converter.importers.tensorflow.layers import settle_layers
from converter.importers.tensorflow.norms import settle_norms
from converter.importers.tensorflow.recurrent import settle_recurrence
from converter.importers.tensorflow.scans import settle_loops
from ir.core import Model
from ir.types import Assumption

if TYPE_CHECKING:
    from converter.importers.tensorflow.graph import GraphImporter


def finish(importer: GraphImporter, assumptions: Iterable[Assumption]) -> None:
    """Complete the importer's model."""
    import tensorflow as tf

    model = importer.model
    for variable, value in importer.state.current.items():
        weight = importer.state.own(variable).value
        if weight is None or value.value is None:
            raise AssertionError(f"the variable {variable.name} is assigned and is no weight")
        if value.value is not weight:
            model.set_state(weight.name, value.value)
            _becomes_state(model, weight.name)
    importer.assume(assumptions)
    keep_assumptions(model, importer.assumptions)
    settle_products(model)
    settle_loops(model)
    settle_recurrence(model)
    settle_layers(model)
    settle_norms(model)
    settle_dropout(model)
    _classify(model)
    if importer.frozen:
        classify(model, set(), importer.options.trainable)
    apply_trainable(model, importer.options.trainable)
    model.metadata = {"framework": "tensorflow", "versions": {"tensorflow": str(tf.__version__)}}


def _becomes_state(model: Model, name: str) -> None:
    """A variable that the model assigns is a buffer, whether TensorFlow trains it or not."""
    if model.weights[name].trainable:
        model.notes.append(
            f"{name} is trained in TensorFlow and assigned by the model itself: it is kept as state, and not trained"
        )
    model.update_weight(name, kind="buffer", trainable=False)


def _classify(model: Model) -> None:
    """A frozen variable that is used as a weight of a layer is a parameter that does not train; other variables that do
    not train are buffers, and so are statistics, which Keras names `moving_mean` and the like."""
    for name, weight in list(model.weights.items()):
        moves = re.match(r"(moving|running)_", name.rpartition(".")[2])
        if (
            weight.kind == "buffer"
            and kind_of(model.weight_value(name)) == "parameter"
            and name not in model.state
            and not moves
        ):
            model.update_weight(name, kind="parameter")
