import pytest

from pipeline.study.median_rule import is_hopeless

OTHERS = [[0.9, 0.5, 0.3, 0.2], [0.8, 0.4, 0.3, 0.2], [1.0, 0.9, 0.9, 0.8]]


@pytest.mark.parametrize(
    ("own", "others", "hopeless"),
    [
        ([1.0, 0.95], OTHERS, True),  # the medians of the averages: 0.9, 0.7, 0.567
        ([1.0, 0.6], OTHERS, False),
        ([0.6, 1.0], OTHERS, False),  # its best counts
        ([0.95], OTHERS, True),
        ([0.9], OTHERS, False),  # no better than the median is good enough
        ([1.0, 0.95], OTHERS[:2], False),  # too few to compare with
        ([1.0, 0.95], [*OTHERS[:2], [1.0]], False),  # the third did not come so far
        ([1.0, 1.0, 1.0, 1.0], OTHERS, False),  # it is at its end
    ],
)
def test_a_trial_is_stopped_below_the_median(own, others, hopeless):
    assert is_hopeless(own, others, epochs=4) is hopeless


def test_no_trial_is_stopped_in_its_first_fifth():
    assert not is_hopeless([1.0], OTHERS, epochs=10)
