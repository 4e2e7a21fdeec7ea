from dataclasses import FrozenInstanceError

import pytest

from evaluation.stats.interval import Interval, two_sided_z


def test_an_interval_defaults_to_95_percent_and_cannot_be_changed():
    interval = Interval(low=0.1, high=0.2)
    assert (interval.level, interval.method) == (0.95, "")
    with pytest.raises(FrozenInstanceError):
        interval.low = 0.0  # type: ignore[misc]


def test_the_normal_quantile_is_the_printed_one():
    # Any table of the normal distribution.
    assert two_sided_z(0.95) == pytest.approx(1.959963985, abs=1e-9)
    assert two_sided_z(0.90) == pytest.approx(1.644853627, abs=1e-9)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_outside_the_open_unit_interval_is_refused(level):
    with pytest.raises(ValueError, match="confidence level"):
        two_sided_z(level)
