import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decoding.transcript import Word
from pipeline.decoding.word_times import HOP_SECONDS, LAGS, SILENCE_DB, Lag, loudness, quiet_runs, refine

RATE = 8000
CHARACTERS, WORDS = LAGS["characters"], LAGS["words"]


def speech(spans, duration, noise=0.0, seed=0):
    """Loud noise where words are, soft noise elsewhere."""
    random = np.random.default_rng(seed)
    audio = noise * random.standard_normal(round(duration * RATE))
    for start, end in spans:
        own = slice(round(start * RATE), round(end * RATE))
        audio[own] += 0.2 * random.standard_normal(len(audio[own]))
    return np.clip(audio, -1, 1).astype(np.float32)


def spiking(spans, lag, kind="words"):
    """Words as a decoder gives them: a word unit's spike is one frame, characters come from first to last."""
    words = []
    for number, (start, end) in enumerate(spans):
        last = end + lag.end
        first = last - 0.03 if kind == "words" else start + lag.start
        words.append(Word(f"w{number}", first, last, 0.9))
    return words


def times(words):
    return np.array([(word.start, word.end) for word in words])


SPANS = [(0.3, 0.7), (0.8, 1.3), (1.7, 2.0), (2.1, 2.5)]


@pytest.mark.parametrize("noise", [0.0, 0.005])
@pytest.mark.parametrize("kind", ["words", "characters"])
def test_words_between_pauses_are_where_the_audio_is_loud(kind, noise):
    words = spiking(SPANS, LAGS[kind], kind)
    refined = refine(words, loudness(speech(SPANS, 3.0, noise), RATE), LAGS[kind])
    assert np.abs(times(refined) - SPANS).max() <= 0.021
    assert [(word.word, word.confidence) for word in refined] == [(word.word, word.confidence) for word in words]


@pytest.mark.parametrize("shift", [-0.08, 0.08])
def test_between_pauses_it_does_not_matter_when_exactly_the_spikes_come(shift):
    words = [Word(word.word, word.start + shift, word.end + shift, 0.9) for word in spiking(SPANS, WORDS)]
    refined = refine(words, loudness(speech(SPANS, 3.0), RATE), WORDS)
    assert np.abs(times(refined) - SPANS).max() <= 0.021


def test_words_that_touch_meet_where_the_spikes_less_their_lag_say():
    spans = [(0.3, 0.7), (0.7, 1.1), (1.1, 1.4)]
    words = spiking(spans, CHARACTERS, "characters")
    assert np.abs(times(refine(words, loudness(speech(spans, 2.0), RATE), CHARACTERS)) - spans).max() <= 0.021


def test_a_consonants_short_quiet_does_not_cut_a_word():
    loud = loudness(speech([(0.3, 0.5), (0.53, 0.7), (0.7, 1.1)], 1.5), RATE)
    words = spiking([(0.3, 0.7), (0.7, 1.1)], CHARACTERS, "characters")
    assert np.abs(times(refine(words, loud, CHARACTERS)) - [(0.3, 0.7), (0.7, 1.1)]).max() <= 0.021


def test_speech_that_the_decoder_missed_belongs_to_no_word():
    spans = [(0.3, 0.7), (1.0, 1.4), (1.7, 2.1)]
    words = spiking(spans, WORDS)
    refined = refine([words[0], words[2]], loudness(speech(spans, 2.5), RATE), WORDS)
    assert np.abs(times(refined) - [spans[0], spans[2]]).max() <= 0.021


def test_a_piece_of_a_stream_gives_the_times_within_it():
    later = [(start + 10, end + 10) for start, end in SPANS]
    loud = loudness(np.concatenate([np.zeros(10 * RATE, np.float32), speech(SPANS, 3.0, noise=0.001)]), RATE)
    piece = refine(spiking(SPANS, WORDS), loud[1000:], WORDS)
    whole = refine(spiking(later, WORDS), loud, WORDS)
    assert times(piece) + 10 == pytest.approx(times(whole), abs=0.011)


@given(st.floats(-30, 30))
def test_how_loud_the_recording_is_does_not_matter(gain):
    loud = loudness(speech(SPANS, 3.0, noise=0.001), RATE)
    words = spiking(SPANS, WORDS)
    assert times(refine(words, loud + gain, WORDS)) == pytest.approx(times(refine(words, loud, WORDS)))


seconds = st.floats(0, 5)


@st.composite
def wild_words(draw):
    edges = sorted(draw(st.lists(seconds, max_size=16)))
    return [Word("w", start, end, 0.5) for start, end in zip(edges[::2], edges[1::2], strict=False)]


@given(
    wild_words(),
    st.lists(st.floats(SILENCE_DB, 0), min_size=1, max_size=400),
    st.builds(Lag, st.floats(0, 1), st.floats(-0.5, 0.5), st.floats(0, 1)),
)
def test_words_are_in_order_apart_and_inside_the_audio_whatever_comes(words, loud, lag):
    refined = refine(words, np.array(loud, np.float32), lag)
    assert len(refined) == len(words)
    edges = [0.0, *times(refined).ravel(), len(loud) * HOP_SECONDS]
    assert all(before <= after + 1e-9 for before, after in itertools.pairwise(edges))
    assert all(word.start < word.end for word in refined)


@pytest.mark.parametrize("level", [SILENCE_DB, -60.0, 0.0])
def test_audio_without_contrast_leaves_the_lags(level):
    words = spiking([(0.5, 1.0), (1.0, 1.5)], CHARACTERS, "characters")
    refined = refine(words, np.full(300, level, np.float32), CHARACTERS)
    assert times(refined) == pytest.approx(np.array([(0.5, 1.0), (1.0, 1.5)]))


def test_nothing_to_refine_stays_as_it_is():
    words = spiking(SPANS, WORDS)
    assert refine([], np.zeros(10, np.float32), WORDS) == ()
    assert refine(words, np.zeros(0, np.float32), WORDS) == tuple(words)


@pytest.mark.parametrize("rate", [8000, 11025, 16000])
@given(samples=st.integers(0, 3000))
def test_loudness_is_the_mean_square_around_each_hop(rate, samples):
    audio = np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)
    found = loudness(audio, rate)
    assert found.dtype == np.float32
    assert len(found) == int(np.sum(np.round(np.arange(samples + 1) * HOP_SECONDS * rate) < samples))
    for hop in range(len(found)):
        first = round(max(0, hop - 1) * HOP_SECONDS * rate)
        around = audio[first : round((hop + 2) * HOP_SECONDS * rate)].astype(np.float64)
        assert found[hop] == pytest.approx(10 * np.log10(max(np.mean(around**2), 1e-10)), abs=1e-3)


def test_quiet_is_far_below_speech_or_hardly_above_noise():
    loud = np.array([-80] * 10 + [-20] * 10 + [-75] * 10, np.float32)
    assert quiet_runs(loud) == [(0, 10), (20, 30)]
    noisy = np.array([-45, -44] * 5 + [-20] * 10 + [-43] * 10, np.float32)
    assert quiet_runs(noisy) == [(0, 10), (20, 30)]
