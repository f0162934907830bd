"""TorchScript graphs as plain data: steps, blocks, constants, and the source line of each."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from converter.importers.torch.scopes import is_internal

_PLACE = re.compile(r'File "(?P<file>[^"\n]*)", line (?P<line>\d+)')
_TRACED = re.compile(r"^(?P<file>[^\n]+)\((?P<line>\d+)\): ", re.M)
NOWHERE = "TorchScript"
"""Stands for the file of a step whose source is not recorded."""


@dataclass(frozen=True)
class Step:
    """One node. `op` is the schema's full name (`aten::add.Tensor`) or the node's kind (`prim::If`).

    `data` is what the kind needs: a constant's value, an attribute's or method's name, the body of a called function,
    the fields of a named tuple. `used` tells which outputs anything reads, `free` what the blocks read from outside.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    line: tuple[str, int]
    data: Any = None
    schema: Any = None
    blocks: tuple[Block, ...] = ()
    used: tuple[bool, ...] = ()
    types: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """`model.py:12`, or nothing."""
        file, line = self.line
        return f"{file.replace(chr(92), '/').rsplit('/', 1)[-1]}:{line}" if file != NOWHERE else ""

    @functools.cached_property
    def free(self) -> tuple[str, ...]:
        """Names that the blocks read and do not make."""
        return tuple(dict.fromkeys(n for b in self.blocks for n in b.free))


@dataclass(frozen=True)
class Block:
    """Steps in order, the names of what goes in and of what comes out."""

    parameters: tuple[str, ...]
    steps: tuple[Step, ...]
    results: tuple[str, ...]

    @functools.cached_property
    def free(self) -> tuple[str, ...]:
        """Names read that are made outside."""
        made = {*self.parameters, *(o for s in self.steps for o in s.outputs)}
        read = [n for s in self.steps for n in (*s.inputs, *s.free)] + list(self.results)
        return tuple(dict.fromkeys(n for n in read if n not in made))

    def walk(self) -> Iterator[Step]:
        """Every step, those of inner blocks and called functions included."""
        for step in self.steps:
            yield step
            for inner in step.blocks:
                yield from inner.walk()
            if isinstance(step.data, Block):
                yield from step.data.walk()


@dataclass
class Graphs:
    """Blocks of the methods of a program, read once each; classes by the name of their type."""

    _methods: dict[tuple[str, str], Block] = field(default_factory=dict)

    def method(self, script: Any, name: str) -> Block:
        """The body of a method; its first parameter is the module itself."""
        key = (type_name(script), name)
        if key not in self._methods:
            self._methods[key] = _block(script._c._get_method(name).graph)
        return self._methods[key]


def type_name(script: Any) -> str:
    """The qualified name of a script module's type, unique in its program."""
    return str(script._c._type().qualified_name())


def class_path(name: str) -> str:
    """`__torch__.torch.nn.___torch_mangle_3.Linear` as the class was called: `torch.nn.Linear`."""
    return ".".join(p for p in name.split(".") if p != "__torch__" and not p.startswith("___torch_mangle_"))


def _block(block: Any) -> Block:
    return Block(
        tuple(v.debugName() for v in block.inputs()), tuple(_step(n) for n in block.nodes()),
        tuple(v.debugName() for v in block.outputs()),
    )  # fmt: skip


def _step(node: Any) -> Step:
    text = node.schema()
    schema = None if text == "(no schema)" else parse_schema(text)
    op = node.kind() if schema is None else schema.name + (f".{schema.overload_name}" if schema.overload_name else "")
    outputs = list(node.outputs())
    return Step(
        op, tuple(v.debugName() for v in node.inputs()), tuple(v.debugName() for v in outputs), _line(node), _data(node),
        schema, tuple(_block(b) for b in node.blocks()), tuple(bool(v.uses()) for v in outputs),
        tuple(str(v.type()) for v in outputs),
    )  # fmt: skip


@functools.lru_cache(maxsize=4096)
def parse_schema(text: str) -> Any:
    """A schema from its text."""
    import torch

    return torch._C.parse_schema(text)


def _data(node: Any) -> Any:
    kind = node.kind()
    if kind == "prim::Constant":
        out = node.output()
        return None if out.type().kind() in ("FunctionType", "NoneType") else _marked(out.toIValue())
    if kind in ("prim::GetAttr", "prim::SetAttr", "prim::CallMethod"):
        return node.s("name")
    if kind == "prim::CallFunction":
        return _function(node)
    if kind in ("prim::TupleSlice",):
        return node.i("beg"), node.i("end")
    if kind == "prim::TupleConstruct":
        return _fields(node.output().type())
    return None


def _marked(value: Any) -> Any:
    """A constant; a tensor bears a mark, and its number where it has one element: traced, it could not be read."""
    import torch

    if isinstance(value, torch.Tensor):
        value._isomorph_constant = value.item() if value.numel() == 1 else None
    return value


def _fields(type: Any) -> tuple[str, tuple[str, ...]] | None:
    """Class name and fields of a named tuple; None for a plain one."""
    text = str(type.str())
    if not text.startswith("NamedTuple("):
        return None
    depth, names, start = 0, [], len("NamedTuple(")
    for i, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if depth == 1 and char in "(," or (depth == 0 and char == ")"):
            word = text[start:i].strip().split(" : ")[0].strip()
            names += [word] if i > start else []
            start = i + 1
    return class_path(str(type.annotation_str)).rsplit(".", 1)[-1], tuple(names)


def _function(node: Any) -> Block:
    """The body of a called function: the call alone in a graph, inlined there."""
    import torch

    graph = torch._C.Graph()
    known: dict[str, Any] = {}
    inputs = list(node.inputs())
    function = graph.createClone(inputs[0].node(), lambda v: known[v.debugName()])
    graph.insertNode(function)
    known[inputs[0].debugName()] = function.output()
    for value in inputs[1:]:
        if value.debugName() in known:
            continue
        known[value.debugName()] = graph.addInput()
        known[value.debugName()].setType(value.type())
    call = graph.createClone(node, lambda v: known[v.debugName()])
    graph.insertNode(call)
    for out in call.outputs():
        graph.registerOutput(out)
    torch._C._jit_pass_inline(graph)
    block = _block(graph)
    names = [known[v.debugName()].debugName() for v in inputs[1:]]
    return Block(tuple(names), block.steps, block.results)


def _line(node: Any) -> tuple[str, int]:
    text = node.sourceRange()
    found = [(m["file"], int(m["line"])) for m in _PLACE.finditer(text) if m["file"]]
    traced = [(m["file"], int(m["line"])) for m in _TRACED.finditer(text)]
    own = [place for place in traced if not is_internal(place[0])]
    return next(iter((*own, *traced, *found)), (NOWHERE, 1))


@functools.lru_cache(maxsize=4096)
def at_line(file: str, line: int) -> Callable[..., Any]:
    """A function that calls another one, from a frame that seems to stand in the program's source: traces show it."""
    from types import FunctionType

    code = _CALL.replace(co_filename=file, co_firstlineno=min(line, 2**30), co_name="forward")
    return FunctionType(code, {})


_CALL = (lambda fn, *args: fn(*args)).__code__


__all__ = ["Block", "Graphs", "Step", "at_line", "class_path", "parse_schema", "type_name"]
