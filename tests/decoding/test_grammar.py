import functools
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decoding.grammar import GrammarDecoder, GrammarTranscript
from pipeline.decoding.greedy import greedy
from pipeline.errors import InputError
from pipeline.grammar.jsgf import load_grammar, parse_grammar
from pipeline.text import Units

LETTERS = Units("characters", [" ", "a", "b"])
WORDS = Units("words", ["a", "b", "<other>"])
PHRASES = Units("words", ["b", "a b", "a"])
RULES = ["(a | b)+", "a b | b a | a a b", "[a] (ab | ba | b)", "(/1/ a | /9/ ab) [b]", "a* b*", "aa | aab b"]


def grammar_of(expansion):
    return parse_grammar(f"#JSGF V1.0;\ngrammar test;\npublic <a> = {expansion};", "test.jsgf")


def random_log_probs(frames, units, seed, scale=2):
    scores = np.random.default_rng(seed).normal(size=(frames, units), scale=scale)
    return (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))).astype(np.float32)


def spoken(units, text, silence=2, posterior=0.99):
    """Frames that spell the text without a doubt, each unit in two frames, a blank after it."""
    ids = [0] * silence + [frame for unit in units.encode(text) for frame in (unit, unit, 0)] + [0] * silence
    log_probs = np.full((len(ids), len(units)), math.log((1 - posterior) / (len(units) - 1)), np.float32)
    log_probs[range(len(ids)), ids] = math.log(posterior)
    return log_probs


def log_probability(grammar, words):
    """ln of the probability of the sentence's likeliest way through the grammar."""
    scores = {grammar.start: 0.0}
    for word in words:
        reached = {}
        for state, score in scores.items():
            for arc in grammar.arcs[state]:
                if arc.word == word:
                    reached[arc.target] = max(reached.get(arc.target, -math.inf), score + arc.weight)
        scores = reached
    return max((score + grammar.finals.get(state, -math.inf) for state, score in scores.items()), default=-math.inf)


def best_by_trying_all(log_probs, units, grammar, weight):
    """The score of the best of all paths whose text is a sentence of the grammar, and each sentence's own.

    A phrase may be said as one unit or as its words; of other units a text has one way to be written.
    """
    frames, count = log_probs.shape
    best: dict[str, float] = {}
    for path in itertools.product(range(count), repeat=frames):
        labels = [unit for unit, _ in itertools.groupby(path) if unit]
        text = units.decode(labels)
        if not (units.phrases or units.encode(text) == labels) or not grammar.accepts(text):
            continue
        score = log_probs[range(frames), path].sum() + weight * log_probability(grammar, text.split())
        best[text] = max(best.get(text, -math.inf), score)
    return best


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(RULES),
    st.sampled_from([LETTERS, WORDS, PHRASES]),
    st.integers(0, 6),
    st.sampled_from([0, 1, 3]),
    st.integers(0, 99),
)
def test_no_sentence_of_the_grammar_is_better(expansion, units, frames, weight, seed):
    if units.kind == "words":
        expansion = expansion.replace("ab", "a b").replace("ba", "b a").replace("aa", "a a")
    grammar = grammar_of(expansion)
    log_probs = random_log_probs(frames, len(units), seed)
    best = best_by_trying_all(log_probs, units, grammar, weight)
    transcript = GrammarDecoder(units, 0.03, grammar, weight=weight, threshold=2).decode(log_probs)
    if best:
        assert best[transcript.text] == pytest.approx(max(best.values()), abs=1e-4)
    else:
        assert transcript.rejected and transcript.rejection == 1 and transcript.text == ""


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 99), st.sampled_from([0.5, 3, 30]))
def test_whatever_is_heard_the_text_is_a_sentence_or_empty(frames, seed, scale):
    grammar = grammar_of("(a | ab [b])+ bb")
    transcript = GrammarDecoder(LETTERS, 0.03, grammar).decode(random_log_probs(frames, 4, seed, scale))
    assert 0 <= transcript.rejection <= 1 and transcript.confidence == pytest.approx(1 - transcript.rejection)
    assert transcript.rejected == (transcript.text == "")
    assert grammar.accepts(transcript.nearest) or not transcript.nearest
    assert transcript.text == " ".join(word.word for word in transcript.words)
    times = [time for word in transcript.words for time in (word.start, word.end)]
    assert times == sorted(times) and all(0 <= time <= frames * 0.03 + 1e-9 for time in times)


@given(st.integers(0, 20), st.integers(0, 99))
def test_a_grammar_of_everything_answers_as_greedy_decoding_does(frames, seed):
    log_probs = random_log_probs(frames, len(WORDS), seed)
    log_probs[:, 3] = -50  # <other>
    free = greedy(log_probs, WORDS, 0.03)
    transcript = GrammarDecoder(WORDS, 0.03, grammar_of("(a | b)*"), weight=0).decode(log_probs)
    assert transcript.rejection == pytest.approx(0)
    assert (transcript.text, transcript.words) == (free.text, free.words)


def test_a_word_of_phrases_alone_is_a_word_of_the_grammar():
    units = Units("words", ["lots of", "a lot of", "milk", "a"])
    decoder = GrammarDecoder(units, 0.03, grammar_of("(a lot | lots) of milk"))
    for text in ("a lot of milk", "lots of milk"):
        transcript = decoder.decode(spoken(units, text))
        assert transcript.text == text == " ".join(word.word for word in transcript.words)
        assert transcript.rejection == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match="found 'little'"):
        GrammarDecoder(units, 0.03, grammar_of("a little milk"))
    with pytest.raises(InputError, match="a sentence of the model's words and phrases wanted, found none"):
        GrammarDecoder(units, 0.03, grammar_of("milk of a lot (milk)*"))


def test_a_sentence_of_the_grammar_is_sure_and_in_its_place():
    transcript = GrammarDecoder(LETTERS, 0.1, grammar_of("ab [b]")).decode(spoken(LETTERS, "ab b"))
    assert transcript.text == transcript.nearest == "ab b"
    assert transcript.rejection == pytest.approx(0, abs=1e-6) and not transcript.rejected
    assert [(word.word, word.start, word.end) for word in transcript.words] == [
        ("ab", pytest.approx(0.2), pytest.approx(0.7)),
        ("b", pytest.approx(1.1), pytest.approx(1.3)),
    ]


@pytest.mark.parametrize("said", ["b a", "a", "a b a a b", "bbb", ""])
def test_what_is_outside_of_the_grammar_is_rejected(said):
    transcript = GrammarDecoder(LETTERS, 0.1, grammar_of("a b | a b b")).decode(spoken(LETTERS, said, silence=20))
    assert transcript.rejected and transcript.text == "" and transcript.words == ()
    assert transcript.nearest in (("a b", "a b b") if said else ("",))
    kept = GrammarDecoder(LETTERS, 0.1, grammar_of("a b | a b b"), threshold=2).decode(
        spoken(LETTERS, said, silence=20)
    )
    assert not kept.rejected and kept.text in ("a b", "a b b") and kept.rejection == transcript.rejection


def test_silence_around_the_speech_does_not_change_the_rejection():
    decoder = GrammarDecoder(LETTERS, 0.1, grammar_of("ab b"))
    short, long = (decoder.decode(spoken(LETTERS, "aab b", silence=silence)) for silence in (1, 50))
    assert 0 < short.rejection < 1
    assert long.rejection == pytest.approx(short.rejection)


def test_the_grammar_s_weights_decide_where_the_model_cannot():
    decoder = GrammarDecoder(WORDS, 0.1, grammar_of("/1/ a | /2/ b"))
    even = np.log(np.full((3, 4), 0.25, np.float32))
    assert decoder.decode(even).nearest == "b"


def test_saying_nothing_is_a_sentence_where_the_grammar_says_so():
    quiet = spoken(LETTERS, "")
    transcript = GrammarDecoder(LETTERS, 0.1, grammar_of("[a b]")).decode(quiet)
    assert transcript.text == "" and not transcript.rejected and transcript.rejection == 0


def test_no_frames_are_rejected():
    transcript = GrammarDecoder(LETTERS, 0.1, grammar_of("a b")).decode(np.zeros((0, 4), np.float32))
    assert transcript.rejected and transcript.rejection == 1 and transcript.confidence == 0


def test_words_that_the_units_cannot_spell_are_named():
    with pytest.raises(InputError, match=r"test.jsgf: .* characters spell wanted, found 'c', 'cab'$"):
        GrammarDecoder(LETTERS, 0.1, grammar_of("a | cab | c"))
    with pytest.raises(InputError, match=r"found 'c1', .* and 4 more$"):  # even if <other> stands by
        GrammarDecoder(WORDS, 0.1, grammar_of("a | " + " | ".join(f"c{number}" for number in range(1, 10))))
    spaceless = Units("characters", ["a", "b"])
    assert GrammarDecoder(spaceless, 0.1, grammar_of("ab | ba")).decode(spoken(spaceless, "ba")).text == "ba"
    with pytest.raises(InputError, match="single words wanted"):
        GrammarDecoder(spaceless, 0.1, grammar_of("a b"))


@pytest.mark.parametrize("setting", [{"weight": -1}, {"weight": math.nan}, {"threshold": -0.1}, {"weight": math.inf}])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(InputError, match="0 or more wanted"):
        GrammarDecoder(LETTERS, 0.1, grammar_of("a"), **setting)


def test_a_spoken_order_is_found_among_all_orders():
    units = Units.of_texts("characters", ["abcdefghijklmnopqrstuvwxyz '"])
    decoder = GrammarDecoder(units, 0.03, load_grammar("configs/coffee_orders.jsgf"))
    log_probs = spoken(units, "can i get an iced coffee with a bit of milk", posterior=0.6)
    assert decoder.decode(log_probs).text == "can i get an iced coffee with a bit of milk"
    slip = spoken(units, "can i get an iced koffee with a bit of milk", posterior=0.6)
    assert decoder.decode(slip).text == "can i get an iced coffee with a bit of milk"
    assert decoder.decode(spoken(units, "the quick brown fox jumps over the lazy dog")).rejected


def test_what_is_rejected_or_silent_takes_nothing_from_what_is_not():
    said = GrammarTranscript("a", 0.9, (), rejection=0.1, rejected=False, nearest="a")
    worse = GrammarTranscript("b", 0.88, (), rejection=0.12, rejected=False, nearest="b")
    unlike = GrammarTranscript("", 0.4, (), rejection=0.6, rejected=True, nearest="c")
    more_unlike = GrammarTranscript("", 0.3, (), rejection=0.7, rejected=True, nearest="d")
    silence = GrammarTranscript("", 0.0, (), rejection=1.0, rejected=True, nearest="")
    for several, wanted in {
        (said, silence): ("a", "a", False, 0.1),
        (silence, said): ("a", "a", False, 0.1),
        (said, worse): ("a b", "a b", False, 0.12),
        (said, unlike): ("a", "a c", False, 0.1),
        (unlike, said, more_unlike, worse): ("a b", "c a d b", False, 0.12),
        (unlike, silence, more_unlike): ("", "c d", True, 0.7),
        (silence, silence): ("", "", True, 1.0),
    }.items():
        joined = functools.reduce(lambda before, after: before.joined(after), several)
        assert (joined.text, joined.nearest, joined.rejected, joined.rejection) == wanted
        assert joined.confidence == pytest.approx(1 - joined.rejection)


def test_what_is_too_unsure_is_rejected():
    unsure = GrammarTranscript("a", 0.9, (), rejection=0.1, rejected=False, nearest="a").unanswered()
    assert unsure == GrammarTranscript("", 0.9, (), rejection=0.1, rejected=True, nearest="a")
