"""The acoustic model: waveform -> MFCC -> stacked frames -> recurrent layers -> a score for every unit.

Or features that were computed before -> stacked frames, and so on.
"""

import functools

import keras
from keras import ops

from pipeline import config
from pipeline.augment.features import SpecAugmentation
from pipeline.ctc import ctc_loss, is_feasible
from pipeline.features import MFCC, Normalization, StackFrames, given_features, with_silence
from pipeline.models import hardware
from pipeline.models.parts import in_parts
from pipeline.models.recurrent import Bidirectional, make_cell


class AcousticModel(keras.Model):
    """Scores units frame by frame, and learns to by CTC.

    Args:
        settings: the whole configuration.
        units: how many units, the blank included.
        portable: built of operations that any machine has, for export.

    Call:
        {"audio": float32 [batch, samples] in -1..1, "lengths": int32 [batch], in samples}; or, with `features.input:
        features`, {"features": float32 [batch, frames, coefficients], "lengths": int32 [batch], in frames}.
        Returns {"logits": float32 [batch, frames, units], "frames": int32 [batch]}.

    Example:
        model = AcousticModel(load_config("configs/quickstart.yaml"), units=28)
        model({"audio": np.zeros((1, 16000), "float32"), "lengths": np.array([16000], "int32")})["logits"]
    """

    def __init__(self, settings: config.Config, units: int, portable: bool = False):
        super().__init__(name="acoustic_model")
        self.settings, shape = settings, settings.model
        self.input_name = settings.features.input
        self.mfcc = MFCC(settings.features, name="mfcc") if self.input_name == "audio" else None
        self.normalization = Normalization(settings.features.normalization, name="normalization")
        self.spec_augment = SpecAugmentation(
            settings.spec_augment, settings.features.coefficients, seed=settings.seed, name="spec_augment"
        )
        self.stack = StackFrames(settings.features.stack, settings.features.stride, name="stack")
        self.norms, self.recurrent, self.dropouts = [], [], []
        dtype = "float32" if portable else hardware.dtype_policy(settings.training.precision)
        self._parts = 1 if portable else hardware.parts_of(settings.data.batch_size)
        for number in range(shape.layers):
            if shape.layer_normalization:
                self.norms.append(keras.layers.LayerNormalization(name=f"norm_{number}"))
            name = f"recurrent_{number}"
            layer = make_cell(shape.cell, shape.units, portable, name, dtype)
            if shape.bidirectional:
                backward = make_cell(shape.cell, shape.units, portable, "backward", dtype)
                layer = Bidirectional(layer, backward, name=name)
            self.recurrent.append(layer)
            self.dropouts.append(keras.layers.Dropout(shape.dropout, seed=settings.seed + 1 + number))
        self.logits = keras.layers.Dense(units, name="logits", dtype="float32")
        self.infeasible = keras.metrics.Sum(name="infeasible")
        size = (1, settings.features.sample_rate) if self.mfcc else (1, 1, settings.features.coefficients)
        self({self.input_name: ops.zeros(size), "lengths": ops.ones((1,), "int32")})  # creates the weights

    def call(self, inputs, training=False):
        parts = self._parts if training else 1
        values, frames = in_parts(parts, self.front_end, inputs[self.input_name], inputs["lengths"])
        return self.encode(values, frames, training)

    def features_of(self, signal, lengths):
        """Features float32 [batch, frames, coefficients], zero past their true lengths int32 [batch]."""
        return given_features(signal, lengths) if self.mfcc is None else self.mfcc(signal, lengths)

    def front_end(self, signal, lengths):
        """The same, normalized, and with the silence before and after that the network hears."""
        if silent := self.settings.features.silent_samples:
            signal, lengths = with_silence(signal, lengths, silent)
        values, frames = self.features_of(signal, lengths)
        return self.normalization(values, frames), frames

    def encode(self, values, frames, training=False):
        """Scores of what `front_end` gives, without those of the silence before; the second half of `call`."""
        parts = self._parts if training else 1  # what is drawn at random is drawn for the whole batch
        values = self.spec_augment(values, frames, training=training)
        values, frames = self.stack(values, frames)
        for number, layer in enumerate(self.recurrent):
            values = self._normalized(number, values)
            values = in_parts(parts, functools.partial(_hear, layer, training=training), values, frames)
            values = self.dropouts[number](values, training=training)
        silent = self.settings.features.silent_frames
        return {"logits": self.logits(values[:, silent:]), "frames": ops.maximum(0, frames - silent)}

    def go_on(self, values, states, unrolled=False):
        """Scores of further frames, by layers that go on from their states; for inference, in one direction.

        Args:
            values: float32 [batch, frames, inputs], of normalized and stacked frames.
            states: a list for each layer, of float32 [batch, units], as the frames before left them.
            unrolled: without a loop; their number must then be known.

        Returns:
            Logits float32 [batch, frames, units], and the new states.
        """
        after = []
        for number, layer in enumerate(self.recurrent):
            values = self._normalized(number, values)
            values, *state = (_unrolled if unrolled else _looped)(layer, values, states[number])
            after.append(state)
        return self.logits(values), after

    def _normalized(self, number, values):
        return self.norms[number](values) if self.norms else values

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean CTC loss, in nats an utterance, of the utterances that can be aligned; the others are counted.

        With `onsets`, int32 [batch], in y, all frames before them are to be blank.
        """
        labels, label_lengths, frames = y["labels"], y["label_lengths"], y_pred["frames"]
        onsets = ops.cast(y.get("onsets", ops.zeros_like(frames)), "int32")
        # Where the rest is too short for the labels, what was taken for quiet must have been speech.
        onsets = ops.where(is_feasible(labels, label_lengths, frames - onsets), onsets, 0)
        nats = in_parts(self._parts, ctc_loss, labels, y_pred["logits"], label_lengths, frames, onsets)
        feasible = ops.cast(is_feasible(labels, label_lengths, frames), "float32")
        self.infeasible.update_state(1.0 - feasible)
        return ops.sum(nats) / ops.maximum(ops.sum(feasible), 1.0)


def _hear(layer, values, frames, training):
    bidirectional = isinstance(layer, Bidirectional)
    return layer(values, frames, training=training) if bidirectional else layer(values, training=training)[0]


def _looped(layer, values, states):
    return layer(values, initial_state=states)


def _unrolled(layer, values, states):
    outputs = []
    for time in range(values.shape[1]):
        output, states = layer.cell(values[:, time], states)
        outputs.append(output)
    return ops.stack(outputs, axis=1), *states
