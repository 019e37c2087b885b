"""The recurrent cells, by name. A new cell is one registered function."""

import difflib
from collections.abc import Callable

import keras
from keras import ops

from pipeline.errors import InputError

Cell = Callable[[int, bool, str], keras.layers.RNN]
"""(units, portable, name) -> a layer with `return_sequences` and `return_state`: values float [batch, frames, inputs]
and optionally an `initial_state` give outputs float [batch, frames, units], which see only the past, and the states."""

CELLS: dict[str, Cell] = {}


def register(name: str) -> Callable[[Cell], Cell]:
    """Makes a cell known under a name, for `model.cell` in a configuration."""

    def add(cell: Cell) -> Cell:
        CELLS[name] = cell
        return cell

    return add


# `portable` asks for operations that any machine has. With a GPU in sight Keras would otherwise trace cuDNN's into an
# export, which then does not run on a CPU.
_RETURNS = {"return_sequences": True, "return_state": True}


@register("simple_rnn")
def simple_rnn(units: int, portable: bool, name: str) -> keras.layers.RNN:
    """h_t = tanh(W x_t + U h_{t-1} + b); Elman, "Finding structure in time" (1990)."""
    layer = _SimpleRNN if _recurs_by_hand(portable) else keras.layers.SimpleRNN
    return layer(units, **_RETURNS, name=name)


@register("lstm")
def lstm(units: int, portable: bool, name: str) -> keras.layers.RNN:
    """Input, forget and output gates around a cell state; Gers et al., "Learning to forget" (2000)."""
    layer = _LSTM if _recurs_by_hand(portable) else keras.layers.LSTM
    return layer(units, **_RETURNS, use_cudnn=False if portable else "auto", name=name)


@register("gru")
def gru(units: int, portable: bool, name: str) -> keras.layers.RNN:
    """Update and reset gates on the one hidden state; Cho et al. (2014), in cuDNN's `reset_after` form."""
    return keras.layers.GRU(units, **_RETURNS, use_cudnn=False if portable else "auto", name=name)


class _SimpleRNN(keras.layers.SimpleRNN):
    """Keras's layer, its weights and its results, by this pipeline's recurrence."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        return _recur("simple_rnn", self, sequences, initial_state)


class _LSTM(keras.layers.LSTM):
    """See _SimpleRNN."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        return _recur("lstm", self, sequences, initial_state)


def _recur(name, layer, sequences, states):
    from pipeline.models import recurrence  # TensorFlow's

    if states is None:
        states = layer.get_initial_state(ops.shape(sequences)[0])
    by_time, cell = ops.transpose(sequences, (1, 0, 2)), layer.cell
    outputs, states = getattr(recurrence, name)(by_time, cell.kernel, cell.recurrent_kernel, cell.bias, *states)
    return ops.transpose(outputs, (1, 0, 2)), *states


def _recurs_by_hand(portable: bool) -> bool:
    """Whether TensorFlow is to compute, and not on a GPU, where cuDNN in Keras's layers is quicker."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return portable or not tf.config.list_logical_devices("GPU")


def cell_named(cell: str) -> Cell:
    """Raises: InputError: no such cell is registered."""
    if cell not in CELLS:
        near = difflib.get_close_matches(cell, CELLS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"model.cell = {cell!r}: one of {', '.join(CELLS)} wanted{hint}")
    return CELLS[cell]


def make_cell(cell: str, units: int, portable: bool, name: str) -> keras.layers.RNN:
    """Raises: InputError: no such cell is registered."""
    return cell_named(cell)(units, portable, name)


class Bidirectional(keras.layers.Layer):
    """One layer reads an utterance forward, another from its true end; their outputs are joined.

    Call:
        values: float32 [batch, frames, inputs].
        frames: int32 [batch].
        Returns float32 [batch, frames, 2 * units].
    """

    def __init__(self, forward: keras.layers.RNN, backward: keras.layers.RNN, **kwargs):
        super().__init__(**kwargs)
        self.forward, self.backward = forward, backward

    def call(self, values, frames):
        backward = _reverse(self.backward(_reverse(values, frames))[0], frames)
        return ops.concatenate([self.forward(values)[0], backward], axis=-1)


def _reverse(values, frames):
    """Each utterance's own frames from last to first; what lies past them stays."""
    time = ops.arange(ops.shape(values)[1])[None, :]
    index = ops.where(time < frames[:, None], frames[:, None] - 1 - time, time)
    return ops.take_along_axis(values, index[:, :, None], axis=1)
