import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.config import Config
from pipeline.ctc import ctc_loss
from pipeline.errors import InputError
from pipeline.models import recurrent
from pipeline.models.acoustic import AcousticModel

LENGTHS = np.array([4000, 2500, 7000, 0], np.int32)


def settings(silent_frames=0, **model):
    features = {"sample_rate": 8000, "n_fft": 256, "mels": 20, "coefficients": 10, "silent_frames": silent_frames}
    values = {
        "name": "tiny",
        "features": features,
        "model": {"units": 8, "layers": 2, **model},
        "data": {split: [{"kind": "manifest", "path": "none"}] for split in ("train", "valid")},
    }
    return Config.model_validate(values)


def speech(padding=0):
    random = np.random.default_rng(0)
    audio = random.normal(size=(4, 7000)).astype(np.float32) * 0.1
    return np.concatenate([audio, random.normal(size=(4, padding)).astype(np.float32)], axis=1)


MODELS = [
    {"cell": "simple_rnn"},
    {"cell": "lstm"},
    {"cell": "gru"},
    {"cell": "lstm", "bidirectional": True},
    {"cell": "gru", "layer_normalization": True, "dropout": 0.5},
]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_neither_padding_nor_company_nor_order_changes_the_scores(model):
    network = AcousticModel(settings(**model), units=5)
    together = network({"audio": speech(padding=3000), "lengths": LENGTHS})
    turned = network({"audio": speech()[::-1], "lengths": LENGTHS[::-1]})
    for row, length in enumerate(LENGTHS):
        alone = network({"audio": speech()[row : row + 1, :length], "lengths": LENGTHS[row : row + 1]})
        count = int(alone["frames"][0])
        assert int(together["frames"][row]) == count == int(turned["frames"][3 - row])
        np.testing.assert_allclose(together["logits"][row, :count], alone["logits"][0, :count], atol=1e-5)
        np.testing.assert_allclose(turned["logits"][3 - row, :count], alone["logits"][0, :count], atol=1e-5)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_every_cell_learns(model):
    keras.utils.set_random_seed(1)
    network = AcousticModel(settings(**{**model, "dropout": 0.0}), units=5)
    network.compile(optimizer=keras.optimizers.Adam(0.02), jit_compile=False)
    inputs = {"audio": speech()[:3], "lengths": LENGTHS[:3]}
    labels = {"labels": np.array([[1, 2], [3, 0], [4, 4]], np.int32), "label_lengths": np.array([2, 1, 2], np.int32)}
    losses = [float(network.train_on_batch(inputs, labels, return_dict=True)["loss"]) for _ in range(8)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_the_portable_model_is_the_same(model):
    network, portable = AcousticModel(settings(**model), 5), AcousticModel(settings(**model), 5, portable=True)
    for one, other in zip(portable.variables, network.variables, strict=True):
        one.assign(other)
    inputs = {"audio": speech(), "lengths": LENGTHS}
    np.testing.assert_allclose(portable(inputs)["logits"], network(inputs)["logits"], atol=1e-6)


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_the_future_does_not_change_the_past(cell):
    network = AcousticModel(settings(cell=cell), units=5)
    audio = speech()[2:3]
    changed = audio.copy()
    changed[:, 5000:] = 0
    first, second = (network({"audio": a, "lengths": LENGTHS[2:3]})["logits"] for a in (audio, changed))
    before = (5000 - 256) // 80 // 3 - 1
    np.testing.assert_allclose(first[0, :before], second[0, :before], atol=1e-6)
    assert not np.allclose(first[0, 24], second[0, 24])


@pytest.mark.parametrize("silent", [1, 3])
def test_silent_frames_are_those_of_audio_with_silence_around_it(silent):
    plain, quiet = (AcousticModel(settings(frames), units=5, portable=True) for frames in (0, silent))
    for mine, theirs in zip(quiet.weights, plain.weights, strict=True):
        mine.assign(theirs)
    samples = quiet.settings.features.silent_samples
    for row in speech(padding=100):
        found = quiet({"audio": row[None], "lengths": np.array([7000], np.int32)})
        around = np.pad(row[:7000], samples)
        wanted = plain({"audio": around[None], "lengths": np.array([len(around)], np.int32)})
        count = int(found["frames"][0])
        assert count == int(wanted["frames"][0]) - silent == quiet.settings.features.network_frames(7000)
        np.testing.assert_allclose(found["logits"][0, :count], wanted["logits"][0, silent : silent + count], atol=1e-5)


def test_utterances_that_do_not_fit_are_counted_and_left_out_of_the_mean():
    network = AcousticModel(settings(), units=5)
    inputs = {"audio": speech()[:2], "lengths": LENGTHS[:2]}
    labels = {"labels": np.ones((2, 40), np.int32), "label_lengths": np.array([2, 40], np.int32)}
    both = network.compute_loss(inputs, labels, network(inputs))
    assert float(network.infeasible.result()) == 1
    one = {"labels": labels["labels"][:1], "label_lengths": labels["label_lengths"][:1]}
    alone = {"audio": inputs["audio"][:1], "lengths": inputs["lengths"][:1]}
    np.testing.assert_allclose(both, network.compute_loss(alone, one, network(alone)), rtol=1e-5)


@pytest.mark.parametrize(("labels", "onset"), [(2, 12), (19, 0)])
def test_labels_are_learnt_from_speech_and_not_from_the_quiet_before(labels, onset):
    network = AcousticModel(settings(), units=30)
    inputs = {"audio": speech()[2:3], "lengths": LENGTHS[2:3]}  # of 27 frames; 19 labels need more than 15
    targets = {"labels": np.arange(1, labels + 1, dtype=np.int32)[None], "label_lengths": np.array([labels], np.int32)}
    outputs = network(inputs)
    wanted = ctc_loss(
        targets["labels"], outputs["logits"], targets["label_lengths"], outputs["frames"], np.array([onset])
    )
    targets["onsets"] = np.array([12], np.int32)
    np.testing.assert_allclose(network.compute_loss(inputs, targets, outputs), wanted, rtol=1e-5)


def test_a_new_cell_is_one_function(monkeypatch):
    monkeypatch.setattr(recurrent, "CELLS", dict(recurrent.CELLS))

    @recurrent.register("average")
    def average(units, portable, name, dtype):
        cell = keras.layers.SimpleRNNCell(units, activation="linear")
        return keras.layers.RNN(cell, return_sequences=True, return_state=True, name=name)

    network = AcousticModel(settings(cell="average"), units=5)
    assert network({"audio": speech(), "lengths": LENGTHS})["logits"].shape[-1] == 5


def test_an_unknown_cell_is_named():
    with pytest.raises(InputError, match=r"model\.cell = 'ltsm': one of simple_rnn, lstm, gru wanted"):
        AcousticModel(settings(cell="ltsm"), units=5)


LABELS = {"labels": np.array([[1, 2], [3, 0], [4, 4]], np.int32), "label_lengths": np.array([2, 1, 2], np.int32)}


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm"])
def test_every_weight_learns_under_dropout_and_normalization(cell):
    shape = {"cell": cell, "layers": 1, "bidirectional": True, "dropout": 0.3, "layer_normalization": True}
    network = AcousticModel(settings(**shape), units=5)
    network.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
    before = [weight.numpy() for weight in network.trainable_variables]
    for _ in range(2):
        logs = network.train_on_batch({"audio": speech()[:3], "lengths": LENGTHS[:3]}, LABELS, return_dict=True)
        assert np.isfinite(logs["loss"]) and logs["infeasible"] == 0
    for weight, old in zip(network.trainable_variables, before, strict=True):
        assert not np.array_equal(weight.numpy(), old), weight.path


def loss_and_gradients(network, inputs, labels):
    with tf.GradientTape() as tape:
        loss = network.compute_loss(inputs, labels, network(inputs))
    return loss.numpy(), [gradient.numpy() for gradient in tape.gradient(loss, network.trainable_variables)]


@pytest.mark.parametrize("model", [MODELS[0], MODELS[3]], ids=str)
def test_padding_changes_neither_the_loss_nor_the_gradients(model):
    network = AcousticModel(settings(**model), units=5)
    loss, gradients = loss_and_gradients(network, {"audio": speech()[:3], "lengths": LENGTHS[:3]}, LABELS)
    padded = {**LABELS, "labels": np.pad(LABELS["labels"], [[0, 0], [0, 3]], constant_values=3)}
    inputs = {"audio": speech(padding=3000)[:3], "lengths": LENGTHS[:3]}
    padded_loss, padded_gradients = loss_and_gradients(network, inputs, padded)
    np.testing.assert_allclose(padded_loss, loss, rtol=1e-5)
    for one, other in zip(padded_gradients, gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_an_utterance_that_does_not_fit_gives_no_gradient():
    network = AcousticModel(settings(), units=5)
    inputs = {"audio": speech()[3:], "lengths": LENGTHS[3:]}  # no samples
    labels = {"labels": np.array([[1]], np.int32), "label_lengths": np.array([1], np.int32)}
    loss, gradients = loss_and_gradients(network, inputs, labels)
    assert loss == 0
    assert not any(gradient.any() for gradient in gradients)
    assert float(network.infeasible.result()) == 1


def test_a_bidirectional_model_sees_the_future():
    network = AcousticModel(settings(bidirectional=True), units=5)
    changed = speech()[2:3]
    changed[:, 5000:] = 0
    first, second = (network({"audio": a, "lengths": LENGTHS[2:3]})["logits"] for a in (speech()[2:3], changed))
    assert not np.allclose(first[0, 15], second[0, 15], atol=1e-5)
