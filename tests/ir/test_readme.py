"""The README's examples run, and its text forms are what is printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ir.passes import Pass, Pipeline
from ir.text import format_model, parse
from ir.verify import check
from tests.policy.source import ROOT

README = (ROOT / "ir" / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_code_runs_and_prints_the_text() -> None:
    names: dict[str, Any] = {"__name__": "readme"}
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec", dont_inherit=True), names)
    assert format_model(names["model"]) == blocks("isomorph-ir")[0]
    model = parse(blocks("isomorph-ir")[0].replace("softmax(v0; axis=1)", "identity(v0)"))
    made: Pass = names["DropIdentities"]()
    assert Pipeline((made,), fixpoint=True, debug=True).run(model).counts() == {"drop_identities/identity": 1}


def test_the_texts_are_sound_models_as_printed() -> None:
    assert len(blocks("isomorph-ir")) == 2
    for text in blocks("isomorph-ir"):
        model = parse(text)
        check(model)
        assert format_model(model) == text


def test_every_folder_has_its_row() -> None:
    named = set(re.findall(r"^\| `(\w+)", README, re.MULTILINE))
    found = {p.stem for p in Path(ROOT / "ir").iterdir() if not p.name.startswith(("_", ".")) and p.suffix != ".md"}
    assert named == found - {"py"}
