import json
from collections import Counter

import numpy as np
import pytest
import soundfile

from pipeline.config import Config
from pipeline.data.survey import choose, measure, survey
from pipeline.data.survey_summary import rare_units, summaries, top_speakers
from pipeline.data.suspicions import PROBLEMS, suspicions
from pipeline.errors import InputError

RATE = 8000
TEXTS = ("on and off", "up and down", "left and right")


def speech(seconds, seed, before=0.2, after=0.3):
    """float32 [samples]: noise as loud as speech, between pauses that are nearly quiet."""
    random = np.random.default_rng(seed)
    parts = [1e-4 * random.normal(size=round(before * RATE)), 0.05 * random.normal(size=round(seconds * RATE))]
    return np.concatenate([*parts, 1e-4 * random.normal(size=round(after * RATE))]).astype(np.float32)


class Speech:
    """Manifests with files, written into a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.lines = {"train": [], "valid": []}

    def add(self, split, name, audio, text, speaker=None, rate=RATE, **more):
        if isinstance(audio, bytes):
            (self.folder / name).write_bytes(audio)
        elif audio is not None:
            soundfile.write(self.folder / name, audio, rate, subtype="FLOAT")
        line = {"audio_filepath": name, "text": text, "speaker": speaker or f"{split}'s", **more}
        self.lines[split].append(json.dumps(line) + "\n")

    def settings(self, **sections):
        for split, lines in self.lines.items():
            (self.folder / f"{split}.jsonl").write_text("".join(lines))
        data = {split: [{"kind": "manifest", "path": f"{split}.jsonl"}] for split in self.lines}
        features = {"sample_rate": RATE, "n_fft": 256, "stack": 1, "stride": 1}
        values = {"name": "planted", "data": {"folder": str(self.folder), "longest_seconds": 5.0, **data}}
        return Config.model_validate({**values, "features": features, **sections})

    def findings(self, **sections):
        settings = self.settings(**sections)
        return suspicions(survey(choose(settings), settings), settings)


@pytest.fixture
def clean(tmp_path):
    """Utterances with nothing wrong: the same texts by the same speaker come again, in other recordings."""
    made = Speech(tmp_path)
    for number in range(24):
        split = "train" if number < 18 else "valid"
        seconds = 0.9 + 0.02 * (number % 5)
        made.add(split, f"{number}.wav", speech(seconds, number), TEXTS[number % 3])
    return made


def test_nothing_is_suspicious_of_a_clean_set(clean):
    assert clean.findings() == []


GOOD = speech(1.0, 100)
PLANTED = {
    "unreadable": {"audio": b"no audio", "text": TEXTS[0]},
    "infeasible": {"audio": speech(0.3, 101, 0, 0), "text": "on and off " * 6},
    "empty transcript": {"audio": GOOD, "text": " "},
    "too long": {"audio": speech(1.0, 102, 4.0, 0.3), "text": TEXTS[0]},
    "too short": {"audio": speech(0.15, 103, 0, 0), "text": "up"},
    "wrong length": {"audio": GOOD, "text": TEXTS[0], "duration": 2.5},
    "low sample rate": {"audio": speech(1.0, 104)[::2], "text": TEXTS[0], "rate": 4000},
    "speaker across splits": {"audio": GOOD, "text": TEXTS[0], "speaker": "valid's"},
    "fast": {"audio": speech(0.2, 105, 0.5, 0.5), "text": "up and down and left"},
    "slow": {"audio": speech(4.0, 106), "text": "up"},
    "mostly silent": {"audio": speech(0.06, 107, 1.0, 1.0), "text": ""},
    "clipped": {"audio": np.clip(10 * GOOD, -1, 1), "text": TEXTS[0]},
    "DC offset": {"audio": GOOD + 0.1, "text": TEXTS[0]},
    "other spelling": {"audio": GOOD, "text": "On  and OFF"},
}


@pytest.mark.parametrize("problem", PLANTED)
def test_a_planted_fault_is_found_and_named(clean, problem):
    clean.add("train", "planted.wav", **PLANTED[problem])
    found = [finding for finding in clean.findings() if finding.problem == problem]
    assert len(found) == 1
    where = ("valid", "valid's") if problem == "speaker across splits" else ("train", str(clean.folder / "planted.wav"))
    assert (found[0].split, found[0].name) == where
    assert found[0].found


@pytest.mark.parametrize("problem", ["clipped", "DC offset", "other spelling", "slow", "low sample rate", "unreadable"])
def test_a_fault_is_held_for_no_other(clean, problem):
    clean.add("train", "planted.wav", **PLANTED[problem])
    assert [finding.problem for finding in clean.findings()] == [problem]


def test_a_symbol_that_the_training_data_lacks_is_outside(clean):
    clean.add("valid", "planted.wav", GOOD, "on zzz")
    (finding,) = clean.findings()
    assert (finding.problem, finding.split) == ("outside the units", "valid")
    assert "'z'" in finding.found


def test_a_missing_file_is_a_finding(clean):
    clean.add("train", "gone.wav", None, TEXTS[0])
    (finding,) = clean.findings()
    assert (finding.problem, finding.found) == ("unreadable", "no such file")


def test_a_bad_line_is_a_finding(clean):
    clean.lines["train"].insert(3, "[]\n")
    (finding,) = clean.findings()  # and no empty transcript
    assert finding.problem == "unreadable"
    assert finding.name.endswith("train.jsonl:4") and "a JSON object wanted" in finding.found


def test_the_same_audio_is_found_within_and_across_splits_and_with_another_text(clean):
    for split, name, text in (
        ("train", "one.wav", TEXTS[0]),
        ("train", "two.flac", TEXTS[0]),
        ("valid", "three.wav", TEXTS[1]),
    ):
        soundfile.write(clean.folder / name, (GOOD * 32767).astype(np.int16), RATE)  # the same after decoding
        clean.add(split, name, None, text)
    found = {(each.problem, each.name.split("/")[-1]): each.found for each in clean.findings()}
    one = clean.folder / "one.wav"
    assert found == {
        ("same audio within a split", "two.flac"): f"the same as {one}",
        ("same audio across splits", "three.wav"): f"the same as {one} in train",
        ("same audio, other text", "three.wav"): f"{one} in train has 'on and off'",
    }


def test_findings_come_in_the_order_of_problems_and_the_worst_first(clean):
    clean.add("train", "a.wav", GOOD + 0.1, TEXTS[0])
    clean.add("train", "b.wav", GOOD - 0.3, TEXTS[0])
    clean.add("train", "c.wav", b"", TEXTS[0])
    found = [(finding.problem, finding.name[-5:]) for finding in clean.findings()]
    assert found == [("unreadable", "c.wav"), ("DC offset", "b.wav"), ("DC offset", "a.wav")]
    assert list(PROBLEMS).index("unreadable") < list(PROBLEMS).index("DC offset")


def test_silence_is_measured_at_both_ends():
    audio = speech(1.0, 0, before=0.5, after=0.8)
    sound = measure(audio, RATE)
    assert (sound.samples, sound.leading, sound.trailing) == pytest.approx((len(audio), 0.5, 0.8), abs=0.021)
    assert sound.silent == pytest.approx(1.3 / 2.3, abs=0.02)


@pytest.mark.parametrize("place", [1000, -1000])
def test_a_click_is_no_speech(place):
    audio = speech(1.0, 0, before=0.5, after=0.8)
    audio[place] = 0.9
    sound = measure(audio, RATE)
    assert (sound.leading, sound.trailing) == pytest.approx((0.5, 0.8), abs=0.021)


def test_level_peak_clipping_and_offset_are_those_of_the_samples():
    sound = measure(np.array([1.0, -1.0, 0.5, 0.5], np.float32), RATE)
    assert (sound.rms, sound.peak, sound.clipped, sound.offset) == pytest.approx((np.sqrt(0.625), 1.0, 0.5, 0.25))


@pytest.mark.parametrize("samples", [1, 100, 160, 500, 8000])
def test_digital_silence_is_all_silence(samples):
    sound = measure(np.zeros(samples, np.float32), RATE)
    assert (sound.silent, sound.trailing) == (1.0, 0.0)
    assert sound.leading == pytest.approx(samples / RATE)


def test_of_a_large_split_the_same_sample_is_listened_to_each_time(clean):
    settings = clean.settings()
    first, again = choose(settings, most=5), choose(settings, most=5)
    assert {split: len(each.heard) for split, each in first.items()} == {"train": 5, "valid": 5}
    assert first["train"].heard == again["train"].heard
    calls = []
    found = survey(first, settings, lambda: calls.append(1))
    assert len(calls) == 10
    assert sum(row.sound is not None for row in found.rows["train"]) == 5
    assert found.is_sample("train") and len(found.rows["train"]) == 18
    assert suspicions(found, settings) == []
    assert summaries(found, [])["train"].hours == summaries(survey(choose(settings), settings), [])["train"].hours


def test_a_units_count_is_of_all_utterances_in_a_sample_too(clean):
    clean.add("valid", "z.wav", GOOD, "zz on")
    settings = clean.settings()
    found = survey(choose(settings, most=1), settings)
    assert found.counts["train"] == Counter("".join(TEXTS[number % 3] for number in range(18)))
    assert rare_units(found, 1) == [("z", {"train": 0, "valid": 2})]


def test_a_summary_counts_what_there_is(clean):
    clean.add("train", "bad.wav", b"", TEXTS[0], speaker="ann")
    settings = clean.settings()
    found = survey(choose(settings), settings)
    findings = suspicions(found, settings)
    train = summaries(found, findings)["train"]
    assert (train.utterances, train.heard, train.unreadable, train.speakers) == (19, 19, 1, 2)
    assert (train.transcripts, train.words, train.file_rates) == (3, 7, {RATE: 18})
    assert train.suspicious == {"unreadable": 1}
    assert train.hours == pytest.approx(sum(row.seconds for row in found.rows["train"]) / 3600, abs=1e-4)
    assert train.seconds.least <= train.seconds.median <= train.seconds.most
    first = top_speakers(found, 1)[0]
    assert (first.name, first.split, first.utterances) == ("train's", "train", 18)


def test_features_are_no_audio(clean):
    settings = clean.settings(features={"input": "features"})
    with pytest.raises(InputError, match=r"features\.input: audio wanted"):
        choose(settings)
