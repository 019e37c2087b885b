"""Faster or slower speech of the same pitch."""

import numpy as np

_HOP = 0.03  # seconds of a segment, without what overlaps the next one
_OVERLAP = 0.01  # seconds that segments are faded over
_SEARCH = 0.008  # seconds that a segment may begin earlier or later: together a period of a voice of 63 Hz


def change_tempo(audio: np.ndarray, factor: float, sample_rate: int) -> np.ndarray:
    """Speech at another tempo, by waveform-similarity overlap-add (Verhelst and Roelands, ICASSP 1993).

    Segments are taken every `factor` hops and put every hop. Each begins where it is most like what followed the one
    before it, by normalized cross-correlation.

    Args:
        audio: float32 [samples].
        factor: above 1 is faster.
        sample_rate: in hertz.

    Returns:
        float32 [samples / factor, rounded, at least 1].
    """
    hop, overlap, search = (max(1, round(seconds * sample_rate)) for seconds in (_HOP, _OVERLAP, _SEARCH))
    count = max(1, round(len(audio) / factor))
    ideal = np.round(np.arange(-(-count // hop)) * (hop * factor)).astype(int)  # of what is padded by `search` before
    padded = np.pad(audio, (search, max(0, ideal[-1] - len(audio)) + 2 * search + hop + overlap))
    scale = _inverse_norms(padded, overlap)
    starts = np.empty_like(ideal)
    start = starts[0] = search
    for number, first in enumerate(ideal[1:].tolist(), 1):
        follows = padded[start + hop : start + hop + overlap]
        alike = np.correlate(padded[first : first + 2 * search + overlap], follows, "valid")
        start = first + int(np.argmax(alike * scale[first : first + 2 * search + 1]))
        starts[number] = start
    segments = np.lib.stride_tricks.sliding_window_view(padded, hop + overlap)[starts]  # [hops, hop + overlap]
    fade = np.linspace(0, 1, overlap, dtype=np.float32)
    segments[1:, :overlap] *= fade
    segments[1:, :overlap] += segments[:-1, hop:] * fade[::-1]
    return segments[:, :hop].reshape(-1)[:count]


def _inverse_norms(audio: np.ndarray, size: int) -> np.ndarray:
    """float32 [samples - size + 1]: 1 over the Euclidean norm of so many samples from each one on."""
    sums = np.cumsum(np.square(audio, dtype=np.float64))
    energies = sums[size - 1 :] - np.concatenate([[0.0], sums[:-size]])
    floor = max(1e-10 * sums[-1], 1e-30)  # silence is like nothing
    return (1 / np.sqrt(np.maximum(energies, floor))).astype(np.float32)
