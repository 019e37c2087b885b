import functools
import json

import numpy as np
import pytest
import tensorflow as tf

from pipeline.config import Config
from pipeline.models.acoustic import AcousticModel
from pipeline.models.streaming import StreamingModel

FEATURES = {"sample_rate": 8000, "n_fft": 256, "mels": 20, "coefficients": 10}
VARIANTS = [
    {},
    {"model": {"cell": "simple_rnn"}},
    {"model": {"cell": "gru", "layer_normalization": True}},
    {"features": {"deltas": 1}},
    {"features": {"deltas": 2, "stack": 5, "stride": 2}},
    {"features": {"centre": True, "deltas": 1}},
    {"features": {"centre": True, "normalization": "none", "stack": 1, "stride": 1}},
    {"features": {"centre": True, "hop_ms": 16.0, "stack": 1, "stride": 1}},  # what waits may be as at the start
    {"features": {"stack": 2, "stride": 5, "deltas": 1}},
    {"features": {"hop_ms": 40.0, "window_ms": 20.0}},
    {"features": {"silent_frames": 1}},
    {"features": {"silent_frames": 3, "deltas": 1, "centre": True}},
    {"features": {"silent_frames": 2, "hop_ms": 40.0, "window_ms": 20.0, "centre": True, "stack": 1, "stride": 1}},
]


def network(variant):
    return built(json.dumps(variant))


@functools.cache
def built(variant):
    """A model of a variant, as JSON; shared by the tests, which change nothing in it."""
    variant = json.loads(variant)
    values = {
        "name": "tiny",
        "features": {**FEATURES, **variant.get("features", {})},
        "model": {"units": 8, "layers": 2, **variant.get("model", {})},
        "data": {split: [{"kind": "manifest", "path": "none"}] for split in ("train", "valid")},
    }
    model = AcousticModel(Config.model_validate(values), units=5)
    random = np.random.default_rng(3)
    for weight in model.trainable_variables:
        weight.assign(random.normal(size=weight.shape, scale=0.3))
    if model.settings.features.normalization == "global":
        size = model.normalization.mean.shape
        model.normalization.set_statistics(random.normal(size=size), random.uniform(20, 90, size=size))
    return model


def speech(samples, batch=2):
    return np.random.default_rng(0).normal(size=(batch, samples), scale=0.1).astype(np.float32)


def whole(model, audio):
    outputs = model({"audio": audio, "lengths": np.full(len(audio), audio.shape[1], np.int32)})
    return tf.nn.log_softmax(outputs["logits"]).numpy()[:, : int(outputs["frames"][0])]


@functools.cache
def streamed(model):
    """The model for streams, and its step, which is traced once."""
    streaming = StreamingModel(model)
    return streaming, tf.function(streaming.step, reduce_retracing=True)


def in_pieces(model, audio, sizes):
    """Scores of audio that comes in pieces of these sizes, again and again."""
    streaming, step = streamed(model)
    state, parts, begin, number = streaming.start(len(audio)), [], 0, 0
    while begin < audio.shape[1]:
        size = sizes[number % len(sizes)]
        log_probs, state = step(tf.constant(audio[:, begin : begin + size]), state)
        parts.append(log_probs.numpy())
        begin, number = begin + size, number + 1
    return np.concatenate([*parts, streaming.end(state).numpy()], axis=1)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("sizes", [[10**6], [160], [1, 0, 1700, 3, 79]], ids=["whole", "packets", "uneven"])
def test_the_size_of_the_pieces_does_not_change_the_scores(variant, sizes):
    model, audio = network(variant), speech(6000)
    wanted = whole(model, audio)
    assert wanted.shape[1] > 5
    np.testing.assert_allclose(in_pieces(model, audio, sizes), wanted, atol=1e-5)


def test_sample_by_sample_is_the_same():
    model, audio = network({"features": {"deltas": 1}}), speech(1000, batch=1)
    np.testing.assert_allclose(in_pieces(model, audio, [1]), whole(model, audio), atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("samples", [0, 1, 128, 255, 256, 400, 500, 900, 1024])
def test_the_shortest_audio_is_heard_alike(variant, samples):
    model, audio = network(variant), speech(samples)
    found, wanted = in_pieces(model, audio, [100]), whole(model, audio)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_frame_comes_as_soon_as_it_can(variant):
    model = network(variant)
    features, streaming = model.settings.features, StreamingModel(model)
    if features.stride <= features.stack and features.hop_samples <= features.n_fft:
        first, state = streaming.step(speech(features.first_samples - 1), streaming.start(2))
        assert first.shape[1] == 0
        assert streaming.step(speech(1), state)[0].shape[1] == 1


def test_an_unrolled_step_is_the_same():
    model = network({"features": {"deltas": 1}})
    streaming = StreamingModel(model)
    mfcc = np.random.default_rng(0).normal(size=(2, 3 * 4 + 8, 10), scale=9).astype(np.float32)
    states = [np.full((2, size), 0.1, np.float32) for sizes in streaming.state_sizes for size in sizes]
    looped, after = streaming.score(mfcc, states)
    unrolled, same = streaming.score(mfcc, states, unrolled=True)
    assert looped.shape[1] == 4
    np.testing.assert_allclose(unrolled, looped, atol=1e-6)
    for one, other in zip(same, after, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
