import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decoding.arpa import Ngrams
from pipeline.decoding.beam import BeamDecoder, NBest
from pipeline.decoding.greedy import greedy
from pipeline.decoding.language_model import BackoffModel
from pipeline.decoding.transcript import Transcript
from pipeline.errors import InputError
from pipeline.text import Units

LETTERS = Units("characters", [" ", "a", "b"])
WORDS = Units("words", ["c", "a", "ab"])
PHRASES = Units("words", ["a", "ab", "a ab"])
MODEL = BackoffModel(
    Ngrams(
        2,
        {
            ("<s>",): -99.0,
            ("</s>",): -1.3,
            ("<unk>",): -4.0,
            ("a",): -1.0,
            ("ab",): -2.0,
            ("<s>", "ab"): -0.3,
            ("ab", "</s>"): -0.2,
            ("a", "a"): -0.1,
        },
        {("<s>",): -0.5, ("a",): -0.7, ("ab",): -0.9},
    )
)


def random_log_probs(frames, units, seed, scale=2.0):
    scores = np.random.default_rng(seed).normal(size=(frames, units), scale=scale)
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


def text_of(path, units):
    return units.decode([unit for unit, _ in itertools.groupby(path)])


def log_probability_of_every_text(log_probs, units):
    """By trying all paths."""
    texts = defaultdict(float)
    for path in itertools.product(range(len(units)), repeat=len(log_probs)):
        texts[text_of(path, units)] += math.exp(sum(log_probs[time, unit] for time, unit in enumerate(path)))
    return {text: math.log(probability) for text, probability in texts.items()}


def language_score(text, weight, bonus):
    state, score = MODEL.start(), 0.0
    for word in text.split():
        gained, state = MODEL.score(state, word)
        score += weight * gained + bonus
    return score + weight * MODEL.end(state)


def hotword_score(text, boosts):
    words = text.split()
    return sum(
        boost
        for hotword, boost in boosts.items()
        for start in range(len(words))
        if words[start : start + len(hotword.split())] == hotword.split()
    )


def scores(decoder, log_probs):
    return {item.transcript.text: item.score for item in decoder.best(log_probs, 10**6)}


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([LETTERS, WORDS, PHRASES]), st.integers(0, 5), st.integers(0, 999))
def test_a_wide_beam_finds_every_text_with_its_probability(units, frames, seed):
    log_probs = random_log_probs(frames, 4, seed)
    wanted = log_probability_of_every_text(log_probs, units)
    decoder = BeamDecoder(units, 0.03, width=10**4, cutoff=math.inf)
    assert scores(decoder, log_probs) == pytest.approx(wanted)
    assert decoder.decode(log_probs).text == max(wanted, key=wanted.get)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([LETTERS, WORDS, PHRASES]),
    st.integers(0, 5),
    st.integers(0, 999),
    st.floats(0, 3),
    st.floats(-2, 2),
    st.dictionaries(st.sampled_from(["a", "ab", "a a", "a ab", "ab a"]), st.floats(0.1, 3)),
)
def test_language_model_and_hotwords_add_what_the_whole_text_is_worth(units, frames, seed, weight, bonus, hotwords):
    log_probs = random_log_probs(frames, 4, seed)
    boosts = {hotword: 2.0 * share for hotword, share in hotwords.items()}
    wanted = {
        text: score + language_score(text, weight, bonus) + hotword_score(text, boosts)
        for text, score in log_probability_of_every_text(log_probs, units).items()
    }
    decoder = BeamDecoder(units, 0.03, 10**4, MODEL, weight, bonus, hotwords, 2.0, cutoff=math.inf)
    assert scores(decoder, log_probs) == pytest.approx(wanted)


def plain_search(log_probs, units, width):
    """Prefix beam search with tuples and dicts, for units without a space: -> scores of the texts in the beam."""
    beam = {(): (0.0, -math.inf)}
    for frame in log_probs:
        reached = defaultdict(lambda: [-math.inf, -math.inf])
        for prefix, (blank, label) in beam.items():
            total = np.logaddexp(blank, label)
            reached[prefix][0] = np.logaddexp(reached[prefix][0], total + frame[0])
            for unit in range(1, len(units)):
                longer = (*prefix, unit)
                repeated = prefix[-1:] == (unit,)
                new = blank if repeated else total
                reached[longer][1] = np.logaddexp(reached[longer][1], new + frame[unit])
                if repeated:
                    reached[prefix][1] = np.logaddexp(reached[prefix][1], label + frame[unit])
        best = sorted(reached, key=lambda prefix: -np.logaddexp(*reached[prefix]))[:width]
        beam = {prefix: tuple(reached[prefix]) for prefix in best}
    return {units.decode(prefix): np.logaddexp(*masses) for prefix, masses in beam.items()}


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(0, 30), st.integers(0, 999))
def test_a_narrow_beam_is_that_of_a_plain_search(width, frames, seed):
    log_probs = random_log_probs(frames, 4, seed)
    found = scores(BeamDecoder(WORDS, 0.03, width, cutoff=math.inf), log_probs)
    assert found == pytest.approx(plain_search(log_probs, WORDS, width))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(0, 5), st.integers(0, 999))
def test_hypotheses_are_different_the_best_first_and_never_better_than_they_are(width, frames, seed):
    log_probs = random_log_probs(frames, 4, seed)
    exact = log_probability_of_every_text(log_probs, LETTERS)
    found = BeamDecoder(LETTERS, 0.03, width).best(log_probs, 5)
    texts = [item.transcript.text for item in found]
    assert 1 <= len(texts) == len(set(texts)) <= min(5, width)
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
    assert all(item.score <= exact[item.transcript.text] + 1e-9 for item in found)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([LETTERS, WORDS]), st.integers(0, 40), st.integers(0, 999))
def test_of_clear_speech_it_gives_what_greedy_decoding_gives(units, frames, seed):
    log_probs = random_log_probs(frames, 4, seed, scale=200.0)
    beam = BeamDecoder(units, 0.03).decode(log_probs)
    assert beam.text == greedy(log_probs, units, 0.03).text
    assert all(0 <= word.start < word.end <= frames * 0.03 + 1e-9 for word in beam.words)
    assert [word.word for word in beam.words] == beam.text.split()


def test_words_are_timed_where_they_stand():
    log_probs = np.log(np.full((6, 4), 1e-3))
    for time, unit in enumerate([0, 2, 3, 1, 2, 0]):
        log_probs[time, unit] = math.log(0.9)
    transcript = BeamDecoder(LETTERS, 0.5).decode(log_probs)
    assert [(word.word, word.start, word.end) for word in transcript.words] == [("ab", 0.5, 1.5), ("a", 2.0, 2.5)]
    assert transcript.confidence == pytest.approx(0.9)


@pytest.mark.parametrize(("blanks", "text"), [(16, "ab"), (17, "a b")])
def test_a_pause_parts_words(blanks, text):
    log_probs = np.log(np.full((blanks + 42, 4), 1e-3))
    log_probs[:, 0] = np.log(0.9)
    log_probs[[20, 21 + blanks], [2, 3]], log_probs[[20, 21 + blanks], 0] = np.log(0.9), np.log(1e-3)
    transcript = BeamDecoder(LETTERS, 0.03).decode(log_probs)
    assert transcript.text == text
    assert transcript.confidence == pytest.approx(0.9)
    assert BeamDecoder(LETTERS, 0.03, language_model=MODEL).decode(log_probs).text == text


def test_no_frames_are_an_empty_transcript():
    assert BeamDecoder(LETTERS, 0.03).decode(np.zeros((0, 4), np.float32)) == Transcript("", 1.0, ())
    with_model = BeamDecoder(LETTERS, 0.03, language_model=MODEL, hotwords=["a"])
    assert with_model.decode(np.zeros((0, 4), np.float32)) == Transcript("", 1.0, ())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.floats(width=32), min_size=4, max_size=4), max_size=6))
def test_any_numbers_are_decoded(rows):
    BeamDecoder(LETTERS, 0.03, 4, MODEL, hotwords=["ab"]).best(np.array(rows, np.float32).reshape(-1, 4), 3)


def confused(right, wrong, units, share):
    """Posteriors of two texts of one length: at each letter the wrong one has `share`, the right one the rest."""
    log_probs = np.full((2 * len(right), len(units)), -20.0)
    log_probs[1::2, 0] = -0.01
    for number, (a, b) in enumerate(zip(units.encode(right), units.encode(wrong), strict=True)):
        log_probs[2 * number, a] = math.log(1 - share)
        log_probs[2 * number, b] = math.log(share) if a != b else -0.01
    return log_probs


ENGLISH = Units("characters", " abcdefghijklmnopqrstuvwxyz")


def test_a_language_model_mends_a_word():
    model = BackoffModel(Ngrams(1, {("mocha",): -1.0, ("hot",): -1.0, ("<unk>",): -12.0, ("</s>",): -1.0}))
    log_probs = confused("hot mocha", "hot mucho", ENGLISH, 0.8)
    assert BeamDecoder(ENGLISH, 0.03).decode(log_probs).text == "hot mucho"
    assert BeamDecoder(ENGLISH, 0.03, language_model=model).decode(log_probs).text == "hot mocha"


@pytest.mark.parametrize("hotwords", [["hot mocha"], {"mocha": 1.0}])
def test_hotwords_are_heard_in_the_narrowest_beam(hotwords):
    log_probs = confused("a hot mocha", "a hut mucho", ENGLISH, 0.7)
    assert BeamDecoder(ENGLISH, 0.03, 2).decode(log_probs).text == "a hut mucho"
    text = BeamDecoder(ENGLISH, 0.03, 2, hotwords=hotwords).decode(log_probs).text
    assert text == ("a hot mocha" if "hot mocha" in hotwords else "a hut mocha")


def test_a_hotword_that_is_one_unit_is_not_put_in_where_nobody_said_it():
    log_probs = np.log([[0.98, 0.01, 0.01], [0.01, 0.98, 0.01], [0.98, 0.01, 0.01]])
    assert BeamDecoder(Units("words", ["a", "b"]), 0.03, hotwords=["b"]).decode(log_probs).text == "a"
    close = np.log([[0.1, 0.6, 0.3]])
    assert BeamDecoder(Units("words", ["a", "b"]), 0.03, hotwords=["b"]).decode(close).text == "b"


def test_a_hotword_is_no_part_of_a_longer_word():
    log_probs = confused("mochas", "muchas", ENGLISH, 0.6)
    assert BeamDecoder(ENGLISH, 0.03, hotwords=["mocha", "ochas"]).decode(log_probs).text == "muchas"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "beam: a width of 1 or more wanted, found 0"),
        ({"language_model_weight": -1.0}, "a weight of 0 or more wanted, found -1.0"),
        ({"word_bonus": math.nan}, "word bonus: a finite number wanted"),
        ({"cutoff": 0.0}, "beam: a cutoff above 0 wanted"),
        ({"hotwords": ["caf\u00e9"]}, "hotword 'caf\u00e9': the model's units cannot spell '\u00e9'"),
        ({"hotwords": [" "]}, "hotword ' ': at least one word wanted"),
        ({"hotwords": {"hot": -1.0}}, "hotword 'hot': a weight above 0 wanted, found -1.0"),
    ],
)
def test_settings_that_cannot_be_are_told(settings, message):
    with pytest.raises(InputError, match=message):
        BeamDecoder(ENGLISH, 0.03, **settings)


def test_a_word_without_a_unit_is_no_hotword():
    with pytest.raises(InputError, match="cannot spell 'b'"):
        BeamDecoder(WORDS, 0.03, hotwords=["a b"])


def test_alternatives_of_two_utterances_are_the_best_pairs():
    first = NBest("a b", 0.9, (), (("a b", -1.0), ("a", -2.0), ("", -5.0)))
    second = NBest("b", 0.8, (), (("b", -1.0), ("ab", -1.5)))
    joined = first.joined(second)
    assert (joined.text, joined.confidence) == ("a b b", 0.8)
    assert joined.alternatives == (("a b b", -2.0), ("a b ab", -2.5), ("a b", -3.0))


def test_what_is_too_unsure_has_no_alternatives():
    assert NBest("a b", 0.9, (), (("a b", -1.0), ("a", -2.0))).unanswered() == NBest("", 0.9, (), ())
