"""Every layer of `keras.layers` as a model of its own: read, and equal to Keras in inference and in training.

A share of the rows runs here; `python -m tests.importers.keras.layers_run` runs all of them, and writes them as PyTorch
and ONNX too.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

from converter.errors import ConversionError
from converter.importers.base import Refusal
from converter.importers.keras.context import rule
from tests.importers.keras import layer_table, layer_table_preprocessing, layer_table_recurrent
from tests.importers.keras.layer_case import Case, build, compare, read, row
from tests.importers.keras.layer_export import TARGETS, check_written

keras = pytest.importorskip("keras")
ABSTRACT, REFUSED = layer_table_preprocessing.ABSTRACT, layer_table_preprocessing.REFUSED


def all_rows() -> list[Case]:
    """The rows of all tables that the running backend can run."""
    tables = (layer_table, layer_table_recurrent, layer_table_preprocessing)
    found = [case for table in tables for case in table.rows()]
    return [case for case in found if case.backend in ("", keras.config.backend())]


def by_class(share: int) -> dict[str, list[Case]]:
    """The first row of each class, and one in `share` of those behind it."""
    found: dict[str, list[Case]] = defaultdict(list)
    for case in all_rows():
        found[case.layer].append(case)
    return {name: cases[::share] for name, cases in found.items()}


SAMPLE = by_class(6)


def check_case(case: Case) -> None:
    """Raises AssertionError where a case is wrong, or is refused and should not be (and the other way round)."""
    model = build(case)
    try:
        found = read(case, model)
    except ConversionError as error:
        assert case.refused and case.refused in str(error), f"refused: {error}"
        return
    assert not case.refused, f"not refused ({case.refused})"
    compare(case, model, found, batches=(3, 1))
    if not case.random:
        compare(case, model, found, training=True, batches=(3,))


@pytest.mark.parametrize("name", sorted(SAMPLE))
def test_rows(name: str) -> None:
    failed = []
    for case in SAMPLE[name]:
        try:
            check_case(case)
        except AssertionError as error:
            failed.append(f"{case.name}: {error}")
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("name", sorted(SAMPLE)[::6])
def test_written(name: str, to: str) -> None:
    case = SAMPLE[name][-1]
    check_written(case, build(case), to)


def test_every_public_layer_has_rows_or_a_reason() -> None:
    covered = {
        getattr(keras.layers, name) for name in {case.layer for case in all_rows()} | set(REFUSED) | set(ABSTRACT)
    }
    missing = [n for n in dir(keras.layers) if n[0].isupper() and getattr(keras.layers, n) not in covered]
    assert not missing


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_by_name(name: str) -> None:
    found = rule.get(f"layers.{name}")
    assert found is not None

    class Context:
        def refuse(self, reason: str, advice: str) -> None:
            raise Refusal(reason, advice)

    with pytest.raises(Refusal) as error:
        found.fn(Context(), None, None)
    assert REFUSED[name] in error.value.reason and error.value.advice


@pytest.mark.parametrize(
    "case",
    [
        row("Hashing", (3,), num_bins=5, ints_=9),
        row("HashedCrossing", (1,), (1,), num_bins=5, ints_=9),
    ],
    ids=lambda case: case.layer,
)
def test_refused_in_a_model(case: Case) -> None:
    with pytest.raises(ConversionError, match=f"keras.layers.{case.layer}: .*{REFUSED[case.layer]}"):
        read(case, build(case))


def test_augmentation_leaves_a_note() -> None:
    case = row("RandomFlip", (5, 6, 3), random_=True)
    assert any("augments in training" in n for n in read(case, build(case)).notes)
