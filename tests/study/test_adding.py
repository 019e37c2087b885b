import numpy as np
import pytest

from pipeline.study.adding import GUESSING, RIGHT_WITHIN, AddingProblem, add, sequences


def test_the_target_is_made_of_the_marked_values():
    values, lengths, targets = sequences(np.random.default_rng(0), 500, 30)
    assert values.shape == (500, lengths.max(), 2) and set(lengths) == {30, 31, 32, 33}
    for (numbers, markers), length, target in zip(values.transpose(0, 2, 1), lengths, targets, strict=True):
        marked = np.flatnonzero(markers == 1)
        assert len(marked) == 2 and marked.min() < 10 and marked.max() < 15
        assert target == pytest.approx(0.5 + numbers[marked].sum() / 4, abs=1e-6)
        assert numbers[0] == 0 or 0 not in marked
        assert markers[length - 1] == -1 and not numbers[length:].any() and not markers[length:].any()


def test_guessing_the_mean_has_the_error_that_is_told():
    *_, targets = sequences(np.random.default_rng(1), 20000, 50)
    assert np.mean((targets - 0.5) ** 2) == pytest.approx(GUESSING, rel=0.1)  # a marked first value is 0
    assert np.mean(np.abs(targets - 0.5) < RIGHT_WITHIN) < 0.2


def test_a_gru_learns_to_add():
    found = add("gru", AddingProblem(length=10, steps=250, parameters=1000, learning_rate=0.01), seed=1)
    assert found["error"] < GUESSING / 2
    assert abs(found["parameters"] - 1000) < 100


def test_a_length_that_is_too_short_is_told():
    with pytest.raises(ValueError, match="a length of 10 or more wanted, found 9"):
        sequences(np.random.default_rng(0), 1, 9)
