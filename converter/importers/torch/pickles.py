"""What a pickle would import, read as data."""

from __future__ import annotations

import io
import pickletools
from collections.abc import Iterator

SAFE_GLOBALS = frozenset({
    "collections OrderedDict", "torch Size", "torch device", "torch.serialization _get_layout", "torch._tensor _rebuild_from_type_v2",
    *(f"torch._utils {f}" for f in (
        "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter",
    )),
    *(f"torch {k}Storage" for k in (
        "Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "ComplexFloat", "ComplexDouble",
    )),
    "torch.storage UntypedStorage", "torch.storage TypedStorage", "torch.nn.parameter Parameter", "torch Tensor",
})  # fmt: skip
"""What pickles of plain tensors name. None of these executes anything of the file's; those that call a function they
are given get one of this list, for a pickle has no other way to name one."""


_KEEPS = ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT")
_FETCHES = ("GET", "BINGET", "LONG_BINGET")


def pickle_globals(data: bytes) -> Iterator[str]:
    """`module name` of everything a pickle would import; raises ValueError on a damaged one.

    A name that is not spelled out right before it is used, or kept whole from before, is `unknown unknown`.
    Files of the old format are several pickles in a row, followed by raw storages: the first pickles are enough.
    """
    stream = io.BytesIO(data)
    for _ in range(5):
        yield from _globals(stream)
        if stream.read(1) != b"\x80":
            return
        stream.seek(-1, 1)


def _globals(stream: io.BytesIO) -> Iterator[str]:
    top: list[str | None] = []  # what is known of the top of the stack
    kept: dict[int, str | None] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument)
        elif opcode.name == "STACK_GLOBAL":
            names = [n for n in top[-2:] if n is not None]
            yield " ".join(names) if len(names) == 2 else "unknown unknown"
        if opcode.name in _KEEPS:
            kept[len(kept) if argument is None else int(str(argument))] = top[-1] if top else None
        elif opcode.name in _FETCHES:
            top.append(kept.get(int(str(argument))))
        elif isinstance(argument, str) and "UNICODE" in opcode.name:
            top.append(argument)
        elif opcode.name not in ("FRAME", "PROTO"):
            top = []
