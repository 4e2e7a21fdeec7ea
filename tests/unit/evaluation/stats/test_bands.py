import pytest

from evaluation.stats.bands import consensus_bands
from evaluation.stats.proportions import wilson


def test_bands_count_answers_scored_and_right():
    bands = consensus_bands([0.2, 0.6, 0.6, 0.6, 1.0], [False, True, None, True, True], edges=(0, 0.5, 0.8, 1))
    assert [(b.low, b.high, b.n, b.scored, b.correct) for b in bands] == [
        (0, 0.5, 1, 1, 0),
        (0.5, 0.8, 3, 2, 2),
        (0.8, 1, 1, 1, 1),
    ]
    assert bands[1].accuracy == wilson(2, 2)


def test_an_edge_belongs_to_the_band_above_and_the_last_edge_to_the_last_band():
    bands = consensus_bands([0.5, 1.0], [True, True], edges=(0, 0.5, 1))
    assert [band.n for band in bands] == [0, 2]


@pytest.mark.parametrize("members", [3, 4, 5])
def test_default_bands_separate_every_vote_of_a_small_panel(members):
    shares = [agreeing / members for agreeing in range(1, members + 1)]
    assert max(band.n for band in consensus_bands(shares, [None] * members)) == 1


def test_unscored_answers_have_no_accuracy():
    (band,) = consensus_bands([0.5, 0.7], [None, None], edges=(0, 1))
    assert (band.n, band.scored, band.correct, band.accuracy) == (2, 0, 0, None)


@pytest.mark.parametrize("share", [-0.1, 1.2])
def test_a_consensus_outside_the_edges_is_refused(share):
    with pytest.raises(ValueError, match=f"got {share}"):
        consensus_bands([share], [True])


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="2 and 1"):
        consensus_bands([0.1, 0.2], [True])


@pytest.mark.parametrize("edges", [(0,), (0, 0.5, 0.5, 1), (1, 0)])
def test_edges_must_rise(edges):
    with pytest.raises(ValueError, match="Edges"):
        consensus_bands([0.5], [True], edges=edges)
