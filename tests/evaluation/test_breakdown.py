from collections import Counter

import hypothesis.strategies as st
import jiwer
import pytest
from hypothesis import given

from pipeline.evaluation.breakdown import confusions, duration_groups, error_rates_by, wrong_words
from pipeline.evaluation.error_rate import error_rates

TEXTS = st.lists(st.sampled_from(["on", "off", "one", "of"]), max_size=5).map(" ".join)


@given(TEXTS, TEXTS)
def test_words_that_are_not_wrong_are_the_same_in_both(reference, hypothesis):
    wrong = wrong_words(reference, hypothesis)
    right = [
        [word for word, bad in zip(text.split(), marks, strict=True) if not bad]
        for text, marks in zip((reference, hypothesis), wrong, strict=True)
    ]
    assert right[0] == right[1]
    if reference:
        found = jiwer.process_words(reference, hypothesis)
        assert sum(wrong[0]) == found.substitutions + found.deletions
        assert sum(wrong[1]) == found.substitutions + found.insertions


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("characters", {("o", "o"): 1, ("n", ""): 1, ("a", "c"): 1, ("b", "b"): 1, ("", "x"): 1}),
        ("words", {("on", "o"): 1, ("ab", "cbx"): 1}),
    ],
)
def test_confusions_pair_what_was_said_with_what_was_heard(kind, expected):
    assert confusions(["on", "ab"], ["o", "cbx"], kind) == Counter(expected)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_confusions_count_every_character_once(pairs):
    references, hypotheses = map(list, zip(*pairs, strict=True))
    counts = confusions(references, hypotheses, "characters")
    for side, texts in enumerate((references, hypotheses)):
        units = Counter()
        for pair, count in counts.items():
            units[pair[side]] += count
        del units[""]
        assert units == Counter("".join(texts))


def test_rates_are_those_of_each_groups_utterances():
    references, hypotheses = ["on off", "on", ""], ["on", "on", "off"]
    rates = error_rates_by(["b", "a", "silent"], references, hypotheses)
    assert rates == {"b": error_rates(["on off"], ["on"]), "a": error_rates(["on"], ["on"])}
    assert list(rates) == ["b", "a"]


def test_durations_fall_into_ranges_that_hold_them():
    seconds = [1.0, 1.04, 1.5, 2.0, 3.0, 3.3, 9.0]
    groups = duration_groups(seconds, most=3)
    assert len(set(groups)) == 3 and groups == sorted(groups)
    for second, group in zip(seconds, groups, strict=True):
        low, high = map(float, group.removesuffix(" s").split("-"))
        assert low - 0.051 <= second <= high + 0.051
    assert duration_groups([2.0, 2.0]) == ["2.0 s", "2.0 s"]
