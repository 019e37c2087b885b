import keras
import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.models import recurrent
from pipeline.models.recurrent import Bidirectional, make_cell

CELLS = ["simple_rnn", "lstm", "gru"]
FRAMES = np.array([9, 4, 1, 0], np.int32)


def values(frames=9):
    return np.random.default_rng(0).normal(size=(4, frames, 3)).astype(np.float32)


def bidirectional(cell):
    return Bidirectional(make_cell(cell, 8, False, "forward"), make_cell(cell, 8, False, "backward"))


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_gives_its_units_for_every_frame(cell, portable):
    layer = make_cell(cell, 8, portable, "first")
    assert layer.name == "first"
    outputs, *states = layer(values())
    assert outputs.shape == (4, 9, 8)
    assert [tuple(state.shape) for state in states] == [(4, 8)] * (2 if cell == "lstm" else 1)


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_goes_on_from_its_state(cell, portable):
    layer = make_cell(cell, 8, portable, "layer")
    whole, *_ = layer(values())
    first, *states = layer(values()[:, :4])
    second, *_ = layer(values()[:, 4:], initial_state=states)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_sees_only_the_past(cell):
    layer = make_cell(cell, 8, False, "layer")
    changed = values()
    changed[:, 5:] += 1
    before, after = layer(values())[0].numpy(), layer(changed)[0].numpy()
    np.testing.assert_allclose(before[:, :5], after[:, :5], atol=1e-6)
    assert not np.allclose(before[:, 5], after[:, 5], atol=1e-3)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_portable_cells_stay_away_from_cudnn(cell):
    assert make_cell(cell, 8, True, "layer").use_cudnn is False


@pytest.mark.parametrize(("dtype", "use_cudnn"), [("float32", "auto"), ("mixed_bfloat16", False)])
def test_jax_calls_cudnn_in_float32_alone(dtype, use_cudnn, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert make_cell("lstm", 8, False, "layer", dtype).use_cudnn == use_cudnn


@pytest.mark.parametrize("cell", CELLS)
def test_the_backward_layer_reads_from_each_utterances_true_end(cell):
    layer = bidirectional(cell)
    found = layer(values(), FRAMES).numpy()
    assert found.shape == (4, 9, 16)
    for row, count in enumerate(FRAMES[:3]):
        own = values()[row : row + 1, :count]
        np.testing.assert_allclose(found[row, :count, :8], layer.forward(own)[0][0], atol=1e-6)
        np.testing.assert_allclose(found[row, :count, 8:], layer.backward(own[:, ::-1])[0][0, ::-1], atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_padding_does_not_change_a_bidirectional_layer(cell):
    layer = bidirectional(cell)
    alone = layer(values(), FRAMES).numpy()
    padded = layer(np.concatenate([values(), 9 * values(6)], axis=1), FRAMES).numpy()
    for row, count in enumerate(FRAMES):
        np.testing.assert_allclose(alone[row, :count], padded[row, :count], atol=1e-6)


def test_a_bidirectional_layer_sees_the_future():
    layer = bidirectional("lstm")
    changed = values()
    changed[0, 8] += 1
    before, after = layer(values(), FRAMES).numpy(), layer(changed, FRAMES).numpy()
    assert not np.allclose(before[0, 7], after[0, 7], atol=1e-4)


def test_a_registered_cell_is_made_by_its_name(monkeypatch):
    monkeypatch.setattr(recurrent, "CELLS", dict(recurrent.CELLS))
    recurrent.register("dense")(lambda units, portable, name, dtype: keras.layers.Dense(units, name=name))
    assert make_cell("dense", 6, False, "layer")(values()).shape == (4, 9, 6)


@pytest.mark.parametrize("cell", ["", "LSTM", "transformer"])
def test_an_unknown_cell_is_refused_with_the_known_ones(cell):
    with pytest.raises(InputError, match=rf"model\.cell = '{cell}': one of simple_rnn, lstm, gru wanted"):
        make_cell(cell, 8, False, "layer")
