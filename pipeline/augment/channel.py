"""What a line or a recorder does to speech: bands, telephones, clipping."""

import functools
import math

import numpy as np
import soxr

_TELEPHONE_RATE = 8000
_TELEPHONE_BAND = 300.0, 3400.0
_MU = 255  # of ITU-T G.711
_STEPS = 127  # of a sign and seven bits


def band_limited(audio: np.ndarray, low_hz: float, high_hz: float, sample_rate: int) -> np.ndarray:
    """Without what lies below and above, by Butterworth filters of the fourth order: 24 dB an octave, minimum phase.

    Args:
        audio: float32 [samples].
        low_hz: where the high-pass has 3 dB, below half the rate.
        high_hz: where the low-pass has; at half the rate or above there is none.
        sample_rate: in hertz.

    Returns:
        float32 [samples].
    """
    from scipy.signal import sosfilt  # here: without filters it is not needed

    sections = [*_butterworth("high", low_hz, sample_rate)]
    if high_hz < sample_rate / 2:
        sections += _butterworth("low", high_hz, sample_rate)
    return sosfilt(np.array(sections), audio).astype(np.float32)  # float32 would not hold a pole of few hertz


def _butterworth(side: str, hz: float, sample_rate: int) -> list[list[float]]:
    """Two second-order sections of numerator and denominator; `scipy.signal.butter` takes 20 times as long.

    The bilinear transform with prewarping, as in R. Bristow-Johnson's Audio EQ Cookbook ("LPF", "HPF"), each section
    with the quality of one of the poles.
    """
    angle = 2 * math.pi * hz / sample_rate
    cos = math.cos(angle)
    gain, middle = ((1 - cos) / 2, 2) if side == "low" else ((1 + cos) / 2, -2)
    sections = []
    for pole in (1, 3):
        quality = 1 / (2 * math.sin(pole * math.pi / 8))
        alpha = math.sin(angle) / (2 * quality)
        numbers = gain, middle * gain, gain, 1 + alpha, -2 * cos, 1 - alpha
        sections.append([number / (1 + alpha) for number in numbers])
    return sections


def over_telephone(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Through a telephone: 8 kHz, 300 to 3400 Hz, 8 bits a sample by the mu law of ITU-T G.711.

    Args:
        audio: float32 [samples], in -1..1.
        sample_rate: in hertz.

    Returns:
        float32 [samples], in time with `audio`.
    """
    rate = min(_TELEPHONE_RATE, sample_rate)
    narrow = soxr.resample(audio, sample_rate, rate, quality="MQ") if rate < sample_rate else audio
    narrow = _through_mu_law(band_limited(narrow, *_TELEPHONE_BAND, rate))
    wide = soxr.resample(narrow, rate, sample_rate, quality="MQ") if rate < sample_rate else narrow
    return wide[: len(audio)] if len(wide) >= len(audio) else np.pad(wide, (0, len(audio) - len(wide)))


def _through_mu_law(audio: np.ndarray) -> np.ndarray:
    """Each sample as the nearest of 255 values: the law's continuous form, where G.711 has straight pieces of it."""
    magnitudes = np.log1p(np.minimum(np.abs(audio), 1) * np.float32(_MU))
    codes = np.rint(magnitudes * np.float32(_STEPS / math.log1p(_MU))).astype(np.uint8)
    return np.copysign(_decoded()[codes], audio)


@functools.cache
def _decoded() -> np.ndarray:
    """float32 [128]: the magnitude that each code stands for."""
    return (np.expm1(np.arange(_STEPS + 1) / _STEPS * math.log1p(_MU)) / _MU).astype(np.float32)


def clipped(audio: np.ndarray, over_db: float) -> np.ndarray:
    """As if recorded so loud that the peak was so far above full scale, cut off there, then brought back to that peak.

    Args:
        audio: float32 [samples].
        over_db: decibels; 0 and less clips nothing.

    Returns:
        float32 [samples], with the peak of `audio`.
    """
    peak = max(audio.max(), -audio.min())
    if over_db <= 0 or not peak:
        return audio
    over = np.float32(10 ** (over_db / 20))
    return np.clip(audio, -peak / over, peak / over) * over
