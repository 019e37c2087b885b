import json

import numpy as np
import pytest

from pipeline.config import Config, Speakers
from pipeline.data.utterances import (
    Skipped,
    Utterance,
    check_speakers,
    frames_needed,
    learnable,
    take_speakers,
    units_of,
)
from pipeline.errors import InputError
from pipeline.text import Units

UNITS = Units("characters", [" ", "a", "b"])


def utterance(transcript="ab", speaker="ann", samples=8000, name="one.wav"):
    return Utterance(name, transcript, speaker, samples, lambda: np.zeros(samples, np.float32))


def settings(**sections):
    source = {"kind": "manifest", "path": "none"}
    values = {"name": "tiny", "features": {"sample_rate": 8000, "n_fft": 256}, **sections}
    return Config.model_validate(
        {**values, "data": {"train": [source], "valid": [source], "most_skipped": 0.5, **values.get("data", {})}}
    )


CROWD = [utterance(speaker=f"speaker{number}", name=f"{number}.wav") for number in range(200)]


def speakers(utterances):
    return {utterance.speaker for utterance in utterances}


def test_all_speakers_are_taken_by_default():
    utterances = [utterance(speaker=None), *CROWD]
    assert take_speakers(utterances, Speakers()) == utterances


def test_speakers_are_included_and_excluded_by_name():
    named = ["speaker1", "speaker2", "speaker3"]
    assert speakers(take_speakers(CROWD, Speakers(include=named))) == set(named)
    assert speakers(take_speakers(CROWD, Speakers(exclude=named))) == speakers(CROWD) - set(named)
    assert speakers(take_speakers(CROWD, Speakers(include=named, exclude=named[:1]))) == set(named[1:])


def test_shares_part_the_speakers():
    bounds = [(0.0, 0.5), (0.5, 0.8), (0.8, 1.0)]
    parts = [speakers(take_speakers(CROWD, Speakers(share=share))) for share in bounds]
    assert set.union(*parts) == speakers(CROWD)
    assert sum(len(part) for part in parts) == len(CROWD)
    for part, (low, high) in zip(parts, bounds, strict=True):
        assert len(part) / len(CROWD) == pytest.approx(high - low, abs=0.1)


def test_a_speakers_share_does_not_depend_on_the_others():
    half = Speakers(share=(0.0, 0.5))
    few = speakers(take_speakers(CROWD[:50], half))
    assert few == speakers(take_speakers(CROWD, half)) & speakers(CROWD[:50])


@pytest.mark.parametrize("condition", [{"include": ["nobody"]}, {"exclude": ["nobody"]}])
def test_a_speaker_that_does_not_occur_is_named(condition):
    with pytest.raises(InputError, match="'nobody' does not occur; there are speaker0, speaker1"):
        take_speakers(CROWD, Speakers(**condition))


def test_choosing_among_speakers_needs_them_told():
    with pytest.raises(InputError, match=r"who\.wav: a speaker wanted"):
        take_speakers([*CROWD, utterance(speaker=None, name="who.wav")], Speakers(share=(0.0, 0.5)))


def test_a_speaker_in_two_splits_is_named():
    splits = {"train": [utterance(speaker="ann")], "valid": [utterance(speaker="bob"), utterance(speaker="ann")]}
    with pytest.raises(InputError, match=r"speaker 'ann' is both in data\.train and data\.valid"):
        check_speakers(splits, allow_shared=False)
    check_speakers(splits, allow_shared=True)


def test_speakers_that_nobody_tells_are_not_held_to_be_one():
    check_speakers({"train": [utterance(speaker=None)], "valid": [utterance(speaker=None)]}, allow_shared=False)


def test_transcripts_are_normalized_before_they_are_spelled():
    remove = settings(text={"remove": "!"})
    (example,) = learnable([utterance("A  b!")], remove, UNITS, Skipped())
    assert (example.text, example.labels) == ("a b", (2, 1, 3))


@pytest.mark.parametrize(
    ("units", "symbols"),
    [
        ({}, [" ", "b", "o", "w"]),
        ({"kind": "words"}, ["b", "bow", "wow"]),
        ({"kind": "words", "phrases": ["Bow  wow"]}, ["b", "bow wow"]),
        ({"kind": "words", "symbols": ["bow wow", "<other>"]}, ["bow wow", "<other>"]),
    ],
)
def test_units_are_those_that_are_configured_or_that_transcripts_need(units, symbols):
    assert units_of(settings(units=units), [utterance("Bow wow"), utterance("b bow wow")]).symbols == symbols


def test_a_phrase_that_nobody_says_is_named():
    with pytest.raises(InputError, match=r"units\.phrases: phrases of the training transcripts wanted, none has 'a b'"):
        units_of(settings(units={"kind": "words", "phrases": ["a b"]}), [utterance("b a")])


def test_an_unknown_symbol_is_skipped_and_named():
    skipped = Skipped()
    kept = learnable([utterance(), utterance("abc", name="c.wav")], settings(), UNITS, skipped)
    assert [example.text for example in kept] == ["ab"]
    assert dict(skipped) == {"c.wav": "'abc' has 'c', which is not among the units"}


def test_an_unknown_symbol_is_an_error_if_asked_for():
    with pytest.raises(InputError, match=r"c\.wav: 'abc' has 'c'"):
        learnable([utterance(), utterance("abc", name="c.wav")], settings(units={"unknown": "error"}), UNITS, Skipped())


def test_more_labels_than_frames_are_skipped():
    skipped = Skipped()
    learnable([utterance(), utterance("ab" * 40, name="crowded.wav")], settings(), UNITS, skipped)
    assert dict(skipped) == {"crowded.wav": "1.00 s give 32 frames, its 80 labels need 80"}


def test_an_utterance_that_just_fits_is_kept():
    frames = settings().features.network_frames(8000)
    assert len(learnable([utterance("ab" * (frames // 2))], settings(), UNITS, Skipped())) == 1


def test_an_utterance_that_is_too_long_is_skipped():
    skipped = Skipped()
    long = utterance(samples=8001, name="long.wav")
    assert len(learnable([utterance(), long], settings(data={"longest_seconds": 1.0}), UNITS, skipped)) == 1
    assert dict(skipped) == {"long.wav": "longer than 1 s"}


def test_an_utterance_of_unknown_length_is_kept_until_it_is_read():
    assert len(learnable([utterance(samples=0)], settings(), UNITS, Skipped())) == 1


def test_nothing_to_learn_from_is_an_error_with_its_reasons():
    with pytest.raises(InputError, match=r"none of 2 utterances .* 'c', which is not among the units \(2 times\)"):
        learnable([utterance("c"), utterance("c", name="two.wav")], settings(), UNITS, Skipped())


@pytest.mark.parametrize(("labels", "frames"), [((), 1), ((1,), 1), ((1, 2, 1), 3), ((1, 1), 3), ((2, 2, 2, 1), 6)])
def test_equal_neighbours_need_a_blank_between(labels, frames):
    assert frames_needed(labels) == frames


def test_what_is_skipped_counts_once_for_each_key_and_is_saved(tmp_path):
    skipped = Skipped()
    news = [skipped.add(name, "silent", key) for name, key in (("a.wav", 1), ("b.wav", None), ("a.wav", 1))]
    assert news == [True, True, False]
    assert skipped.summary(9) == "skipped 2 of 9 utterances: a.wav (silent); b.wav (silent)"
    skipped.save(tmp_path / "skipped.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "skipped.jsonl").read_text().splitlines()]
    assert lines == [{"audio": "a.wav", "reason": "silent"}, {"audio": "b.wav", "reason": "silent"}]
    assert skipped.add("a.wav", "silent") and len(skipped) == 3


def test_what_is_left_out_of_an_epoch_counts_as_often_as_the_epoch_has_it():
    crowded = [utterance("ab" * 40, name="crowded.wav")] * 3
    skipped = Skipped()
    assert len(learnable([*[utterance()] * 3, *crowded], settings(), UNITS, skipped)) == 3
    assert [name for name, _ in skipped] == ["crowded.wav"]
    with pytest.raises(InputError, match="skipped 3 of 5 utterances"):
        learnable([utterance(), utterance(), *crowded], settings(), UNITS, Skipped())


def test_utterances_of_one_name_are_each_left_out_once():
    crowded = [utterance("ab" * 40, name="crowded.wav") for _ in range(2)]
    skipped = Skipped(within=(within := Skipped()))
    for _ in range(2):
        learnable([utterance(), utterance(), *crowded], settings(), UNITS, skipped)
    assert len(skipped) == len(within) == 2
