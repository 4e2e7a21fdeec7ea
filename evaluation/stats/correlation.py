"""Do members fail together: correlation of their errors and the voters they are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationMatrix:
    """Square and symmetric, in the order of `names`.

    `values[i][j]` is phi of the errors of i and j, 1 on the diagonal, None where one of the two made
    no error or only errors on the common examples. `pairs[i][j]` counts the common examples.
    """

    names: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    pairs: tuple[tuple[int, ...], ...]


def error_correlation(errors: Mapping[str, Sequence[bool | None]]) -> CorrelationMatrix:
    """Phi of each two members over the examples both were scored on.

    `errors[name][i]` is true where the member erred on example i, None where it is not scored.
    Source: G. U. Yule, J. R. Stat. Soc. 75:579-652 (1912), the product-moment correlation of two
    binary variables. `ValueError` without members or if the sequences differ in length.
    """
    import numpy as np

    lengths = {len(marks) for marks in errors.values()}
    if len(lengths) != 1:
        raise ValueError(f"Every member needs one mark per example, got {sorted(lengths)} marks.")
    erred = np.array([[mark is not None and bool(mark) for mark in marks] for marks in errors.values()], dtype=float)
    scored = np.array([[mark is not None for mark in marks] for marks in errors.values()], dtype=float)
    common, own, joint = scored @ scored.T, erred @ scored.T, erred @ erred.T
    return CorrelationMatrix(
        names=tuple(errors),
        values=_phi_matrix(common, own, joint),
        pairs=tuple(tuple(int(count) for count in row) for row in common),
    )


def effective_voters(matrix: CorrelationMatrix) -> float:
    """N_eff = n² / sum over i, j of max(0, phi_ij): as many independent members would vote alike.

    n for independent members, 1 for identical ones; at equal correlation rho it is n / (1 + (n-1) rho),
    the design effect of L. Kish, Survey Sampling (1965), 5.4. An undefined phi counts as 0.
    """
    shared = sum(max(0.0, phi or 0.0) for row in matrix.values for phi in row)
    return len(matrix.names) ** 2 / shared


def _phi_matrix(common: "Counts", own: "Counts", joint: "Counts") -> tuple[tuple[float | None, ...], ...]:
    """Shapes (members, members): common examples, errors of i on them, errors of both i and j."""
    members = range(len(common))
    return tuple(
        tuple(1.0 if i == j else _phi(common[i, j], own[i, j], own[j, i], joint[i, j]) for j in members)
        for i in members
    )


def _phi(n: float, first: float, second: float, both: float) -> float | None:
    """(n·both - first·second) / sqrt(first (n-first) second (n-second)); None without variance."""
    variance = float(first) * float(n - first) * float(second) * float(n - second)
    return float(n * both - first * second) / sqrt(variance) if variance > 0 else None
