"""Greedy decoding: the best unit of every frame, repeats merged, blanks dropped."""

import math

import numpy as np

from pipeline.decoding.transcript import BLANK, Run, Transcript, spell
from pipeline.text import Units

PAUSE_SECONDS = 0.5
"""So long a run of blanks parts words, if the units have a space: many a network writes none in a pause of seconds.

On barista's `valid` no run inside a word lasts longer than 0.15 s; the word error rate is the same for any limit from
0.2 to 5 s, and as without one.
"""


def greedy(log_probs: np.ndarray, units: Units, frame_seconds: float) -> Transcript:
    """The transcript of one utterance.

    Args:
        log_probs: float [frames, units], of the true frames only.
        units: of the model.
        frame_seconds: from one frame to the next.

    Returns:
        See `transcript.spell`.
    """
    return spell(best_runs(log_probs), log_probs, units, frame_seconds, pause_frames(units, frame_seconds))


def pause_frames(units: Units, frame_seconds: float) -> float:
    """How many blanks in a row part words; infinity where units have no space, or need none."""
    if units.kind != "characters" or " " not in units.symbols:
        return math.inf
    return math.ceil(round(PAUSE_SECONDS / frame_seconds, 6))


def best_runs(log_probs: np.ndarray) -> list[Run]:
    """The units on the best path through the frames."""
    if not len(log_probs):
        return []
    best = log_probs.argmax(axis=1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    ends = np.append(starts[1:], len(best))
    return [
        Run(int(best[start]), int(start), int(end), float(log_probs[start:end, best[start]].max()))
        for start, end in zip(starts, ends, strict=True)
        if best[start] != BLANK
    ]


def pauses(log_probs: np.ndarray, limit: float) -> np.ndarray:
    """The middles, int [pauses], of the runs of at least so many frames whose best unit is the blank."""
    changes = np.flatnonzero(np.diff(log_probs.argmax(axis=1) == BLANK, prepend=False, append=False))
    starts, ends = changes[::2], changes[1::2]
    return ((starts + ends) // 2)[ends - starts >= limit]
