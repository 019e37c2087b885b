import json

import numpy as np
import pytest
import tiny

from pipeline.config import load_config
from pipeline.data.manifest import read_manifest
from pipeline.data.splits import load_splits
from pipeline.errors import InputError
from pipeline.feature_files import FeatureFrames, FeaturesError
from pipeline.models.acoustic import AcousticModel
from pipeline.training.trainer import statistics

FRAMES = FeatureFrames(coefficients=3, hop_ms=10.0)


def manifest(folder, *lines):
    path = folder / "m.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def write(path, frames=7, coefficients=3):
    values = np.random.default_rng(0).normal(size=(frames, coefficients)).astype(np.float32)
    np.save(path, values)
    return values


def test_a_line_names_features_instead_of_audio(tmp_path):
    values = write(tmp_path / "a.npy")
    path = manifest(tmp_path, {"features_filepath": "a.npy", "text": "Hi", "speaker": 7})
    (utterance,) = read_manifest(path, None, FRAMES)
    assert (utterance.name, utterance.transcript, utterance.speaker) == (str(tmp_path / "a.npy"), "Hi", "7")
    assert utterance.samples == 7
    np.testing.assert_array_equal(utterance.load(), values)


def test_a_duration_is_believed_until_the_file_is_read(tmp_path):
    path = manifest(tmp_path, {"features_filepath": "none.npy", "text": "a", "duration": 1.25})
    (utterance,) = read_manifest(path, None, FRAMES)
    assert utterance.samples == 125
    with pytest.raises(FeaturesError, match=r"none\.npy: no such file"):
        utterance.load()


def test_a_file_that_cannot_be_opened_does_not_hold_up_the_others(tmp_path):
    (tmp_path / "bad.npy").write_bytes(b"no features")
    write(tmp_path / "a.npy")
    path = manifest(tmp_path, *({"features_filepath": name, "text": "a"} for name in ("bad.npy", "a.npy")))
    assert [utterance.samples for utterance in read_manifest(path, None, FRAMES)] == [0, 7]


def test_a_line_with_both_serves_either_model(tmp_path):
    path = manifest(tmp_path, {"features_filepath": "a.npy", "audio_filepath": "a.wav", "text": "a", "duration": 2})
    (features,), (audio,) = read_manifest(path, None, FRAMES), read_manifest(path, 8000)
    assert (features.name, features.samples) == (str(tmp_path / "a.npy"), 200)
    assert (audio.name, audio.samples) == (str(tmp_path / "a.wav"), 16000)


@pytest.mark.parametrize(
    ("line", "features", "message"),
    [
        ({"audio_filepath": "a.wav"}, FRAMES, "'features_filepath' wanted .* features, found 'audio_filepath'"),
        ({"features_filepath": "a.npy"}, None, "'audio_filepath' wanted .* audio, found 'features_filepath'"),
        ({}, FRAMES, "'features_filepath' with a string wanted, found None"),
        ({"features_filepath": 7}, FRAMES, "'features_filepath' with a string wanted, found 7"),
        ({"features_filepath": "a\0.npy"}, FRAMES, "'features_filepath' with characters wanted"),
        ({"features_filepath": ""}, FRAMES, "'features_filepath' with a file's name wanted, found ''"),
        ({"features_filepath": "a.npy", "offset": 1, "duration": 1}, FRAMES, "'offset' of 1: a whole file of features"),
    ],
    ids=range(7),
)
def test_a_line_of_another_kind_is_named_by_file_and_number(tmp_path, line, features, message):
    good = {"features_filepath": "a.npy", "audio_filepath": "a.wav", "text": "a", "duration": 1}
    path = manifest(tmp_path, good, {"text": "a", **line})
    with pytest.raises(InputError, match=rf"m\.jsonl:2: {message}"):
        read_manifest(path, 8000, features)


@pytest.fixture
def spoken(tmp_path):
    """Configurations of the same speech as audio and as features."""
    audio = load_config(tiny.write_config(tmp_path, augment={"speed": None}))
    tiny.write_features(tmp_path, audio.features)
    return audio, load_config(tiny.write_features_config(tmp_path))


def test_batches_are_the_features_padded_with_zeros(spoken):
    batches = load_splits(spoken[1]).train
    for examples, (inputs, _) in batches.of_epoch(1):
        assert set(inputs) == {"features", "lengths"}
        assert inputs["features"].shape == (len(examples), inputs["lengths"].max(), 12)
        for row, length, example in zip(inputs["features"], inputs["lengths"], examples, strict=True):
            np.testing.assert_array_equal(row[:length], example.utterance.load())
            assert length == example.utterance.samples and not row[length:].any()


def test_seconds_are_those_of_the_audio(spoken):
    by_audio, by_features = (load_splits(settings).train for settings in spoken)
    seconds = []
    for batches in (by_audio, by_features):
        list(batches)
        seconds.append(sum(each for _, each in batches.delivered))
    missing = 24 * (256 / 8000 - 0.01)  # what the last window of each utterance reaches beyond its hop
    assert seconds[1] == pytest.approx(seconds[0] - missing, abs=24 * 0.011)


def test_statistics_are_those_of_the_same_features_made_of_audio(spoken):
    by_audio, by_features = (statistics(AcousticModel(each, 4), load_splits(each).train) for each in spoken)
    for one, other in zip(by_audio, by_features, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "values, problem",
    [(np.full((50, 12), np.nan), "NaN"), (np.ones((12, 50)), "[frames, 12] wanted, found float32 [12, 50]")],
)
def test_a_file_that_turns_out_to_be_bad_is_skipped_and_named(spoken, tmp_path, values, problem):
    np.save(tmp_path / "train-3.npy", values.astype(np.float32))
    splits = load_splits(spoken[1])
    assert sum(len(examples) for examples, _ in splits.train.of_epoch(0)) == 23
    ((name, reason),) = splits.skipped
    assert name.endswith("train-3.npy") and problem in reason
