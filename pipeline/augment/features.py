"""Augmentation of features: masks and microphones, in the model."""

import keras
from keras import ops

from pipeline import config


@keras.saving.register_keras_serializable("pipeline")
class SpecAugmentation(keras.layers.Layer):
    """Masks bands of time and of coefficients, and moves coefficients, in training; does nothing otherwise.

    The masks are after Park et al., "SpecAugment" (Interspeech 2019), section 2, on normalized MFCCs, where zero is the
    mean. A constant added to a cepstral coefficient is what another microphone or room does to it: filters multiply
    spectra, so they add to cepstra.

    Args:
        masks: the `spec_augment` section of a configuration.
        cepstra: the first so many coefficients are cepstra; their deltas, which a filter leaves alone, follow.
        seed: of the random masks and constants.

    Call:
        values: float32 [batch, frames, coefficients].
        frames: int32 [batch]. Masks lie inside an utterance's own frames.
    """

    def __init__(self, masks: config.SpecAugment, cepstra: int, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.masks = masks if isinstance(masks, config.SpecAugment) else config.SpecAugment(**masks)
        self.cepstra, self.seed = cepstra, seed
        self.random = keras.random.SeedGenerator(seed)

    def get_config(self):
        own = {"masks": self.masks.model_dump(), "cepstra": self.cepstra, "seed": self.seed}
        return {**super().get_config(), **own}

    def call(self, values, frames, training=False):
        if not training:
            return values
        count, coefficients = ops.shape(values)[1], values.shape[-1]
        frames = ops.cast(frames, "float32")
        if self.masks.channel:
            shape = ops.shape(values)[0], 1, self.cepstra
            constant = keras.random.normal(shape, stddev=self.masks.channel, seed=self.random)
            constant = ops.pad(constant, [[0, 0], [0, 0], [0, coefficients - self.cepstra]])
            inside = ops.cast(ops.arange(count), "float32")[None, :] < frames[:, None]
            values = ops.where(inside[:, :, None], values + constant, values)
        widest = ops.floor(ops.minimum(float(self.masks.time_width), frames * self.masks.time_share))
        for _ in range(self.masks.time_masks):
            values = ops.where(self._band(frames, widest, count)[:, :, None], 0.0, values)
        everything = ops.full_like(frames, float(coefficients))
        widest = ops.full_like(frames, float(min(self.masks.coefficient_width, coefficients)))
        for _ in range(self.masks.coefficient_masks):
            values = ops.where(self._band(everything, widest, coefficients)[:, None, :], 0.0, values)
        return values

    def _band(self, length, widest, size):
        """bool [batch, size]: a band of random width, up to `widest`, at a random place before `length`."""
        width = ops.floor(keras.random.uniform(ops.shape(length), seed=self.random) * (widest + 1))
        start = ops.floor(keras.random.uniform(ops.shape(length), seed=self.random) * (length - width + 1))
        positions = ops.cast(ops.arange(size), "float32")[None, :]
        return ops.logical_and(positions >= start[:, None], positions < (start + width)[:, None])
