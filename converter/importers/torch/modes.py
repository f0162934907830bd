"""Merging the evaluation and the training export: one graph whose modal nodes know both behaviours."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from converter.errors import Unsupported
from converter.importers.base import Planner
from converter.importers.torch import leaves
from converter.importers.torch.scopes import stack_of, user_line

_DROPOUTS = {
    "aten.dropout.default": False, "aten.dropout_.default": False,
    "aten.feature_dropout.default": True, "aten.feature_dropout_.default": True,
}  # fmt: skip
_PLACED = ("aten.dropout.default", "aten.feature_dropout.default")
_IDENTITY_IN_EVAL = ("aten.alpha_dropout", "aten.feature_alpha_dropout", "aten.rrelu")
_TRAIN_FLAG = {
    "aten.batch_norm.default": 5, "aten.lstm.input": 7, "aten.gru.input": 7, "aten.rnn_tanh.input": 7, "aten.rnn_relu.input": 7,
    "isomorph.lstm.default": 11, "isomorph.gru.default": 10, "isomorph.rnn.default": 10, **dict.fromkeys(_DROPOUTS, 2),
}  # fmt: skip
_VALUELESS = (
    "aten.contiguous", "aten.clone", "aten._assert", "aten.detach", "aten.alias", "aten.lift_fresh", "aten.sym_",
)  # fmt: skip
_SDPA = "aten.scaled_dot_product_attention.default"


class Merger:
    """Rewrites the modal nodes of a raw evaluation export in place, reading the training export beside it."""

    def __init__(self, program: Any, trained: Any | None, plan: Planner, note: Callable[[str], None]) -> None:
        self.program = program
        self.graph = program.graph_module.graph
        self.plan = plan
        self.note = note
        self.twin: dict[Any, Any] = {}
        self.has_twin = trained is not None
        if trained is not None:
            self._align(trained)

    def run(self) -> None:
        """Rewrite every modal node; the program is then ready to be functionalised."""
        for node in list(self.graph.nodes):
            target = str(node.target)
            if target in _DROPOUTS:
                self._dropout(node, _DROPOUTS[target])
            elif target == "aten.batch_norm.default":
                self._batch_norm(node)
            elif target in _TRAIN_FLAG:
                self._set(node, _TRAIN_FLAG[target], self._trains(node))
            elif target == _SDPA:
                self._attention(node)
            elif target.startswith(_IDENTITY_IN_EVAL):
                self.note(f"{place(node)}: random behaviour in training ({target}) is not carried over")
        self._note_bodies()
        self.graph.lint()
        self.program.graph_module.recompile()

    def _note_bodies(self) -> None:
        """Layers with two behaviours inside control flow are read in inference mode only."""
        for name, child in self.program.graph_module.named_children():
            inside = {str(n.target) for n in child.graph.nodes if n.op == "call_function"}
            if inside & (set(_DROPOUTS) | {"aten.batch_norm.default"}):
                self.note(f"{name}: training behaviour inside control flow is not carried over")

    # -- alignment ----------------------------------------------------------------------------------------------
    def _align(self, trained: Any) -> None:
        ours, theirs = list(_comparable(self.graph)), list(_comparable(trained.graph_module.graph))
        a, b = [_key(n) for n in ours], [_key(n) for n in theirs]
        if a == b:
            self.twin = dict(zip(ours, theirs, strict=True))
            return
        matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
        for i, j, size in matcher.get_matching_blocks():
            self.twin.update(zip(ours[i : i + size], theirs[j : j + size], strict=True))
        only_train = [theirs[j] for tag, _, _, j1, j2 in matcher.get_opcodes() if tag != "equal" for j in range(j1, j2)]
        only_eval = [ours[i] for tag, i1, i2, _, _ in matcher.get_opcodes() if tag != "equal" for i in range(i1, i2)]
        for where in dict.fromkeys(module_of(n) for n in [*self._insert_dropouts(only_train), *only_eval]):
            self.note(f"{where}: behaves differently in training; only its inference behaviour is carried over")

    def _insert_dropouts(self, only_train: Iterable[Any]) -> list[Any]:
        """Dropouts that the evaluation skips altogether (`if self.training:`, attention with `need_weights`) are put
        where the training has them; the nodes that could not be."""
        back, left = {theirs: ours for ours, theirs in self.twin.items()}, []
        for node in only_train:
            source = back.get(node.args[0]) if str(node.target) in _PLACED and node.args[2] else None
            if source is None or not self._insert(node, source, back):
                left.append(node)
        return left

    def _insert(self, node: Any, source: Any, back: dict[Any, Any]) -> bool:
        """Let the twins of the readers of a training dropout read one of `source`; False when they are not all known."""
        readers = [back[u] for u in node.users if u in back]
        if len(readers) < len(node.users) or any(node.args[0] in u.all_input_nodes for u in node.users):
            return False
        with self.graph.inserting_after(source):
            features = _DROPOUTS[str(node.target)]
            new = self.graph.call_function(leaves.library().dropout.default, (source, float(node.args[1]), False, features))
        new.meta = dict(source.meta)
        for reader in readers:
            reader.replace_input_with(source, new)
        back[node] = new
        return True

    def _trains(self, node: Any) -> bool:
        """Whether the node's layer follows the training mode (False: frozen in evaluation)."""
        twin = self.twin.get(node)
        if twin is None:
            return not self.has_twin
        return bool(argument(twin, _TRAIN_FLAG[str(twin.target)], default=False))

    # -- rewriting ----------------------------------------------------------------------------------------------
    @staticmethod
    def _set(node: Any, position: int, value: Any) -> None:
        args = list(node.args)
        args[position] = value
        node.args = tuple(args)

    def _replace(self, node: Any, target: Any, args: tuple[Any, ...]) -> Any:
        with self.graph.inserting_before(node):
            new = self.graph.call_function(target, args)
        new.meta = dict(node.meta)
        node.replace_all_uses_with(new)
        self.graph.erase_node(node)
        return new

    def _dropout(self, node: Any, features: bool) -> None:
        x, p, active = node.args
        if active:
            self.plan.add(Unsupported(
                str(node.target), "drops values at inference too (training=True is fixed)", place(node),
                advice="pass training=self.training",
            ))  # fmt: skip
        inplace = str(node.target).split(".")[1].endswith("_")
        new = self._replace(node, leaves.library().dropout.default, (x, float(p), not self._trains(node), features))
        if inplace and _read_later(x, new):
            with self.graph.inserting_after(new):
                import torch

                written = self.graph.call_function(torch.ops.aten.copy_.default, (x, new))
            written.meta = dict(new.meta)

    def _batch_norm(self, node: Any) -> None:
        x, weight, bias, mean, var, training, momentum, eps, _ = node.args
        if mean is None or var is None:
            return  # batch statistics in both modes: a rule of its own
        if training:
            self.plan.add(Unsupported(
                "aten.batch_norm.default", "normalises by the batch at inference too while it tracks statistics", place(node),
                advice="put the module in eval mode, or build it with track_running_stats=False",
            ))  # fmt: skip
        target = leaves.library().batch_norm.default
        self._replace(node, target, (x, weight, bias, mean, var, float(momentum), float(eps), not self._trains(node)))

    def _attention(self, node: Any) -> None:
        twin = self.twin.get(node)
        if argument(node, 4, "dropout_p", default=0.0):
            self.plan.add(Unsupported(
                _SDPA, "drops attention weights at inference too", place(node), advice="set dropout_p to 0 in eval mode",
            ))  # fmt: skip
            return
        rate = argument(twin, 4, "dropout_p", default=0.0) if twin is not None else 0.0
        if rate:
            args = [argument(node, i, k, d) for i, (k, d) in enumerate(_SDPA_ARGS)]
            kwargs = {k: v for k, v in node.kwargs.items() if k not in dict(_SDPA_ARGS)}
            args[4] = float(rate)
            node.args, node.kwargs = tuple(args), kwargs


_SDPA_ARGS = (("query", None), ("key", None), ("value", None), ("attn_mask", None), ("dropout_p", 0.0), ("is_causal", False))


def argument(node: Any, position: int, name: str = "", default: Any = None) -> Any:
    """An argument of an fx node by position or name."""
    if len(node.args) > position:
        return node.args[position]
    return node.kwargs.get(name, default)


def _comparable(graph: Any) -> Iterable[Any]:
    """Call nodes, without the counters that only training advances and without what changes no value."""
    counters: set[Any] = set()
    for node in graph.nodes:
        if node.op == "placeholder" and node.name.endswith("num_batches_tracked"):
            counters.add(node)
        elif node.op == "call_function":
            if str(node.target).startswith("aten.add") and node.args and node.args[0] in counters:
                counters.add(node)
            elif not str(node.target).startswith(_VALUELESS):
                yield node


def _key(node: Any) -> tuple[str, str]:
    return str(node.target), next(reversed(stack_of(node)), "")


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
