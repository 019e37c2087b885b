import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decoding.greedy import greedy
from pipeline.decoding.greedy_graph import greedy_text
from pipeline.decoding.transcript import LETTER_SECONDS
from pipeline.text import Units

UNITS = {
    "characters": Units("characters", [" ", "a", "b"]),
    "words": Units("words", ["on", "off", "light"]),
    "phrases": Units("words", ["a", "a lot of", "lots of"]),
    "keywords": Units("words", ["alexa", "stop", "<other>"]),
}


def sure_of(units):
    """Log posteriors [frames, 4] that give 0.7 to each frame's unit."""
    log_probs = np.full((len(units), 4), np.log(0.1))
    log_probs[range(len(units)), units] = np.log(0.7)
    return log_probs


@pytest.mark.parametrize(
    ("units", "text"),
    [
        ([2, 2, 0, 3], "ab"),
        ([2, 0, 2], "aa"),
        ([1, 2, 1, 0, 1, 3, 1], "a b"),
        ([0, 0], ""),
        ([], ""),
    ],
)
def test_repeats_merge_and_blanks_part(units, text):
    assert greedy(sure_of(units), UNITS["characters"], 0.03).text == text


@pytest.mark.parametrize(("blanks", "text"), [(16, "ab a"), (17, "a b a")])
def test_a_pause_parts_words_of_characters(blanks, text):
    frames = [0] * 20 + [2] + [0] * blanks + [3, 1] + [0] * 40 + [2] + [0] * 20
    transcript = greedy(sure_of(frames), UNITS["characters"], 0.03)
    assert transcript.text == text == " ".join(word.word for word in transcript.words)
    assert transcript.words[-1].start == pytest.approx(0.03 * (63 + blanks))
    assert transcript.confidence == pytest.approx(0.7)
    without_space = greedy(sure_of(frames), Units("characters", ["c", "a", "b"]), 0.03)
    assert without_space.text == "abca"


def test_words_stand_in_time():
    transcript = greedy(sure_of([0, 2, 2, 3, 1, 0, 3, 0]), UNITS["characters"], 0.5)
    assert [(word.word, word.start, word.end) for word in transcript.words] == [("ab", 0.5, 2.0), ("b", 3.0, 3.5)]
    assert transcript.confidence == pytest.approx(0.7)


def test_word_units_are_words():
    transcript = greedy(sure_of([1, 1, 0, 3]), UNITS["words"], 1.0)
    assert transcript.text == "on light"
    assert [word.start for word in transcript.words] == [0.0, 3.0]


def test_a_phrase_is_its_words_the_last_where_the_unit_is():
    transcript = greedy(sure_of([1, 0, 0, 0, 2, 0]), UNITS["phrases"], 0.1)
    assert transcript.text == "a a lot of"
    times = [(word.word, word.start, word.end) for word in transcript.words]
    quick = 0.3 / len("a lot of")  # a letter's share of the time since the word before
    assert times == [
        ("a", 0.0, pytest.approx(0.1)),
        ("a", pytest.approx(0.4 - 7 * quick), pytest.approx(0.5 - 7 * quick)),
        ("lot", pytest.approx(0.4 - 3 * quick), pytest.approx(0.5 - 3 * quick)),
        ("of", pytest.approx(0.4), pytest.approx(0.5)),
    ]
    slow = greedy(sure_of([0] * 20 + [3]), UNITS["phrases"], 0.1)
    assert slow.words[0].start == pytest.approx(2.0 - 3 * LETTER_SECONDS)


def test_a_filler_is_no_word():
    transcript = greedy(sure_of([3, 1, 0, 3, 3]), UNITS["keywords"], 1.0)
    assert (transcript.text, [word.start for word in transcript.words]) == ("alexa", [1.0])


def test_silence_is_as_sure_as_its_blanks():
    assert greedy(sure_of([0, 0, 0]), UNITS["words"], 1.0).confidence == pytest.approx(0.7)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=4),
    st.sampled_from(sorted(UNITS)),
    st.integers(0, 99),
    st.sampled_from([0.03, 0.25]),
)
def test_the_graph_decodes_alike(frames, kind, seed, frame_seconds):
    scores = np.random.default_rng(seed).normal(size=(len(frames), max(frames) + 2, 4), scale=2).astype(np.float32)
    scores[..., 0] += 1  # so that there are pauses, of two frames or more
    log_probs = tf.nn.log_softmax(scores)
    texts, confidences = greedy_text(log_probs, tf.constant(frames), UNITS[kind], frame_seconds)
    for row, count, text, confidence in zip(log_probs.numpy(), frames, texts.numpy(), confidences.numpy(), strict=True):
        transcript = greedy(row[:count], UNITS[kind], frame_seconds)
        assert text.decode() == transcript.text
        assert confidence == pytest.approx(transcript.confidence, abs=1e-5)


def test_a_word_is_as_sure_as_its_units_at_their_best():
    log_probs = sure_of([2, 2, 3, 1, 3])
    log_probs[1, 2] = np.log(0.9)
    log_probs[2, 3] = np.log(0.4)
    first, second = greedy(log_probs, UNITS["characters"], 0.5).words
    assert first.confidence == pytest.approx((0.9 * 0.4) ** 0.5)
    assert second.confidence == pytest.approx(0.7)


def test_nothing_heard_of_nothing_is_sure():
    transcript = greedy(np.zeros((0, 4)), UNITS["words"], 0.5)
    assert (transcript.text, transcript.confidence, transcript.words) == ("", 1.0, ())


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_the_graph_decodes_a_batch_without_frames(kind):
    texts, confidences = greedy_text(tf.zeros((2, 0, 4)), tf.constant([0, 0]), UNITS[kind], 0.03)
    assert texts.numpy().tolist() == [b"", b""]
    assert confidences.numpy().tolist() == [1.0, 1.0]


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_padding_does_not_change_what_the_graph_decodes(kind):
    scores = np.random.default_rng(0).normal(size=(3, 12, 4), scale=2).astype(np.float32)
    padding = np.random.default_rng(1).normal(size=(3, 5, 4), scale=9).astype(np.float32)
    frames = tf.constant([12, 0, 7])
    alone = greedy_text(tf.nn.log_softmax(scores), frames, UNITS[kind], 0.25)
    padded = greedy_text(tf.nn.log_softmax(np.concatenate([scores, padding], axis=1)), frames, UNITS[kind], 0.25)
    assert alone[0].numpy().tolist() == padded[0].numpy().tolist()
    np.testing.assert_allclose(alone[1], padded[1], atol=1e-6)


def test_umlauts_are_spelled_by_the_graph():
    units = Units("characters", [" ", "ä", "ß"])
    texts, _ = greedy_text(tf.constant(sure_of([2, 1, 3])[None], tf.float32), tf.constant([3]), units, 0.03)
    assert texts[0].numpy().decode() == "ä ß" == greedy(sure_of([2, 1, 3]), units, 1.0).text
