"""The record of the run over `keras.applications`."""

from __future__ import annotations

from dataclasses import replace

from tests.suites import applications_page as page
from tests.suites.applications_run import TARGETS, Outcome

SHORT = ("ResNet50", "MobileNetV3Small", "EfficientNetB0", "ConvNeXtTiny", "DenseNet121")


def test_the_page_is_current() -> None:
    assert page.PAGE.read_text("utf-8") == page.text(page.read()), "run `make suite-applications SUITE_ARGS=--update`"


def test_every_architecture_is_recorded_as_passed() -> None:
    found = page.read()
    assert len(found) >= 80 and len({(o.name, o.to) for o in found}) == len(found)
    assert {o.to for o in found} == set(TARGETS)
    assert all(o.verdict == "passed" and o.inside == 0 for o in found)


def test_the_code_of_the_best_known_is_short() -> None:
    lines = {o.name: o.lines for o in page.read() if o.to == "torch"}
    assert all(lines[name] < 300 for name in SHORT), {n: lines[n] for n in SHORT}


def test_falling_below_the_record_is_noticed() -> None:
    good = [Outcome("A", to, "passed") for to in TARGETS]
    assert not page.fallen(good, good)
    assert page.fallen(good, good[:1])
    assert page.fallen(good, [good[0], replace(good[1], verdict="wrong")])
