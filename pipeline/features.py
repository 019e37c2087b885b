"""Waveform -> MFCC -> normalized, stacked frames, as layers on batches with true lengths.

What lies past an utterance's length changes none of its features, and features past its frames are zero.
"""

import math
import warnings

import keras
import numpy as np
from keras import ops

from pipeline import config
from pipeline.config import DELTA_CONTEXT
from pipeline.errors import InputError


@keras.saving.register_keras_serializable("pipeline")
class MFCC(keras.layers.Layer):
    """Mel-frequency cepstral coefficients as `librosa.feature.mfcc` computes them, and optionally their deltas.

    The power spectrum of each frame goes through librosa's own mel matrix, into decibels, and through an orthonormal
    DCT-II. Deltas are Savitzky-Golay derivatives (`librosa.feature.delta(mode="nearest")`).

    Args:
        features: the `features` section of a configuration.

    Attributes:
        fourier_by_matrix: multiply by a matrix instead of a fast transform, where a runtime has none.

    Call:
        audio: float32 [batch, samples], in -1..1.
        lengths: int32 [batch], in samples.
        Returns float32 [batch, frames, coefficients * (1 + deltas)] and int32 [batch], the true frames of each
        utterance: 1 + (n - n_fft) // hop of n samples, or with `centre` 1 + n // hop; none of no samples.
    """

    def __init__(self, features: config.Features, **kwargs):
        super().__init__(**kwargs)
        self.features = features if isinstance(features, config.Features) else config.Features(**features)
        self.window, self.mel_matrix, self.cosines = _constants(self.features)
        self.fourier_by_matrix = False

    def get_config(self):
        return {**super().get_config(), "features": self.features.model_dump()}

    def call(self, audio, lengths):
        n_fft, hop = self.features.n_fft, self.features.hop_samples
        lengths = ops.cast(lengths, "int32")
        audio = ops.where(_within(audio, lengths), audio, 0.0)
        before = n_fft // 2 if self.features.centre else 0
        audio = ops.pad(audio, [[0, 0], [before, n_fft]])  # at least one frame, if of zeros, even of no samples
        if self.features.centre:
            frames = ops.where(lengths > 0, 1 + lengths // hop, 0)
        else:
            frames = ops.maximum(0, 1 + (lengths - n_fft) // hop)

        log_mel = self._log_mel(audio)
        if self.features.top_db is not None:
            inside = _within(log_mel, frames)[:, :, None]
            peak = ops.max(
                ops.where(inside, log_mel, 10 * math.log10(self.features.least_power)), axis=(1, 2), keepdims=True
            )
            log_mel = ops.maximum(log_mel, peak - self.features.top_db)
        mfcc = ops.matmul(log_mel, self.cosines)
        parts = [mfcc, *(_delta(mfcc, frames, order) for order in range(1, 1 + self.features.deltas))]
        values = ops.concatenate(parts, axis=-1) if len(parts) > 1 else mfcc
        return ops.where(_within(values, frames)[:, :, None], values, 0.0), frames

    def whole_frames(self, audio):
        """Of each n_fft samples that are there, without deltas or a floor: float32 [batch, frames, coefficients].

        Args:
            audio: float32 [batch, samples], of at least n_fft samples.
        """
        return ops.matmul(self._log_mel(audio), self.cosines)

    def with_deltas(self, mfcc):
        """Of frames that have neighbours: float32 [batch, frames - 2 * context, coefficients * (1 + deltas)].

        Args:
            mfcc: float32 [batch, frames, coefficients], of more than 2 * `Features.delta_context` frames.
        """
        half = self.features.delta_context
        count = ops.shape(mfcc)[1] - 2 * half
        parts = [mfcc[:, half : half + count]]
        for order in range(1, 1 + self.features.deltas):
            shifted = enumerate(_delta_weights(order))
            parts.append(sum(float(weight) * mfcc[:, first : first + count] for first, weight in shifted))
        return ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]

    def _log_mel(self, audio):
        """Decibels float32 [batch, frames, mels] of each n_fft samples."""
        frames = ops.extract_sequences(audio, self.features.n_fft, self.features.hop_samples) * self.window
        spectrum = self._by_matrix(frames) if self.fourier_by_matrix else ops.rfft(frames)
        power = ops.square(spectrum[0]) + ops.square(spectrum[1])  # [batch, frames, 1 + n_fft // 2]
        power = ops.maximum(ops.matmul(power, self.mel_matrix), self.features.least_power)
        return (10 / math.log(10)) * ops.log(power)

    def _by_matrix(self, frames):
        n_fft = self.features.n_fft
        angles = 2 * np.pi / n_fft * (np.outer(np.arange(n_fft), np.arange(1 + n_fft // 2)) % n_fft)
        return [ops.matmul(frames, part(angles).astype(np.float32)) for part in (np.cos, np.sin)]


def with_silence(audio, lengths, silent: int):
    """Utterances with so many samples of silence before and after; one without samples stays as it is.

    Args:
        audio: float32 [batch, samples].
        lengths: int32 [batch], in samples.
        silent: samples on each side.

    Returns:
        float32 [batch, samples + 2 * silent], and int32 [batch], the new lengths.
    """
    lengths = ops.cast(lengths, "int32")
    audio = ops.pad(ops.where(_within(audio, lengths), audio, 0.0), [[0, 0], [silent, silent]])
    return audio, ops.where(lengths > 0, lengths + 2 * silent, 0)


def given_features(features, lengths):
    """Features that were computed before, in the form in which `MFCC` gives its own.

    Args:
        features: float32 [batch, frames, coefficients].
        lengths: int32 [batch], in frames.

    Returns:
        float32 [batch, frames, coefficients], zero past an utterance's length, and int32 [batch], the true frames.
    """
    lengths = ops.maximum(0, ops.cast(lengths, "int32"))
    return ops.where(_within(features, lengths)[:, :, None], features, 0.0), lengths


@keras.saving.register_keras_serializable("pipeline")
class Normalization(keras.layers.Layer):
    """Mean 0 and variance 1 for each coefficient.

    Args:
        kind: "global", by statistics set with `set_statistics` (can stream); "utterance", by those of each
            utterance's own frames (cannot); or "none".

    Call:
        values: float32 [batch, frames, coefficients].
        frames: int32 [batch].
        Returns float32 [batch, frames, coefficients], zero past each utterance's frames.
    """

    def __init__(self, kind: str = "global", **kwargs):
        super().__init__(**kwargs)
        self.kind = kind

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}

    def build(self, shape, *_):
        if self.kind == "global":
            self.mean = self.add_weight(name="mean", shape=shape[-1:], initializer="zeros", trainable=False)
            self.variance = self.add_weight(name="variance", shape=shape[-1:], initializer="ones", trainable=False)

    def set_statistics(self, mean: np.ndarray, variance: np.ndarray) -> None:
        """float [coefficients] each, of the training data."""
        self.mean.assign(mean)
        self.variance.assign(variance)

    def call(self, values, frames):
        if self.kind == "none":
            return values
        inside = _within(values, frames)[:, :, None]
        if self.kind == "global":
            mean, variance = self.mean, self.variance
        else:
            count = ops.cast(ops.maximum(frames, 1), values.dtype)[:, None, None]
            mean = ops.sum(ops.where(inside, values, 0.0), axis=1, keepdims=True) / count
            variance = ops.sum(ops.where(inside, ops.square(values - mean), 0.0), axis=1, keepdims=True) / count
        return ops.where(inside, (values - mean) * ops.rsqrt(variance + 1e-5), 0.0)


@keras.saving.register_keras_serializable("pipeline")
class StackFrames(keras.layers.Layer):
    """Joins `stack` neighbouring frames, every `stride` frames: a shorter sequence of richer inputs.

    Call:
        values: float32 [batch, frames, coefficients].
        frames: int32 [batch].
        Returns float32 [batch, stacked frames, stack * coefficients], at least one frame long, and int32 [batch].
    """

    def __init__(self, stack: int = 3, stride: int = 3, **kwargs):
        super().__init__(**kwargs)
        self.stack, self.stride = stack, stride

    def get_config(self):
        return {**super().get_config(), "stack": self.stack, "stride": self.stride}

    def call(self, values, frames):
        span = (ops.shape(values)[1] // self.stride) * self.stride + 1
        values = ops.pad(values, [[0, 0], [0, self.stack], [0, 0]])
        stacked = ops.concatenate([values[:, i : i + span : self.stride] for i in range(self.stack)], axis=-1)
        return stacked, ops.maximum(0, 1 + (frames - self.stack) // self.stride)


def _within(values, lengths):
    """bool [batch, time]: which steps of values [batch, time, ...] lie inside their utterance."""
    return ops.arange(ops.shape(values)[1])[None, :] < ops.cast(lengths, "int32")[:, None]


def _delta(values, frames, order):
    """The derivative along time by a polynomial fit, the first and last frame repeated past the ends."""
    half = DELTA_CONTEXT
    count = ops.shape(values)[1]
    last = ops.maximum(frames - 1, 0)[:, None]
    time = ops.arange(count)[None, :]
    near = [ops.maximum(0, ops.minimum(time + offset, last)) for offset in range(-half, half + 1)]
    return sum(
        float(weight) * ops.take_along_axis(values, index[:, :, None], axis=1)
        for weight, index in zip(_delta_weights(order), near, strict=True)
    )


def _delta_weights(order):
    """float64 [2 * DELTA_CONTEXT + 1]: of a frame and its neighbours, whose sum is the derivative in the middle."""
    positions = np.vander(np.arange(-DELTA_CONTEXT, DELTA_CONTEXT + 1), order + 1, increasing=True)
    return math.factorial(order) * np.linalg.pinv(positions)[order]


def _constants(features: config.Features) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Window [n_fft], mel matrix [1 + n_fft // 2, mels] and cosine matrix [mels, coefficients], float32.

    Raises:
        InputError: a mel band holds no frequency.
    """
    import librosa

    window = librosa.util.pad_center(
        librosa.filters.get_window(features.window, features.window_samples, fftbins=True), size=features.n_fft
    )
    with warnings.catch_warnings(category=UserWarning, action="ignore"):  # of empty bands: they are looked for below
        mel = librosa.filters.mel(
            sr=features.sample_rate,
            n_fft=features.n_fft,
            n_mels=features.mels,
            fmin=features.low_hz,
            fmax=features.high_hz,
            htk=features.mel_scale == "htk",
        )
    empty = int((mel.max(axis=1) == 0).sum())
    if empty:
        raise InputError(
            f"features.mels = {features.mels}: fewer wanted, or a larger n_fft than {features.n_fft}; {empty} of the "
            "bands lie between two of its frequencies"
        )
    k, m = np.arange(features.coefficients), np.arange(features.mels)
    cosines = math.sqrt(2 / features.mels) * np.cos(np.pi / features.mels * (m[:, None] + 0.5) * k[None, :])
    cosines[:, 0] /= math.sqrt(2)
    if features.lifter:
        cosines = cosines * (1 + features.lifter / 2 * np.sin(np.pi * (k + 1) / features.lifter))
    return window.astype(np.float32), mel.T.astype(np.float32), cosines.astype(np.float32)
