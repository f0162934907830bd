"""Module paths from what exporters leave in node names and metadata."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ir.core import Path, Scope

if TYPE_CHECKING:
    import onnx

SCOPE_KEY = "isomorph.scope"
"""Node metadata of our own exporter: JSON list of [name, class, call]."""
_WRAPPERS = re.compile(r"^(StatefulPartitionedCall|PartitionedCall)(_\d+)?$")
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_CALLED = re.compile(r"^(?P<name>[^:]*): (?P<cls>[\w.<>]+)$")


def metadata(props: Any) -> dict[str, str]:
    """A list of StringStringEntryProto as a dict."""
    return {p.key: p.value for p in props}


def node_path(node: onnx.NodeProto) -> Path:
    """The module path of a node: our own metadata, the PyTorch exporter's metadata, or the node's name."""
    props = metadata(node.metadata_props)
    for read in (_own, _torch_lists, _torch_namespace):
        path = read(props)
        if path is not None:
            return path
    return _from_name(node.name)


def node_line(node: onnx.NodeProto) -> str:
    """`file.py:12` of the user's innermost frame, where the exporter left a stack trace."""
    trace = metadata(node.metadata_props).get("pkg.torch.onnx.stack_trace", "")
    frames = _FRAME.findall(trace)
    return f"{frames[-1][0].rsplit('/', 1)[-1]}:{frames[-1][1]}" if frames else ""


def _own(props: Mapping[str, str]) -> Path | None:
    if SCOPE_KEY not in props:
        return None
    try:
        return tuple(Scope(str(name), str(cls), int(call)) for name, cls, call in json.loads(props[SCOPE_KEY]))
    except (ValueError, TypeError):
        return None


def _torch_lists(props: Mapping[str, str]) -> Path | None:
    """`name_scopes` ['', 'layer1', 'layer1.0', 'conv2d'] beside `class_hierarchy`; the last entry is the op itself."""
    if "pkg.torch.onnx.name_scopes" not in props:
        return None
    try:
        names = ast.literal_eval(props["pkg.torch.onnx.name_scopes"])
        classes = ast.literal_eval(props.get("pkg.torch.onnx.class_hierarchy", "[]"))
    except (ValueError, SyntaxError):
        return None
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        return None
    padded = [str(c) for c in classes] + [""] * (len(names) - len(classes))
    return _dotted([(n, c.rsplit(".", 1)[-1]) for n, c in zip(names[:-1], padded)])


def _torch_namespace(props: Mapping[str, str]) -> Path | None:
    """`: pkg.Model/layer1: torch.nn.modules.container.Sequential/.../conv2d: aten.conv2d.default`."""
    if "namespace" not in props:
        return None
    steps = [_CALLED.match(part) for part in props["namespace"].split("/")]
    if not steps or any(s is None for s in steps):
        return None
    return _dotted([(s["name"], s["cls"].rsplit(".", 1)[-1]) for s in steps[:-1] if s is not None])


def _dotted(steps: list[tuple[str, str]]) -> Path:
    """Scopes from full dotted names, each step relative to the one before: layer1, layer1.0 -> layer1, 0."""
    path: list[Scope] = []
    prefix = ""
    for name, cls in steps:
        if not name:
            continue
        relative = name[len(prefix) + 1 :] if prefix and name.startswith(prefix + ".") else name
        parts = relative.split(".")
        path += [Scope(p) for p in parts[:-1]]
        path.append(Scope(parts[-1], cls))
        prefix = name
    return tuple(path)


def _from_name(name: str) -> Path:
    """`/enc/enc.0/MatMul` (PyTorch) or `model/dense/MatMul;model/dense/BiasAdd` (TensorFlow): all but the last step."""
    steps = [s for s in name.split(";")[0].split("/") if s and not _WRAPPERS.match(s)]
    path: list[Scope] = []
    previous = ""
    for step in steps[:-1]:
        relative = step[len(previous) + 1 :] if previous and step.startswith(previous + ".") else step
        path += [Scope(p) for p in relative.split(".") if p]
        previous = step
    return tuple(path)
