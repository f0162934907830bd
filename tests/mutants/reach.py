"""Which lines of some files run inside a block of code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Collection, Iterator
from types import CodeType, FrameType
from typing import Any

Lines = set[tuple[str, int]]


@contextlib.contextmanager
def recording(files: Collection[str]) -> Iterator[Lines]:
    """Fills the set that it yields with (file, line) of every line run in the block, and the heads of functions.

    The body of a module, which runs at its import, is left out.
    """
    wanted, lines = set(files), set()
    ours: dict[CodeType, bool] = {}

    def on_line(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return on_line

    def on_call(frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        ok = ours.get(code)
        if ok is None:
            ok = ours[code] = code.co_filename in wanted and bool(code.co_flags & 2)  # 2: has fast locals, a function
        if not ok:
            return None
        lines.add((code.co_filename, code.co_firstlineno))
        return on_line

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        yield lines
    finally:
        sys.settrace(before)
