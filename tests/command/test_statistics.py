# SPDX-License-Identifier: MIT
"""The interval and the verdict of `fastsync ab`, on numbers whose answer is known."""
import random
import unittest

import support
from fastsync_lib import ab, statistics


class Intervals(unittest.TestCase):
    def test_the_same_numbers_give_the_same_interval(self):
        values = [random.Random(1).random() for _ in range(12)]
        self.assertEqual(statistics.interval(values), statistics.interval(list(reversed(values))))

    def test_fewer_than_six_pairs_give_none(self):
        self.assertEqual(statistics.interval([1, 2, 3, 4, 5]), (None, None))

    def test_six_pairs_span_all_values(self):
        self.assertEqual(statistics.interval([3, 1, 6, 2, 5, 4]), (1, 6))

    def test_the_interval_misses_the_true_median_in_at_most_one_of_twenty(self):
        generator = random.Random(2)
        trials, missed = 150, 0
        for _ in range(trials):
            low, high = statistics.interval([generator.gauss(0, 1) for _ in range(10)])
            missed += not low <= 0 <= high
        self.assertLessEqual(missed / trials, 0.05)

    def test_equal_values_give_a_point(self):
        self.assertEqual(statistics.interval([2] * 8), (2, 2))


class Verdicts(unittest.TestCase):
    def verdict(self, a, b):
        return statistics.verdict(statistics.compare(a, b))

    def test_a_clear_gain_is_faster_and_its_inverse_slower(self):
        slow, fast = [10, 11, 10, 12, 10, 11], [20, 23, 21, 24, 20, 21]
        self.assertEqual(self.verdict(slow, fast), 'faster')
        self.assertEqual(self.verdict(fast, slow), 'slower')

    def test_one_outlier_among_ten_changes_nothing(self):
        self.assertEqual(self.verdict([10] * 10, [20] * 9 + [1]), 'faster')

    def test_noise_around_one_shows_no_difference(self):
        self.assertEqual(self.verdict([10] * 8, [9, 11, 10, 12, 8, 10, 11, 9]), 'no difference')

    def test_a_zero_gives_no_ratio(self):
        self.assertIsNone(statistics.compare([1, 0], [1, 1]))

    def test_the_inverse_swaps_the_ends(self):
        ratio = statistics.compare([1] * 6, [2, 4, 4, 4, 4, 5]).inverse()
        self.assertEqual((ratio.median, ratio.low, ratio.high), (0.25, 0.2, 0.5))


class Order(unittest.TestCase):
    def test_pairs_alternate_their_order(self):
        self.assertEqual(''.join(arm for _, arm in ab.order(5)), 'ABBAABBAAB')


if __name__ == '__main__':
    support.main()
