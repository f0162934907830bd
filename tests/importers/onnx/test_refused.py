"""What is refused as a whole says why, and is refused still."""

from __future__ import annotations

import onnx
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load, refused, rules
from converter.importers.onnx.table import RULES
from tests.importers.onnx.models import FLOAT, floats, model, node
from tests.importers.onnx.test_microsoft import refusal

rules.register()
RULED = {r.key for r in RULES}
OLDER = refused.why("Abs", "", 1)


def test_every_operator_without_a_rule_has_its_own_reason() -> None:
    """But for those whose later versions are read: they are of files older than opset 7."""
    for schema in onnx.defs.get_all_schemas_with_history():
        domain, version = (
            schema.domain.replace("ai.onnx", "", 1) if schema.domain == "ai.onnx" else schema.domain,
            schema.since_version,
        )
        if (domain, schema.name, version) in RULED:
            continue
        later = version < 7 and any((domain, schema.name, v) in RULED for v in range(version, 30))
        assert (refused.why(schema.name, domain, version) == OLDER) == later, f"{domain} {schema.name}-{version}"


def test_no_reason_is_of_an_operator_that_is_read() -> None:
    names = {(d, n) for d, n, _ in RULED}
    assert not [n for n in refused.MICROSOFT if ("com.microsoft", n) in names]
    assert not [n for n in refused.OPS if ("", n) in names and "-" not in n]
    assert not [n for n in refused.OPS if "-" in n and ("", n.split("-")[0], int(n.split("-")[1])) in RULED]
    assert not {d for d, _ in names} & set(refused.DOMAINS)


def test_reasons_are_told() -> None:
    x = floats(2, 3)
    assert "number of threads" in refusal("DynamicQuantizeLSTM", {"x": x})
    assert "ONNX Runtime alone" in refusal("GatedAdd", {"x": x})
    for domain, op, words in (
        ("ai.onnx.ml", "Scaler", "classical machine learning"), ("", "StringNormalizer", "works on strings"),
        ("com.microsoft.nchwc", "Conv", "one processor"), ("my.own", "Conv", "unknown domain 'my.own'"),
    ):  # fmt: skip
        proto = model(
            [node(op, "x", "y", domain=domain)], [("x", FLOAT, [2, 3])], ["y"], domains=[(domain, 1)] if domain else []
        )
        with pytest.raises(ConversionError, match=words):
            load(proto)
