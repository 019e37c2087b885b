import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decoding.alignment import align
from pipeline.decoding.greedy import best_runs


def random_log_probs(frames, units, seed):
    scores = np.random.default_rng(seed).normal(size=(frames, units), scale=2)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def best_by_trying_all(log_probs, labels):
    """The score of the best of all paths that collapse to the labels."""
    frames, units = log_probs.shape
    scores = [-np.inf]
    for path in itertools.product(range(units), repeat=frames):
        if [unit for unit, _ in itertools.groupby(path) if unit] == labels:
            scores.append(sum(log_probs[time, unit] for time, unit in enumerate(path)))
    return max(scores)


def score_of(runs, log_probs):
    path = np.zeros(len(log_probs), int)
    for run in runs:
        path[run.start : run.end] = run.unit
    return log_probs[range(len(path)), path].sum()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.lists(st.integers(1, 2), max_size=4), st.integers(0, 99))
def test_no_path_that_spells_the_labels_is_better(frames, labels, seed):
    log_probs = random_log_probs(frames, 3, seed)
    best = best_by_trying_all(log_probs, labels)
    runs = align(log_probs, labels)
    if best == -np.inf:
        assert runs is None
    else:
        assert [run.unit for run in runs] == labels
        assert score_of(runs, log_probs) == pytest.approx(best)


@given(st.integers(1, 40), st.integers(0, 99))
def test_what_greedy_decoding_found_is_aligned_as_it_was_found(frames, seed):
    log_probs = random_log_probs(frames, 4, seed)
    runs = best_runs(log_probs)
    assert align(log_probs, [run.unit for run in runs]) == runs


def test_a_long_text_is_aligned():
    labels = [1, 2] * 100
    runs = align(random_log_probs(500, 3, 0), labels)
    assert [run.unit for run in runs] == labels


def test_labels_that_do_not_fit_have_no_alignment():
    assert align(random_log_probs(2, 3, 0), [1, 1]) is None
    assert align(random_log_probs(0, 3, 0), [1]) is None
    assert align(random_log_probs(0, 3, 0), []) == []
