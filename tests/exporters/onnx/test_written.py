"""The graph written for every sample is the recorded one: a change of it is a decision, `python -m tests.written`."""

from __future__ import annotations

import pytest

from tests.written.areas import AREAS
from tests.written.record import changed

AREA = AREAS["exporters_onnx"]


@pytest.mark.parametrize("group", AREA.groups)
def test_written(group: str) -> None:
    found = changed(AREA, group)
    assert not found, "written otherwise than recorded:\n" + "\n".join(f"# {case}\n{text}" for case, text in found[:3])
