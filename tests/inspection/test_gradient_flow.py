import dataclasses

import keras
import numpy as np
import pytest
import tiny

from pipeline.config import load_config
from pipeline.errors import InputError
from pipeline.inspection.gradient_flow import gradient_flow, plot_gradient_flow, told_reach
from pipeline.models.acoustic import AcousticModel
from pipeline.models.recurrent import CELLS

UNITS = 4
RANDOM = np.random.default_rng(3)


@pytest.fixture
def config(tmp_path, monkeypatch):
    keras.utils.set_random_seed(3)
    monkeypatch.setitem(
        CELLS,
        "linear",
        lambda units, portable, name, dtype: keras.layers.SimpleRNN(
            units, activation="linear", return_sequences=True, return_state=True, name=name, dtype=dtype
        ),
    )
    return tiny.write_config(tmp_path)


def model_of(config, *overrides):
    model = AcousticModel(load_config(config, list(overrides)), UNITS, portable=True)
    model.logits.kernel.assign(0.01 * model.logits.kernel)  # or the linear cell is entirely sure, and sends no gradient
    return model


def batch(*seconds):
    lengths = np.array([round(8000 * each) for each in seconds], np.int32)
    audio = RANDOM.normal(0, 0.1, (len(lengths), lengths.max())).astype(np.float32)
    labels = {"labels": np.tile(np.array([[1, 2, 3]], np.int32), (len(lengths), 1))}
    return {"audio": audio, "lengths": lengths}, {**labels, "label_lengths": np.full(len(lengths), 3, np.int32)}


def test_a_linear_recurrence_sends_powers_of_its_matrix(config):
    model = model_of(config, "model.cell=linear")
    inputs, labels = batch(1.0)
    matrix = 0.4 * RANDOM.normal(size=(12, 12)).astype(np.float32) / np.sqrt(12) + 0.6 * np.eye(12, dtype=np.float32)
    model.recurrent[0].cell.recurrent_kernel.assign(matrix)
    place = 30
    flow = gradient_flow(model, inputs, labels, [[place]], most_labels=1)
    posteriors = np.array(keras.ops.softmax(model(inputs)["logits"]))[0, place]
    at_label = np.array(model.logits.kernel) @ (posteriors - np.eye(UNITS)[1])
    expected, gradient = [], at_label  # dL/dh_{t-1} = U dL/dh_t, of h_t = x_t W + h_{t-1} U
    for _ in range(place + 1):
        expected.append(np.linalg.norm(gradient))
        gradient = matrix @ gradient
    np.testing.assert_array_equal(flow.distances, range(place + 1))
    np.testing.assert_allclose(flow.norms[0], expected, rtol=1e-3)
    assert flow.cell_norms is None


def test_a_rotation_that_shrinks_falls_by_its_eigenvalues_in_every_layer_and_mean(config):
    model = model_of(config, "model.cell=linear", "model.layers=1")
    rotation, _ = np.linalg.qr(RANDOM.normal(size=(12, 12)))
    model.recurrent[0].cell.recurrent_kernel.assign(0.9 * rotation)
    flow = gradient_flow(model, *batch(0.5, 0.8), [[5, 9, 14], [3, 20, 31]])
    np.testing.assert_allclose(flow.relative[0], 0.9**flow.distances, rtol=1e-3)
    assert (flow.labels[0], flow.labels[-1], flow.distances[-1]) == (6, 1, 31)
    assert flow.reach(0.5)[0] == int(np.log(0.5) / np.log(0.9))
    assert told_reach(0.15, 1.05) == "0.15 s"
    everlasting = dataclasses.replace(flow, relative=np.ones_like(flow.relative))
    reached = float(everlasting.reach()[0]) * everlasting.frame_seconds
    assert told_reach(reached, everlasting.farthest_seconds) == f"more than {reached:.2f} s"


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_at_a_label_the_gradient_is_that_of_the_outputs_and_nothing_comes_from_the_future(config, cell):
    model = model_of(config, f"model.cell={cell}", "model.layers=2", "model.layer_normalization=true")
    inputs, labels = batch(0.6)
    flow = gradient_flow(model, inputs, labels, [[10, 12, 19]], most_labels=2)
    assert flow.norms.shape == (2, 20) and (flow.distances >= 0).all() and (flow.norms > 0).all()
    assert (flow.cell_norms is not None) == (cell == "lstm")
    posteriors = np.array(keras.ops.softmax(model(inputs)["logits"]))[0, [10, 19]]
    direct = (posteriors - np.eye(UNITS)[[1, 3]]) @ np.array(model.logits.kernel).T
    np.testing.assert_allclose(flow.norms[1, 0], np.linalg.norm(direct, axis=1).mean(), rtol=1e-4)


def test_layers_that_read_both_ways_send_gradients_both_ways(config):
    model = model_of(config, "model.bidirectional=true")
    flow = gradient_flow(model, *batch(0.6), [[10, 12, 19]])
    frames = flow.distances.max() - 19 + flow.distances.max()  # at most; both sides are there
    assert flow.distances.min() < 0 < flow.distances.max() and frames > 0
    assert (flow.norms > 0).all() and flow.relative[0, flow.distances == 0] == pytest.approx(1)


def test_padding_and_company_change_nothing(config):
    model = model_of(config)
    inputs, labels = batch(0.5, 1.0)
    together = gradient_flow(model, inputs, labels, [[4, 9], []])
    alone = {"audio": inputs["audio"][:1, :4000], "lengths": inputs["lengths"][:1]}
    single = gradient_flow(model, alone, {name: values[:1] for name, values in labels.items()}, [[4, 9]])
    np.testing.assert_allclose(together.norms, single.norms, rtol=1e-4)


def test_without_labels_there_is_no_gradient(config):
    inputs, labels = batch(0.05)
    with pytest.raises(InputError, match="at least one label with a gradient, of an utterance whose labels fit"):
        gradient_flow(model_of(config), inputs, labels)


def test_labels_of_which_a_model_is_entirely_sure_are_left_out(config):
    model = model_of(config)
    model.logits.bias.assign([0.0, 1000.0, 0.0, 0.0])  # e^-1000 is 0 in float32
    inputs, labels = batch(0.5, 0.8)
    flow = gradient_flow(model, inputs, labels, [[5, 9, 14], [3, 20, 31]])
    assert flow.labels[0] == 4  # of six, two of them the first unit
    assert np.isfinite(flow.relative).all()
    with pytest.raises(InputError, match="at least one label with a gradient"):
        gradient_flow(model, inputs, labels, [[5], [3]])


def test_it_is_drawn(config, tmp_path):
    flow = gradient_flow(model_of(config, "model.layers=2"), *batch(0.5))
    plot_gradient_flow(tmp_path / "flow.png", {"one": flow, "other": flow})
    assert (tmp_path / "flow.png").stat().st_size > 5000
