"""What an exported model can be asked: its signatures."""

import contextlib
from pathlib import Path

import keras
import tensorflow as tf

from pipeline import config, feature_files, samples
from pipeline.decoding.confidence import SMALLEST, Calibration
from pipeline.decoding.greedy_graph import greedy_text
from pipeline.decoding.keywords_graph import spot as find
from pipeline.models.acoustic import AcousticModel
from pipeline.models.streaming import StreamingModel
from pipeline.text import Units

LENGTHS = tf.TensorSpec([None], tf.int32, "lengths")


def signal_spec(features: config.Features) -> tf.TensorSpec:
    """Of a batch of what a model takes: audio, or features."""
    return tf.TensorSpec(features.batch_shape, tf.float32, features.input)


def _finite(signal, largest: float):
    """With zeros for what is NaN, infinite or far too large: one such number would make NaN of all that follows."""
    return tf.where(tf.abs(signal) <= largest, signal, 0.0)


def save(weights: list[tf.Variable], folder: Path, signatures) -> None:
    """As a SavedModel. `weights`: those that the signatures use, in the model's order."""
    module = tf.Module()  # of bare variables: Keras's own objects would store every weight a second time
    module.weights = weights
    tf.saved_model.save(module, str(folder), signatures)


class Serving:
    """The functions that an export of a model offers.

    Args:
        model, units: what it is.
        calibration, least_confidence: see `About`.
        half: store the network's weights in half precision; they are made float32 again whenever they are used.

    Attributes:
        weights: to store, in the model's order.
    """

    def __init__(
        self,
        model: AcousticModel,
        units: Units,
        calibration: Calibration,
        least_confidence: float,
        half: bool = False,
    ):
        self._model, self._units = model, units
        self._calibration, self._least_confidence = calibration, least_confidence
        self._halves = {}
        if half:  # but not of means and variances, which may be too large for it
            self._halves = {weight.path: tf.Variable(tf.cast(weight, tf.float16)) for weight in model.trainable_weights}
        self.weights = [self._halves.get(weight.path, weight.value) for weight in model.weights]
        self._signal = signal_spec(model.settings.features)
        self._score = tf.function(self._score_once, input_signature=[self._signal, LENGTHS])  # all signatures share it
        self._largest = samples.LARGEST if self._signal.name == "audio" else feature_files.LARGEST

    def signatures(self) -> dict:
        """By name."""
        functions = {"serving_default": self._transcribe(), "log_probs": self._log_probs(), "spot": self._spot()}
        if self._model.settings.cannot_stream is None:
            functions.update(self._streaming())
        return functions

    def _stored_weights(self):
        """Within it the model computes with the weights that are stored."""
        if not self._halves:
            return contextlib.nullcontext()
        wide = [(weight, tf.cast(self._halves[weight.path], tf.float32)) for weight in self._model.trainable_weights]
        return keras.StatelessScope(state_mapping=wide)

    def _score_once(self, signal, lengths):
        lengths = tf.clip_by_value(lengths, 0, tf.shape(signal)[1])
        inputs = {self._signal.name: _finite(signal, self._largest), "lengths": lengths}
        with self._stored_weights():
            outputs = self._model(inputs, training=False)
        return tf.nn.log_softmax(outputs["logits"]), outputs["frames"]

    def _log_probs(self):
        @tf.function(input_signature=[self._signal, LENGTHS])
        def log_probs(signal, lengths):
            scores, frames = self._score(signal, lengths)
            return {"log_probs": scores, "frames": frames}

        return log_probs

    def _transcribe(self):
        @tf.function(input_signature=[self._signal, LENGTHS])
        def transcribe(signal, lengths):
            frame_seconds = self._model.settings.features.frame_seconds
            text, confidence = greedy_text(*self._score(signal, lengths), self._units, frame_seconds)
            slope, offset = self._calibration.utterance
            confidence = tf.clip_by_value(confidence, SMALLEST, 1 - SMALLEST)
            confidence = tf.sigmoid(slope * (tf.math.log(confidence) - tf.math.log1p(-confidence)) + offset)
            return {"text": tf.where(confidence < self._least_confidence, "", text), "confidence": confidence}

        return transcribe

    def _spot(self):
        @tf.function(input_signature=[self._signal, LENGTHS, tf.TensorSpec([None], tf.string, "keywords")])
        def spot(signal, lengths, keywords):
            frame_seconds = self._model.settings.features.frame_seconds
            scores, start, end = find(*self._score(signal, lengths), keywords, self._units, frame_seconds)
            return {"scores": scores, "start": start, "end": end}

        return spot

    def _streaming(self) -> dict:
        """`stream_start`, `stream` and `stream_end`. A state goes from one to the next as keyword arguments."""
        streaming = StreamingModel(self._model)

        @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "batch")])
        def stream_start(batch):
            return streaming.start(batch)

        specs = {}
        for name, state in stream_start.get_concrete_function().structured_outputs.items():
            free = 2 if name.startswith("waiting") else 1  # so many dimensions differ from step to step
            specs[name] = tf.TensorSpec([*[None] * free, *state.shape[free:]], tf.float32, name)

        @tf.function
        def stream(audio, **state):
            with self._stored_weights():
                log_probs, state = streaming.step(_finite(audio, self._largest), state)
            return {"log_probs": log_probs, **state}

        @tf.function
        def stream_end(**state):
            with self._stored_weights():
                return {"log_probs": streaming.end(state)}

        return {
            "stream_start": stream_start,
            "stream": stream.get_concrete_function(self._signal, **specs),
            "stream_end": stream_end.get_concrete_function(**specs),
        }
