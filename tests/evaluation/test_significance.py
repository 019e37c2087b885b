import math

import numpy as np
import pytest

from pipeline.evaluation.significance import (
    FEWEST_SPEAKERS,
    holm,
    mean_interval,
    paired_bootstrap,
    paired_t_test,
    word_errors,
)


def test_students_interval_is_the_textbooks():
    found = mean_interval([1.0, 2.0, 3.0])
    assert found.mean == 2
    assert found.high - 2 == pytest.approx(4.30265 / math.sqrt(3), abs=1e-4)  # t of two degrees of freedom
    assert found.low == pytest.approx(4 - found.high)


def test_one_value_has_no_interval():
    found = mean_interval([0.3])
    assert found.mean == pytest.approx(0.3) and math.isnan(found.low) and math.isnan(found.high)


def test_the_paired_t_test_is_scipys():
    from scipy import stats

    random = np.random.default_rng(0)
    first = random.normal(size=6)
    second = first + random.normal(0.5, 1, size=6)
    assert paired_t_test(first, second) == pytest.approx(stats.ttest_rel(first, second).pvalue)


def test_pairs_without_spread_decide_at_once():
    assert paired_t_test([1.0, 2.0], [1.0, 2.0]) == 1
    assert paired_t_test([2.0, 3.0], [1.0, 2.0]) == 0
    assert math.isnan(paired_t_test([1.0], [2.0]))


def test_a_clear_difference_is_found_and_none_is_not():
    random = np.random.default_rng(1)
    words, worse, better = np.full(200, 5), random.binomial(5, 0.4, 200), random.binomial(5, 0.2, 200)
    found = paired_bootstrap(worse, better, words, [None] * 200)
    assert found.difference == pytest.approx((worse.sum() - better.sum()) / 1000)
    assert 0 < found.low < found.difference < found.high and found.p < 0.01
    same = paired_bootstrap(worse, random.permutation(worse), words, [None] * 200)
    assert same.low < 0 < same.high and same.p > 0.05


def test_the_order_of_systems_turns_the_sign():
    random = np.random.default_rng(2)
    first, second = random.integers(0, 4, 50), random.integers(0, 3, 50)
    words, speakers = np.full(50, 4), [None] * 50
    one, other = paired_bootstrap(first, second, words, speakers), paired_bootstrap(second, first, words, speakers)
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.p) == pytest.approx((-other.high, other.p))


def test_speakers_are_drawn_where_there_are_enough():
    # One speaker makes all the difference: utterances alone would be sure of it.
    count = FEWEST_SPEAKERS
    speakers = [str(number) for number in range(count) for _ in range(20)]
    first = np.array([3 if speaker == "0" else 1 for speaker in speakers])
    words, second = np.full(len(speakers), 5), np.ones(len(speakers))
    found = paired_bootstrap(first, second, words, speakers)
    by_utterance = paired_bootstrap(first, second, words, [None] * len(speakers))
    assert (found.resampled, by_utterance.resampled) == ("speakers", "utterances")
    assert found.p > 0.05 > by_utterance.p
    few = paired_bootstrap(first, second, words, ["a", "b"] * (len(speakers) // 2))
    assert few.resampled == "utterances"


def test_corrected_p_values_are_holms():
    # The example of Holm's procedure: the smallest times 4, the next times 3, and never falling.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    found = holm([math.nan, 0.9, 0.6])
    assert math.isnan(found[0]) and found[1:] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors"), [("a b c", "a x c d", 2), ("a b", "", 2), ("", "a b", 2), ("a", "a", 0)]
)
def test_word_errors_are_counted(reference, hypothesis, errors):
    assert word_errors(reference, hypothesis) == errors
