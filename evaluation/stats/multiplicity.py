"""Several panels against one baseline: p-values adjusted so that any false claim stays within alpha."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Step-down adjusted p-values, in the order given; compare each with alpha as it is.

    With p sorted upwards, adjusted p_(i) = max over j <= i of min(1, (m - j + 1) p_(j)).
    Source: S. Holm, Scand. J. Stat. 6:65-70 (1979). `ValueError` for a value outside 0..1.
    """
    outside = [p for p in p_values if not 0 <= p <= 1]
    if outside:
        raise ValueError(f"A p-value lies between 0 and 1, got {outside[0]}.")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
