"""Where gradients end: `torch.no_grad()` blocks of an export become detached results, so that they survive."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from converter.importers.torch.scopes import is_internal

_WRAPPED = "wrap_with_set_grad_enabled"


def unwrap(program: Any) -> None:
    """Put the nodes of grad-mode blocks in place of the blocks, in a raw export; what a `no_grad` block returns is
    detached. In-place writes inside stay what they are."""
    from converter.importers.torch.modes import graph_modules

    for module in graph_modules(program.graph_module):
        while wrapped := next((n for n in module.graph.nodes if str(n.target) == _WRAPPED), None):
            _inline(module, wrapped)
        module.graph.lint()
        module.recompile()


def _inline(module: Any, node: Any) -> None:
    import torch

    enabled, body, *operands = node.args
    graph, inner = module.graph, getattr(module, body.target)
    mapping = dict(zip((n for n in inner.graph.nodes if n.op == "placeholder"), operands, strict=True))
    results: tuple[Any, ...] = ()
    with graph.inserting_before(node):
        for item in inner.graph.nodes:
            if item.op == "get_attr":  # control flow inside the block
                name = f"{body.target}_{item.target}"
                setattr(module, name, getattr(inner, item.target))
                mapping[item] = graph.get_attr(name)
            elif item.op == "output":
                results = tuple(mapping.get(r, r) if hasattr(r, "meta") else r for r in item.args[0])
            elif item.op != "placeholder":
                mapping[item] = graph.node_copy(item, lambda n: mapping[n])
        if not enabled:
            results = tuple(_detached(graph, r, node, torch.ops.aten.detach.default) for r in results)
    for user in list(node.users):
        user.replace_all_uses_with(results[user.args[1]])
        graph.erase_node(user)
    graph.erase_node(node)
    if not body.users:
        graph.erase_node(body)
        delattr(module, body.target)


def _detached(graph: Any, result: Any, block: Any, detach: Any) -> Any:
    """A result without its gradient, in the module that holds the block."""
    value: Any = result.meta.get("val") if hasattr(result, "meta") else None
    if not hasattr(value, "dtype") or not (value.dtype.is_floating_point or value.dtype.is_complex):
        return result
    new = graph.call_function(detach, (result,))
    own = {k: v for k, v in block.meta.items() if k in ("nn_module_stack", "stack_trace")}
    new.meta = {"nn_module_stack": {}, **own, "val": value}
    return new


@contextlib.contextmanager
def no_grad_blocks() -> Iterator[list[str]]:
    """The files whose code enters `no_grad` inside the block, where an export without gradients cannot show it."""
    import torch

    found: list[str] = []
    original = torch.no_grad.__enter__

    def enter(self: Any) -> None:
        file = sys._getframe(1).f_code.co_filename.replace("\\", "/")
        if not is_internal(file) or file.endswith("_contextlib.py"):
            found.append(file.rsplit("/", 1)[-1])
        original(self)

    torch.no_grad.__enter__ = enter
    try:
        yield found
    finally:
        torch.no_grad.__enter__ = original


def notes(program: Any) -> list[str]:
    """What of the gradients of a raw export is lost: those of what is written through a detached tensor."""
    from converter.importers.torch.modes import place

    found = [
        f"{place(n)}: the code writes into a detached tensor; what reads it afterwards has no gradient in the conversion"
        for n in written_through(program)
    ]
    return list(dict.fromkeys(found))


def written_through(program: Any) -> Iterator[Any]:
    """Detached tensors that the code writes into: the write reaches the tensor behind, whose gradient would be lost."""
    from converter.importers.torch.modes import graph_modules

    for module in graph_modules(program.graph_module):
        for node in module.graph.nodes:
            if str(node.target) == "aten.detach.default" and any(_writes(u, node) for u in node.users):
                yield node


def _writes(user: Any, value: Any) -> bool:
    schema = getattr(user.target, "_schema", None)
    if schema is None:
        return False
    given = zip(schema.arguments, user.args)
    return any(a is value and s.alias_info is not None and s.alias_info.is_write for s, a in given)
