import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decoding import keywords_graph
from pipeline.decoding.keyword_search import FLOOR, boundary_frames, labels_of, spot
from pipeline.decoding.keywords import Spotter, load_thresholds, longer_keywords, save_thresholds
from pipeline.errors import InputError
from pipeline.text import OTHER, Units

FRAME = 0.1  # of a second: a boundary is 3 frames
WORDS = Units("words", ["art", "start", OTHER])
PHRASES = Units("words", ["art", "a.r t", "start", "a.r t art"])
LETTERS = Units("characters", [" ", "a", "b"])
SPELLED = Units("characters", [" ", *"abcdefghijklmnopqrstuvwxyz"])


def random_log_probs(frames, units, seed, scale=3):
    scores = np.random.default_rng(seed).normal(size=(frames, units), scale=scale)
    return (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))).astype(np.float32)


def said(text, units=SPELLED, certain=0.9, each=2):
    """Log posteriors [frames, units] of a text: '_' is a blank, each symbol a frame followed by blanks."""
    rows = []
    symbols = text if units.kind == "characters" else text.split()
    for symbol in symbols:
        spoken = 0 if symbol == "_" else units.symbols.index(symbol) + 1
        for unit in [spoken] + [0] * (each - 1):
            row = np.full(len(units), (1 - certain) / (len(units) - 1))
            row[unit] = certain
            rows.append(np.log(row))
    return np.array(rows)


def cost(path, log_probs):
    """Of a path, from the definition of the score; None if it is not one from label to label."""
    total = 0.0
    for time, unit in enumerate(path):
        best = log_probs[time].max()
        enters = unit and (time == 0 or path[time - 1] != unit)
        total += log_probs[time, unit] - (0 if enters else best)
    return total


def boundary(before, space, most):
    """The cheapest end of the frames before a window that is a boundary: `before` is d, the nearest frame first."""
    gaps = [max(row[0], row[space]) for row in before]
    costs = [sum(gaps[:most])]
    costs += [sum(gaps[:number]) + row[space] for number, row in enumerate(before)]
    return max(costs)


def best_by_trying_all(log_probs, labels, units):
    log_probs = np.maximum(log_probs.astype(float), FLOOR)
    below_best = log_probs - log_probs.max(axis=1, keepdims=True)
    most, space = boundary_frames(units, FRAME), 1
    scores = [-np.inf]
    for start, end in itertools.combinations(range(len(log_probs) + 1), 2):
        sides = 0.0
        if most:
            sides = boundary(below_best[:start][::-1], space, most) + boundary(below_best[end:], space, most)
        for path in itertools.product([0, *sorted(set(labels))], repeat=end - start):
            if path[0] and path[-1] and [unit for unit, _ in itertools.groupby(path) if unit] == labels:
                scores.append(sides + cost(path, log_probs[start:end]))
    return math.exp(max(scores) / len(labels))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([WORDS, LETTERS]), st.integers(0, 5), st.lists(st.integers(0, 1), min_size=1, max_size=3), st.data()
)
def test_no_window_and_path_are_better(units, frames, choices, data):
    symbols = [["art", "start"], ["a", "b"]][units is LETTERS]
    keyword = ("" if units is LETTERS else " ").join(symbols[choice] for choice in choices)
    log_probs = random_log_probs(frames, len(units), data.draw(st.integers(0, 999)))
    found = spot(log_probs, units, FRAME, [keyword])[0]
    assert found.score == pytest.approx(best_by_trying_all(log_probs, labels_of(keyword, units), units), abs=1e-9)
    assert (
        (found.start, found.end) == (-1, -1)
        if found.score == 0
        else 0 <= found.start < found.end <= frames * FRAME + 1e-9
    )


def in_graph(units):
    specs = [tf.TensorSpec([None, None, len(units)]), tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.string)]

    @tf.function(input_signature=specs)
    def call(log_probs, frames, keywords):
        return keywords_graph.spot(log_probs, frames, keywords, units, FRAME)

    return call


GRAPHS = {units: in_graph(units) for units in (WORDS, LETTERS, PHRASES)}
KEYWORDS = {
    WORDS: ["art", "start art", " art  art "],
    PHRASES: ["art", "a.r t", "a.r t art a.r t a.r t start", "a.r  t a.r t art"],
    LETTERS: ["a", "ab", "aa b", "b ab ba", "abba"],
}


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([WORDS, LETTERS, PHRASES]),
    st.lists(st.integers(0, 90), min_size=1, max_size=3),
    st.integers(0, 999),
)
def test_the_graph_agrees_whatever_stands_in_the_padding(units, frames, seed):
    keywords = KEYWORDS[units]
    utterances = [random_log_probs(count, len(units), seed + number) for number, count in enumerate(frames)]
    batch = random_log_probs(len(frames) * (max(frames) + seed % 5), len(units), seed + 9)
    batch = batch.reshape(len(frames), -1, len(units))
    for row, utterance in zip(batch, utterances, strict=True):
        row[: len(utterance)] = utterance
    together = [tensor.numpy() for tensor in GRAPHS[units](batch, frames, keywords)]
    for number, utterance in enumerate(utterances):
        alone = GRAPHS[units](utterance[None], frames[number : number + 1], keywords)
        for one, all_of_them in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one[0], all_of_them[number])
        wanted = spot(utterance, units, FRAME, keywords)
        np.testing.assert_allclose(together[0][number], [item.score for item in wanted], atol=1e-4)
        np.testing.assert_allclose(together[1][number], [item.start for item in wanted], atol=1e-4)
        np.testing.assert_allclose(together[2][number], [item.end for item in wanted], atol=1e-4)


@pytest.mark.parametrize("frames", [300, 1500])
def test_the_graph_agrees_on_long_audio_and_extreme_posteriors(frames):
    log_probs = random_log_probs(frames, len(LETTERS), 3, scale=60)
    scores, starts, ends = GRAPHS[LETTERS](log_probs[None], [frames], ["abab", "abba ab a"])
    for number, wanted in enumerate(spot(log_probs, LETTERS, FRAME, ["abab", "abba ab a"])):
        assert float(scores[0, number]) == pytest.approx(wanted.score, abs=1e-4)
        # Of windows that are equal to a millionth it may name another, but a whole one.
        begin, end = round(float(starts[0, number]) / FRAME), round(float(ends[0, number]) / FRAME)
        named = spot(log_probs[max(begin - 9, 0) : end + 9], LETTERS, FRAME, ["abab", "abba ab a"])[number]
        assert named.score == pytest.approx(wanted.score, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "keyword", "message"),
    [
        ("characters", "", "empty"),
        ("characters", " \t", "empty"),
        ("characters", "a?", r"not among the model.*\[\?\]"),
        ("words", "art stare", r"not among the model.*\[stare\]"),
        ("words", OTHER, "not among the model"),
    ],
)
def test_a_keyword_that_cannot_be_spelled_is_told(kind, keyword, message):
    units = {"words": WORDS, "characters": LETTERS}[kind]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        GRAPHS[units](random_log_probs(9, len(units), 0)[None], [9], ["art" if kind == "words" else "a", keyword])
    with pytest.raises(InputError, match="at least one unit wanted" if message == "empty" else "is not among"):
        Spotter(units, FRAME, [keyword])


def spotted(text, keywords, each=2):
    spotter = Spotter(SPELLED, FRAME, keywords)
    return [item.keyword for item in [*spotter.accept(said(text, each=each)), *spotter.finish()]]


def test_a_part_of_a_word_is_not_the_word():
    assert spotted("start", ["art"]) == []
    assert spotted("artist", ["art"]) == []
    assert spotted("the art of", ["art"]) == ["art"]
    assert spotted("art", ["art"]) == ["art"]
    assert spotted("st__art__ist", ["art"]) == ["art"]  # a stretch of blanks is a boundary as well


def test_a_keyword_inside_a_longer_one_is_not_detected_beside_it():
    keywords = ["sugar", "brown", "brown sugar", "sugar free"]
    assert spotted("some brown sugar please", keywords, each=1) == ["brown sugar"]
    assert spotted("some sugar please", keywords, each=1) == ["sugar"]
    assert sorted(spotted("brown bread with sugar", keywords, each=1)) == ["brown", "sugar"]
    assert longer_keywords(keywords, SPELLED) == [{2, 3}, {2}, set(), set()]
    assert longer_keywords(["art", "start"], SPELLED) == [set(), set()]


def test_one_utterance_is_one_detection():
    weak, strong = said("_ start", WORDS, certain=0.6), said("_ start", WORDS, certain=0.8)
    log_probs = np.concatenate([weak, strong, weak, said("_ _ _ _", WORDS), weak])  # a start every 0.4 s, later again
    spotter = Spotter(WORDS, FRAME, ["start"], 0.3, patience_seconds=0.4, refractory_seconds=0.6)
    found = [*spotter.accept(log_probs), *spotter.finish()]
    assert [round(item.start, 3) for item in found] == [0.6, 2.2]
    assert [item.score for item in found] == pytest.approx([0.8, 0.6])


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 60), st.lists(st.integers(0, 60), max_size=4), st.integers(0, 99), st.sampled_from([0.02, 0.2, 0.5])
)
def test_the_cutting_changes_no_detection(frames, cuts, seed, threshold):
    log_probs = random_log_probs(frames, len(LETTERS), seed)
    spotter = Spotter(LETTERS, FRAME, ["a", "ab", "a b", "b"], threshold)
    whole = [*spotter.accept(log_probs), *spotter.finish()]
    pieces = np.split(log_probs, sorted(min(cut, frames) for cut in cuts))
    assert [item for piece in pieces for item in spotter.accept(piece)] + spotter.finish() == whole
    assert [item for row in log_probs for item in spotter.accept(row[None])] + spotter.finish() == whole
    assert all(threshold <= item.score <= 1 and item.start < item.end for item in whole)


def test_the_best_window_is_what_a_stream_finds():
    log_probs = random_log_probs(50, len(LETTERS), 1)
    for best in spot(log_probs, LETTERS, FRAME, ["ab", "b a"]):
        spotter = Spotter(LETTERS, FRAME, [best.keyword], best.score * 0.999, refractory_seconds=0)
        assert best in [*spotter.accept(log_probs), *spotter.finish()]


def test_a_reset_forgets():
    spotter = Spotter(WORDS, FRAME, ["art start"])
    spotter.accept(said("_ art", WORDS))
    spotter.reset()
    assert spotter.accept(said("start _ _ _", WORDS)) + spotter.finish() == []


@pytest.mark.parametrize("thresholds", [0, -1, 1.5, math.nan, None, "0.5", True, {"start": 0.5}, {"art": 2}])
def test_thresholds_that_are_none_are_refused(thresholds):
    with pytest.raises(InputError, match="keyword 'art': a threshold above 0 and at most 1 wanted"):
        Spotter(WORDS, FRAME, ["art"], thresholds)


def test_no_keyword_and_other_shapes_are_refused():
    with pytest.raises(InputError, match="at least one wanted"):
        Spotter(WORDS, FRAME, [])
    with pytest.raises(InputError, match=r"\[frames, 4 units\] wanted, found \[3\]"):
        Spotter(WORDS, FRAME, ["art"]).accept(np.zeros(3))
    with pytest.raises(InputError, match="numbers wanted, found NaN"):
        Spotter(WORDS, FRAME, ["art"]).accept(np.full((3, 4), np.nan))


def test_a_text_is_no_list_of_keywords():
    with pytest.raises(InputError, match="keywords: a list of texts wanted, found 'abba'"):
        Spotter(LETTERS, FRAME, "abba")


@pytest.mark.parametrize("seconds", [-0.1, math.nan, math.inf])
def test_times_that_are_none_are_refused(seconds):
    with pytest.raises(InputError, match="patience: seconds of 0 or more wanted"):
        Spotter(WORDS, FRAME, ["art"], patience_seconds=seconds)
    with pytest.raises(InputError, match="refractory time: seconds of 0 or more wanted"):
        Spotter(WORDS, FRAME, ["art"], refractory_seconds=seconds)


def test_thresholds_are_kept_in_the_export(tmp_path):
    (tmp_path / "assets").mkdir()
    assert load_thresholds(tmp_path) == {}
    save_thresholds(tmp_path, {"art": 0.7})
    save_thresholds(tmp_path, {"café": 0.2})
    assert load_thresholds(tmp_path) == {"art": 0.7, "café": 0.2}


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"thresholds": 3}', '{"thresholds": []}', '{"thresholds": {"art": 7}}', "\udcff"]
)
def test_damaged_thresholds_are_told(tmp_path, content):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "keywords.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"keywords\.json"):
        load_thresholds(tmp_path)
