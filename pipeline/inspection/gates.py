"""What goes on inside recurrent layers along an utterance: gates, states, and for how long states are kept."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from pipeline.models.recurrent import Bidirectional


@dataclass(frozen=True)
class Gates:
    """One layer, or one direction of it, along one utterance.

    Attributes:
        layer: its name.
        gates: by name, float32 [frames, units] in 0..1. LSTM: input, forget, output; GRU: update, reset; a plain
            recurrent layer has none, but `derivative`, 1 - h_t^2: what its tanh lets through of a gradient.
        state: float32 [frames, units]: the cell state c_t of an LSTM, the others' output h_t.
        keeping: float32 [frames, units] or None: by how much a unit's state is multiplied from frame to frame: an
            LSTM's forget gate, a GRU's update gate.
    """

    layer: str
    gates: dict[str, np.ndarray]
    state: np.ndarray
    keeping: np.ndarray | None

    @property
    def time_constants(self) -> np.ndarray | None:
        """float32 [frames, units], in frames: after so many a state would be 1/e of itself, -1 / ln(keeping).

        None if nothing says how much is kept.
        """
        return None if self.keeping is None else -1 / np.log(np.clip(self.keeping, 1e-6, 1 - 1e-6))

    def after(self, frames: int) -> "Gates":
        """Without so many frames at the beginning."""
        gates = {name: values[frames:] for name, values in self.gates.items()}
        return Gates(self.layer, gates, self.state[frames:], None if self.keeping is None else self.keeping[frames:])


def gates_of(model: keras.Model, inputs: dict[str, np.ndarray]) -> list[Gates]:
    """Of every recurrent layer of an `AcousticModel`, on a batch of one utterance as `AcousticModel` takes it.

    Layers that also read from the end come as two, the second in the order in which it is heard.
    """
    values, frames = model.front_end(inputs[model.input_name], inputs["lengths"])
    values, frames = model.stack(values, frames)
    count = int(frames[0])
    values, found = values[:1, :count], []
    for number, layer in enumerate(model.recurrent):
        values = model.norms[number](values) if model.norms else values
        if isinstance(layer, Bidirectional):
            backward = ops.flip(layer.backward(ops.flip(values, 1))[0], 1)
            outputs = ops.concatenate([layer.forward(values)[0], backward], axis=-1)
            found.append(_inside(layer.forward, f"{layer.name}, forward", _array(values)))
            found.append(_turned(_inside(layer.backward, f"{layer.name}, backward", _array(values)[::-1])))
        else:
            outputs = layer(values)[0]
            found.append(_inside(layer, layer.name, _array(values)))
        values = outputs
    return [gates.after(model.settings.features.silent_frames) for gates in found]


def _inside(layer, name: str, values: np.ndarray) -> Gates:
    """Of inputs float32 [frames, inputs]. The outputs are known, so all frames' gates are one product."""
    outputs = ops.convert_to_numpy(layer(ops.convert_to_tensor(values[None]))[0])[0].astype(np.float32)
    before = np.concatenate([np.zeros_like(outputs[:1]), outputs[:-1]])
    if isinstance(layer, keras.layers.LSTM):
        return _lstm(layer.cell, name, values, before)
    if isinstance(layer, keras.layers.GRU):
        return _gru(layer.cell, name, values, before, outputs)
    derivative = {"derivative": 1 - outputs**2} if isinstance(layer, keras.layers.SimpleRNN) else {}
    return Gates(name, derivative, outputs, None)


def _lstm(cell, name, values, before) -> Gates:
    kernel, recurrent, bias = map(_array, (cell.kernel, cell.recurrent_kernel, cell.bias))
    i, f, candidate, o = np.split(values @ kernel + before @ recurrent + bias, 4, axis=1)
    i, f, o, candidate = _sigmoid(i), _sigmoid(f), _sigmoid(o), np.tanh(candidate)
    state, c = np.zeros_like(f), np.zeros_like(f[0])
    for time in range(len(f)):
        state[time] = c = f[time] * c + i[time] * candidate[time]
    return Gates(name, {"input": i, "forget": f, "output": o}, state, f)


def _gru(cell, name, values, before, outputs) -> Gates:
    kernel, recurrent, bias = map(_array, (cell.kernel, cell.recurrent_kernel, cell.bias))
    both = 2 * outputs.shape[1]  # what stands after them belongs to the candidate
    z = values @ kernel[:, :both] + before @ recurrent[:, :both] + (bias[0] + bias[1])[:both]
    update, reset = np.split(_sigmoid(z), 2, axis=1)
    return Gates(name, {"update": update, "reset": reset}, outputs, update)


def _turned(gates: Gates) -> Gates:
    keeping = None if gates.keeping is None else gates.keeping[::-1]
    turned = {name: values[::-1] for name, values in gates.gates.items()}
    return Gates(gates.layer, turned, gates.state[::-1], keeping)


def _array(values) -> np.ndarray:
    values = ops.convert_to_numpy(values).astype(np.float32)
    return values[0] if values.ndim == 3 else values


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * values)
