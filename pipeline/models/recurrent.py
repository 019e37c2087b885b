"""The recurrent cells, by name. A new cell is one registered function."""

import difflib
from collections.abc import Callable

import keras
from keras import ops

from pipeline.errors import InputError
from pipeline.models import hardware

Cell = Callable[[int, bool, str, str], keras.layers.RNN]
"""(units, portable, name, dtype policy) -> a layer with `return_sequences` and `return_state`: values float [batch,
frames, inputs] and optionally an `initial_state` give outputs float [batch, frames, units], which see only the past,
and the states."""

CELLS: dict[str, Cell] = {}


def register(name: str) -> Callable[[Cell], Cell]:
    """Makes a cell known under a name, for `model.cell` in a configuration."""

    def add(cell: Cell) -> Cell:
        CELLS[name] = cell
        return cell

    return add


_RETURNS = {"return_sequences": True, "return_state": True}


@register("simple_rnn")
def simple_rnn(units: int, portable: bool, name: str, dtype: str) -> keras.layers.RNN:
    """h_t = tanh(W x_t + U h_{t-1} + b); Elman, "Finding structure in time" (1990)."""
    by = recurrence_by(portable)
    if by == "keras":
        return keras.layers.SimpleRNN(units, **_RETURNS, name=name, dtype=dtype)
    return _with_products(dtype, (_SimpleRNN if by == "hand" else _CudnnSimpleRNN)(units, **_RETURNS, name=name))


@register("lstm")
def lstm(units: int, portable: bool, name: str, dtype: str) -> keras.layers.RNN:
    """Input, forget and output gates around a cell state; Gers et al., "Learning to forget" (2000)."""
    if recurrence_by(portable) == "hand":
        return _with_products(dtype, _LSTM(units, **_RETURNS, use_cudnn=False, name=name))
    wide = keras.dtype_policies.get(dtype).compute_dtype == "float32"
    use_cudnn = "auto" if wide or keras.backend.backend() != "jax" else False  # where JAX's call of it takes no other
    return keras.layers.LSTM(units, **_RETURNS, use_cudnn=use_cudnn, name=name, dtype=dtype)


@register("gru")
def gru(units: int, portable: bool, name: str, dtype: str) -> keras.layers.RNN:
    """Update and reset gates on the one hidden state; Cho et al. (2014), in cuDNN's `reset_after` form."""
    if recurrence_by(portable) == "hand":
        return _with_products(dtype, _GRU(units, **_RETURNS, use_cudnn=False, name=name))
    return keras.layers.GRU(units, **_RETURNS, name=name, dtype=dtype)


def recurrence_by(portable: bool) -> str:
    """What computes recurrent layers: "hand" (`models.recurrence`), "cudnn", or "keras" on its other back ends.

    Args:
        portable: by operations that any machine has, for export: with a GPU in sight Keras would trace cuDNN's into a
            SavedModel, which then would not run on a CPU.
    """
    if keras.backend.backend() != "tensorflow":
        return "keras"
    return "hand" if portable or not hardware.has_gpu() else "cudnn"


def _with_products(dtype: str, layer: keras.layers.RNN) -> keras.layers.RNN:
    """One of the layers below: in float32, but for its matrix products in training, which are as the policy says."""
    layer.products = keras.dtype_policies.get(dtype).compute_dtype
    return layer


class _SimpleRNN(keras.layers.SimpleRNN):
    """Keras's layer, its weights and its results, by this pipeline's recurrence."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        from pipeline.models import recurrence  # TensorFlow's

        return _recur(recurrence.simple_rnn, self, sequences, initial_state, training)


class _CudnnSimpleRNN(keras.layers.SimpleRNN):
    """The same by cuDNN, which Keras has for its other cells only."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        from pipeline.models import cudnn

        return _recur(cudnn.simple_rnn, self, sequences, initial_state, training)


class _LSTM(keras.layers.LSTM):
    """See _SimpleRNN."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        from pipeline.models import recurrence

        return _recur(recurrence.lstm, self, sequences, initial_state, training)


class _GRU(keras.layers.GRU):
    """See _SimpleRNN."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        from pipeline.models import recurrence

        return _recur(recurrence.gru, self, sequences, initial_state, training)


def _recur(recurrence, layer, sequences, states, training):
    dtype = layer.products if training else "float32"
    if states is None:
        states = layer.get_initial_state(ops.shape(sequences)[0])
    states = states if isinstance(states, list | tuple) else [states]
    by_time, cell = ops.transpose(sequences, (1, 0, 2)), layer.cell
    tensors = by_time, cell.kernel, cell.recurrent_kernel, cell.bias, *states
    outputs, states = recurrence(*(ops.cast(tensor, dtype) for tensor in tensors), learning=training)
    return ops.transpose(outputs, (1, 0, 2)), *states


def cell_named(cell: str) -> Cell:
    """Raises: InputError: no such cell is registered."""
    if cell not in CELLS:
        near = difflib.get_close_matches(cell, CELLS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"model.cell = {cell!r}: one of {', '.join(CELLS)} wanted{hint}")
    return CELLS[cell]


def make_cell(cell: str, units: int, portable: bool, name: str, dtype: str = "float32") -> keras.layers.RNN:
    """Raises: InputError: no such cell is registered."""
    return cell_named(cell)(units, portable, name, dtype)


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

    def call(self, values, frames, training=False):
        backward = _reverse(self.backward(_reverse(values, frames), training=training)[0], frames)
        return ops.concatenate([self.forward(values, training=training)[0], backward], axis=-1)


def _reverse(values, frames):
    """Each utterance's own frames from last to first; what lies past them stays."""
    time = ops.arange(ops.shape(values)[1])[None, :]
    index = ops.where(time < frames[:, None], frames[:, None] - 1 - time, time)
    return ops.take_along_axis(values, index[:, :, None], axis=1)
