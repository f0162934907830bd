"""Differences: values, specials, shapes and dtypes."""

import numpy as np
import pytest

from converter.verification.compare import difference

F = np.float32


def test_equal_arrays_have_no_difference():
    a = np.array([1.0, -0.0, np.inf, np.nan], F)
    found = difference(a, a)
    assert (found.max_abs, found.mismatched, found.problem) == (0.0, 0, "")


def test_error_is_absolute_and_scaled_by_the_largest_expected_value():
    found = difference(np.array([1.0, 10.5], F), np.array([1.0, 10.0], F))
    assert found.max_abs == 0.5
    assert found.scaled == 0.05
    assert found.index == (1,)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [(np.nan, 1.0), (1.0, np.nan), (np.inf, 1.0), (1.0, np.inf), (np.inf, -np.inf), (np.nan, np.inf)],
)
def test_specials_that_differ_are_infinitely_wrong(actual, expected):
    found = difference(np.array([0.0, actual], F), np.array([0.0, expected], F))
    assert found.mismatched == 1
    assert found.max_abs == np.inf
    assert found.index == (1,)


def test_integers_and_booleans_are_exact():
    assert difference(np.array([1, 2]), np.array([1, 3])).mismatched == 1
    assert difference(np.array([True, False]), np.array([True, True])).mismatched == 1
    big = 2**53
    assert difference(np.array([big + 1]), np.array([big])).mismatched == 1, "float64 cannot tell these apart"


def test_shape_and_kind_are_problems_not_numbers():
    assert "shape" in difference(np.zeros((2, 1), F), np.zeros(2, F)).problem
    assert "dtype" in difference(np.zeros(2, np.int64), np.zeros(2, F)).problem


def test_empty_arrays_are_equal():
    assert difference(np.zeros((0, 3), F), np.zeros((0, 3), F)).max_abs == 0.0


def test_a_zero_reference_does_not_hide_an_error():
    found = difference(np.array([1e-9]), np.array([0.0]))
    assert found.max_abs == 1e-9
    assert found.scaled > 1
