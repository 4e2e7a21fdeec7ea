"""Which panels are worth their cost."""

from collections.abc import Sequence


def frontier(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the (cost, quality) points that no other point dominates, by rising cost.

    A point is dominated when another is at most as expensive and at least as good, and better in one
    of the two. Equal points stand or fall together. Cost in any unit, quality in any unit.
    """
    by_cost = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1], i))
    kept: list[int] = []
    for index in by_cost:
        if not kept or points[index][1] > points[kept[-1]][1] or points[index] == points[kept[-1]]:
            kept.append(index)
    return kept
