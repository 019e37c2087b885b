from collections import Counter

import numpy as np
import pytest

from pipeline.config import Join
from pipeline.data.joining import join
from pipeline.data.utterances import Utterance

RATE = 8000
SPEAKERS = {"ann": 0.25, "bob": 0.5, "cyd": 0.75}  # each speaks in a constant of their own


def clip(speaker, number):
    samples = 100 + 10 * number
    audio = np.full(samples, SPEAKERS[speaker], np.float32)
    return Utterance(f"{speaker}{number}", f"word{number}", speaker, samples, lambda: audio)


# Unequal numbers of clips: speakers take turns all the same.
CLIPS = [clip(speaker, number) for count, speaker in enumerate(SPEAKERS, start=1) for number in range(5 * count)]


def joined(seed=0, clips=CLIPS, **options):
    return join(clips, Join(**{"utterances": 60, **options}), RATE, np.random.default_rng(seed), "train.0")


def test_a_string_is_of_one_speaker():
    for string in joined():
        audio = string.load()
        assert set(audio[audio > 0]) == {np.float32(SPEAKERS[string.speaker])}


def test_speakers_take_turns():
    assert Counter(string.speaker for string in joined()) == dict.fromkeys(SPEAKERS, 20)


def test_strings_are_of_one_to_seven_words():
    assert {len(string.transcript.split()) for string in joined(utterances=300)} == set(range(1, 8))


@pytest.mark.parametrize("words", [(1, 1), (2, 3)])
def test_the_number_of_words_is_in_the_configured_range(words):
    assert {len(string.transcript.split()) for string in joined(words=words)} == set(range(words[0], words[1] + 1))


def test_the_announced_length_is_that_of_clips_and_pauses():
    for string in joined():
        audio = string.load()
        assert audio.dtype == np.float32 and len(audio) == string.samples
        assert np.count_nonzero(audio) == sum(100 + 10 * int(word[4:]) for word in string.transcript.split())


def test_pauses_stand_before_between_and_after_and_are_as_long_as_configured():
    for string in joined(pause_seconds=(0.1, 0.2)):
        silent = np.flatnonzero(np.diff(string.load() == 0, prepend=False, append=False)).reshape(-1, 2)
        pauses = (silent[:, 1] - silent[:, 0]) / RATE
        assert len(pauses) == 1 + len(string.transcript.split())
        assert pauses.min() >= 0.0999 and pauses.max() <= 0.2001


@pytest.mark.parametrize("pause_seconds", [(0.1, 0.2), (0.0, 0.0)])
def test_spans_tell_where_each_clip_lies(pause_seconds):
    for string in joined(pause_seconds=pause_seconds):
        audio = string.load()
        assert [end - start for start, end in string.spans] == [
            100 + 10 * int(word[4:]) for word in string.transcript.split()
        ]
        assert all(np.all(audio[start:end]) for start, end in string.spans)
        assert [end for _, end in string.spans] == sorted(end for _, end in string.spans)


def test_without_pauses_clips_touch():
    assert all(np.all(string.load()) for string in joined(pause_seconds=(0.0, 0.0)))


def test_the_random_numbers_decide_the_strings():
    def transcripts(seed):
        return [string.transcript for string in joined(seed)]

    assert transcripts(1) == transcripts(1) != transcripts(2)


def test_strings_have_names_of_their_own_that_tell_the_clips():
    names = [string.name for string in joined()]
    assert len(set(names)) == 60
    assert names[0].startswith("train.0[0] of ann")


def test_clips_without_a_speaker_are_joined_with_one_another():
    clips = [Utterance(f"{n}", "word", None, 10, lambda: np.ones(10, np.float32)) for n in range(3)]
    assert {string.speaker for string in joined(clips=clips)} == {None}
