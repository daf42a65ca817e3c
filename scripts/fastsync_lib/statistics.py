# SPDX-License-Identifier: MIT
"""What a number of pairs can show: the median of per-pair ratios, its interval, the verdict.

The interval is the 95 % percentile bootstrap of the median, with a fixed seed, widened where it
is narrower than the interval of the sign test: with few pairs the bootstrap alone would call one
run in ten different where nothing differs.
"""
import math
import random
import statistics
from dataclasses import dataclass
from typing import List, Optional

RESAMPLES = 4000
SEED = 25847
LEVEL = 0.95
FEWEST_PAIRS = 6

median = statistics.median


@dataclass
class Ratio:
    """B over A. low and high are None where there are too few pairs for an interval."""
    median: float
    low: Optional[float]
    high: Optional[float]
    pairs: List[float]

    def inverse(self):
        return Ratio(1 / self.median, self.high and 1 / self.high, self.low and 1 / self.low,
                     [1 / ratio for ratio in self.pairs])


def compare(a, b):
    """The Ratio of paired measurements, or None where a zero makes a ratio meaningless."""
    if not all(x > 0 for x in a) or not all(x > 0 for x in b):
        return None
    ratios = [y / x for x, y in zip(a, b)]
    low, high = interval(ratios)
    return Ratio(median(ratios), low, high, ratios)


def interval(values):
    """The 95 % interval of the median of the values, or (None, None) where they are too few."""
    order = sorted(values)
    count = len(order)
    if count < FEWEST_PAIRS:
        return None, None
    generator = random.Random(SEED)
    medians = sorted(median(generator.choices(order, k=count)) for _ in range(RESAMPLES))
    tail = int(RESAMPLES * (1 - LEVEL) / 2)
    rank = _sign_test_rank(count)
    return (min(medians[tail], order[rank]),
            max(medians[RESAMPLES - 1 - tail], order[count - 1 - rank]))


def _sign_test_rank(count):
    """The largest k so that order[k] .. order[-1 - k] holds the median with 95 % certainty."""
    below, rank = 0.0, -1
    while rank + 1 < count / 2:
        below += math.comb(count, rank + 1) / 2 ** count
        if 2 * below > 1 - LEVEL:
            break
        rank += 1
    return max(rank, 0)


def verdict(speed):
    """'faster', 'slower' or 'no difference' for a Ratio in which more than 1 is better."""
    if speed.low is None:
        return 'no difference'
    if speed.low > 1:
        return 'faster'
    if speed.high < 1:
        return 'slower'
    return 'no difference'
