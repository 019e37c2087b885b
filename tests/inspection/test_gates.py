import numpy as np
import pytest
import tiny

from pipeline.config import load_config
from pipeline.decoding.transcript import Word
from pipeline.inspection.gate_plots import draw_gates
from pipeline.inspection.gates import gates_of
from pipeline.inspection.pixels import pixels
from pipeline.models.acoustic import AcousticModel

RANDOM = np.random.default_rng(5)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def made(tmp_path, *overrides):
    """A model with random weights, what its first recurrent layer takes [frames, inputs], and its inputs."""
    model = AcousticModel(
        load_config(tiny.write_config(tmp_path, features={"normalization": "utterance"}), list(overrides)),
        4,
        portable=True,
    )
    for variable in model.trainable_variables:
        variable.assign(RANDOM.normal(0, 0.4, variable.shape))
    inputs = {"audio": RANDOM.normal(0, 0.1, (1, 6000)).astype(np.float32), "lengths": np.array([5000])}
    values, frames = model.stack(*model.front_end(inputs["audio"], inputs["lengths"]))
    return model, np.array(values)[0, : int(frames[0])], inputs


def weights(layer):
    return layer.cell.get_weights()


def lstm(values, layer):
    """Gates, cell states and outputs by the textbook, frame by frame."""
    kernel, recurrent, bias = weights(layer)
    h = c = np.zeros(len(recurrent))
    found = []
    for value in values:
        i, f, candidate, o = np.split(value @ kernel + h @ recurrent + bias, 4)
        i, f, o = sigmoid(i), sigmoid(f), sigmoid(o)
        c = f * c + i * np.tanh(candidate)
        h = o * np.tanh(c)
        found.append((i, f, o, c, h))
    return map(np.array, zip(*found, strict=True))


def test_gates_begin_where_the_utterance_does(tmp_path):
    model, values, inputs = made(tmp_path, "features.silent_frames=4")
    (found,) = gates_of(model, inputs)
    assert len(found.state) == len(values) - 4 == int(model(inputs)["frames"][0])
    _, _, _, c, _ = lstm(values, model.recurrent[0])
    np.testing.assert_allclose(found.state, c[4:], atol=1e-4)


def test_gates_of_stacked_lstms_are_those_of_the_textbook(tmp_path):
    model, values, inputs = made(tmp_path, "model.layers=2")
    found = gates_of(model, inputs)
    assert [gates.layer for gates in found] == ["recurrent_0", "recurrent_1"]
    for layer, gates in zip(model.recurrent, found, strict=True):
        i, f, o, c, values = lstm(values, layer)
        for name, expected in (("input", i), ("forget", f), ("output", o)):
            np.testing.assert_allclose(gates.gates[name], expected, atol=1e-4)
        np.testing.assert_allclose(gates.state, c, atol=1e-4)
        np.testing.assert_allclose(gates.time_constants, -1 / np.log(f), rtol=1e-2)


def test_the_direction_that_reads_from_the_end_is_in_the_order_of_time(tmp_path):
    model, values, inputs = made(tmp_path, "model.bidirectional=true")
    forward, backward = gates_of(model, inputs)
    layer = model.recurrent[0]
    for gates, part, turn in ((forward, layer.forward, 1), (backward, layer.backward, -1)):
        _, f, _, c, _ = lstm(values[::turn], part)
        np.testing.assert_allclose(gates.gates["forget"], f[::turn], atol=1e-4)
        np.testing.assert_allclose(gates.state, c[::turn], atol=1e-4)


def test_a_gru_has_its_two_gates(tmp_path):
    model, values, inputs = made(tmp_path, "model.cell=gru")
    (gates,) = gates_of(model, inputs)
    kernel, recurrent, bias = weights(model.recurrent[0])
    h = np.zeros(len(recurrent))
    for time, value in enumerate(values):
        z, r, candidate = np.split(value @ kernel + bias[0], 3)
        from_h = np.split(h @ recurrent + bias[1], 3)
        z, r = sigmoid(z + from_h[0]), sigmoid(r + from_h[1])
        h = z * h + (1 - z) * np.tanh(candidate + r * from_h[2])
        np.testing.assert_allclose(gates.gates["update"][time], z, atol=1e-4)
        np.testing.assert_allclose(gates.gates["reset"][time], r, atol=1e-4)
        np.testing.assert_allclose(gates.state[time], h, atol=1e-4)
    np.testing.assert_array_equal(gates.keeping, gates.gates["update"])


def test_a_plain_recurrent_layer_has_what_its_tanh_lets_through(tmp_path):
    model, values, inputs = made(tmp_path, "model.cell=simple_rnn")
    (gates,) = gates_of(model, inputs)
    kernel, recurrent, bias = weights(model.recurrent[0])
    h = np.zeros(len(recurrent))
    for time, value in enumerate(values):
        h = np.tanh(value @ kernel + h @ recurrent + bias)
        np.testing.assert_allclose(gates.state[time], h, atol=1e-4)
    np.testing.assert_allclose(gates.gates["derivative"], 1 - gates.state**2, atol=1e-6)
    assert gates.keeping is None and gates.time_constants is None


@pytest.mark.parametrize("cell", ["lstm", "simple_rnn"])
def test_they_are_drawn_with_the_words(tmp_path, cell):
    model, _, inputs = made(tmp_path, f"model.cell={cell}")
    figure = draw_gates(gates_of(model, inputs)[0], (Word("hello", 0.1, 0.4, 1.0),), 0.02)
    assert "hello" in [text.get_text() for axes in figure.axes for text in axes.texts]
    assert pixels(figure).std() > 0


def test_padding_is_not_shown(tmp_path):
    model, _, inputs = made(tmp_path)
    again = gates_of(model, {**inputs, "audio": inputs["audio"][:, :5000]})
    np.testing.assert_allclose(again[0].state, gates_of(model, inputs)[0].state, atol=1e-5)
