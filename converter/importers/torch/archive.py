"""`.pt2` archives: checked as data, then loaded.

`torch.export.load` unpickles tensors that are marked so and example inputs that a safe reader rejects, evaluates size
expressions with sympy, resolves op names as attributes of torch, and loads compiled code. Each of these is checked
here before the file reaches it.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from converter.errors import ConversionError, Unsupported, UntrustedSource, UsageError
from converter.importers.base import ImportOptions, Planner
from converter.importers.torch import export, families
from converter.importers.torch.context import rule as rules
from converter.importers.torch.pickles import SAFE_GLOBALS, pickle_globals

_COMPILED = ("data/aotinductor/", "data/executorch/", "data/mtia/")
_TARGET = re.compile(r"torch\.ops\.aten\.(?P<op>\w+)\.(?P<overload>\w+)$|_operator\.\w+$|torch\.sym_\w+$|math\.\w+$|builtins\.(max|min)$")
_EXPRESSION = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?|[A-Za-z_]\w*|\*\*|//|[-+*/%(),<>=!&|~\s]|'[\w]+')+")
_WORDS = re.compile(r"[A-Za-z_]\w*")
_FUNCTIONS = frozenset((
    "Symbol Integer Float Rational Add Mul Pow Mod PythonMod FloorDiv CleanDiv CeilDiv CeilToInt FloorToInt TruncToInt RoundToInt "
    "ToFloat Min Max ModularIndexing Where FloatPow PowByNatural IntTrueDiv FloatTrueDiv Identity Abs Eq Ne Lt Le Gt Ge And Or "
    "Not StrictLessThan LessThan StrictGreaterThan GreaterThan Equality Unequality true false True False positive integer "
    "nonnegative int_oo oo zoo sqrt OpaqueUnaryFn_sqrt OpaqueUnaryFn_exp OpaqueUnaryFn_log LShift RShift BitwiseFn_bitwise_and"
).split())  # fmt: skip
_TREES = frozenset(("builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict", "collections.namedtuple"))
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 9: 4, 10: 8, 11: 16, 12: 1, 13: 2}
_MAX_JSON = 1 << 30


def load_program(path: Path, zipped: zipfile.ZipFile, options: ImportOptions) -> Any:
    """The ExportedProgram of an archive; raises UntrustedSource, ConversionError (all unknown ops) or UsageError."""
    import torch

    members = _members(path, zipped)
    if not options.trust:
        _check_members(path, zipped, members)
        for name in members:
            if name.startswith("models/") and name.endswith(".json"):
                _check_model(path, _json(path, zipped, members[name]))
    try:
        return torch.export.load(str(path))
    except Exception as error:  # a damaged file can make torch's reader fail in any way
        first = str(error).strip().splitlines()[:1]
        raise UsageError(f"{path}: torch.export.load fails: {type(error).__name__}: {' '.join(first)}") from error


def _members(path: Path, zipped: zipfile.ZipFile) -> dict[str, str]:
    """Member name without the archive's root folder -> full name."""
    names = [n for n in zipped.namelist() if not n.endswith("/")]
    if any(n.startswith("/") or ".." in n.split("/") for n in names):
        raise UsageError(f"{path}: a member's path leaves the archive")
    if any("/" in n and n.split("/")[0] == "" for n in names) or len(set(names)) != len(names):
        raise UsageError(f"{path}: members with the same name")
    bad = zipped.testzip()
    if bad is not None:
        raise UsageError(f"{path}: damaged: {bad} does not have its checksum")
    return {n.split("/", 1)[1] if "/" in n else n: n for n in names}


def _check_members(path: Path, zipped: zipfile.ZipFile, members: dict[str, str]) -> None:
    for name, full in members.items():
        if name.startswith(_COMPILED):
            raise UntrustedSource(f"{path}: holds compiled code ({name}), which loading would execute; pass trust=True (--trust)")
        if name.endswith(".json") and name.startswith(("data/weights/", "data/constants/")):
            _check_payloads(path, zipped, members, _json(path, zipped, full), name.rsplit("/", 1)[0])
        elif name.endswith((".pt", ".pkl")):
            _check_pickle(path, name, zipped.read(full))


def _json(path: Path, zipped: zipfile.ZipFile, full: str) -> Any:
    if zipped.getinfo(full).file_size > _MAX_JSON:
        raise UsageError(f"{path}: {full} is larger than a description can be")
    try:
        return json.loads(zipped.read(full))
    except ValueError as error:
        raise UsageError(f"{path}: {full} is no JSON: {error}") from None


def _check_payloads(path: Path, zipped: zipfile.ZipFile, members: dict[str, str], config: Any, folder: str) -> None:
    """Pickled tensors are read as data; sizes must fit the bytes there are, or torch would allocate by them."""
    try:
        for name, payload in config["config"].items():
            full = members.get(f"{folder}/{payload['path_name']}")
            if full is None:
                raise UsageError(f"{path}: the bytes of {name} are missing")
            if payload["path_name"].startswith(("custom_obj", "opaque_obj")):
                raise UntrustedSource(f"{path}: {name} is an object that loading would unpickle; pass trust=True (--trust)")
            if payload["use_pickle"]:
                _check_pickle(path, payload["path_name"], zipped.read(full))
            elif zipped.getinfo(full).file_size < _bytes_needed(payload["tensor_meta"]):
                raise UsageError(f"{path}: {name} is shorter than its shape says")
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: {folder} is not described as torch does: {error}") from None


def _bytes_needed(meta: Any) -> int:
    sizes = [s["as_int"] for s in meta["sizes"]]
    return math.prod(sizes) * _ITEM_BYTES.get(meta["dtype"], 1) if math.prod(sizes) else 0


def _check_pickle(path: Path, name: str, data: bytes) -> None:
    """Refuse a pickle that names anything but plain tensors."""
    for pickled in _pickles(path, name, data):
        try:
            foreign = [g for g in pickle_globals(pickled) if g not in SAFE_GLOBALS]
        except ValueError as error:
            raise UsageError(f"{path}: {name} is a damaged pickle: {error}") from None
        if foreign:
            raise UntrustedSource(f"{path}: {name} would import {foreign[0].replace(' ', '.')} when unpickled; pass trust=True (--trust)")


def _pickles(path: Path, name: str, data: bytes) -> Iterator[bytes]:
    import io

    stream = io.BytesIO(data)
    if not zipfile.is_zipfile(stream):
        yield data
        return
    with zipfile.ZipFile(stream) as inner:
        if any(n.endswith(".py") or n.endswith("constants.pkl") for n in inner.namelist()):
            raise UntrustedSource(f"{path}: {name} is a TorchScript archive; pass trust=True (--trust)")
        for member in inner.namelist():
            if member.endswith(".pkl"):
                yield inner.read(member)


def _check_model(path: Path, model: Any) -> None:
    """Op names against the rules, size expressions and trees against what torch writes."""
    families.load()
    known = {str(r.key).split(".")[1] for r in rules if str(r.key).startswith("aten.")} | _READER_OPS
    plan = Planner(str(path))
    for kind, text in _strings(model):
        if kind == "target":
            _check_target(plan, text, known)
        elif kind == "expr_str" and not _is_expression(text):
            raise UntrustedSource(f"{path}: the size expression {text[:60]!r} is none that torch writes")
        elif kind == "treespec":
            _check_tree(path, text)
    plan.check()


_READER_OPS = {
    "sym_size", "sym_numel", "sym_stride", "sym_storage_offset", "item", "_local_scalar_dense", "_assert_tensor_metadata",
    "_assert_scalar", "_assert_async", "sym_constrain_range", "sym_constrain_range_for_size", "_check", "lift_fresh_copy",
    "lift_fresh", "lift",
}  # fmt: skip


def _check_target(plan: Planner, target: str, known: set[str]) -> None:
    match = _TARGET.fullmatch(target)
    if match is None:
        plan.add(Unsupported(target.removeprefix("torch.ops."), "not an ATen op", advice="export the model without it"))
    elif match["op"] and match["op"].rstrip("_") not in known and match["op"] not in known and not _composed(match):
        plan.add(rules.missing(f"aten.{match['op']}.{match['overload']}"))


def _composed(match: re.Match[str]) -> bool:
    """Whether PyTorch itself computes the op from others, which the reader then finds in its place."""
    import torch

    found = getattr(getattr(torch.ops.aten, match["op"], None), match["overload"], None)
    return found is not None and export.definition_of(found) is not None


def _is_expression(text: str) -> bool:
    if _EXPRESSION.fullmatch(text) is None:
        return False
    return all(w in _FUNCTIONS or re.fullmatch(r"[a-z]{1,4}\d+|_\w*\d+", w) for w in _WORDS.findall(text))


def _check_tree(path: Path, text: str) -> None:
    for name in re.findall(r'"type"\s*:\s*"([^"]+)"', text):
        if name not in _TREES and not name.startswith("transformers."):
            raise UntrustedSource(f"{path}: inputs or outputs of the class {name}, which loading would look up; pass trust=True (--trust)")


def _strings(item: Any) -> Iterator[tuple[str, str]]:
    """Every string that torch interprets, with the name of its field: op targets, size expressions, trees."""
    if isinstance(item, dict):
        for key, value in item.items():
            if isinstance(value, str) and key in ("target", "expr_str"):
                yield key, value
            elif isinstance(value, str) and key in ("in_spec", "out_spec"):
                yield "treespec", value
            else:
                yield from _strings(value)
    elif isinstance(item, list):
        for value in item:
            yield from _strings(value)


__all__ = ["ConversionError", "load_program"]
