"""What TensorFlow's own kernels make of known content, for ops that do nothing but compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def run(node: Any, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs of a node of a graph. Text is an array of bytes objects. Raises ValueError where TensorFlow does."""
    import tensorflow as tf

    definition = tf.compat.v1.GraphDef()
    step = definition.node.add()
    step.CopyFrom(alone(node, "step"))
    step.input[:] = [constant(definition, f"operand_{i}", operand) for i, operand in enumerate(operands)]
    return fetched(definition, ["step"])


def alone(node: Any, name: str) -> Any:
    """A node without what ties it to a graph: operands, device, and what TensorFlow notes of it for its own use."""
    twin = type(node)()
    twin.CopyFrom(node)
    twin.name = name
    for field in ("input", "device"):
        twin.ClearField(field)
    for attribute in [a for a in twin.attr if a.startswith("_")]:
        del twin.attr[attribute]
    return twin


def constant(definition: Any, name: str, content: np.ndarray) -> str:
    """Add known content to a graph; its name."""
    import tensorflow as tf

    kind = tf.string if content.dtype == object else tf.as_dtype(content.dtype)
    node = definition.node.add(name=name, op="Const")
    node.attr["dtype"].type = kind.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(content, kind))
    return name


def fetched(definition: Any, steps: Sequence[str]) -> list[np.ndarray]:
    """Run the nodes of a graph one after the other; the outputs of the last. Raises ValueError where TensorFlow does."""
    import tensorflow as tf

    graph = tf.Graph()
    try:
        with graph.as_default():
            tf.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            for step in steps[:-1]:
                session.run(graph.get_operation_by_name(step))
            found = session.run(graph.get_operation_by_name(steps[-1]).outputs)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        raise ValueError((str(error).strip().splitlines() or ["TensorFlow refuses it"])[0]) from None
    return [np.asarray(array) for array in found]
