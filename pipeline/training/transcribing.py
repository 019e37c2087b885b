"""Transcripts by a model that was trained, before any export."""

from collections.abc import Callable

import numpy as np
from keras import ops

from pipeline.config import Config
from pipeline.decoding.greedy import greedy
from pipeline.decoding.transcript import Transcript
from pipeline.models.acoustic import AcousticModel
from pipeline.text import Units
from pipeline.training.backend import compiled


def transcriber(model: AcousticModel, settings: Config, units: Units) -> Callable[[np.ndarray], Transcript]:
    """What transcribes one utterance, float32 [samples] or features float32 [frames, coefficients], greedily.

    Args:
        model: with the units' scores.
        settings: the model's.
        units: in the model's order.
    """

    def score(inputs):
        outputs = model(inputs, training=False)
        return ops.log_softmax(outputs["logits"]), outputs["frames"]

    step, frame_seconds = compiled(model, score), settings.features.frame_seconds

    def transcribe(signal: np.ndarray) -> Transcript:
        inputs = {model.input_name: signal[None].astype(np.float32), "lengths": np.array([len(signal)], np.int32)}
        log_probs, frames = map(ops.convert_to_numpy, step(inputs))
        return greedy(log_probs[0, : int(frames[0])], units, frame_seconds)

    return transcribe
