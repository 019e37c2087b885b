import html
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decoding.subtitles import cues, to_srt, to_vtt
from pipeline.decoding.transcript import Transcript, Word


def spoken(text, begin=0.0, seconds=0.3, gap=0.0):
    """Words one after the other."""
    return tuple(
        Word(word, begin + number * (seconds + gap), begin + number * (seconds + gap) + seconds, 1.0)
        for number, word in enumerate(text.split())
    )


gaps = st.floats(0, 2)
lengths = st.floats(0.01, 9)
spellings = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=60)


@st.composite
def words_in_time(draw):
    words, time = [], 0.0
    for word, gap, length in draw(st.lists(st.tuples(spellings, gaps, lengths), max_size=30)):
        words.append(Word(word, time + gap, time + gap + length, 0.5))
        time += gap + length
    return words


wild = st.lists(st.builds(Word, spellings, st.floats(0, 1e5), st.floats(0, 1e5), st.just(0.5)), max_size=12)


@given(words_in_time())
def test_cues_hold_all_the_words_in_order_and_fit_the_screen(words):
    made = cues(words)
    assert [word for cue in made for line in cue.lines for word in line.split(" ")] == [word.word for word in words]
    for cue in made:
        assert len(cue.lines) <= 2
        assert all(len(line) <= 42 or " " not in line for line in cue.lines)


@given(words_in_time())
def test_a_cue_is_there_while_its_words_are_spoken(words):
    waiting = list(words)
    for cue in cues(words):
        own = [waiting.pop(0) for _ in " ".join(cue.lines).split(" ")]
        assert cue.start <= 1000 * own[0].start + 1 and cue.end >= 1000 * own[-1].end - 1
        assert len(own) == 1 or own[-1].end - own[0].start <= 7
        assert all(after.start - before.end < 0.8 for before, after in itertools.pairwise(own))


@given(words_in_time() | wild)
def test_cues_are_ordered_and_do_not_overlap(words):
    made = cues(words)
    assert all(cue.start < cue.end for cue in made)
    assert all(before.end <= after.start for before, after in itertools.pairwise(made))


@given(words_in_time())
def test_what_is_written_reads_back_as_the_cues(words):
    made = cues(words)
    srt = re.findall(r"(\d+)\n(\S+) --> (\S+)\n((?:.+\n)+)", to_srt(words))
    vtt = re.findall(r"\n(\S+) --> (\S+)\n((?:.+\n)+)", to_vtt(words))
    assert [int(number) for number, *_ in srt] == list(range(1, len(made) + 1))
    assert [tuple(text.split("\n")[:-1]) for *_, text in srt] == [cue.lines for cue in made]
    assert [tuple(html.unescape(text).split("\n")[:-1]) for *_, text in vtt] == [cue.lines for cue in made]
    assert [(a.replace(",", "."), b.replace(",", ".")) for _, a, b, _ in srt] == [(a, b) for a, b, _ in vtt]


def test_a_short_text_is_one_line():
    assert to_srt(spoken("a double shot mocha", begin=1.5)) == "1\n00:00:01,500 --> 00:00:02,700\na double shot mocha\n"
    assert to_vtt(spoken("a double shot mocha", begin=1.5)) == (
        "WEBVTT\n\n00:00:01.500 --> 00:00:02.700\na double shot mocha\n"
    )


def test_a_long_text_is_two_lines_of_like_length():
    (cue,) = cues(spoken("i would like a twelve ounce light roast double shot mocha"))
    assert cue.lines == ("i would like a twelve ounce", "light roast double shot mocha")


@pytest.mark.parametrize(("gap", "count"), [(0.7, 1), (0.9, 2)])
def test_a_pause_begins_a_cue(gap, count):
    assert len(cues(spoken("yes please", gap=gap))) == count


def test_a_short_word_stays_long_enough_to_read_unless_another_comes():
    assert [(cue.start, cue.end) for cue in cues(spoken("yes"))] == [(0, 1000)]
    soon = [Word("yes", 0.0, 0.1, 1.0), Word("please", 0.95, 1.2, 1.0)]
    assert [(cue.start, cue.end) for cue in cues(soon)] == [(0, 950), (950, 1950)]


def test_hours_are_written():
    assert to_srt(spoken("late", begin=3600 + 120 + 3.0045)).startswith("1\n01:02:03,004 --> ")
    assert to_vtt(spoken("late", begin=100 * 3600)).startswith("WEBVTT\n\n100:00:00.000 --> ")


def test_markup_is_escaped_in_vtt():
    assert "\na &lt;i&gt; &amp; --&gt; b\n" in to_vtt(spoken("a <i> & --> b"))


def test_no_words_give_a_valid_file_without_cues():
    empty = Transcript("", 1.0, ())
    assert (to_srt(empty), to_vtt(empty)) == ("", "WEBVTT\n")


def test_a_transcript_gives_what_its_words_give():
    words = spoken("a double shot mocha")
    transcript = Transcript("a double shot mocha", 0.9, words)
    assert (to_srt(transcript), to_vtt(transcript)) == (to_srt(words), to_vtt(words))
