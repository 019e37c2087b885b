"""Samples in memory: what callers give as audio -> float32, and what no audio holds. Numpy alone."""

import numpy as np

from pipeline.errors import InputError

LARGEST = 1e6
"""Of a sample, where full scale is 1: the power of far larger ones overflows, and scores would be NaN."""
LOUDEST = 8.0
"""A peak that clipping, filters and sums of channels stay below; samples of 16 bits that nobody divided do not."""


def flaw(samples: np.ndarray) -> str | None:
    """What was wanted and found instead, if float samples are not finite or beyond LOUDEST; else None."""
    magnitudes = np.abs(samples, dtype=np.float64)
    bad = np.count_nonzero(~(magnitudes <= LARGEST))
    if bad:
        return f"finite samples wanted, found {bad} that are NaN, infinite or above {LARGEST:g}"
    peak = magnitudes.max(initial=0.0)
    if peak > LOUDEST:
        return f"samples in -1..1 wanted, found {peak:g}, as if nobody had divided samples of 16 bits by 32768"
    return None


def as_samples(audio: np.ndarray | bytes) -> np.ndarray:
    """float32 [samples] of one channel.

    Args:
        audio: float [samples] in -1..1; int16 [samples]; or bytes, of 16-bit samples, the low byte first.

    Raises:
        InputError: another type or shape, half a sample, or samples that are not finite or far beyond full scale.
    """
    if isinstance(audio, memoryview) and audio.format != "B":  # of numbers
        audio = np.asarray(audio)
    if isinstance(audio, (bytes, bytearray, memoryview)):
        if len(audio) % 2:
            raise InputError(f"audio: whole samples of two bytes wanted, found {len(audio)} bytes")
        audio = np.frombuffer(audio, "<i2")
    audio = np.asarray(audio)
    if audio.size == 0 and audio.ndim == 1:
        return np.zeros(0, np.float32)
    if audio.ndim != 1 or (audio.dtype.kind != "f" and audio.dtype != np.int16):
        found = f"{audio.dtype} {list(audio.shape)}"
        raise InputError(f"audio: one channel of float samples in -1..1, or of int16 ones, wanted, found {found}")
    if audio.dtype == np.int16:
        return audio.astype(np.float32) / 32768
    problem = flaw(audio)
    if problem:
        raise InputError(f"audio: {problem}")
    return audio.astype(np.float32, copy=False)
