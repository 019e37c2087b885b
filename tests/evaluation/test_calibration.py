import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decoding.confidence import Calibration, scaled
from pipeline.decoding.transcript import Transcript, Word
from pipeline.errors import InputError
from pipeline.evaluation.calibration import (
    Judged,
    expected_calibration_error,
    fit_calibration,
    fit_scaling,
    judge,
    label_words,
    matched_words,
    reliability,
)
from pipeline.evaluation.plots import plot_reliability

confidences = st.floats(0, 1)
items = st.lists(st.tuples(confidences, st.booleans()), max_size=60)


def columns(pairs):
    return np.array([confidence for confidence, _ in pairs]), np.array([right for _, right in pairs], bool)


def drawn(slope, offset, count, seed=0):
    """Items whose probability to be right is known."""
    random = np.random.default_rng(seed)
    found = random.beta(4, 1, size=count)
    return found, random.uniform(size=count) < scaled(found, (slope, offset))


@given(items, confidences, confidences)
def test_the_order_of_confidences_never_changes(pairs, one, other):
    slope_and_offset = fit_scaling(*columns(pairs))
    assert slope_and_offset[0] > 0
    low, high = sorted([one, other])
    assert 0 <= scaled(low, slope_and_offset) <= scaled(high, slope_and_offset) <= 1


@given(items)
def test_the_fit_is_finite_and_no_worse_than_none(pairs):
    found, right = columns(pairs)
    slope, offset = fit_scaling(found, right)
    assert np.isfinite([slope, offset]).all()

    def loss(slope, offset):
        likelihood = np.log(np.abs(scaled(found, (slope, offset)) - ~right) + 1e-300).sum()
        return -likelihood + 0.05 * ((slope - 1) ** 2 + offset**2)

    if slope > 0.05:
        assert loss(slope, offset) <= loss(1, 0) + 1e-6
        for near in itertools.product([slope - 0.01, slope + 0.01], [offset - 0.01, offset + 0.01]):
            assert loss(slope, offset) <= loss(*near) + 1e-6


@pytest.mark.parametrize(("slope", "offset"), [(1, 0), (0.5, -1), (2, 1)])
def test_the_scaling_that_made_the_data_is_found(slope, offset):
    assert fit_scaling(*drawn(slope, offset, 40_000)) == pytest.approx((slope, offset), abs=0.1)


def test_calibration_makes_confidences_probabilities():
    found, right = drawn(0.5, -1, 20_000)
    assert expected_calibration_error(found, right) > 0.2
    assert expected_calibration_error(scaled(found, fit_scaling(found, right)), right) < 0.02


@pytest.mark.parametrize("right", [True, False])
def test_if_all_is_right_or_wrong_the_numbers_stay_small(right):
    slope, offset = fit_scaling(np.linspace(0.5, 1, 500), np.full(500, right))
    assert 0 < slope < 10 and abs(offset) < 20


def test_without_data_confidences_stay_as_they_are():
    assert fit_scaling(np.zeros(0), np.zeros(0, bool)) == (1, 0)


def test_confidences_that_tell_the_contrary_keep_their_order():
    found = np.repeat([0.1, 0.9], 50)
    slope, offset = fit_scaling(found, found < 0.5)
    assert slope == 0.05
    assert scaled(found, (slope, offset)).mean() == pytest.approx(0.5, abs=0.01)


def test_confidence_that_is_accuracy_has_no_error():
    found = np.repeat([0.25, 0.75], 40)
    right = np.concatenate([np.arange(40) < 10, np.arange(40) < 30])
    assert expected_calibration_error(found, right) == 0


def test_the_error_is_that_counted_by_hand():
    found, right = np.array([0.95, 0.95, 0.35, 0.3]), np.array([True, False, True, False])
    # Bins 0.9..1: |0.5 - 0.95| of two items; 0.3..0.4: |1 - 0.35| of one; 0.2..0.3: |0 - 0.3| of one.
    assert expected_calibration_error(found, right) == pytest.approx((2 * 0.45 + 0.65 + 0.3) / 4)
    assert expected_calibration_error(found, right, bins=1) == pytest.approx(0.6375 - 0.5)


@given(items, st.integers(1, 20))
def test_every_item_is_in_the_bin_of_its_confidence(pairs, bins):
    found, right = columns(pairs)
    table = reliability(found, right, bins)
    assert sum(row.count for row in table) == len(pairs)
    for row in table:
        if row.count:
            assert row.low - 1e-9 <= row.confidence <= row.high + 1e-9
            assert 0 <= row.accuracy <= 1
        else:
            assert np.isnan([row.confidence, row.accuracy]).all()
    assert 0 <= expected_calibration_error(found, right, bins) <= 1


def test_nothing_has_no_error():
    assert expected_calibration_error(np.zeros(0), np.zeros(0, bool)) == 0


@pytest.mark.parametrize(
    ("reference", "hypothesis", "right"),
    [
        ("a double shot", "a double shot", [True, True, True]),
        ("a double shot", "a single shot", [True, False, True]),
        ("a double shot", "a very double shot", [True, False, True, True]),
        ("a double shot", "double", [True]),
        ("shot", "shot shot", None),
        ("", "what", [False]),
        ("what", "", []),
        ("", "", []),
    ],
)
def test_words_that_stand_in_the_reference_are_right(reference, hypothesis, right):
    found = label_words(reference, hypothesis)
    assert found == right if right is not None else sum(found) == 1


texts = st.lists(st.sampled_from(["a", "b", "c"]), max_size=6)


@given(texts, texts)
def test_right_words_are_a_common_subsequence(reference, hypothesis):
    right = label_words(" ".join(reference), " ".join(hypothesis))
    assert len(right) == len(hypothesis)
    places = [place for place in matched_words(" ".join(reference), " ".join(hypothesis)) if place is not None]
    assert places == sorted(set(places))
    assert [reference[place] for place in places] == [w for w, good in zip(hypothesis, right, strict=True) if good]
    assert all(right) or hypothesis != reference


def transcript(text, confidence):
    words = tuple(Word(word, number, number + 1, confidence) for number, word in enumerate(text.split()))
    return Transcript(text, confidence, words)


def test_words_and_texts_are_judged_apart():
    words, texts = judge(["a b", "", "c"], [transcript("a c", 0.7), transcript("", 0.9), transcript("c", 0.8)])
    assert (words.confidences.tolist(), words.right.tolist()) == ([0.7, 0.7, 0.8], [True, False, True])
    assert (texts.confidences.tolist(), texts.right.tolist()) == ([0.7, 0.9, 0.8], [False, True, True])


def test_a_calibration_goes_through_json():
    calibration = fit_calibration(Judged(*drawn(0.5, -1, 500)), Judged(*drawn(2, -3, 500)))
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration
    assert calibration.utterance_probability(0.8) != calibration.word_probability(0.8)


@given(confidences)
def test_no_calibration_leaves_confidences_as_they_are(confidence):
    assert Calibration().word_probability(confidence) == pytest.approx(confidence, abs=2e-6)


@pytest.mark.parametrize(
    "values",
    [None, [], {"word": [1, 0]}, {"word": [1, 0], "utterance": [1]}, {"word": [1, 0], "utterance": [-1, 0]}]
    + [{"word": [1, 0], "utterance": [bad, 0]} for bad in (True, "1", float("nan"), None)],
)
def test_other_values_are_no_calibration(values):
    with pytest.raises(InputError, match="wanted, found"):
        Calibration.from_json(values)


def test_the_reliability_plot_is_a_picture(tmp_path):
    before = Judged(*drawn(0.5, -1, 300))
    panels = {"words": {"before": before, "after": before.scaled((0.5, -1))}, "texts": {"before": before}}
    plot_reliability(tmp_path / "reliability.png", panels)
    assert (tmp_path / "reliability.png").read_bytes().startswith(b"\x89PNG")
