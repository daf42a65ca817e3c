# SPDX-License-Identifier: MIT
"""Medians with bootstrap intervals. The rounds of one cell are resampled; a group is the
geometric mean of its cells, and its interval comes from the same resamples."""

import math
import random
import statistics

RESAMPLES = 1000


class Estimate:
    """A median and, from its resamples, a 95 % interval."""

    def __init__(self, value, resamples):
        ordered = sorted(resamples)
        last = len(ordered) - 1
        self.value = value
        self.resamples = resamples
        self.low = ordered[round(0.025 * last)]
        self.high = ordered[round(0.975 * last)]

    def as_dict(self):
        return {'median': self.value, 'low': self.low, 'high': self.high}

    def __str__(self):
        return f'{self.value:5.2f}  [{self.low:5.2f}, {self.high:5.2f}]'


def median(values, seed=0):
    """Of one figure per round."""
    rng = random.Random(seed)
    count = len(values)
    resamples = [statistics.median(rng.choices(values, k=count)) for _ in range(RESAMPLES)]
    return Estimate(statistics.median(values), resamples)


def geometric_mean(estimates):
    """Of positive estimates: their values, and each set of resamples with the same number."""
    def mean(values):
        return math.exp(sum(map(math.log, values)) / len(values))
    return Estimate(mean([e.value for e in estimates]),
                    [mean(values) for values in zip(*(e.resamples for e in estimates))])


def spread(values):
    """Half the width of the middle 80 % of the rounds, relative to their median."""
    if len(values) < 3:
        return 0.0
    ordered = sorted(values)
    last = len(ordered) - 1
    return (ordered[round(0.9 * last)] - ordered[round(0.1 * last)]) / 2 / statistics.median(values)
