"""The graph: values, nodes, graphs, models, origins and signatures."""

from ir.core.builder import Builder
from ir.core.graph import Graph, Node, Use, Value
from ir.core.model import Model, copy_model
from ir.core.origin import Origin, Path, Scope
from ir.core.signature import Branch, Constant, Leaf, Parameter, Signature
from ir.core.walk import copy_graph, graphs, walk

__all__ = [
    "Branch", "Builder", "Constant", "Graph", "Leaf", "Model", "Node", "Origin", "Parameter", "Path", "Scope", "Signature", "Use",
    "Value", "copy_graph", "copy_model", "graphs", "walk",
]  # fmt: skip
