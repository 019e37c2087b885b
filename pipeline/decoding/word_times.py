"""Words in time: from when a model says them to when they are heard.

CTC's posteriors are spikes, and a unit's spike comes after its sound has been heard. Where there is a pause, the audio
itself tells where words end and begin; where there is none, the spikes less their usual lag do.
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np

from pipeline.decoding.transcript import Word

HOP_SECONDS = 0.01
"""From one value of `loudness` to the next."""
WINDOW_HOPS = 3
"""What a value of `loudness` is about."""
SILENCE_DB = -100.0
"""The least loudness, that of zeros; full scale is 0."""

QUIET_BELOW_PEAK_DB = 40.0
"""What is so far below the loud part of the speech is a pause, in a quiet room."""
QUIET_ABOVE_FLOOR_DB = 6.0
"""What is so little above the noise is a pause, in any room."""
SPEECH_BELOW_PEAK_DB = 15.0
"""What is not so far below the loud part is speech, however loud the noise seems."""
PAUSE_SECONDS = 0.05
"""A shorter quiet is a consonant's, as of a p or t. The window of `loudness` shortens a pause by two hops."""
LONG_PAUSE_SECONDS = 0.3
"""A pause counts for more the longer it is, up to this."""
NEARNESS = 0.3
"""How many seconds of a pause's length a second of distance from where the spikes expect it costs."""
REACH_SECONDS = 0.1
"""How much earlier than expected a word may end."""
SHORTEST_SECONDS = 0.02
"""No word is shorter, if the audio has room."""


@dataclass(frozen=True)
class Lag:
    """How a model's spikes lie to the words.

    Attributes:
        start: seconds from a word's beginning to its first spike.
        end: seconds from a word's end to the end of its last spike; negative if that comes before.
        trust: how far to go by the end of the word before where two words touch, rather than by the start of the one
            after; in 0..1.
    """

    start: float
    end: float
    trust: float


LAGS = {"characters": Lag(start=0.16, end=0.06, trust=0.5), "words": Lag(start=0.4, end=0.0, trust=0.9)}
"""By kind of units: a word unit's only spike comes when the word is over. Measured; see docs/words.md."""


def loudness(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """The audio's level over time.

    Args:
        audio: float [samples], in -1..1.
        sample_rate: in hertz.

    Returns:
        float32 [hops], in decibels of full scale: value n is about the time from n * HOP_SECONDS to (n + 1) *
        HOP_SECONDS and one hop on both sides of it.
    """
    edges = np.round(np.arange(0, len(audio) / sample_rate, HOP_SECONDS) * sample_rate).astype(int)
    edges = edges[edges < len(audio)]
    if not len(edges):
        return np.zeros(0, np.float32)
    energy = np.add.reduceat(np.square(audio, dtype=np.float64), edges)
    samples = np.diff(edges, append=len(audio))
    around = np.ones(WINDOW_HOPS)
    power = np.convolve(energy, around)[1:-1] / np.convolve(samples, around)[1:-1]
    return (10 * np.log10(np.maximum(power, 10 ** (SILENCE_DB / 10)))).astype(np.float32)


def refine(words: Sequence[Word], loudness: np.ndarray, lag: Lag, hop_seconds: float = HOP_SECONDS) -> tuple[Word, ...]:
    """The words with the times when they are heard.

    Args:
        words: in the order of time, lasting from their first spike to the end of their last, as `spell` gives them; in
            seconds from the beginning of the audio (of a stream: from that of the piece that `loudness` is about).
        loudness: float [hops], in decibels; see `loudness`.
        lag: of the model's spikes, as in LAGS.
        hop_seconds: from one value of `loudness` to the next.

    Returns:
        They are in order, do not overlap, last longer than nothing and lie inside the audio. Without audio they are as
        they were.
    """
    if not len(words) or not len(loudness):
        return tuple(words)
    duration = len(loudness) * hop_seconds
    pauses = [(first * hop_seconds, after * hop_seconds) for first, after in quiet_runs(loudness)]
    pauses = [pause for pause in pauses if pause[1] - pause[0] >= PAUSE_SECONDS or _at_an_edge(pause, duration)]
    times = []
    for before, after in itertools.pairwise([None, *words, None]):
        times += _between(before, after, pauses, duration, lag)
    times = _ordered(np.array(times[1:-1]), duration)
    return tuple(
        replace(word, start=float(start), end=float(end)) for word, (start, end) in zip(words, times, strict=True)
    )


def quiet_runs(loudness: np.ndarray) -> list[tuple[int, int]]:
    """The quiet parts, each its first hop and the first after it: far below the speech, or hardly above the noise."""
    floor, peak = np.percentile(loudness, [5, 95])
    limit = min(max(floor + QUIET_ABOVE_FLOOR_DB, peak - QUIET_BELOW_PEAK_DB), peak - SPEECH_BELOW_PEAK_DB)
    changes = np.flatnonzero(np.diff(loudness < limit, prepend=False, append=False))
    return [(int(first), int(after)) for first, after in changes.reshape(-1, 2)]


def _at_an_edge(pause: tuple[float, float], duration: float) -> bool:
    return pause[0] <= 0 or pause[1] >= duration


def _between(
    before: Word | None, after: Word | None, pauses: list[tuple[float, float]], duration: float, lag: Lag
) -> tuple[float, float]:
    """When the word before ends and the one after starts; at an edge of the audio, None, only one of them counts."""
    ends = before.end - lag.end if before else 0.0
    starts = after.start - lag.start if after else duration
    earliest = ends - REACH_SECONDS if before else 0.0
    latest = after.start - lag.start / 2 if after else duration
    possible = pauses[
        bisect_right(pauses, earliest, key=itemgetter(1)) : bisect_left(pauses, latest, key=itemgetter(0))
    ]
    if before and after:
        touching = lag.trust * ends + (1 - lag.trust) * starts
        first, last = _pause(possible, ends, touching), _pause(possible, starts, touching)
        if first[0] <= last[0]:  # two pauses, if there is speech between them that the decoder missed
            return first[0], last[1]
        return _pause(possible, touching, touching)
    return _pause(possible, ends if before else starts, ends if before else starts)


def _pause(possible: list[tuple[float, float]], expected: float, otherwise: float) -> tuple[float, float]:
    """The longest pause near a time when one is expected; its start and end."""

    def merit(pause: tuple[float, float]) -> float:
        distance = max(pause[0] - expected, expected - pause[1], 0.0)
        return min(pause[1] - pause[0], LONG_PAUSE_SECONDS) - NEARNESS * distance

    best = max(possible, key=merit, default=None)
    return best if best and merit(best) > 0 else (otherwise, otherwise)


def _ordered(times: np.ndarray, duration: float) -> np.ndarray:
    """Starts and ends, one after another, moved as little as makes them possible: [words, start and end]."""
    times = times.reshape(-1, 2)
    shortest = min(SHORTEST_SECONDS, duration / len(times))
    # In a time from which `shortest` is taken for each word before, starts and ends just must not fall.
    taken = shortest * np.arange(len(times))[:, None] + np.array([0.0, shortest])
    slack = np.maximum.accumulate(np.maximum(times - taken, 0.0).ravel()).reshape(-1, 2)
    return np.minimum(slack, duration - shortest * len(times)) + taken
