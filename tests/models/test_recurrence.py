"""Keras's own layers are the reference."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.models import recurrent
from pipeline.models.recurrent import make_cell

LAYERS = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM}
UNITS = 8


def pair(cell):
    """This pipeline's layer and Keras's, of the same weights, biases among them."""
    ours, theirs = make_cell(cell, UNITS, False, "ours"), LAYERS[cell](UNITS, return_sequences=True)
    random = np.random.default_rng(1)
    for layer in (ours, theirs):
        layer.build((None, None, 5))
    for weight, other in zip(ours.weights, theirs.weights, strict=True):
        weight.assign(random.normal(size=weight.shape))
        other.assign(weight)
    return ours, theirs


def outputs_and_gradients(layer, values, compiled):
    """Of a loss that weighs every output differently; with respect to the inputs and all weights."""
    values = tf.constant(values)
    importance = np.random.default_rng(2).normal(size=(*values.shape[:2], UNITS)).astype(np.float32)

    def run():
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs = layer(values)
            loss = tf.reduce_sum(outputs * importance)
        return outputs, *tape.gradient(loss, [values, *(weight.value for weight in layer.trainable_weights)])

    return [tensor.numpy() for tensor in (tf.function(run) if compiled else run)()]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("batch", "frames"), [(1, 1), (1, 6), (3, 2), (4, 40)])
@pytest.mark.parametrize("cell", LAYERS)
def test_outputs_and_gradients_are_those_of_keras(cell, batch, frames, compiled):
    values = np.random.default_rng(0).normal(size=(batch, frames, 5)).astype(np.float32)
    ours, theirs = pair(cell)
    found = outputs_and_gradients(ours, values, compiled)
    wanted = outputs_and_gradients(theirs, values, compiled)
    assert len(found) == 5
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("cell", LAYERS)
def test_keras_layers_stand_in_on_a_gpu_and_in_exports(cell, monkeypatch):
    assert type(make_cell(cell, UNITS, False, "layer")) is not LAYERS[cell]
    assert type(make_cell(cell, UNITS, True, "layer")) is LAYERS[cell]
    monkeypatch.setattr(recurrent, "_trains_on_cpu", lambda: False)
    assert type(make_cell(cell, UNITS, False, "layer")) is LAYERS[cell]
