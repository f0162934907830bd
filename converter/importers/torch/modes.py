"""The modal nodes of raw exports: dropout, batch-norm and recurrent layers become leaves that know both modes.

Where the training export is the evaluation export but for the flags of such layers, the two are one graph at once
(`twins`). Where it is not, both are read, each by its own flags, and merged in the IR (`ir.modes`).
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from converter.errors import Unsupported
from converter.importers.base import Planner
from converter.importers.torch import leaves
from converter.importers.torch.scopes import stack_of, user_line

Role = Literal["both", "inference", "training", "program"]
"""What an export is read as: both modes by its twin's flags, one of two that are merged later, or all there is."""

_DROPOUTS = {
    "aten.dropout.default": False, "aten.dropout_.default": False,
    "aten.feature_dropout.default": True, "aten.feature_dropout_.default": True,
}  # fmt: skip
_TRAIN_FLAG = {
    "aten.batch_norm.default": 5, "aten.lstm.input": 7, "aten.gru.input": 7, "aten.rnn_tanh.input": 7, "aten.rnn_relu.input": 7,
    "isomorph.lstm.default": 12, "isomorph.gru.default": 11, "isomorph.rnn.default": 11, **dict.fromkeys(_DROPOUTS, 2),
}  # fmt: skip
_SDPA = "aten.scaled_dot_product_attention.default"
_SDPA_ARGS = (
    ("query", None),
    ("key", None),
    ("value", None),
    ("attn_mask", None),
    ("dropout_p", 0.0),
    ("is_causal", False),
)


class Merger:
    """Rewrites the modal nodes of a raw export in place, those of control flow included."""

    def __init__(self, program: Any, plan: Planner, role: Role, twin: Mapping[Any, Any] | None = None) -> None:
        self.program = program
        self.plan = plan
        self.role = role
        self.twin = twin or {}

    def run(self) -> None:
        """Rewrite every modal node; the program is then ready to be functionalised."""
        for module in graph_modules(self.program.graph_module):
            for node in list(module.graph.nodes):
                self._node(module.graph, node)
            module.graph.lint()
            module.recompile()

    def _node(self, graph: Any, node: Any) -> None:
        target = str(node.target)
        if target in _DROPOUTS:
            self._dropout(graph, node, _DROPOUTS[target])
        elif target == "aten.batch_norm.default":
            self._batch_norm(graph, node)
        elif target in _TRAIN_FLAG:
            self._set(node, _TRAIN_FLAG[target], self._trains(node))
        elif target == _SDPA:
            self._attention(node)

    def _active(self, node: Any) -> bool:
        """Whether the layer behaves as in training in its own export."""
        return bool(argument(node, _TRAIN_FLAG[str(node.target)], default=False))

    def _trains(self, node: Any) -> bool:
        """Whether the layer follows the training mode (False: frozen in evaluation)."""
        if self.role == "training":
            return self._active(node)
        return self.role != "both" or self._active(self.twin[node])

    # -- rewriting ----------------------------------------------------------------------------------------------
    @staticmethod
    def _set(node: Any, position: int, value: Any) -> None:
        args = list(node.args)
        args[position] = value
        node.args = tuple(args)

    @staticmethod
    def _replace(graph: Any, node: Any, target: Any, args: tuple[Any, ...]) -> Any:
        with graph.inserting_before(node):
            new = graph.call_function(target, args)
        new.meta = dict(node.meta)
        node.replace_all_uses_with(new)
        graph.erase_node(node)
        return new

    def _dropout(self, graph: Any, node: Any, features: bool) -> None:
        x, p, active = node.args
        if active and self.role == "program":
            self.plan.add(Unsupported(
                str(node.target), "drops values at inference too", place(node), advice="export the module in eval mode",
            ))  # fmt: skip
        inplace = str(node.target).split(".")[1].endswith("_")
        always = bool(active) and self.role in ("both", "inference")
        args = (x, float(p), not always and not self._trains(node), features, always)
        new = self._replace(graph, node, leaves.library().dropout.default, args)
        if inplace and _read_later(x, new):
            with graph.inserting_after(new):
                import torch

                written = graph.call_function(torch.ops.aten.copy_.default, (x, new))
            written.meta = dict(new.meta)

    def _batch_norm(self, graph: Any, node: Any) -> None:
        x, weight, bias, mean, var, training, momentum, eps, _ = node.args
        if mean is None or var is None:
            return  # batch statistics in both modes: a rule of its own
        if training and self.role != "training":
            self.plan.add(Unsupported(
                "aten.batch_norm.default", "normalises by the batch at inference too while it tracks statistics", place(node),
                advice="put the module in eval mode, or build it with track_running_stats=False",
            ))  # fmt: skip
        if training and self.role == "training" and _is_own(mean, node) and _is_own(var, node):
            self._moved(graph, node)
            return
        target = leaves.library().batch_norm.default
        args = (x, weight, bias, mean, var, float(momentum), float(eps), not self._trains(node))
        self._replace(graph, node, target, args)

    def _moved(self, graph: Any, node: Any) -> None:
        """A batch norm that moves copies of statistics: what reads them later reads further results."""
        x, weight, bias, mean, var, _, momentum, eps, _ = node.args
        args = (x, weight, bias, mean, var, float(momentum), float(eps))
        order = {n: i for i, n in enumerate(graph.nodes)}
        readers = [[u for u in copy.users if order[u] > order[node]] for copy in (mean, var)]
        with graph.inserting_before(node):
            new = graph.call_function(leaves.library().batch_norm_of.default, args)
            parts = [graph.call_function(operator.getitem, (new, i)) for i in range(3)]
        values = [node.meta.get("val"), mean.meta.get("val"), var.meta.get("val")]
        new.meta = {**node.meta, "val": tuple(values)}
        for part, value in zip(parts, values, strict=True):
            part.meta = {**node.meta, "val": value}
        for copy, later, part in zip((mean, var), readers, parts[1:], strict=True):
            for reader in later:
                reader.replace_input_with(copy, part)
        node.replace_all_uses_with(parts[0])
        graph.erase_node(node)

    def _attention(self, node: Any) -> None:
        own = argument(node, 4, "dropout_p", default=0.0)
        if self.role == "training":
            return
        if own:
            self.plan.add(Unsupported(
                _SDPA, "drops attention weights at inference too", place(node), advice="set dropout_p to 0 in eval mode",
            ))  # fmt: skip
            return
        rate = argument(self.twin[node], 4, "dropout_p", default=0.0) if self.role == "both" else 0.0
        if rate:
            args = [argument(node, i, k, d) for i, (k, d) in enumerate(_SDPA_ARGS)]
            kwargs = {k: v for k, v in node.kwargs.items() if k not in dict(_SDPA_ARGS)}
            args[4] = float(rate)
            node.args, node.kwargs = tuple(args), kwargs


# -- equal exports ----------------------------------------------------------------------------------------------------
def twins(evaluated: Any, trained: Any) -> dict[Any, Any] | None:
    """Node of the evaluation export -> node of the training export, where they differ in modal flags alone; else None."""
    found: dict[Any, Any] = {}
    return found if _alike(evaluated.graph_module, trained.graph_module, found) else None


def _alike(ours: Any, theirs: Any, found: dict[Any, Any]) -> bool:
    a, b = list(ours.graph.nodes), list(theirs.graph.nodes)
    if len(a) != len(b):
        return False
    for mine, other in zip(a, b, strict=True):
        if not _same_node(ours, theirs, mine, other, found):
            return False
        found[mine] = other
    return True


def _same_node(ours: Any, theirs: Any, mine: Any, other: Any, found: dict[Any, Any]) -> bool:
    if mine.op != other.op or str(mine.target) != str(other.target) or module_of(mine) != module_of(other):
        return False
    if mine.op == "get_attr":
        inner = getattr(ours, mine.target), getattr(theirs, other.target)
        return all(hasattr(m, "graph") for m in inner) and _alike(*inner, found)
    target = str(mine.target)
    if target in _TRAIN_FLAG:
        flag = _TRAIN_FLAG[target]
        if argument(mine, flag, default=False) and not argument(other, flag, default=False):
            return False
    return _masked(mine, found) == _masked(other, None)


def _masked(node: Any, found: dict[Any, Any] | None) -> Any:
    """All arguments but the modal ones; nodes under their names in the training export."""
    target = str(node.target)
    args, kwargs = list(node.args), dict(node.kwargs)
    if target in _TRAIN_FLAG and len(args) > _TRAIN_FLAG[target]:
        args[_TRAIN_FLAG[target]] = None
    if target == _SDPA:
        args = [argument(node, i, k, d) for i, (k, d) in enumerate(_SDPA_ARGS)]
        args[4], kwargs = None, {k: v for k, v in kwargs.items() if k not in dict(_SDPA_ARGS)}
    return _plain((args, kwargs), found)


def _plain(item: Any, found: dict[Any, Any] | None) -> Any:
    if hasattr(item, "meta") and hasattr(item, "users"):
        return "node", id(item if found is None else found.get(item))
    if isinstance(item, (list, tuple)):
        return tuple(_plain(x, found) for x in item)
    if isinstance(item, dict):
        return tuple((k, _plain(v, found)) for k, v in sorted(item.items()))
    return type(item).__name__, str(item)


# -- fx ---------------------------------------------------------------------------------------------------------------
def graph_modules(root: Any) -> Iterator[Any]:
    """A graph module, and those of the control flow inside it."""
    yield root
    for child in root.children():
        if hasattr(child, "graph"):
            yield from graph_modules(child)


def argument(node: Any, position: int, name: str = "", default: Any = None) -> Any:
    """An argument of an fx node by position or name."""
    if len(node.args) > position:
        return node.args[position]
    return node.kwargs.get(name, default)


def _is_own(tensor: Any, before: Any) -> bool:
    """Whether a tensor is a copy that nothing had another view of, or wrote to, when the node `before` ran."""
    if str(tensor.target) != "aten.clone.default":
        return False
    order = {n: i for i, n in enumerate(tensor.graph.nodes)}
    earlier = [u for u in tensor.users if order[u] < order[before]]
    return not any(
        a.alias_info is not None for u in earlier if u.op == "call_function" for a in u.target._schema.arguments
    )


def _read_later(x: Any, after: Any) -> bool:
    """Whether an in-place write to `x` could be seen after the node `after`: by a reader, or through a view."""
    if x.op != "call_function" or any(a.alias_info is not None for a in x.target._schema.arguments):
        return True
    order = {n: i for i, n in enumerate(x.graph.nodes)}
    return any(order[u] > order[after] for u in x.users)


def module_of(node: Any) -> str:
    """The dotted path of the module a node ran in."""
    name = [path for path, _ in stack_of(node).values()][-1:] or [""]
    return name[0] or "the model"


def place(node: Any) -> str:
    """Module path and user line of an fx node, for messages."""
    return ", ".join(p for p in (module_of(node), user_line(node)) if p)
