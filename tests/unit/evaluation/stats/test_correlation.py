import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.stats.correlation import CorrelationMatrix, effective_voters, error_correlation

MARKS = st.integers(2, 5).flatmap(
    lambda members: st.lists(st.tuples(*[st.sampled_from([True, False, None])] * members), min_size=1, max_size=40)
)


def named(rows: list[tuple[bool | None, ...]]) -> dict[str, tuple[bool | None, ...]]:
    return {f"member {i}": marks for i, marks in enumerate(zip(*rows, strict=True))}


def test_phi_of_a_hand_made_table():
    # Both err 2, only one 1, only the other 1, neither 2: (2*2 - 1*1) / sqrt(3*3*3*3) = 1/3.
    matrix = error_correlation(
        {"a": [True, True, True, False, False, False], "b": [True, True, False, True, False, False]}
    )
    assert matrix.names == ("a", "b")
    assert matrix.values[0] == pytest.approx((1.0, 1 / 3))
    assert matrix.values[0][1] == matrix.values[1][0]
    assert matrix.pairs == ((6, 6), (6, 6))


@settings(deadline=None, max_examples=40)
@given(MARKS)
def test_phi_is_the_correlation_of_the_marks_both_have(rows):
    # Independent: numpy's Pearson correlation over the common examples.
    errors = named(rows)
    matrix = error_correlation(errors)
    marks = list(errors.values())
    for i, first in enumerate(marks):
        for j, second in enumerate(marks):
            common = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
            assert matrix.pairs[i][j] == len(common)
            if i == j:
                assert matrix.values[i][j] == 1.0
            elif any(len({pair[side] for pair in common}) < 2 for side in (0, 1)):
                assert matrix.values[i][j] is None
            else:
                expected = np.corrcoef(np.array(common, dtype=float).T)[0, 1]
                assert matrix.values[i][j] == pytest.approx(expected)


def test_copies_of_one_member_are_one_voter():
    marks = [True, False, False, True, False]
    assert effective_voters(error_correlation({"a": marks, "b": marks, "c": marks})) == pytest.approx(1.0)


def test_independent_members_each_count():
    matrix = error_correlation({"a": [True, True, False, False], "b": [True, False, True, False]})
    assert effective_voters(matrix) == pytest.approx(2.0)


def test_opposed_members_count_no_more_than_independent_ones():
    assert effective_voters(error_correlation({"a": [True, False], "b": [False, True]})) == pytest.approx(2.0)


def test_equal_correlation_gives_the_design_effect():
    # Kish: n / (1 + (n - 1) rho) = 5 / (1 + 4 * 0.25) = 2.5.
    values = tuple(tuple(1.0 if i == j else 0.25 for j in range(5)) for i in range(5))
    matrix = CorrelationMatrix(names=tuple("abcde"), values=values, pairs=((9,) * 5,) * 5)
    assert effective_voters(matrix) == pytest.approx(2.5)


def test_a_member_without_errors_has_no_correlation_and_counts_as_one():
    matrix = error_correlation({"a": [False, False, False], "b": [True, False, True]})
    assert matrix.values == ((1.0, None), (None, 1.0))
    assert effective_voters(matrix) == pytest.approx(2.0)


@settings(deadline=None, max_examples=40)
@given(MARKS)
def test_voters_lie_between_one_and_the_members(rows):
    errors = named(rows)
    assert 1 - 1e-9 <= effective_voters(error_correlation(errors)) <= len(errors) + 1e-9


@pytest.mark.parametrize("errors", [{}, {"a": [True], "b": [True, False]}])
def test_members_without_the_same_examples_are_refused(errors):
    with pytest.raises(ValueError, match="one mark per example"):
        error_correlation(errors)
