"""Keras's own layers are the reference."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.tensorflow.rnn import _standardize_cudnn_weights

from pipeline.models import cudnn, recurrent
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


def outputs_and_gradients(layer, values, states, compiled, training):
    """Outputs and last states, and gradients with respect to the inputs, first states and all weights of a loss that
    weighs every one of them differently."""
    variables = [tf.constant(values), *map(tf.constant, states)]
    random = np.random.default_rng(2)
    importance = [random.normal(size=(*values.shape[:2], UNITS)), *random.normal(size=(len(states), *states[0].shape))]

    def run():
        with tf.GradientTape() as tape:
            tape.watch(variables)
            outputs = layer(variables[0], initial_state=variables[1:], training=training)
            loss = sum(
                tf.reduce_sum(one * tf.cast(by, tf.float32)) for one, by in zip(outputs, importance, strict=True)
            )
        return *outputs, *tape.gradient(loss, [*variables, *(weight.value for weight in layer.trainable_weights)])

    return [tensor.numpy() for tensor in (tf.function(run) if compiled else run)()]


@pytest.mark.parametrize("training", [False, True])  # gradients are by hand in training alone
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("batch", "frames"), [(1, 1), (1, 6), (3, 2), (4, 40)])
@pytest.mark.parametrize("cell", LAYERS)
def test_outputs_and_gradients_are_those_of_keras(cell, batch, frames, compiled, training):
    random = np.random.default_rng(0)
    values = random.normal(size=(batch, frames, 5)).astype(np.float32)
    states = random.normal(size=(STATES[cell], batch, UNITS)).astype(np.float32)
    ours, theirs = pair(cell)
    found = outputs_and_gradients(ours, values, states, compiled, training)
    wanted = outputs_and_gradients(theirs, values, states, compiled, training)
    assert len(found) == 5 + 2 * STATES[cell]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("cell", LAYERS)
def test_a_gradient_may_be_asked_for_again(cell):
    values = tf.constant(np.random.default_rng(0).normal(size=(2, 7, 5)).astype(np.float32))
    layer, _ = pair(cell)

    def twice():
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(values)
            loss = tf.reduce_sum(layer(values, training=True)[0])
        return tape.gradient(loss, values), tape.gradient(loss, values)

    for run in (twice, tf.function(twice)):
        np.testing.assert_array_equal(*run())


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


@pytest.mark.parametrize("cell", LAYERS)
def test_products_in_bfloat16_are_near_and_of_training_alone(cell):
    random = np.random.default_rng(0)
    values = random.normal(size=(4, 40, 5)).astype(np.float32)
    layer = make_cell(cell, UNITS, False, "layer", "mixed_bfloat16")
    exact = make_cell(cell, UNITS, False, "exact")
    for each in (layer, exact):
        each.build((None, None, 5))
    for weight, other in zip(layer.weights, exact.weights, strict=True):
        other.assign(weight)
    assert all(weight.dtype == "float32" for weight in layer.weights)
    np.testing.assert_array_equal(layer(values)[0], exact(values)[0])
    found = []
    for each in (layer, exact):
        with tf.GradientTape() as tape:
            outputs = tf.cast(each(values, training=True)[0], tf.float32)
            loss = tf.reduce_sum(outputs * outputs)
        found.append([outputs, *tape.gradient(loss, [weight.value for weight in each.weights])])
    for one, other in zip(*found, strict=True):
        apart = float(tf.norm(one - other) / tf.norm(other))
        assert 0 < apart < 0.03


def test_the_gradient_of_a_bias_over_many_frames_is_summed_well_in_bfloat16():
    values = np.ones((8, 600, 5), np.float32)
    layer = make_cell("simple_rnn", UNITS, False, "layer", "mixed_bfloat16")
    layer.build((None, None, 5))
    layer.cell.kernel.assign(np.zeros((5, UNITS)))
    layer.cell.recurrent_kernel.assign(np.zeros((UNITS, UNITS)))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.cast(layer(values, training=True)[0], tf.float32))
    gradient = tape.gradient(loss, layer.cell.bias.value)
    np.testing.assert_allclose(gradient, 8 * 600, rtol=0.01)


def test_cudnn_has_the_weights_in_its_order():
    random = np.random.default_rng(0)
    weights = [random.normal(size=shape).astype(np.float32) for shape in ((5, UNITS), (UNITS, UNITS), UNITS)]
    biases = [weights[2], np.zeros_like(weights[2])]  # as Keras has it for the cells that it calls cuDNN for
    wanted = _standardize_cudnn_weights(weights[:2], biases, tf.constant([-1]), transpose_weights=True)
    np.testing.assert_array_equal(cudnn.parameters(*weights), wanted)
    with tf.Graph().as_default() as graph:  # nothing runs without a GPU
        outputs, (last,) = cudnn.simple_rnn(tf.ones([7, 3, 5]), *weights, tf.ones([3, UNITS]))
        assert outputs.shape.rank == 3 and last.shape.rank == 2
        operation = next(each for each in graph.get_operations() if each.type == "CudnnRNNV3")
        assert operation.get_attr("rnn_mode") == b"rnn_tanh" and operation.get_attr("time_major")
        assert operation.inputs[3].shape == [5 * UNITS + UNITS * UNITS + 2 * UNITS]
