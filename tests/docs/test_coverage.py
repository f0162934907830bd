"""docs/coverage.md is what the rules say."""

from pathlib import Path

from converter.coverage import markdown

DOC = Path(__file__).resolve().parents[2] / "docs" / "coverage.md"


def test_the_coverage_table_is_current():
    assert DOC.read_text() == markdown(), "run: isomorph ops --markdown > docs/coverage.md"
