"""How long things took, in buckets of an eighth of an octave: any count of samples, a few kilobytes, 9 % wide at most."""

from __future__ import annotations

import math


class Histogram:
    def __init__(self) -> None:
        self.buckets = [0] * (64 << 3)
        self.count = 0
        self.longest = 0

    def add(self, nanoseconds: int, n: int = 1) -> None:
        """n samples of the same length."""
        length = max(nanoseconds, 8)
        octave = length.bit_length() - 4
        self.buckets[octave << 3 | (length >> octave) & 7] += n
        self.count += n
        self.longest = max(self.longest, nanoseconds)

    def quantile(self, share: float) -> float:
        """Milliseconds that this share of the samples did not exceed (upper edge of the bucket); NaN without samples."""
        left = math.ceil(share * self.count)
        if not left:
            return math.nan
        for place, n in enumerate(self.buckets):
            left -= n
            if left <= 0:
                edge = ((place & 7) + 9) << (place >> 3)
                return min(edge, self.longest) / 1e6
        return self.longest / 1e6

    def summary(self) -> dict[str, float]:
        """p50, p99 and max in milliseconds; nothing without samples."""
        if not self.count:
            return {}
        return {"p50": self.quantile(0.5), "p99": self.quantile(0.99), "max": self.longest / 1e6}
