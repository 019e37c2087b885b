"""Keras's own layers are the reference."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.models import recurrent
from pipeline.models.recurrent import make_cell

LAYERS = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
STATES = {"simple_rnn": 1, "lstm": 2, "gru": 1}
UNITS = 8


def pair(cell):
    """This pipeline's layer and Keras's, of the same weights, biases among them."""
    ours, theirs = (
        make_cell(cell, UNITS, False, "ours", "float32"),
        LAYERS[cell](UNITS, return_sequences=True, return_state=True),
    )
    random = np.random.default_rng(1)
    for layer in (ours, theirs):
        layer.build((None, None, 5))
    for weight, other in zip(ours.weights, theirs.weights, strict=True):
        weight.assign(random.normal(size=weight.shape))
        other.assign(weight)
    return ours, theirs


def outputs_and_gradients(layer, values, states, compiled):
    """Outputs and last states, and gradients with respect to the inputs, first states and all weights of a loss that
    weighs every one of them differently."""
    variables = [tf.constant(values), *map(tf.constant, states)]
    random = np.random.default_rng(2)
    importance = [random.normal(size=(*values.shape[:2], UNITS)), *random.normal(size=(len(states), *states[0].shape))]

    def run():
        with tf.GradientTape() as tape:
            tape.watch(variables)
            outputs = layer(variables[0], initial_state=variables[1:])
            loss = sum(
                tf.reduce_sum(one * tf.cast(by, tf.float32)) for one, by in zip(outputs, importance, strict=True)
            )
        return *outputs, *tape.gradient(loss, [*variables, *(weight.value for weight in layer.trainable_weights)])

    return [tensor.numpy() for tensor in (tf.function(run) if compiled else run)()]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("batch", "frames"), [(1, 1), (1, 6), (3, 2), (4, 40)])
@pytest.mark.parametrize("cell", LAYERS)
def test_outputs_and_gradients_are_those_of_keras(cell, batch, frames, compiled):
    random = np.random.default_rng(0)
    values = random.normal(size=(batch, frames, 5)).astype(np.float32)
    states = random.normal(size=(STATES[cell], batch, UNITS)).astype(np.float32)
    ours, theirs = pair(cell)
    found = outputs_and_gradients(ours, values, states, compiled)
    wanted = outputs_and_gradients(theirs, values, states, compiled)
    assert len(found) == 5 + 2 * STATES[cell]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("cell", LAYERS)
def test_without_a_state_it_begins_with_zeros(cell):
    values = np.random.default_rng(0).normal(size=(2, 7, 5)).astype(np.float32)
    ours, theirs = pair(cell)
    for one, other in zip(ours(values), theirs(values), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("cell", LAYERS)
def test_cudnn_stands_in_on_a_gpu_but_not_in_exports(cell, monkeypatch):
    by_hand = type(make_cell(cell, UNITS, False, "layer"))
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"])
    layer = make_cell(cell, UNITS, False, "layer")
    assert type(layer) is (recurrent._CudnnSimpleRNN if cell == "simple_rnn" else LAYERS[cell]) is not by_hand
    assert cell == "simple_rnn" or layer.use_cudnn == "auto"
    assert type(make_cell(cell, UNITS, True, "layer")) is by_hand
