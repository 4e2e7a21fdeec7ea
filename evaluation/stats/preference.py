"""Which of two arms people prefer, judged at any time without spending the error rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log

from evaluation.stats.interval import Interval
from evaluation.stats.proportions import wilson
from evaluation.stats.weighted_rates import SampledItem, weighted_rate

STOP_AT = 20.0
_PRIOR = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Wins of each side, and what speaks against a fair coin.

    Of items, ``win_rate`` is that of all items like the decided ones, weighted where they were oversampled.

    ``decided`` items are those that somebody found better on one side: neither the same nor unusable. ``e_value`` may
    be looked at after every vote: under no preference it ever reaches ``1 / alpha`` with probability at most alpha.
    ``win_rate`` and its interval are of the decided items, None without one.
    """

    wins: int
    losses: int
    e_value: float
    win_rate: float | None
    interval: Interval | None

    @property
    def decided(self) -> int:
        return self.wins + self.losses

    @property
    def is_settled(self) -> bool:
        """Also the interval has to lie off one half: in an oversample the e-value is of the items looked at alone."""
        if self.interval is None or self.e_value < STOP_AT:
            return False
        return self.interval.low > 0.5 or self.interval.high < 0.5


def prefer(*, wins: int, losses: int) -> Preference:
    """``ValueError`` for a negative count."""
    if wins < 0 or losses < 0:
        raise ValueError(f"Wins and losses cannot be negative, got {wins} and {losses}.")
    decided = wins + losses
    return Preference(
        wins=wins,
        losses=losses,
        e_value=preference_e_value(wins, decided),
        win_rate=wins / decided if decided else None,
        interval=wilson(wins, decided) if decided else None,
    )


def prefer_items(decided: Sequence[SampledItem]) -> Preference:
    """One result an item; the event is that the first answer won. Items of an oversample are weighted back."""
    if not decided:
        return prefer(wins=0, losses=0)
    rate = weighted_rate(decided)
    return Preference(
        wins=rate.events,
        losses=rate.n - rate.events,
        e_value=preference_e_value(rate.events, rate.n),
        win_rate=rate.estimate,
        interval=rate.interval,
    )


def preference_e_value(wins: int, decided: int, prior: float = _PRIOR) -> float:
    """B(a + k, a + n - k) / B(a, a) · 2ⁿ: the beta mixture with a = 5 against a fair coin, k wins of n decided items.

    Source: the mixture martingale of H. Robbins, Ann. Math. Stat. 41:1397-1409 (1970), for a binomial share; that it
    may be watched is Ville's inequality. ``ValueError`` for wins outside 0..n.
    """
    if not 0 <= wins <= decided:
        raise ValueError(f"Wins lie between 0 and n = {decided}, got {wins}.")
    losses = decided - wins
    log_ratio = _log_beta(prior + wins, prior + losses) - _log_beta(prior, prior) + decided * log(2)
    # The largest float is e^709: whoever is that sure may as well be told so.
    return exp(min(log_ratio, 700.0))


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
