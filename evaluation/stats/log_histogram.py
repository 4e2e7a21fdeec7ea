"""Histograms with logarithmic buckets: percentiles of any number of values, merged without loss, within 1 %.

Source: C. Masson, J. E. Rim and H. K. Lee, DDSketch, PVLDB 12(12):2195-2205 (2019). With bounds that grow by
``GAMMA`` = 1.02, a bucket's middle is at most (GAMMA - 1) / (GAMMA + 1) = 0.99 % away from any value in it.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, isfinite, log
from typing import Any

GAMMA = 1.02
# Below it nobody measures: a microsecond, if values are seconds. Such values, 0 among them, share one bucket.
SMALLEST = 1e-6
_LOG_GAMMA = log(GAMMA)
_PAIR = struct.Struct("<iI")
_ZERO_BUCKET = -(2**31)


def bucket_of(value: float) -> int:
    """The bucket of a value of 0 or more, in any unit. `ValueError` for a negative or infinite one."""
    if not (isfinite(value) and value >= 0):
        raise ValueError(f"A histogram takes finite values of 0 or more, got {value}.")
    return _ZERO_BUCKET if value < SMALLEST else ceil(log(value) / _LOG_GAMMA)


def middle_of(bucket: int) -> float:
    """The value that stands for a bucket: as far, in proportion, from its lower bound as from its upper one."""
    return 0.0 if bucket == _ZERO_BUCKET else float(2 * GAMMA**bucket / (GAMMA + 1))


def count_values(values: Iterable[float]) -> Counter[int]:
    """How many values each bucket holds."""
    return Counter(map(bucket_of, values))


def pack(counts: Mapping[int, int]) -> bytes:
    """Buckets and counts, in order of value, eight bytes each. Packed histograms may be joined end to end."""
    return b"".join(_PAIR.pack(bucket, count) for bucket, count in sorted(counts.items()))


def unpack(packed: bytes) -> Counter[int]:
    """Counts by bucket; what stands in ``packed`` several times is added up. `ValueError` if it is cut off."""
    import numpy as np

    pairs = _pairs(packed)
    buckets, places = np.unique(pairs["bucket"], return_inverse=True)
    sums = np.bincount(places, weights=pairs["count"], minlength=len(buckets))
    return Counter(dict(zip(buckets.tolist(), (int(total) for total in sums), strict=True)))


def count_of(packed: bytes) -> int:
    """How many values a packed histogram holds."""
    return int(_pairs(packed)["count"].sum())


def quantiles(packed: bytes, shares: Sequence[float]) -> tuple[float | None, ...]:
    """`quantile` at several shares of what is packed. A page asks for thousands, so nothing is unpacked for it."""
    import numpy as np

    pairs = _pairs(packed)
    if not len(pairs):
        return (None,) * len(shares)
    pairs = pairs[np.argsort(pairs["bucket"])]
    upto = np.cumsum(pairs["count"], dtype=np.int64)
    ranks = [max(1, ceil(q * int(upto[-1]))) for q in shares]
    return tuple(middle_of(int(pairs["bucket"][place])) for place in np.searchsorted(upto, ranks))


def _pairs(packed: bytes) -> Any:
    """An array of buckets and counts, in no order."""
    import numpy as np

    if len(packed) % _PAIR.size:
        raise ValueError(f"A packed histogram has {_PAIR.size} bytes a bucket, got {len(packed)} bytes.")
    return np.frombuffer(packed, dtype=[("bucket", "<i4"), ("count", "<u4")])


def quantile(counts: Mapping[int, int], q: float) -> float | None:
    """The value at share ``q`` (0.95 for P95), at most 1 % from the order statistic of that rank; None without values.

    `ValueError` with q outside 0..1.
    """
    if not 0 <= q <= 1:
        raise ValueError(f"A percentile is a share between 0 and 1, got {q}.")
    total = sum(counts.values())
    rank = max(1, ceil(q * total))
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= rank:
            return middle_of(bucket)
    return None
