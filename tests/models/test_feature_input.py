"""A model that takes features is the model that makes them, from there on."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.config import Config
from pipeline.models.acoustic import AcousticModel

LENGTHS = np.array([4000, 2500, 7000, 0], np.int32)
LABELS = {"labels": np.array([[1, 2], [3, 0], [4, 4]], np.int32), "label_lengths": np.array([2, 1, 2], np.int32)}
SHAPES = [
    {},
    {"model": {"cell": "gru", "bidirectional": True, "layer_normalization": True}},
    {"features": {"normalization": "utterance", "deltas": 2, "stack": 1, "stride": 2}},
    {"features": {"normalization": "none", "centre": True}, "model": {"cell": "simple_rnn"}},
]


def network(features, model=None, **sections):
    values = {
        "name": "tiny",
        "features": features,
        "model": {"units": 8, "layers": 2, **(model or {})},
        "training": {"quiet_db": None},
        "data": {split: [{"kind": "manifest", "path": "none"}] for split in ("train", "valid")},
        **sections,
    }
    keras.utils.set_random_seed(1)
    return AcousticModel(Config.model_validate(values), units=5)


def hearing(features=(), **sections):
    audio = {"sample_rate": 8000, "n_fft": 256, "mels": 20, "coefficients": 10}
    return network({**audio, **dict(features)}, **sections)


def given(features=(), **sections):
    features = dict(features)
    width = 10 * (1 + features.pop("deltas", 0))
    features.pop("centre", None)
    return network({"input": "features", "coefficients": width, **features}, **sections)


def speech():
    return np.random.default_rng(0).normal(size=(4, 7000)).astype(np.float32) * 0.1


def copy_weights(one, other):
    for source, target in zip(one.variables, other.variables, strict=True):
        target.assign(source)


def mfccs(model, rows=slice(None)):
    values, frames = model.mfcc(speech()[rows], LENGTHS[rows])
    return {"features": values.numpy(), "lengths": frames.numpy()}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_given_mfccs_score_as_audio_does(shape):
    one, other = hearing(**shape), given(**shape)
    copy_weights(one, other)
    by_audio, by_features = one({"audio": speech(), "lengths": LENGTHS}), other(mfccs(one))
    np.testing.assert_array_equal(by_features["frames"], by_audio["frames"])
    np.testing.assert_allclose(by_features["logits"], by_audio["logits"], atol=1e-5)


def test_given_mfccs_teach_what_audio_does():
    one, other = hearing(), given()
    copy_weights(one, other)
    rows = slice(0, 3)
    for model in (one, other):
        # Not Adam, which makes steps of the rounding where a gradient is next to nothing.
        model.compile(optimizer=keras.optimizers.SGD(0.01), jit_compile=False)
    for _ in range(4):
        by_audio = one.train_on_batch({"audio": speech()[rows], "lengths": LENGTHS[rows]}, LABELS, return_dict=True)
        by_features = other.train_on_batch(mfccs(one, rows), LABELS, return_dict=True)
        assert float(by_features["loss"]) == pytest.approx(float(by_audio["loss"]), rel=1e-4)
    for weight, wanted in zip(other.trainable_variables, one.trainable_variables, strict=True):
        np.testing.assert_allclose(weight, wanted, atol=1e-4, err_msg=weight.path)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_neither_padding_nor_company_nor_order_changes_the_scores(shape):
    model = given(**shape)
    width = model.settings.features.coefficients
    random, lengths = np.random.default_rng(3), np.array([40, 25, 60, 0, 2], np.int32)
    features = random.normal(size=(5, 70, width)).astype(np.float32)
    together = model({"features": features, "lengths": lengths})
    turned = model({"features": features[::-1, :60], "lengths": lengths[::-1]})
    for row, length in enumerate(lengths):
        alone = model({"features": features[row : row + 1, :length], "lengths": lengths[row : row + 1]})
        count = int(alone["frames"][0])
        assert count == model.settings.features.network_frames(int(length))
        assert int(together["frames"][row]) == count == int(turned["frames"][4 - row])
        np.testing.assert_allclose(together["logits"][row, :count], alone["logits"][0, :count], atol=1e-5)
        np.testing.assert_allclose(turned["logits"][4 - row, :count], alone["logits"][0, :count], atol=1e-5)


def test_padding_changes_neither_the_loss_nor_the_gradients():
    model, found = given(), []
    features = np.random.default_rng(3).normal(size=(3, 80, 10)).astype(np.float32)
    lengths = np.array([40, 25, 60], np.int32)
    for end in (60, 80):
        inputs = {"features": features[:, :end], "lengths": lengths}
        with tf.GradientTape() as tape:
            loss = model.compute_loss(inputs, LABELS, model(inputs))
        found.append([loss, *tape.gradient(loss, model.trainable_variables)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_the_quiet_before_speech_is_not_looked_for():
    features = np.random.default_rng(3).normal(size=(1, 60, 10)).astype(np.float32)
    features[:, :30] *= 1e-3
    inputs, labels = {"features": features, "lengths": np.array([60], np.int32)}, {k: v[:1] for k, v in LABELS.items()}
    losses = [
        float(model.compute_loss(inputs, labels, model(inputs)))
        for model in (given(), given(training={"quiet_db": 30.0}))
    ]
    assert losses[0] == losses[1]
