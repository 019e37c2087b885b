"""Where speech begins in an utterance."""

import numpy as np

from pipeline.config import Features


def speech_onset(audio: np.ndarray, features: Features, quiet_db: float) -> int:
    """The network's frame in which speech begins: before it lies only what is far less loud than the loudest part.

    Args:
        audio: float32 [samples].
        features: of the network.
        quiet_db: decibels below the loudest of the pieces of a frame's stride each.

    Returns:
        A frame; 0 of silence.
    """
    size = features.hop_samples * features.stride
    pieces = np.pad(audio, (0, -len(audio) % size)).reshape(-1, size)
    power = np.mean(np.square(pieces), axis=1)
    loud = power >= power.max(initial=0.0) * 10 ** (-quiet_db / 10)
    return max(0, int(loud.argmax()) - 1) if len(loud) else 0  # the frame before reaches into the first loud piece
