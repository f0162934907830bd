"""ONNX's own node tests through import and exact evaluation: none may come out wrong."""

from __future__ import annotations

from collections import Counter

import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load, rules
from converter.importers.onnx.definitions import definition
from converter.importers.onnx.table import RULES
from ir.verify import check
from tests.importers.onnx.node_cases import cases, compared, known_refusals, outcome_of, run_case
from tests.written.areas import AREAS
from tests.written.record import digest, recorded

rules.register()


def test_no_case_is_wrong() -> None:
    """What is refused is known by name: neither more nor less."""
    outcomes = [outcome_of(case) for case in compared()]
    counts = Counter(o.verdict for o in outcomes)
    print(f"node cases: {counts['passed']} passed, {counts['refused']} refused, {counts['wrong']} wrong")
    bad = [f"{o.name}: {o.verdict}: {o.detail}" for o in outcomes if o.verdict not in ("passed", "refused")]
    assert not bad, "\n".join(bad)
    assert {o.name for o in outcomes if o.verdict == "refused"} == known_refusals()
    known = recorded(AREAS["importers_onnx"])
    changed = [o for o in outcomes if digest(o.text) != known.get(o.name)]
    assert not changed, "read otherwise than recorded (`python -m tests.written`):\n" + "\n".join(
        f"# {o.name}\n{o.text}" for o in changed[:3]
    )


def test_imported_cases_are_valid() -> None:
    """A sample of the cases against the IR's verifier."""
    checked = 0
    for case in cases()[::7]:
        try:
            model = load(case.model)
        except ConversionError:
            continue
        check(model, case.name)
        checked += 1
    assert checked > 100


def test_the_comparison_notices_a_wrong_result() -> None:
    case = next(c for c in cases() if c.name == "test_sub")
    case.model.graph.node[0].op_type = "Add"
    try:
        assert run_case(case).verdict == "wrong"
    finally:
        case.model.graph.node[0].op_type = "Sub"


@pytest.mark.parametrize("rule", list(RULES), ids=lambda r: "-".join(map(str, r.key)))
def test_rules_are_keyed_by_definitions(rule: object) -> None:
    """Every key names an op and an opset at which a definition of it begins."""
    domain, op, version = rule.key
    found = definition(op, version, domain)
    assert found is not None and found.since_version == version
