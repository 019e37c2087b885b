import keras
import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Features
from pipeline.errors import InputError
from pipeline.features import MFCC, Normalization, StackFrames


def noise(samples, seed=0):
    """Loud and quiet stretches of coloured noise."""
    random = np.random.default_rng(seed)
    audio = np.convolve(random.normal(size=samples + 3), [1, 0.9, 0.5, 0.2])[3 : samples + 3] * 0.1
    return (audio * (0.2 + np.abs(np.sin(np.arange(samples) / 3000)))).astype(np.float32)


def by_librosa(audio, features):
    mel = librosa.feature.melspectrogram(
        y=audio,
        sr=features.sample_rate,
        n_fft=features.n_fft,
        win_length=features.window_samples,
        hop_length=features.hop_samples,
        window=features.window,
        center=features.centre,
        pad_mode="constant",
        n_mels=features.mels,
        fmin=features.low_hz,
        fmax=features.high_hz,
        htk=features.mel_scale == "htk",
    )
    mfcc = librosa.feature.mfcc(
        S=librosa.power_to_db(mel, amin=features.least_power, top_db=features.top_db),
        n_mfcc=features.coefficients,
        lifter=features.lifter,
    )
    deltas = [librosa.feature.delta(mfcc, order=order, mode="nearest") for order in range(1, 1 + features.deltas)]
    return np.concatenate([mfcc, *deltas]).T


OPTIONS = [
    {},
    {"window": "hamming"},
    {"window": "blackman"},
    {"window": "boxcar"},
    {"window_ms": 20.0, "hop_ms": 12.5},
    {"n_fft": 1024},
    {"n_fft": 400},
    {"mels": 80, "coefficients": 40},
    {"coefficients": 13},
    {"mel_scale": "htk"},
    {"lifter": 22.0},
    {"low_hz": 0.0, "high_hz": 7000.0},
    {"centre": True},
    {"centre": True, "top_db": 80.0},
    {"top_db": 40.0},
    {"least_power": 1e-4},
    {"deltas": 1},
    {"deltas": 2},
    {"sample_rate": 8000, "n_fft": 256},
    {"sample_rate": 44100, "n_fft": 2048, "mels": 64},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_mfccs_are_those_of_librosa(options):
    features = Features(**options)
    audio = noise(3 * features.sample_rate // 2)
    values, frames = MFCC(features)(audio[None], np.array([len(audio)]))
    expected = by_librosa(audio, features)
    assert int(frames[0]) == len(expected)
    np.testing.assert_allclose(values[0, : len(expected)], expected, atol=1e-3)


def test_mfccs_of_real_speech_are_those_of_librosa(real_data):
    file = sorted((real_data / "barista" / "audio").iterdir())[0]
    audio, _ = soundfile.read(file, dtype="float32")
    features = Features(deltas=1)
    values, frames = MFCC(features)(audio[None], np.array([len(audio)]))
    np.testing.assert_allclose(values[0, : int(frames[0])], by_librosa(audio, features), atol=1e-3)


@pytest.mark.parametrize("options", [{}, {"centre": True, "top_db": 60.0, "deltas": 2}, {"normalization": "utterance"}])
@pytest.mark.parametrize("samples", [0, 1, 300, 512, 5000])
def test_padding_changes_nothing(options, samples):
    features = Features(**options)
    mfcc, normalization = MFCC(features), Normalization(features.normalization)
    alone = noise(samples)
    padded = np.concatenate([alone, 9 * noise(7000, seed=1)])
    lengths = np.array([samples, 7000])
    batch = np.stack([padded[:7000], noise(7000, seed=2)])
    values, frames = mfcc(batch, lengths)
    values = normalization(values, frames)
    own, own_frames = mfcc(alone[None], np.array([samples]))
    own = normalization(own, own_frames)
    count = int(own_frames[0])
    assert int(frames[0]) == count
    np.testing.assert_allclose(values[0, :count], own[0, :count], atol=1e-4)
    assert not np.any(values[0, count:])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 5000), st.booleans(), st.integers(1, 4), st.integers(1, 4))
def test_the_configuration_knows_the_number_of_frames(samples, centre, stack, stride):
    features = Features(centre=centre, stack=stack, stride=stride, n_fft=400)
    values, frames = MFCC(features)(noise(5000)[None], np.array([samples]))
    stacked, count = StackFrames(stack, stride)(values, frames)
    assert int(count[0]) == features.network_frames(samples)
    assert int(count[0]) <= stacked.shape[1]


def test_stacked_frames_stand_side_by_side():
    values = np.arange(7, dtype=np.float32)[None, :, None]
    stacked, frames = StackFrames(3, 2)(values, np.array([7]))
    assert frames.numpy().tolist() == [3]
    assert stacked[0, :3].numpy().tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]


def test_normalization_by_statistics_of_the_training_data():
    values = np.random.default_rng(0).normal(3, 2, (2, 9, 4)).astype(np.float32)
    layer = Normalization("global")
    layer.build(values.shape)
    layer.set_statistics(np.full(4, 3.0), np.full(4, 4.0))
    result = layer(values, np.array([9, 5]))
    np.testing.assert_allclose(result[0], (values[0] - 3) / 2, atol=1e-4)
    assert not np.any(result[1, 5:])


def test_normalization_by_the_utterance():
    values = np.random.default_rng(0).normal(3, 2, (2, 9, 4)).astype(np.float32)
    result = Normalization("utterance")(values, np.array([9, 5])).numpy()
    np.testing.assert_allclose(result[1, :5].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(result[1, :5].var(axis=0), 1, atol=1e-3)


@pytest.mark.parametrize(
    ("centre", "samples", "frames"),
    [
        (False, 0, 0),
        (False, 511, 0),
        (False, 512, 1),
        (False, 671, 1),
        (False, 672, 2),
        (True, 0, 0),
        (True, 1, 1),
        (True, 159, 1),
        (True, 160, 2),
    ],
)
def test_frames_begin_every_hop_while_a_whole_window_is_left(centre, samples, frames):
    features = Features(centre=centre, stack=1, stride=1)
    values, found = MFCC(features)(noise(2000)[None], np.array([samples]))
    assert int(found[0]) == features.network_frames(samples) == frames
    assert not np.any(values[0, frames:])


@pytest.mark.parametrize("options", [*OPTIONS[:2], {"centre": True}, {"deltas": 2}, {"top_db": 40.0}], ids=str)
def test_silence_is_finite(options):
    features = Features(**options)
    values, frames = MFCC(features)(np.zeros((2, 2000), np.float32), np.array([2000, 0]))
    for kind in ("utterance", "global", "none"):
        assert np.isfinite(Normalization(kind)(values, frames)).all()


@pytest.mark.parametrize("samples", [1, 600, 1500])
def test_mfccs_of_very_short_audio_are_those_of_librosa(samples):
    features = Features(centre=True, deltas=2)
    values, frames = MFCC(features)(noise(samples)[None], np.array([samples]))
    np.testing.assert_allclose(values[0, : int(frames[0])], by_librosa(noise(samples), features), atol=1e-3)


@pytest.mark.parametrize("stack", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3, 6])
def test_stacked_frames_are_those_of_numpy(stack, stride):
    for length in range(20):
        values = np.random.default_rng(length).normal(size=(1, length, 2)).astype(np.float32)
        padded = np.concatenate([values, np.ones((1, 4, 2), np.float32)], axis=1)
        expected = [values[0, at : at + stack].ravel() for at in range(0, length - stack + 1, stride)]
        stacked, frames = StackFrames(stack, stride)(padded, np.array([length]))
        assert int(frames[0]) == len(expected)
        np.testing.assert_array_equal(stacked[0, : len(expected)], np.reshape(expected, (-1, 2 * stack)))


def test_no_normalization_leaves_the_values():
    values = np.random.default_rng(0).normal(3, 2, (2, 9, 4)).astype(np.float32)
    np.testing.assert_array_equal(Normalization("none")(values, np.array([9, 5])), values)


@pytest.mark.parametrize(
    "layer",
    [MFCC(Features(mels=30, deltas=1)), Normalization("utterance"), StackFrames(4, 2)],
    ids=lambda layer: layer.name,
)
def test_layers_are_rebuilt_from_their_configuration(layer):
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == layer.get_config()


def test_mel_bands_without_a_frequency_are_refused():
    with pytest.raises(InputError, match=r"features\.mels = 500: fewer wanted, or a larger n_fft than 512; \d+ of"):
        MFCC(Features(mels=500))
