"""TorchScript archives checked as data, before `torch.jit.load` reads them.

Loading compiles the program and may run its `__setstate__` methods; it takes the shape of a tensor for granted, whatever
its storage holds. So every tensor must fit the bytes there are, every object must be plain or of a class of the program,
and the program may only name ops that compute: one that opens a file takes its name, and is refused.
"""

from __future__ import annotations

import ast
import io
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from converter.errors import Unsupported, UntrustedSource, UsageError
from converter.importers.base import Planner
from converter.importers.torch.script import allowed

_MAX_TEXT = 1 << 28
_ITEM = {
    "Byte": 1, "Char": 1, "Bool": 1, "Short": 2, "Half": 2, "BFloat16": 2, "Int": 4, "Float": 4, "Long": 8, "Double": 8,
    "ComplexFloat": 8, "ComplexDouble": 16, "ComplexHalf": 4,
}  # fmt: skip
_PLAIN = frozenset((
    "collections OrderedDict", "torch device", "torch.jit._pickle build_intlist", "torch.jit._pickle build_tensorlist",
    "torch.jit._pickle build_doublelist", "torch.jit._pickle build_boollist", "torch.jit._pickle restore_type_tag",
))  # fmt: skip
_TENSORS = frozenset(("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "torch._tensor _rebuild_from_type_v2"))
_LANGUAGE = frozenset((
    "Delete", "__and__", "__contains__", "__derive_index", "__getitem__", "__is__", "__isnot__", "__lshift__", "__not__",
    "__or__", "__range_length", "__rshift__", "__xor__", "_convolution", "_set_item", "_unwrap_optional", "abs", "all",
    "any", "append", "as_tensor", "bin", "ceil", "chr", "clear", "copy", "count", "cpu", "cuda", "degrees", "device",
    "dict", "dim", "div", "endswith", "eq", "exp", "extend", "factorial", "find", "floor", "floordiv", "fmod", "format",
    "gcd", "ge", "get", "gru", "gt", "hash", "hex", "index", "insert", "is_autocast_cpu_enabled", "is_autocast_enabled",
    "is_complex", "is_floating_point", "is_grad_enabled", "is_scripting", "isdigit", "isfinite", "isinf", "isnan", "item",
    "items", "join", "keys", "le", "len", "list", "log", "lower", "lstm", "lt", "manual_seed", "max", "min", "mod", "ne",
    "neg", "numel", "oct", "ord", "pop", "popitem", "pow", "radians", "remainder", "remove", "replace", "reverse",
    "rnn_relu", "rnn_tanh", "round", "rstrip", "set_grad_enabled", "setdefault", "size", "sort", "split", "sqrt",
    "startswith", "str", "strip", "tensor", "title", "update", "upper", "values", "warn",
))  # fmt: skip
"""What `torch.NAME` means on Python values: none of it reaches beyond them."""
_FORBIDDEN = frozenset((
    "PythonOp", "rpc_async", "rpc_sync", "rpc_remote", "fork", "awaitable", "Load", "Store", "CudaFusionGroup", "FusionGroup",
))  # fmt: skip


def check(path: Path, zipped: zipfile.ZipFile) -> None:
    """Raise UsageError for a damaged file, UntrustedSource for one that loading could not be trusted with, and
    ConversionError with every op that is not known."""
    members = _members(path, zipped)
    for name, info in members.items():
        if name.endswith(".pkl") and not name.startswith("code/"):
            _check_pickle(path, name, zipped.read(info), members)
    plan = Planner(str(path))
    for name, info in members.items():
        if name.startswith("code/") and name.endswith(".py"):
            _check_code(plan, name, zipped.read(info))
    plan.check()


def _members(path: Path, zipped: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Members by name without the archive's root folder."""
    infos = [i for i in zipped.infolist() if not i.filename.endswith("/")]
    names = [i.filename.split("/", 1)[-1] for i in infos]
    roots = {i.filename.split("/", 1)[0] for i in infos}
    if len(roots) != 1 or any("/" not in i.filename or ".." in i.filename.split("/") for i in infos):
        raise UsageError(f"{path}: its members do not lie in one folder")
    if len(set(names)) != len(names):
        raise UsageError(f"{path}: members with the same name")
    text = sum(i.file_size for i, n in zip(infos, names, strict=True) if not n.startswith(("data/", "constants/")))
    packed = [n for i, n in zip(infos, names, strict=True) if n.startswith(("data/", "constants/")) and i.compress_type]
    if text > _MAX_TEXT or packed:
        raise UsageError(f"{path}: " + (f"{packed[0]} is compressed" if packed else "its code is larger than a program can be"))
    bad = zipped.testzip()
    if bad is not None:
        raise UsageError(f"{path}: damaged: {bad} does not have its checksum")
    if not {"data.pkl", "constants.pkl"} <= set(names):
        raise UsageError(f"{path}: a TorchScript archive without data.pkl or constants.pkl")
    return dict(zip(names, infos, strict=True))


# -- pickles ----------------------------------------------------------------------------------------------------------
class _Object:
    """Stands for an object of a class of the program."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Reader(pickle.Unpickler):
    """Reads a pickle without importing anything: classes are stand-ins, tensors are checked against their storages."""

    def __init__(self, data: bytes, path: Path, place: Callable[[str], zipfile.ZipInfo | None]) -> None:
        super().__init__(io.BytesIO(data))
        self.path, self.place = path, place

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in; UntrustedSource for anything but tensors, containers and the program's own classes."""
        full = f"{module} {name}"
        if full in _TENSORS:
            return self._tensor if name == "_rebuild_tensor_v2" else _first
        if full == "collections OrderedDict":
            return _ordered
        if full in _PLAIN:
            return _first
        if module == "torch" and name.endswith("Storage") and name.removesuffix("Storage") in _ITEM:
            return name.removesuffix("Storage")
        if module.startswith("__torch__") and not module.startswith("__torch__.torch.classes"):
            return type(name, (_Object,), {})
        raise UntrustedSource(f"{self.path}: loading would make a {module}.{name}; pass trust=True (--trust)")

    def persistent_load(self, pid: Any) -> tuple[int, int]:
        """(elements, bytes an element) of a storage; UsageError where its bytes are missing."""
        kind, storage, key, _, count = pid
        info = self.place(str(key))
        if kind != "storage" or info is None or info.file_size < count * _ITEM[storage]:
            raise UsageError(f"{self.path}: the bytes of storage {key} are missing")
        return int(info.file_size) // _ITEM[storage], _ITEM[storage]

    def _tensor(self, storage: tuple[int, int], offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *rest: Any) -> None:
        if len(shape) != len(stride) or min((offset, *shape, *stride), default=0) < 0:
            raise UsageError(f"{self.path}: a tensor of shape {shape} and strides {stride}")
        last = offset + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
        if 0 not in shape and last >= storage[0]:
            raise UsageError(f"{self.path}: a tensor reaches beyond its storage")


def _first(*args: Any) -> Any:
    return args[0] if args else None


def _ordered(*args: Any) -> dict[Any, Any]:
    return dict(*args)


def _check_pickle(path: Path, name: str, data: bytes, members: dict[str, zipfile.ZipInfo]) -> None:
    folder = name.removesuffix(".pkl")
    try:
        _Reader(data, path, lambda key: members.get(f"{folder}/{key}")).load()
    except (UsageError, UntrustedSource):
        raise
    except Exception as error:  # a damaged pickle makes the reader fail in any way
        raise UsageError(f"{path}: {name} is no pickle of a program: {type(error).__name__}: {error}") from error


# -- code -------------------------------------------------------------------------------------------------------------
def _check_code(plan: Planner, name: str, data: bytes) -> None:
    try:
        text = data.decode()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(_readable(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{plan.what}: {name} is no TorchScript: {error}") from None
    for line, op in _ops(tree):
        if not _is_known(op):
            plan.add(Unsupported(op, "no rule for this operation", f"{name.rsplit('/', 1)[-1]}:{line}"))


def _readable(text: str) -> str:
    """The program as Python: its attributes may bear names that Python does not have."""
    return re.sub(r"^(\s*)(__annotations__\b.*|__parameters__ = .*|__buffers__ = .*|__constants__.*)$", r"\1pass", text, flags=re.M)


def _ops(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What the program calls of torch: `aten::add` for `torch.add`, `prim::dtype` for `ops.prim.dtype`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            parts = _dotted(node)
            if parts[:1] == ["torch"] and len(parts) == 2:
                yield node.lineno, f"aten::{parts[1]}"
            elif parts[:1] == ["ops"] and len(parts) == 3:
                yield node.lineno, f"{parts[1]}::{parts[2]}"
            elif "classes" in parts and parts[:2] == ["__torch__", "torch"]:
                yield node.lineno, ".".join(parts)


def _dotted(node: ast.expr) -> list[str]:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return [node.id, *parts] if isinstance(node, ast.Name) else []


def _is_known(op: str) -> bool:
    namespace, _, name = op.partition("::")
    if namespace == "prim":
        return name not in _FORBIDDEN
    return namespace == "aten" and (name in _LANGUAGE or allowed.allowed_name(name) or _computes(name))


def _computes(name: str) -> bool:
    """Whether an op without a rule can do no more than compute: one that opens a file is told its name."""
    import torch

    schemas = torch._C._jit_get_schemas_for_operator(f"aten::{name}")
    return bool(schemas) and not any("str" in str(a.type) for s in schemas for a in s.arguments)
